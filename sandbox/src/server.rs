//! One simulated SQL Server on a TCP port: accepts clients, gives each a session id, and can drop them all.

mod bulk;
mod entra;
mod greeting;
mod login;
mod packets;
mod request;
mod response;
mod session;
mod spids;
mod stop;
mod stream;
#[cfg(test)]
mod tests;
mod wire;

use crate::engine::front::{Engine, EngineSession};
use crate::tls::Certificates;
use crate::{LOGIN, PASSWORD};
use bytes::BytesMut;
use packets::{PacketReader, write_packets};
use session::Client;
use socket2::{SockRef, TcpKeepalive};
use spids::{SessionIds, Spid};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tds::login7::FeatureId;
use tds::packet::{self, PACKET_BYTES_LOGIN, PacketKind};
use tds::prelogin::{Protection, Refusal};
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// Largest request kept in memory: any batch or call, but not a bulk load, whose rows are taken as they come.
const REQUEST_BYTES_MAX: usize = 256 * 1024 * 1024;
/// From the first byte to the login, as SQL Server's own limit for PRELOGIN and TLS.
const LOGIN_TIMEOUT: Duration = Duration::from_secs(15);
/// SQL Server probes idle connections after this time, so that half-open ones end.
const KEEPALIVE_AFTER: Duration = Duration::from_secs(30);
const KEEPALIVE_EVERY: Duration = Duration::from_secs(1);
/// How long a server that shuts down waits for its sessions.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(5);

/// What a server is and what it demands.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The engine behind it, and its name.
    pub engine: Arc<dyn Engine>,
    /// What it shows in TLS.
    pub certificates: Certificates,
    /// The least it encrypts. [`Protection::Clear`] is SQL Server's own default: what the client wants.
    pub at_least: Protection,
    /// The token that proves anybody to be the login `app`, instead of its password; `None` takes no tokens.
    pub entra_token: Option<String>,
}

/// Why a client's connection ended.
#[derive(Debug, thiserror::Error)]
enum Error {
    #[error("the client closed the connection in the middle of something")]
    Closed,
    #[error("the connection broke")]
    Connection(#[from] std::io::Error),
    #[error("the TLS handshake failed")]
    Handshake(#[source] std::io::Error),
    #[error(transparent)]
    Refused(#[from] Refusal),
    #[error("the client broke the protocol: {0}")]
    Protocol(#[from] tds::DecodeError),
    #[error("the client sent a message of kind {0:?}, which has no place here")]
    Unexpected(PacketKind),
    #[error("the client did not log in within {} s", LOGIN_TIMEOUT.as_secs())]
    LoginTimeout,
    #[error("the login was refused with error {0}")]
    LoginRefused(i32),
    #[error("all session ids are taken")]
    TooManySessions,
    #[error("the simulated engine failed; this is a defect of the sandbox")]
    Engine,
}

/// A server that accepts clients. Dropping it closes the port and every session.
#[derive(Debug)]
pub struct RunningServer {
    address: SocketAddr,
    dropped: watch::Sender<u64>,
    sessions: SessionIds,
    accepting: JoinHandle<()>,
}

impl RunningServer {
    /// Serves clients of `listener`.
    ///
    /// # Errors
    /// When the listener has no address.
    pub fn start(listener: TcpListener, settings: Settings) -> std::io::Result<Self> {
        let address = listener.local_addr()?;
        let (dropped, _) = watch::channel(0);
        let sessions = SessionIds::default();
        let accepting = tokio::spawn(accept(listener, Arc::new(settings), dropped.clone(), sessions.clone()));
        Ok(Self { address, dropped, sessions, accepting })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// How many clients are connected.
    pub fn connections(&self) -> usize {
        self.sessions.taken()
    }

    /// Closes every connection at once and without a word, as the death of a server does. New ones are accepted.
    pub fn drop_connections(&self) {
        self.dropped.send_modify(|times| *times += 1);
    }

    /// Closes the port, then every connection, and waits for their sessions to end.
    pub async fn shut_down(self) {
        self.accepting.abort();
        self.drop_connections();
        let _ = tokio::time::timeout(SHUTDOWN_TIMEOUT, self.sessions.all_free()).await;
    }
}

impl Drop for RunningServer {
    fn drop(&mut self) {
        self.accepting.abort();
        self.drop_connections();
    }
}

async fn accept(listener: TcpListener, settings: Arc<Settings>, dropped: watch::Sender<u64>, sessions: SessionIds) {
    loop {
        let (socket, peer) = match listener.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                // Out of file descriptors, mostly: wait for sessions to end.
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(KEEPALIVE_EVERY).await;
                continue;
            }
        };
        let Some(spid) = sessions.take() else {
            tracing::warn!(client.address = %peer, error = %Error::TooManySessions, "connection refused");
            continue;
        };
        let settings = Arc::clone(&settings);
        let mut dropped = dropped.subscribe();
        tokio::spawn(async move {
            let id = spid.number();
            let ended = tokio::select! {
                ended = Box::pin(serve(socket, &settings, &spid)) => ended,
                _ = dropped.changed() => Ok(()),
            };
            match ended {
                Ok(()) => {}
                // Clients that go without a word are everyday: probes do, and programs that end.
                Err(error @ (Error::Closed | Error::Connection(_))) => {
                    tracing::debug!(client.address = %peer, session.id = id, %error, "connection ended");
                }
                Err(error) => {
                    let error = &error as &dyn std::error::Error;
                    tracing::info!(client.address = %peer, session.id = id, error, "connection ended");
                }
            }
        });
    }
}

async fn serve(socket: TcpStream, settings: &Settings, spid: &Spid) -> Result<(), Error> {
    socket.set_nodelay(true)?;
    let keepalive = TcpKeepalive::new().with_time(KEEPALIVE_AFTER).with_interval(KEEPALIVE_EVERY);
    SockRef::from(&socket).set_tcp_keepalive(&keepalive)?;
    let server = settings.engine.name().to_owned();
    let opened = open(socket, settings, spid.number(), &server);
    match tokio::time::timeout(LOGIN_TIMEOUT, opened).await {
        Ok(opened) => {
            let (client, engine) = opened?;
            client.serve(engine).await
        }
        Err(_) => Err(Error::LoginTimeout),
    }
}

/// From the first byte to the login response.
async fn open(
    socket: TcpStream,
    settings: &Settings,
    spid: u16,
    server: &str,
) -> Result<(Client, Box<dyn EngineSession>), Error> {
    let greeting::Greeted { mut stream, login, fed_auth_required } = greeting::greet(socket, settings).await?;
    let encrypted = stream.is_encrypted();
    let packet_bytes = login::packet_bytes(&login, encrypted);
    let framing = packet::Framing { spid, ..packet::Framing::new(PacketKind::TabularResult, PACKET_BYTES_LOGIN) };
    let outcome = match login.feature(FeatureId::FederatedAuthentication) {
        None => login::log_in(settings, &login, login.user_name.clone(), login.password.clone(), spid).await?,
        Some(feature) => {
            let entra = entra::Entra { token: settings.entra_token.as_deref(), required: fed_auth_required, framing };
            match entra.prove(&mut stream, feature).await? {
                None => login::log_in(settings, &login, LOGIN.to_owned(), PASSWORD.into(), spid).await?,
                Some(why) => Err(login::unproven(why)),
            }
        }
    };
    let (tokens, refusal) = match &outcome {
        Ok(engine) => (login::accepted(&login, engine.database(), packet_bytes, server), None),
        Err(message) => (login::refused(message.clone(), server), Some(message.number)),
    };
    let mut packets = BytesMut::new();
    packet::put_message(&mut packets, framing, &tokens);
    write_packets(&mut stream, &packets, encrypted).await?;
    let engine = match (outcome, refusal) {
        (Ok(engine), None) => engine,
        (_, refusal) => {
            stream.shutdown().await?;
            return Err(Error::LoginRefused(refusal.unwrap_or_default()));
        }
    };
    let (read, writer) = tokio::io::split(stream);
    let framing = response::Framing { packet_bytes, spid, server: server.to_owned() };
    let reader = PacketReader::new(read, packet_bytes.max(PACKET_BYTES_LOGIN));
    let interrupt = engine.interrupt();
    Ok((Client { reader, writer, encrypted, framing, interrupt }, engine))
}
