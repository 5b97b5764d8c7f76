//! Two simulated SQL Servers and the proxy in front of them. A simulation: it says so, and refuses what it cannot do.
//!
//! | module | what |
//! |---|---|
//! | [`engine`] | T-SQL over SQLite: databases, sessions, transactions, replication from `onprem` to `mi` |
//! | [`server`] | TDS in front of an engine: logins, encryption, requests, responses |
//! | [`tls`] | the certificates the servers show |
//! | [`proxied`] | the proxy in front of both |
//!
//! [`start`] runs everything in this process; the binary is a thin layer over it.

pub mod engine;
pub mod proxied;
pub mod server;
pub mod tls;

use engine::front::Engine;
use engine::{Pair, PairOptions};
use proxied::{Behind, ProxyOptions, RunningProxy};
use server::{RunningServer, Settings};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tds::prelogin::Protection;
use tls::Certificates;
use tokio::net::TcpListener;

/// The login every database of the sandbox knows.
pub const LOGIN: &str = "app";
/// Its password. Everybody may know it: the data is made up and the servers listen on the loopback interface only.
pub const PASSWORD: &str = "App_User_1";
/// The database with the example table `Orders`.
pub const DATABASE: &str = "SalesDB";

/// What to start and where. Port 0 takes any free port.
#[derive(Debug)]
pub struct Options {
    /// Port of the server that takes writes.
    pub onprem_port: u16,
    /// Port of its read-only copy.
    pub mi_port: u16,
    /// How long the copy lags behind. Only [`start`] has a use for it.
    pub lag: Duration,
    /// The proxy in front of them; `None` runs the servers alone.
    pub proxy: Option<ProxyOptions>,
    /// The least both servers encrypt.
    pub at_least: Protection,
    /// A made-up Microsoft Entra token that both servers take for the login's password, over connections that are
    /// encrypted as a whole; `None` takes no tokens.
    pub entra_token: Option<String>,
    /// Where the certificates are written; `None` is a temporary directory that goes when the sandbox stops.
    pub state_directory: Option<PathBuf>,
}

impl Default for Options {
    fn default() -> Self {
        let (lag, at_least) = (Duration::ZERO, Protection::Clear);
        Self { onprem_port: 0, mi_port: 0, lag, proxy: None, at_least, entra_token: None, state_directory: None }
    }
}

/// The sandbox could not start.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A port is taken, mostly.
    #[error("server {name} cannot listen on {address}; choose another port, or 0 for any")]
    Listen {
        /// Which server.
        name: &'static str,
        /// Where.
        address: SocketAddr,
        /// Why not.
        source: std::io::Error,
    },
    /// No place for the certificates.
    #[error("a directory for the certificates could not be made")]
    State(#[source] std::io::Error),
    /// No certificates.
    #[error(transparent)]
    Tls(#[from] tls::Error),
    /// The engines did not start.
    #[error("the simulated engines did not start")]
    Engine(#[source] std::io::Error),
    /// The proxy's configuration, which is made here, has mistakes.
    #[error("the proxy does not take the sandbox's configuration; this is a defect of the sandbox")]
    Configuration(#[from] proxy::config::ConfigErrors),
    /// The proxy did not start.
    #[error(transparent)]
    Proxy(#[from] proxy::Error),
    /// The proxy runs, but nobody can reach it.
    #[error("the proxy does not say where it listens; this is a defect of the sandbox")]
    NoAddress,
}

/// The running sandbox. Dropping it stops everything.
#[derive(Debug)]
pub struct Running {
    /// The server that takes writes.
    pub onprem: RunningServer,
    /// Its read-only copy.
    pub mi: RunningServer,
    /// The proxy in front of them, if it was asked for.
    pub proxy: Option<RunningProxy>,
    /// The engines; absent where the caller brought his own.
    pair: Option<Pair>,
    certificates: Certificates,
    _state: Option<tempfile::TempDir>,
}

impl Running {
    /// The file of the authority that signed the servers' certificate, in PEM.
    pub fn ca_path(&self) -> &Path {
        &self.certificates.authority_path
    }

    /// What the servers show in TLS.
    pub fn certificates(&self) -> &Certificates {
        &self.certificates
    }

    /// The engines behind the servers: to set the lag, and to wait until both are equal.
    pub fn pair(&self) -> Option<&Pair> {
        self.pair.as_ref()
    }

    /// Closes the ports and every session, and waits for them.
    pub async fn shut_down(self) {
        if let Some(proxy) = self.proxy {
            proxy.shut_down().await;
        }
        tokio::join!(self.onprem.shut_down(), self.mi.shut_down());
    }
}

/// Starts the two simulated servers, with the example database, and the proxy if it is asked for.
///
/// # Errors
/// A port that is taken, or a directory that cannot be written.
pub async fn start(options: Options) -> Result<Running, Error> {
    let pair_options = PairOptions {
        user: LOGIN.to_owned(),
        password: engine::Password(PASSWORD.to_owned()),
        databases: vec![DATABASE.to_owned()],
        lag: options.lag,
        ..PairOptions::default()
    };
    let started = tokio::task::spawn_blocking(move || Pair::start(pair_options)).await;
    let pair = started.map_err(std::io::Error::other).flatten().map_err(Error::Engine)?;
    let (onprem, mi) = (Arc::new(pair.onprem().clone()), Arc::new(pair.mi().clone()));
    let running = start_with(options, onprem, mi).await?;
    Ok(Running { pair: Some(pair), ..running })
}

/// Starts a server for each of two engines, and the proxy if it is asked for.
///
/// # Errors
/// A port that is taken, or a directory that cannot be written.
pub async fn start_with(options: Options, onprem: Arc<dyn Engine>, mi: Arc<dyn Engine>) -> Result<Running, Error> {
    let (state, directory) = match &options.state_directory {
        Some(directory) => {
            std::fs::create_dir_all(directory).map_err(Error::State)?;
            (None, directory.clone())
        }
        None => {
            let state = tempfile::Builder::new().prefix("tds-sandbox-").tempdir().map_err(Error::State)?;
            let directory = state.path().to_owned();
            (Some(state), directory)
        }
    };
    let certificates = Certificates::generate(&directory, &Arc::new(rustls::crypto::aws_lc_rs::default_provider()))?;
    let settings = |engine| {
        let (certificates, entra_token) = (certificates.clone(), options.entra_token.clone());
        Settings { engine, certificates, at_least: options.at_least, entra_token }
    };
    let onprem = serve("onprem", options.onprem_port, settings(onprem)).await?;
    let mi = serve("mi", options.mi_port, settings(mi)).await?;
    let behind = Behind { onprem: onprem.address(), mi: mi.address(), certificates: &certificates };
    let proxy = options.proxy.map(|proxy| RunningProxy::start(proxy, &behind)).transpose()?;
    Ok(Running { onprem, mi, proxy, pair: None, certificates, _state: state })
}

async fn serve(name: &'static str, port: u16, settings: Settings) -> Result<RunningServer, Error> {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let listen = async { RunningServer::start(TcpListener::bind(address).await?, settings) };
    listen.await.map_err(|source| Error::Listen { name, address, source })
}
