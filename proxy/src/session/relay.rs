//! A logged-in session: requests to the backend, responses to the client, both ways at once and never more in memory
//! than two bounded buffers.

use std::future::poll_fn;
use std::io;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use bytes::BytesMut;
use tds::DecodeError;
use tds::packet::{self, Framing, Header, PacketKind};
use tokio::time::{Sleep, sleep, sleep_until};

use super::error::{Phase, SessionError};
use super::exchange::Exchange;
use crate::drain::Drain;
use crate::metrics::RouteMeters;
use crate::net::flow::{Flow, FlowError, Observer};
use crate::net::{Stream, messages};

/// How a session ended when nothing went wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// The client closed.
    Client,
    /// The replica closed while nothing was running, as it does when it restarts or kills a session.
    Backend,
    /// Nobody asked for anything for the service's idle time.
    Idle,
    /// The process is stopping and the session had nothing open.
    Drained,
}

/// Both legs of a session and what is on its way between them.
pub(crate) struct Relay {
    pub(crate) client: Stream,
    pub(crate) backend: Stream,
    pub(crate) up: Flow,
    pub(crate) down: Flow,
    pub(crate) exchange: Exchange,
    pub(crate) meters: RouteMeters,
    pub(crate) limits: RelayLimits,
}

/// The waits a relay may make.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RelayLimits {
    pub(crate) idle: Option<Duration>,
    pub(crate) stall: Option<Duration>,
    /// From a request's first packet to its response's last.
    pub(crate) request: Option<Duration>,
}

/// Why an idle session woke.
enum Wake {
    Traffic,
    Idle,
    Drain,
}

impl Relay {
    /// Serves the session until one side leaves, it idles too long, the process drains, or something breaks.
    ///
    /// # Errors
    /// What broke, with whose fault it is; the client was not told yet.
    pub(crate) async fn run(
        &mut self,
        drain: &Drain,
        replica: &link_control::topology::ReplicaName,
    ) -> Result<End, SessionError> {
        // Made once: registering for the drain anew costs a lock or two, each time the session turns idle or busy.
        let (mut for_start, mut for_deadline) = (drain.clone(), drain.clone());
        let (mut started, mut deadline) = (pin!(for_start.started()), pin!(for_deadline.deadline()));
        loop {
            match self.wait(started.as_mut(), deadline.as_mut()).await {
                Wake::Idle => return Ok(End::Idle),
                Wake::Drain => return Ok(End::Drained),
                Wake::Traffic => {}
            }
            let ended = tokio::select! {
                biased;
                ended = self.exchange_until_idle() => ended,
                () = &mut deadline => return Err(SessionError::Draining),
            };
            match ended.map_err(|error| error.of(replica))? {
                None => {}
                Some(end) => return Ok(end),
            }
        }
    }

    /// Waits without buffers until there is something to do.
    async fn wait(
        &mut self,
        started: Pin<&mut impl Future<Output = ()>>,
        deadline: Pin<&mut impl Future<Output = ()>>,
    ) -> Wake {
        if !self.up.is_empty() {
            return Wake::Traffic;
        }
        self.give_back();
        let may_leave = !self.exchange.in_transaction();
        let limits = self.limits;
        let traffic = poll_fn(|cx| {
            let client = self.client.poll_readable(cx);
            let backend = self.backend.poll_readable(cx);
            if client.is_ready() || backend.is_ready() { Poll::Ready(()) } else { Poll::Pending }
        });
        let idle = async {
            match limits.idle {
                Some(limit) => sleep(limit).await,
                None => std::future::pending().await,
            }
        };
        let drained = async {
            if may_leave {
                started.await;
            } else {
                deadline.await;
            }
        };
        tokio::select! {
            biased;
            () = traffic => Wake::Traffic,
            () = drained => Wake::Drain,
            () = idle => Wake::Idle,
        }
    }

    fn give_back(&mut self) {
        self.up.give_back();
        self.down.give_back();
        self.client.give_back();
        self.backend.give_back();
    }

    /// Passes bytes both ways until nothing is owed and nothing is on its way. `Some` when a side left.
    async fn exchange_until_idle(&mut self) -> Result<Option<End>, Broken> {
        let mut clock = Clock { request_started: None, request_over: None, stalled: None };
        poll_fn(|cx| self.poll_exchange(cx, &mut clock)).await
    }

    fn poll_exchange(&mut self, cx: &mut Context<'_>, clock: &mut Clock) -> Poll<Result<Option<End>, Broken>> {
        self.poll_up(cx, clock)?;
        self.poll_down(cx, clock)?;
        if self.up.has_ended() && !self.up.has_packets() {
            return Poll::Ready(Ok(Some(End::Client)));
        }
        if self.down.has_ended() && !self.down.has_packets() {
            let lost = !self.exchange.is_idle() || self.down.holds_part_of_a_packet();
            return Poll::Ready(if lost { Err(Broken::BackendLeft) } else { Ok(Some(End::Backend)) });
        }
        if self.exchange.is_idle() && self.up.is_empty() && self.down.is_empty() {
            return Poll::Ready(Ok(None));
        }
        if let Some(limit) = self.limits.request
            && clock.poll_request(cx, limit).is_ready()
        {
            return Poll::Ready(Err(Broken::RequestTooLong(limit)));
        }
        self.poll_stall(cx, clock)
    }

    /// Client to backend, as far as it goes without waiting.
    fn poll_up(&mut self, cx: &mut Context<'_>, clock: &mut Clock) -> Result<(), Broken> {
        let mut observer = Requests { exchange: &mut self.exchange, meters: &self.meters, clock };
        self.up.poll_pass(cx, &mut self.client, &mut self.backend, &mut observer).map_err(Broken::up)
    }

    /// Backend to client, as far as it goes without waiting.
    fn poll_down(&mut self, cx: &mut Context<'_>, clock: &mut Clock) -> Result<(), Broken> {
        let mut observer = Responses { exchange: &mut self.exchange, meters: &self.meters, clock };
        self.down.poll_pass(cx, &mut self.backend, &mut self.client, &mut observer).map_err(Broken::down)
    }

    /// A side that takes nothing for the whole stall time while bytes wait for it holds resources for nobody.
    fn poll_stall(&self, cx: &mut Context<'_>, clock: &mut Clock) -> Poll<Result<Option<End>, Broken>> {
        let (Some(limit), true) = (self.limits.stall, self.up.has_packets() || self.down.has_packets()) else {
            clock.stalled = None;
            return Poll::Pending;
        };
        let taken = self.up.taken() + self.down.taken();
        let stall = clock.stalled.get_or_insert_with(|| Stall { taken, over: Box::pin(sleep(limit)) });
        if stall.taken != taken {
            stall.taken = taken;
            stall.over.as_mut().reset(tokio::time::Instant::now() + limit);
        }
        let who = if self.down.has_packets() { "client" } else { "replica" };
        stall.over.as_mut().poll(cx).map(|()| Err(Broken::Stalled(who)))
    }

    /// Ends the response that is running with these tokens, if what the client has got so far can be followed by them.
    /// False when it cannot, and the connection has to be cut.
    pub(crate) async fn finish_with(&mut self, tokens: &[u8], packet_bytes: usize, spid: u16) -> io::Result<bool> {
        if !self.exchange.may_append_tokens() || self.down.has_packets() {
            return Ok(false);
        }
        let mut framed = BytesMut::new();
        let framing = Framing { spid, ..Framing::new(PacketKind::TabularResult, packet_bytes) };
        packet::put_message(&mut framed, framing, tokens);
        messages::write_packets(&mut self.client, &framed).await?;
        Ok(true)
    }
}

/// What an exchange measures.
struct Clock {
    request_started: Option<Instant>,
    /// There while a request with a limit runs.
    request_over: Option<Pin<Box<Sleep>>>,
    /// There while bytes wait for a side that takes none.
    stalled: Option<Stall>,
}

impl Clock {
    /// Ready when the running request has taken all the time it has.
    fn poll_request(&mut self, cx: &mut Context<'_>, limit: Duration) -> Poll<()> {
        let Some(started) = self.request_started else { return Poll::Pending };
        let over = self.request_over.get_or_insert_with(|| Box::pin(sleep_until((started + limit).into())));
        over.as_mut().poll(cx)
    }
}

/// A wait for a side to take bytes.
struct Stall {
    /// What both sides had taken when it last began.
    taken: u64,
    over: Pin<Box<Sleep>>,
}

struct Requests<'a> {
    exchange: &'a mut Exchange,
    meters: &'a RouteMeters,
    clock: &'a mut Clock,
}

impl Observer for Requests<'_> {
    fn packet(&mut self, header: Header, _body: &[u8]) -> Result<(), DecodeError> {
        self.meters.up(usize::from(header.length));
        if self.exchange.client_packet(header)? {
            self.meters.request();
            self.clock.request_started = Some(Instant::now());
            self.clock.request_over = None;
        }
        Ok(())
    }
}

struct Responses<'a> {
    exchange: &'a mut Exchange,
    meters: &'a RouteMeters,
    clock: &'a mut Clock,
}

impl Observer for Responses<'_> {
    fn packet(&mut self, header: Header, body: &[u8]) -> Result<(), DecodeError> {
        self.meters.down(usize::from(header.length));
        let ended = self.exchange.backend_packet(header, body)?;
        if let Some(started) = self.clock.request_started.take_if(|_| ended) {
            self.meters.response(started.elapsed());
        }
        Ok(())
    }
}

/// What broke, before it is known by name which replica it was.
#[derive(Debug)]
enum Broken {
    Client(io::Error),
    ClientDecode(DecodeError),
    Backend(io::Error),
    BackendDecode(DecodeError),
    BackendLeft,
    Stalled(&'static str),
    RequestTooLong(Duration),
}

impl Broken {
    fn up(error: FlowError) -> Self {
        match error {
            FlowError::Read(error) => Self::Client(error),
            FlowError::Decode(error) => Self::ClientDecode(error),
            FlowError::Write(error) => Self::Backend(error),
        }
    }

    fn down(error: FlowError) -> Self {
        match error {
            FlowError::Read(error) => Self::Backend(error),
            FlowError::Decode(error) => Self::BackendDecode(error),
            FlowError::Write(error) => Self::Client(error),
        }
    }

    fn of(self, replica: &link_control::topology::ReplicaName) -> SessionError {
        let (replica, phase) = (replica.clone(), Phase::Request);
        match self {
            Self::Client(error) => SessionError::ClientIo(phase, error),
            Self::ClientDecode(error) => SessionError::Client(phase, error),
            Self::Backend(source) => SessionError::BackendIo { replica, phase, source },
            Self::BackendDecode(source) => SessionError::Backend { replica, phase, source },
            Self::BackendLeft => SessionError::BackendLeft { replica },
            Self::Stalled(who) => SessionError::Stalled(who),
            Self::RequestTooLong(limit) => SessionError::RequestTooLong(limit.as_millis()),
        }
    }
}
