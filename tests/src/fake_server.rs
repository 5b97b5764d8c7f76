//! A server that speaks just enough TDS to log a client in, and then does what its script says: good or bad.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::{BufMut, BytesMut};
use tds::login7::{Feature, FeatureId, Login7};
use tds::packet::{self, Framing, PACKET_BYTES_LOGIN, PACKET_BYTES_MAX, PacketKind};
use tds::prelogin::{Encryption, Prelogin, Version};
use tds::token::{Done, DoneKind, DoneStatus, EnvChange, FeatureExtAck, LoginAck, Message};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::timeout;

/// How long a test waits for what must come: a broken one fails instead of hanging.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// What a server does with a login.
#[derive(Debug, Clone)]
pub enum OnLogin {
    /// Lets the client in, with these tokens in front of LOGINACK.
    Accept(Vec<EnvChange>),
    /// Lets the client in, with these bytes as tokens behind LOGINACK.
    AcceptWith(Vec<u8>),
    /// Asks so many times with an SSPI token, and lets the client in after its answers.
    Negotiate(usize),
    /// Asks with an SSPI token once, and refuses with this error number whatever the answer is.
    NegotiateAndRefuse(i32),
    /// Lets the client in, and acknowledges these features as far as they were asked for, in these versions.
    Promise(Vec<(FeatureId, u8)>),
    /// Refuses with this error number.
    Refuse(i32),
    /// Sends these bytes instead of an answer and closes.
    Bytes(Vec<u8>),
    /// Never answers.
    Silence,
}

/// What a server does with a request.
#[derive(Debug, Clone)]
pub enum OnRequest {
    /// Answers each message with these tokens as one message.
    Tokens(Vec<u8>),
    /// Takes every packet, answers the last of a message with DONE.
    Swallow,
    /// Sends these bytes as they are when a message is complete.
    Bytes(Vec<u8>),
    /// Sends the first bytes as they are when a message is complete, the second when an attention comes.
    Interrupted(Vec<u8>, Vec<u8>),
    /// Never answers.
    Silence,
    /// Closes at once when the first packet comes.
    Close,
}

/// What happened, told to the test.
#[derive(Debug)]
pub enum Seen {
    /// A login, as it arrived.
    Login(Box<Login7>),
    /// A packet of a request: its type and status bits.
    Packet(PacketKind, u8),
    /// A connection that had logged in is over; a probe's is not worth telling.
    Closed,
}

/// A listening server. Stops, with all its connections, when dropped.
pub struct FakeServer {
    /// Where it listens.
    pub address: SocketAddr,
    /// What happens; connections mix.
    pub seen: mpsc::UnboundedReceiver<Seen>,
    /// Logins heard so far; the proxy's probes do not log in.
    pub logins: Arc<AtomicUsize>,
    tasks: JoinSet<()>,
}

#[derive(Clone)]
struct Script {
    name: &'static str,
    on_login: OnLogin,
    on_request: OnRequest,
    seen: mpsc::UnboundedSender<Seen>,
    logins: Arc<AtomicUsize>,
}

impl FakeServer {
    /// Starts a server called `name`.
    pub async fn start(name: &'static str, on_login: OnLogin, on_request: OnRequest) -> Self {
        Self::start_at(0, name, on_login, on_request).await
    }

    /// Starts a server on a port that must be known before it starts.
    pub async fn start_at(port: u16, name: &'static str, on_login: OnLogin, on_request: OnRequest) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", port)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let (sender, seen) = mpsc::unbounded_channel();
        let logins = Arc::new(AtomicUsize::new(0));
        let script = Script { name, on_login, on_request, seen: sender, logins: Arc::clone(&logins) };
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((tcp, _)) = listener.accept().await {
                let script = script.clone();
                connections.spawn(async move {
                    let seen = script.seen.clone();
                    let mut connection = Connection { tcp, inbound: BytesMut::new(), script, logged_in: false };
                    let _ = connection.serve().await;
                    if connection.logged_in {
                        let _ = seen.send(Seen::Closed);
                    }
                });
            }
        });
        Self { address, seen, logins, tasks }
    }

    /// A server that lets everybody in and answers DONE.
    pub async fn obliging(name: &'static str) -> Self {
        Self::start(name, OnLogin::Accept(Vec::new()), OnRequest::Tokens(done())).await
    }

    /// Closes the listener and resets every connection, as a killed process does.
    pub async fn kill(&mut self) {
        self.tasks.shutdown().await;
    }

    async fn next(&mut self) -> Seen {
        timeout(PATIENCE, self.seen.recv()).await.expect("the server hears nothing").unwrap()
    }

    /// Waits for the next login.
    pub async fn login(&mut self) -> Login7 {
        loop {
            if let Seen::Login(login) = self.next().await {
                return *login;
            }
        }
    }

    /// Waits for the next packet of a request.
    pub async fn packet(&mut self) -> (PacketKind, u8) {
        loop {
            if let Seen::Packet(kind, status) = self.next().await {
                return (kind, status);
            }
        }
    }

    /// Waits until a connection that had logged in is over.
    pub async fn closed(&mut self) {
        while !matches!(self.next().await, Seen::Closed) {}
    }
}

/// A DONE that ends a response.
pub fn done() -> Vec<u8> {
    let mut tokens = BytesMut::new();
    Done { kind: DoneKind::Done, status: DoneStatus::default(), command: 0, rows: 0 }.encode(&mut tokens);
    tokens.to_vec()
}

/// A DONE that ends an interrupted response.
pub fn interrupted() -> Vec<u8> {
    let mut tokens = BytesMut::new();
    Done { kind: DoneKind::Done, status: DoneStatus::ERROR, command: 0, rows: 0 }.encode(&mut tokens);
    tokens.to_vec()
}

/// Tokens as one message of a server.
pub fn message(tokens: &[u8]) -> Vec<u8> {
    let mut framed = BytesMut::new();
    packet::put_message(&mut framed, Framing::new(PacketKind::TabularResult, PACKET_BYTES_LOGIN), tokens);
    framed.to_vec()
}

struct Connection {
    tcp: TcpStream,
    inbound: BytesMut,
    script: Script,
    logged_in: bool,
}

impl Connection {
    async fn serve(&mut self) -> Option<()> {
        self.message(PacketKind::Prelogin).await?;
        let version = Version { major: 16, minor: 0, build: 4135, sub_build: 0 };
        let answer =
            Prelogin { version, encryption: Some(Encryption::NotSupported), mars: Some(false), ..Prelogin::default() };
        self.tcp.write_all(&message(&answer.encode())).await.ok()?;
        let login = Login7::decode(&self.message(PacketKind::Login7).await?).unwrap();
        self.logged_in = true;
        self.script.logins.fetch_add(1, Ordering::Relaxed);
        let asked = login.features.clone().unwrap_or_default();
        let _ = self.script.seen.send(Seen::Login(Box::new(login)));
        match self.script.on_login.clone() {
            OnLogin::Accept(changes) => self.let_in(&changes, &[]).await?,
            OnLogin::AcceptWith(tokens) => self.let_in(&[], &tokens).await?,
            OnLogin::Negotiate(legs) => {
                self.negotiate(legs).await?;
                self.let_in(&[], &[]).await?;
            }
            OnLogin::NegotiateAndRefuse(number) => {
                self.negotiate(1).await?;
                return self.tcp.write_all(&message(&refusal(number, self.script.name))).await.ok();
            }
            OnLogin::Promise(versions) => {
                let granted = versions.iter().filter(|(id, _)| asked.iter().any(|feature| feature.id == *id));
                let feature = |(id, version): &(FeatureId, u8)| Feature { id: *id, data: vec![*version].into() };
                let granted: Vec<_> = granted.map(feature).collect();
                let mut tokens = BytesMut::new();
                if !granted.is_empty() {
                    FeatureExtAck(granted).encode(&mut tokens);
                }
                self.let_in(&[], &tokens).await?;
            }
            OnLogin::Refuse(number) => {
                return self.tcp.write_all(&message(&refusal(number, self.script.name))).await.ok();
            }
            OnLogin::Bytes(bytes) => return self.tcp.write_all(&bytes).await.ok(),
            OnLogin::Silence => {
                // Reads to the end of the connection.
                self.message(PacketKind::Prelogin).await?;
            }
        }
        self.requests().await
    }

    /// SSPI legs: each question is numbered, and the client must answer with that number.
    async fn negotiate(&mut self, legs: usize) -> Option<()> {
        for leg in 0..legs {
            let number = u8::try_from(leg).unwrap();
            let mut tokens = BytesMut::new();
            tds::write::sspi(&mut tokens, &[number; 5000]);
            self.tcp.write_all(&message(&tokens)).await.ok()?;
            assert_eq!(self.message(PacketKind::Sspi).await?, [number; 6000][..]);
        }
        Some(())
    }

    async fn let_in(&mut self, changes: &[EnvChange], more: &[u8]) -> Option<()> {
        let mut tokens = BytesMut::new();
        EnvChange::PacketSize(8000, 4096).encode(&mut tokens);
        changes.iter().for_each(|change| change.encode(&mut tokens));
        // The name tells a test who answered.
        Message::info(5701, 1, "Changed database context", self.script.name).encode(&mut tokens);
        LoginAck {
            interface: 1,
            tds_version: 0x7400_0004,
            program: "Microsoft SQL Server".to_owned(),
            version: [16, 0, 0x10, 0x27],
        }
        .encode(&mut tokens);
        tokens.put_slice(more);
        tokens.put_slice(&done());
        self.tcp.write_all(&message(&tokens)).await.ok()
    }

    async fn requests(&mut self) -> Option<()> {
        loop {
            let (header, _) = self.packet().await?;
            let _ = self.script.seen.send(Seen::Packet(header.kind, header.status.0));
            if matches!(self.script.on_request, OnRequest::Close) {
                return None;
            }
            if !header.status.is_end_of_message() {
                continue;
            }
            let answer = match (&self.script.on_request, header.kind) {
                (OnRequest::Silence, kind) if kind != PacketKind::Attention => continue,
                (OnRequest::Interrupted(_, then), PacketKind::Attention) => then.clone(),
                (_, PacketKind::Attention) => message(&acknowledgement()),
                (OnRequest::Tokens(tokens), _) => message(tokens),
                (OnRequest::Bytes(bytes) | OnRequest::Interrupted(bytes, _), _) => bytes.clone(),
                _ => message(&done()),
            };
            self.tcp.write_all(&answer).await.ok()?;
        }
    }

    async fn message(&mut self, kind: PacketKind) -> Option<BytesMut> {
        let mut whole = BytesMut::new();
        loop {
            let (header, body) = self.packet().await?;
            assert_eq!(header.kind, kind);
            whole.extend_from_slice(&body);
            if header.status.is_end_of_message() {
                return Some(whole);
            }
        }
    }

    async fn packet(&mut self) -> Option<(packet::Header, BytesMut)> {
        loop {
            if let Some(packet) = packet::take(&mut self.inbound, PACKET_BYTES_MAX).unwrap() {
                return Some(packet);
            }
            self.inbound.reserve(PACKET_BYTES_LOGIN);
            if self.tcp.read_buf(&mut self.inbound).await.ok()? == 0 {
                return None;
            }
        }
    }
}

fn refusal(number: i32, name: &str) -> Vec<u8> {
    let mut tokens = BytesMut::new();
    Message::error(number, 1, 14, "the login was refused", name).encode(&mut tokens);
    Done { kind: DoneKind::Done, status: DoneStatus::ERROR, command: 0, rows: 0 }.encode(&mut tokens);
    tokens.to_vec()
}

/// The acknowledgement of an attention.
pub fn acknowledgement() -> Vec<u8> {
    let mut tokens = BytesMut::new();
    Done::ATTENTION.encode(&mut tokens);
    tokens.to_vec()
}
