//! Accepts clients: one task and one span each, never more than the limits say.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::sleep;
use tracing::{Instrument, debug, info, info_span, warn};

use crate::drain::Drain;
use crate::net::socket;
use crate::session::Session;
use crate::shared::{ServiceState, Shared};

/// How many clients the kernel keeps for us between two accepts.
const BACKLOG: i32 = 4096;
/// The pause after an accept that failed for want of something, such as file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// A bound service.
pub(crate) struct Listener {
    listener: TcpListener,
    service: Arc<ServiceState>,
    shared: Arc<Shared>,
    /// Sockets of clients, logged in or not.
    sockets: Arc<Semaphore>,
}

impl Listener {
    /// Binds the service's address.
    ///
    /// # Errors
    /// When the address is taken or not ours.
    pub(crate) fn bind(service: Arc<ServiceState>, shared: Arc<Shared>, sockets: Arc<Semaphore>) -> io::Result<Self> {
        let address = service.config.listen;
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
        socket.set_reuse_address(true)?;
        socket.set_nonblocking(true)?;
        socket.bind(&address.into())?;
        socket.listen(BACKLOG)?;
        let listener = TcpListener::from_std(socket.into())?;
        Ok(Self { listener, service, shared, sockets })
    }

    /// Where it listens; tells the port where the configuration asked for any.
    ///
    /// # Errors
    /// When the socket is gone.
    pub(crate) fn address(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// The service's name.
    pub(crate) fn name(&self) -> &Arc<str> {
        &self.service.config.name
    }

    /// Accepts until the process drains; the address is free again when it returns.
    pub(crate) async fn run(self, mut drain: Drain) {
        loop {
            let accepted = tokio::select! {
                biased;
                () = drain.started() => break,
                accepted = self.listener.accept() => accepted,
            };
            match accepted {
                Ok((tcp, peer)) => self.admit(tcp, peer, drain.clone()),
                Err(error) if is_the_clients(&error) => debug!(%error, "a client left before it was accepted"),
                Err(error) => {
                    warn!(%error, service = %self.name(), "cannot accept clients; retrying");
                    sleep(ACCEPT_PAUSE).await;
                }
            }
        }
        info!(service = %self.name(), "stopped accepting clients");
    }

    fn admit(&self, tcp: TcpStream, peer: SocketAddr, drain: Drain) {
        let Ok(place) = Arc::clone(&self.sockets).try_acquire_owned() else {
            self.shared.meters.turned_away(self.name());
            debug!(client.address = %peer, "turned away: too many connections");
            socket::reset_on_close(&tcp);
            return;
        };
        let keepalive = self.shared.config.timeouts.keepalive.unwrap_or_default();
        if let Err(error) = socket::prepare(&tcp, keepalive) {
            debug!(%error, client.address = %peer, "a client left while it was accepted");
            return;
        }
        let guard = self.shared.sessions.enter(peer, Arc::clone(self.name()));
        let span = info_span!("session", session.id = guard.id(), client.address = %peer, service = %self.name());
        let session = Session { guard, service: Arc::clone(&self.service), shared: Arc::clone(&self.shared), drain };
        let life = async move {
            session.run(tcp).await;
            drop(place);
        };
        tokio::spawn(life.instrument(span));
    }
}

fn is_the_clients(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}
