//! A connection to a replica up to where LOGIN7 can be sent: TCP, PRELOGIN, TLS as the operator wrote it.

use std::io;

use bytes::BytesMut;
use link_control::topology::ReplicaName;
use rustls::pki_types::ServerName;
use tds::DecodeError;
use tds::packet::{PACKET_BYTES_LOGIN, PacketKind};
use tds::prelogin::{self, PRELOGIN_BYTES_MAX, Prelogin, Protection, TraceId, Version};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsStream;

use super::target::{Place, Target};
use crate::config::{Encryption, Timeouts};
use crate::net::messages::{self, ReadError};
use crate::net::wire::Wire;
use crate::net::{Stream, announcement, socket};
use crate::proxy_protocol::Endpoints;
use crate::session::error::{Phase, SessionError};

/// The version we announce to replicas: high enough that none of them thinks us old.
const OUR_VERSION: Version = Version { major: 16, minor: 0, build: 0, sub_build: 0 };

/// A replica that awaits LOGIN7.
pub(crate) struct Connection {
    pub(crate) leg: Leg,
    /// What the replica said of itself in PRELOGIN.
    pub(crate) advertised: Advertised,
}

/// What a server says of itself before a login, and drivers change their ways by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Advertised {
    /// Its version.
    pub(crate) version: Version,
    /// It wants the echo of FEDAUTHREQUIRED in federated logins.
    pub(crate) fed_auth_required: bool,
}

/// What a connection says for the client it is made for.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct OnBehalf {
    /// The client's ids, so that a session can be found in the replica's traces too.
    pub(crate) trace_id: Option<TraceId>,
    /// The client can log in with a federated token.
    pub(crate) fed_auth: Option<bool>,
    /// Both ends of the client's connection; none where it is made for nobody but us.
    pub(crate) endpoints: Option<Endpoints>,
}

/// How LOGIN7 travels.
pub(crate) enum Leg {
    /// As everything after it.
    Settled(Stream),
    /// Its first packet in TLS, the rest in clear.
    LoginOnly(Box<TlsStream<Wire>>),
}

/// Connects to `place` as `target` demands.
///
/// # Errors
/// The replica cannot be reached in time, encrypts less than the operator wrote, shows a certificate that does not
/// hold, or is no SQL Server.
pub(crate) async fn connect(
    target: &Target,
    place: &Place,
    on_behalf: OnBehalf,
    timeouts: &Timeouts,
) -> Result<Connection, SessionError> {
    let mut tcp = reach(target, place, timeouts).await?;
    // Only what the operator named takes the header off again. SQL Server, which a redirect names, would not.
    if target.send_proxy_protocol && place.address == target.place.address {
        announce(target, &mut tcp, on_behalf.endpoints, timeouts).await?;
    }
    let dialog = Dialog { target, place, on_behalf };
    let greeted = match target.encryption {
        Encryption::Strict => timeout(timeouts.tls_handshake, dialog.strict(tcp)).await,
        _ => timeout(timeouts.tls_handshake, dialog.in_packets(tcp)).await,
    };
    greeted.unwrap_or_else(|_| Err(too_slow(&target.name, Phase::Tls)))
}

/// Asks `target` what it is and hangs up: a login is not tried.
///
/// # Errors
/// As [`connect`], but for what comes after PRELOGIN.
pub(crate) async fn ask(target: &Target, timeouts: &Timeouts) -> Result<Advertised, SessionError> {
    let on_behalf = OnBehalf { fed_auth: Some(true), ..OnBehalf::default() };
    let connection = connect(target, &target.place, on_behalf, timeouts).await?;
    Ok(connection.advertised)
}

async fn reach(target: &Target, place: &Place, timeouts: &Timeouts) -> Result<TcpStream, SessionError> {
    let keepalive = timeouts.keepalive.unwrap_or_default();
    match timeout(timeouts.backend_connect, socket::connect(&place.address, keepalive)).await {
        Ok(Ok(tcp)) => Ok(tcp),
        Ok(Err(source)) => Err(SessionError::Connect { replica: target.name.clone(), source }),
        Err(_) => Err(SessionError::Connect { replica: target.name.clone(), source: io::ErrorKind::TimedOut.into() }),
    }
}

async fn announce(
    target: &Target,
    tcp: &mut TcpStream,
    endpoints: Option<Endpoints>,
    timeouts: &Timeouts,
) -> Result<(), SessionError> {
    match timeout(timeouts.backend_connect, announcement::write(tcp, endpoints)).await {
        Ok(sent) => sent.map_err(|error| read_failed(&target.name, Phase::Prelogin, ReadError::Io(error))),
        Err(_) => Err(too_slow(&target.name, Phase::Prelogin)),
    }
}

struct Dialog<'a> {
    target: &'a Target,
    place: &'a Place,
    on_behalf: OnBehalf,
}

impl Dialog<'_> {
    async fn strict(&self, tcp: TcpStream) -> Result<Connection, SessionError> {
        let tls = self.target.tls.connect_strict(tcp, self.certificate_name()?).await;
        let mut stream = Stream::Tls(Box::new(tls.map_err(|source| self.tls_failed(source))?));
        let answer = self.prelogin(&mut stream, prelogin::Encryption::NotSupported).await?;
        Ok(Connection { leg: Leg::Settled(stream), advertised: advertised(&answer) })
    }

    async fn in_packets(&self, tcp: TcpStream) -> Result<Connection, SessionError> {
        let wish = match self.target.encryption {
            Encryption::Off => Protection::Clear,
            Encryption::LoginOnly => Protection::LoginOnly,
            Encryption::Full | Encryption::Strict => Protection::Full,
        };
        let mut stream = Stream::Plain(tcp);
        let answer = self.prelogin(&mut stream, prelogin::offer(wish)).await?;
        let reply = answer.encryption.ok_or_else(|| {
            self.broke(Phase::Prelogin, DecodeError::Misplaced("the PRELOGIN answer has no ENCRYPTION option"))
        })?;
        let protection = prelogin::settle(wish, reply)
            .map_err(|source| SessionError::BackendEncryption { replica: self.target.name.clone(), source })?;
        let Stream::Plain(tcp) = stream else {
            return Ok(Connection { leg: Leg::Settled(stream), advertised: advertised(&answer) });
        };
        let leg = match protection {
            Protection::Clear => Leg::Settled(Stream::Plain(tcp)),
            Protection::LoginOnly => Leg::LoginOnly(Box::new(self.wrapped(tcp).await?)),
            Protection::Full => Leg::Settled(Stream::Tls(Box::new(self.wrapped(tcp).await?))),
        };
        Ok(Connection { leg, advertised: advertised(&answer) })
    }

    async fn wrapped(&self, tcp: TcpStream) -> Result<TlsStream<Wire>, SessionError> {
        let tls = self.target.tls.connect_wrapped(tcp, self.certificate_name()?).await;
        tls.map_err(|source| self.tls_failed(source))
    }

    async fn prelogin(&self, stream: &mut Stream, encryption: prelogin::Encryption) -> Result<Prelogin, SessionError> {
        let ours = Prelogin {
            version: OUR_VERSION,
            encryption: Some(encryption),
            mars: Some(false),
            trace_id: self.on_behalf.trace_id,
            fed_auth_required: self.on_behalf.fed_auth,
            ..Prelogin::default()
        };
        messages::write_message(stream, PacketKind::Prelogin, PACKET_BYTES_LOGIN, &ours.encode())
            .await
            .map_err(|error| self.failed(Phase::Prelogin, ReadError::Io(error)))?;
        // Nothing may follow the answer before we speak again, so what was read behind it is dropped with the buffer.
        let answer = messages::read_message(stream, &mut BytesMut::new(), PACKET_BYTES_LOGIN, PRELOGIN_BYTES_MAX)
            .await
            .map_err(|error| self.failed(Phase::Prelogin, error))?;
        if answer.first.kind != PacketKind::TabularResult {
            return Err(self.broke(Phase::Prelogin, DecodeError::Misplaced("the answer to PRELOGIN is no response")));
        }
        Prelogin::decode(&answer.body).map_err(|error| self.broke(Phase::Prelogin, error))
    }

    fn certificate_name(&self) -> Result<ServerName<'static>, SessionError> {
        let name = self.place.certificate_name.clone().or_else(|| ServerName::try_from("replica").ok());
        name.ok_or_else(|| self.tls_failed(io::Error::other("its host is no name a certificate can carry")))
    }

    fn tls_failed(&self, source: io::Error) -> SessionError {
        SessionError::BackendTls { replica: self.target.name.clone(), source }
    }

    fn broke(&self, phase: Phase, source: DecodeError) -> SessionError {
        SessionError::Backend { replica: self.target.name.clone(), phase, source }
    }

    fn failed(&self, phase: Phase, error: ReadError) -> SessionError {
        read_failed(&self.target.name, phase, error)
    }
}

fn advertised(answer: &Prelogin) -> Advertised {
    Advertised { version: answer.version, fed_auth_required: answer.fed_auth_required.unwrap_or_default() }
}

/// Says which replica's fault a failed read is.
pub(crate) fn read_failed(replica: &ReplicaName, phase: Phase, error: ReadError) -> SessionError {
    let replica = replica.clone();
    match error {
        ReadError::Closed => {
            let source = io::Error::new(io::ErrorKind::UnexpectedEof, "it closed the connection");
            SessionError::BackendIo { replica, phase, source }
        }
        ReadError::Io(source) => SessionError::BackendIo { replica, phase, source },
        ReadError::Decode(source) => SessionError::Backend { replica, phase, source },
    }
}

/// Says which replica was too slow for what.
pub(crate) fn too_slow(replica: &ReplicaName, phase: Phase) -> SessionError {
    SessionError::BackendTooSlow { replica: replica.clone(), phase }
}
