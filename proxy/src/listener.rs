//! Accepts clients: one task and one span each, never more than the limits say.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Instant, sleep};
use tracing::field::{Empty, display};
use tracing::{debug, info, info_span, warn};

use crate::config::Service;
use crate::drain::Drain;
use crate::error::Error;
use crate::limits::Limit;
use crate::metrics;
use crate::net::socket;
use crate::service::ServiceState;
use crate::session::Session;
use crate::setup::{ListenerKey, Setup};
use crate::shared::Shared;

/// How many clients the kernel keeps for us between two accepts.
const BACKLOG: i32 = 4096;
/// The pause after an accept that failed for want of something, such as file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// A bound address.
pub(crate) struct Listener {
    listener: TcpListener,
    key: ListenerKey,
    shared: Arc<Shared>,
}

impl Listener {
    /// Binds the service's address. Must be called inside a tokio runtime.
    ///
    /// # Errors
    /// The address is taken or not ours.
    pub(crate) fn bind(service: &Service, shared: Arc<Shared>) -> Result<Self, Error> {
        let listener = listen(service.listen).map_err(|source| {
            let (service, address) = (service.name.to_string(), service.listen);
            Error::Listen { service, address, source }
        })?;
        Ok(Self { listener, key: ListenerKey::of(service), shared })
    }

    /// Where it listens; tells the port where the configuration asked for any.
    ///
    /// # Errors
    /// When the socket is gone.
    pub(crate) fn address(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// What it is known by.
    pub(crate) fn key(&self) -> &ListenerKey {
        &self.key
    }

    /// Accepts until the process drains or it is dropped; the address is free again then.
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
                    warn!(%error, address = %self.key.address, "cannot accept clients; retrying");
                    sleep(ACCEPT_PAUSE).await;
                }
            }
        }
        info!(address = %self.key.address, "stopped accepting clients");
    }

    fn admit(&self, tcp: TcpStream, peer: SocketAddr, drain: Drain) {
        let setup = self.shared.setup();
        let Some(service) = setup.service_at(&self.key).map(Arc::clone) else {
            debug!(client.address = %peer, "turned away: the service was removed");
            return;
        };
        let limits = &setup.config.limits;
        let sockets_max = limits.sessions_max + limits.handshakes_max + limits.login_queue_max;
        let Some(place) = self.shared.sockets.take(sockets_max) else {
            return turn_away(&tcp, &setup, &service, Limit::Connections, peer);
        };
        // Before the handshake, which would cost more than the session: who is too fast is cut without a word.
        let rate = service.config.limits.connections_per_second_max;
        if rate.is_some_and(|rate| !service.usage.connections.take(Instant::now(), rate)) {
            return turn_away(&tcp, &setup, &service, Limit::ConnectionRate, peer);
        }
        let keepalive = setup.config.timeouts.keepalive.unwrap_or_default();
        if let Err(error) = socket::prepare(&tcp, keepalive) {
            debug!(%error, client.address = %peer, "a client left while it was accepted");
            return;
        }
        let guard = self.shared.sessions.enter(peer, Arc::clone(service.name()));
        let span = info_span!(
            "session",
            session.id = guard.id(),
            client.address = Empty,
            network.peer.address = Empty,
            service = %service.name()
        );
        // Whose client it is, a load balancer says first.
        let field =
            if service.config.proxy_protocol_from.is_empty() { "client.address" } else { "network.peer.address" };
        span.record(field, display(peer));
        let session = Session { guard, endpoints: None, service, setup, shared: Arc::clone(&self.shared), drain };
        tokio::spawn(async move {
            session.run(tcp, span).await;
            drop(place);
        });
    }
}

fn turn_away(tcp: &TcpStream, setup: &Setup, service: &ServiceState, limit: Limit, peer: SocketAddr) {
    setup.meters.turned_away(service.name());
    metrics::refused(service.name(), limit);
    debug!(client.address = %peer, limit = limit.as_str(), "turned away");
    socket::reset_on_close(tcp);
}

fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    TcpListener::from_std(socket.into())
}

fn is_the_clients(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}
