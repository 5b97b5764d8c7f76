//! The server on a real socket, asked by a client that checks every packet and DONE it is sent.

mod attention;
mod bulk;
mod client;
mod encryption;
mod fake;
mod login;
mod proxied;
mod requests;

use super::{RunningServer, Settings};
use crate::tls::Certificates;
use std::sync::Arc;
use tds::prelogin::Protection;
use tokio::net::TcpListener;

/// A server of its own for each test, and the directory with its certificates.
struct Fixture {
    server: RunningServer,
    certificates: Certificates,
    _directory: tempfile::TempDir,
}

async fn serve(at_least: Protection) -> Fixture {
    let directory = tempfile::tempdir().unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let certificates = Certificates::generate(directory.path(), &provider).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let settings = Settings {
        engine: Arc::new(fake::FakeEngine("fake")),
        certificates: certificates.clone(),
        at_least,
        entra_token: None,
    };
    let server = RunningServer::start(listener, settings).unwrap();
    Fixture { server, certificates, _directory: directory }
}
