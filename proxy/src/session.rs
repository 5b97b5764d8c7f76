//! One client's life: greeting, login on the right replica, requests, end.
//!
//! | file | owns |
//! |---|---|
//! | `greeting.rs` | the client's PRELOGIN, TLS and LOGIN7 |
//! | `login.rs` | which replica, and the login there |
//! | `entry.rs` | a login on one replica, as the client or as the proxy |
//! | `relay.rs` | requests and responses |
//! | `exchange.rs` | who owes whom what |
//! | `refusal.rs` | errors as the client gets them |
//! | `error.rs` | what can go wrong, whose fault it is |

mod entry;
pub(crate) mod error;
pub(crate) mod exchange;
mod greeting;
mod login;
mod refusal;
mod relay;

use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use tds::packet::PACKET_BYTES_LOGIN;
use tds::scan::Scanner;
use tokio::net::TcpStream;
use tokio::sync::SemaphorePermit;
use tokio::time::{Instant, timeout_at};
use tracing::field::display;
use tracing::{Instrument, Span, debug, info, warn};

use crate::admin::LoginView;
use crate::backend::Dialogue;
use crate::drain::Drain;
use crate::limits::Limit;
use crate::metrics::{self, Outcome, RouteMeters};
use crate::net::flow::Flow;
use crate::net::{Stream, socket};
use crate::places::Place;
use crate::proxy_protocol::{Announced, Endpoints};
use crate::service::ServiceState;
use crate::sessions::SessionGuard;
use crate::setup::Setup;
use crate::shared::Shared;
use error::{Fault, SessionError};
use exchange::Exchange;
use greeting::{Greeting, Host};
use login::LoggedIn;
use relay::{End, Relay, RelayLimits};

/// What a client gets to take the error that ends its login, whatever time the login took.
const TELLING: Duration = Duration::from_secs(1);

/// A client that was accepted.
pub(crate) struct Session {
    /// Its number stands in every log line of the session and in every error we tell its client.
    pub(crate) guard: SessionGuard,
    /// Both ends of its client's connection, once they are known.
    pub(crate) endpoints: Option<Endpoints>,
    pub(crate) service: Arc<ServiceState>,
    /// The configuration it came under, and ends with: a reload is for those who come later.
    pub(crate) setup: Arc<Setup>,
    pub(crate) shared: Arc<Shared>,
    pub(crate) drain: Drain,
}

impl Session {
    /// Serves the client until either side is done. Never fails: what went wrong is told to the client where it can be,
    /// and to the log.
    pub(crate) async fn run(mut self, mut tcp: TcpStream, span: Span) {
        let accepted = Instant::now();
        let mut meter = self.setup.meters.session(&self.service.config.name);
        let logging_in = async {
            let first = self.arrive(&mut tcp, accepted).await?;
            self.log_in(tcp, first, accepted).await
        };
        let logged_in = logging_in.instrument(span.clone()).await;
        let outcome = match logged_in {
            Ok(Some((client, logged_in))) => {
                self.setup.meters.logged_in(accepted.elapsed());
                // Nothing is logged while requests pass, so they are spared entering and leaving the span each time.
                Box::pin(self.serve(client, logged_in, &span)).await
            }
            Ok(None) => return meter.ended(Outcome::LoginRefused),
            Err(error) => Err(error),
        };
        let _entered = span.enter();
        match outcome {
            Ok(end) => {
                meter.ended(Outcome::Served);
                debug!(?end, "session ended");
            }
            Err(error) => self.report(&error),
        }
    }

    /// Hears from a load balancer who the client is, where one stands before it, and waits for the client's first byte,
    /// which is still to be read.
    async fn arrive(&mut self, tcp: &mut TcpStream, accepted: Instant) -> Result<u8, SessionError> {
        let deadline = accepted + self.setup.config.timeouts.prelogin;
        let peer = self.guard.client();
        let arrival = async {
            self.endpoints = tcp.local_addr().ok().map(|server| Endpoints { client: peer, server });
            let trusted = &self.service.config.proxy_protocol_from;
            if !trusted.is_empty() {
                if !trusted.iter().any(|network| network.contains(peer.ip())) {
                    return Err(SessionError::UntrustedPeer);
                }
                if let Announced::Client(endpoints) = greeting::announcement(tcp).await? {
                    self.endpoints = Some(endpoints);
                    self.guard.announced(endpoints.client);
                }
                Span::current().record("client.address", display(self.guard.client()));
            }
            greeting::first_byte(tcp).await
        };
        timeout_at(deadline, arrival).await.unwrap_or(Err(SessionError::ClientTooSlow(error::Phase::Prelogin)))
    }

    /// Hears the client out and logs it in to a replica. `None` when the replica refused the login and the client knows.
    async fn log_in(
        &self,
        tcp: TcpStream,
        first: u8,
        accepted: Instant,
    ) -> Result<Option<(Client, LoggedIn)>, SessionError> {
        let timeouts = &self.setup.config.timeouts;
        let deadline = accepted + timeouts.login;
        // Half the time at most: the other half is for the login itself, and for saying that there was no turn.
        let permit = self.login_permit(accepted + timeouts.login / 2).await;
        let host = Host {
            service: &self.service.config,
            tls: self.service.tls.as_ref(),
            advertised: self.service.advertised.load(),
            login_bytes_max: self.setup.config.limits.login_bytes_max,
            timeouts,
        };
        let greeted = timeout_at(deadline, host.greet(tcp, first)).await;
        let Greeting { mut stream, mut early, login, strict, on_behalf } =
            greeted.unwrap_or(Err(SessionError::ClientTooSlow(error::Phase::Login)))?;
        let logged_in = match permit.and_then(|permit| Ok((permit, self.places()?))) {
            // The permit is held while the replica is logged in to: that is what a storm must not do all at once.
            Ok((_permit, places)) => {
                let attempt = login::Login { session: self, login: &login, strict, on_behalf, places };
                let mut dialogue = Dialogue::new(&mut stream, &mut early, host.login_bytes_max);
                timeout_at(deadline, attempt.run(&mut dialogue)).await.unwrap_or(Err(SessionError::LoginTooSlow))
            }
            Err(error) => Err(error),
        };
        match logged_in {
            Ok(login::Answer::LoggedIn(logged_in)) => {
                refusal::send(&mut stream, &logged_in.answer, logged_in.backend.spid, deadline).await?;
                self.guard.logged_in(LoginView {
                    user: login.user_name,
                    application: login.application_name,
                    database: login.database,
                    replica: logged_in.route.replica.to_string(),
                    role: logged_in.route.role.as_str(),
                    reason: logged_in.route.reason.as_str(),
                    rule: logged_in.rule.as_deref().map(str::to_owned),
                    proven_on: logged_in.proven_on.as_ref().map(ToString::to_string),
                });
                Ok(Some((Client { stream, early }, *logged_in)))
            }
            Ok(login::Answer::Refused { answer, number }) => {
                info!(number, user = login.user_name, database = login.database, "the replica refused the login");
                refusal::send(&mut stream, &answer, 0, deadline).await?;
                Ok(None)
            }
            Err(error) => {
                if let Some(tokens) = refusal::tokens(&error, self.guard.id()) {
                    // The client may be gone already; the error is reported either way.
                    let _ = refusal::send(&mut stream, &tokens, 0, Instant::now() + TELLING).await;
                }
                Err(error)
            }
        }
    }

    /// A place among the logins in progress. A client that finds the queue full is heard out and then told so.
    async fn login_permit(&self, deadline: Instant) -> Result<SemaphorePermit<'_>, SessionError> {
        let limits = &self.setup.config.limits;
        if let Some((_, max)) = self.shared.health.memory_exhausted() {
            return Err(SessionError::Limit { limit: Limit::Memory, max });
        }
        let rate = self.service.config.limits.logins_per_second_max;
        if let Some(max) = rate.filter(|&rate| !self.service.usage.logins.take(Instant::now(), rate)) {
            return Err(SessionError::Limit { limit: Limit::LoginRate, max: max.into() });
        }
        if let Ok(permit) = self.setup.logins.try_acquire() {
            return Ok(permit);
        }
        let Some(_queued) = self.shared.login_queue.take(limits.login_queue_max) else {
            return Err(limit(Limit::LoginQueue, limits.login_queue_max));
        };
        let turn = timeout_at(deadline, self.setup.logins.acquire()).await.ok().and_then(Result::ok);
        turn.ok_or_else(|| limit(Limit::LoginTurn, limits.handshakes_max))
    }

    /// Places among the sessions that are logged in: of the process, and of the service.
    fn places(&self) -> Result<[Place; 2], SessionError> {
        let max = self.setup.config.limits.sessions_max;
        let of_process = self.shared.places.take(max).ok_or_else(|| limit(Limit::Sessions, max))?;
        let max = self.service.config.limits.sessions_max.unwrap_or(usize::MAX);
        let of_service = self.service.usage.sessions.take(max).ok_or_else(|| limit(Limit::ServiceSessions, max))?;
        Ok([of_process, of_service])
    }

    /// Passes requests and responses until the session ends.
    async fn serve(&self, client: Client, logged_in: LoggedIn, span: &Span) -> Result<End, SessionError> {
        let LoggedIn { backend, route, places: _places, login_place: _login_place, .. } = logged_in;
        let bytes_max = self.setup.config.limits.relay_buffer_bytes;
        let timeouts = &self.setup.config.timeouts;
        let mut relay = Relay {
            up: Flow::new(bytes_max, &client.early),
            down: Flow::new(bytes_max, &backend.early),
            exchange: Exchange::new(backend.packet_bytes.max(PACKET_BYTES_LOGIN), Scanner::new(backend.agreed)),
            meters: RouteMeters::new(route.replica.as_str(), route.role.as_str(), route.reason.as_str()),
            limits: RelayLimits { idle: timeouts.idle, stall: timeouts.stall, request: timeouts.request },
            client: client.stream,
            backend: backend.stream,
        };
        let ended = relay.run(&self.drain, &route.replica).await;
        if let Some(error) = relay.exchange.scan_error() {
            span.in_scope(|| {
                warn!(replica = %route.replica, %error, "the replica's tokens could not be followed; they were passed on as they were");
            });
        }
        if let Err(error) = &ended {
            self.tell(&mut relay, error, backend.packet_bytes, backend.spid).await;
        }
        ended
    }

    /// Tells the client of a running session why it ends, or cuts the connection where that cannot be said any more.
    async fn tell(&self, relay: &mut Relay, error: &SessionError, packet_bytes: usize, spid: u16) {
        let told = match refusal::tokens(error, self.guard.id()) {
            Some(tokens) => {
                let stall = self.setup.config.timeouts.stall.unwrap_or(self.setup.config.timeouts.login);
                let finished = relay.finish_with(&tokens, packet_bytes, spid);
                matches!(tokio::time::timeout(stall, finished).await, Ok(Ok(true)))
            }
            None => false,
        };
        if !told {
            socket::reset_on_close(relay.client.tcp());
        }
    }

    fn report(&self, error: &SessionError) {
        if let SessionError::Limit { limit, .. } = error {
            metrics::refused(self.service.name(), *limit);
        }
        self.setup.meters.failed(error.fault().as_str());
        let cause = error::chain(error);
        match (error, error.fault()) {
            // Connections that are opened and closed again are load balancers, port checks and drivers racing addresses.
            (SessionError::ClientLeft(_), _) => debug!(error = %cause, "session ended"),
            (_, Fault::Client) => info!(error = %cause, "session ended"),
            (_, Fault::Backend | Fault::Proxy) => warn!(error = %cause, "session ended"),
        }
    }
}

/// The client's leg of a session that logged in.
struct Client {
    stream: Stream,
    early: BytesMut,
}

fn limit(limit: Limit, max: usize) -> SessionError {
    SessionError::Limit { limit, max: u64::try_from(max).unwrap_or(u64::MAX) }
}
