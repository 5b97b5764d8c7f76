//! The client's half of the login: PRELOGIN, TLS by policy, LOGIN7.

use bytes::{Buf, BytesMut};
use tds::DecodeError;
use tds::login7::Login7;
use tds::packet::{HEADER_BYTES, PACKET_BYTES_LOGIN, PacketKind};
use tds::prelogin::{self, PRELOGIN_BYTES_MAX, Prelogin, Protection};
use tokio::net::TcpStream;

use super::error::{Phase, SessionError};
use crate::backend::{Advertised, OnBehalf};
use crate::config::{Encryption, Service};
use crate::net::Stream;
use crate::net::announcement::{self, AnnouncementError};
use crate::net::messages::{self, ReadError};
use crate::net::tls::ServerTls;
use crate::proxy_protocol::Announced;

/// A client that said who it is and what it wants; it waits for the answer to its LOGIN7.
#[derive(Debug)]
pub(crate) struct Greeting {
    pub(crate) stream: Stream,
    /// Bytes read behind LOGIN7, normally none.
    pub(crate) early: BytesMut,
    pub(crate) login: Login7,
    /// It speaks TDS 8.0.
    pub(crate) strict: bool,
    pub(crate) on_behalf: OnBehalf,
}

/// What the greeting needs to know of the service.
pub(crate) struct Host<'a> {
    pub(crate) service: &'a Service,
    pub(crate) tls: Option<&'a ServerTls>,
    /// What to show; drivers change their ways by it, so it should be the replicas' own.
    pub(crate) advertised: Advertised,
    pub(crate) login_bytes_max: usize,
    pub(crate) timeouts: &'a crate::config::Timeouts,
}

impl Host<'_> {
    /// Hears a client out, up to its LOGIN7. `first` is the first byte it sent, which is still to be read.
    ///
    /// # Errors
    /// The client left, took too long, broke the protocol, or would not encrypt as the service demands.
    pub(crate) async fn greet(&self, tcp: TcpStream, first: u8) -> Result<Greeting, SessionError> {
        // The first byte tells TDS 8.0, which begins with TLS, from TDS 7.x ([MS-TDS] 3.3.5.1).
        match first {
            0x16 => self.greet_strict(tcp).await,
            0x12 => self.greet_in_packets(tcp).await,
            0x10 => self.greet_without_prelogin(tcp).await,
            0x02 => {
                Err(SessionError::Client(Phase::Prelogin, DecodeError::Misplaced("the client speaks TDS 4.2 or 5.0")))
            }
            other => Err(SessionError::Client(Phase::Prelogin, DecodeError::UnknownPacketKind(other))),
        }
    }

    async fn greet_strict(&self, tcp: TcpStream) -> Result<Greeting, SessionError> {
        let tls = self.tls.ok_or(SessionError::StrictWithoutCertificate)?;
        let tls = within(self.timeouts.tls_handshake, Phase::Tls, tls.accept_strict(tcp)).await?;
        let mut stream = Stream::Tls(Box::new(tls.map_err(SessionError::ClientTls)?));
        let mut early = BytesMut::new();
        let asked = within(self.timeouts.prelogin, Phase::Prelogin, read_prelogin(&mut stream, &mut early)).await??;
        // Inside TLS the option decides nothing; SqlClient and JDBC expect the value they sent themselves.
        self.answer(&mut stream, &asked, prelogin::Encryption::NotSupported).await?;
        let login = self.read_login(&mut stream, &mut early).await?;
        Ok(Greeting { stream, early, login, strict: true, on_behalf: on_behalf(&asked) })
    }

    async fn greet_in_packets(&self, tcp: TcpStream) -> Result<Greeting, SessionError> {
        let mut stream = Stream::Plain(tcp);
        let mut early = BytesMut::new();
        let asked = within(self.timeouts.prelogin, Phase::Prelogin, read_prelogin(&mut stream, &mut early)).await??;
        let at_least = match self.service.encryption {
            Encryption::Off => Protection::Clear,
            Encryption::LoginOnly => Protection::LoginOnly,
            Encryption::Full => Protection::Full,
            Encryption::Strict => return Err(SessionError::StrictOnly),
        };
        let offer = asked.encryption.unwrap_or(prelogin::Encryption::NotSupported);
        let agreed = prelogin::agree(offer, at_least, self.tls.is_some()).map_err(SessionError::ClientEncryption)?;
        self.answer(&mut stream, &asked, agreed.reply).await?;
        let (tls, Stream::Plain(tcp)) = (self.tls, stream) else { return Err(SessionError::StrictOnly) };
        let (stream, early, login) = match (agreed.protection, tls) {
            (Protection::Clear, _) | (_, None) => self.login_in_clear(tcp, early).await?,
            // What a client sent before the handshake could come from anybody between us, so `early` ends here.
            (Protection::LoginOnly, Some(tls)) => self.login_then_clear(tcp, tls).await?,
            (Protection::Full, Some(tls)) => self.login_in_tls(tcp, tls).await?,
        };
        Ok(Greeting { stream, early, login, strict: false, on_behalf: on_behalf(&asked) })
    }

    /// jTDS 1.3 and FreeTDS before TDS 7.2 begin so. They are heard out only to be told why the login is refused.
    async fn greet_without_prelogin(&self, tcp: TcpStream) -> Result<Greeting, SessionError> {
        let (stream, early, login) = self.login_in_clear(tcp, BytesMut::new()).await?;
        if login.tds_version.is_7_2_or_later() {
            let misplaced = DecodeError::Misplaced("LOGIN7 came without PRELOGIN");
            return Err(SessionError::Client(Phase::Prelogin, misplaced));
        }
        Ok(Greeting { stream, early, login, strict: false, on_behalf: OnBehalf::default() })
    }

    async fn answer(
        &self,
        stream: &mut Stream,
        asked: &Prelogin,
        encryption: prelogin::Encryption,
    ) -> Result<(), SessionError> {
        let mut answer = asked.answer(self.advertised.version, encryption);
        answer.fed_auth_required = asked.fed_auth_required.map(|able| able && self.advertised.fed_auth_required);
        messages::write_message(stream, PacketKind::TabularResult, PACKET_BYTES_LOGIN, &answer.encode())
            .await
            .map_err(|error| SessionError::ClientIo(Phase::Prelogin, error))
    }

    async fn login_in_clear(
        &self,
        tcp: TcpStream,
        mut early: BytesMut,
    ) -> Result<(Stream, BytesMut, Login7), SessionError> {
        let mut stream = Stream::Plain(tcp);
        let login = self.read_login(&mut stream, &mut early).await?;
        Ok((stream, early, login))
    }

    async fn login_in_tls(&self, tcp: TcpStream, tls: &ServerTls) -> Result<(Stream, BytesMut, Login7), SessionError> {
        let accepted = within(self.timeouts.tls_handshake, Phase::Tls, tls.accept_wrapped(tcp, false)).await?;
        let mut stream = Stream::Tls(Box::new(accepted.map_err(SessionError::ClientTls)?));
        let mut early = BytesMut::new();
        let login = self.read_login(&mut stream, &mut early).await?;
        Ok((stream, early, login))
    }

    /// Only the first packet of LOGIN7 is encrypted; from the byte after its last record on, all is clear.
    async fn login_then_clear(
        &self,
        tcp: TcpStream,
        tls: &ServerTls,
    ) -> Result<(Stream, BytesMut, Login7), SessionError> {
        let accepted = within(self.timeouts.tls_handshake, Phase::Tls, tls.accept_wrapped(tcp, true)).await?;
        let mut accepted = accepted.map_err(SessionError::ClientTls)?;
        let (header, body) = messages::read_last_packet(&mut accepted, PACKET_BYTES_LOGIN)
            .await
            .map_err(|error| client_read(Phase::Login, error))?;
        // No close_notify: the client would take it for a packet.
        let tokio_rustls::TlsStream::Server(accepted) = accepted else { return Err(SessionError::StrictOnly) };
        let (tcp, mut early) = accepted.into_inner().0.into_parts();
        let mut stream = Stream::Plain(tcp);
        // The decrypted packet goes back in front of what follows it in clear, to be read as the message it begins.
        let mut message = BytesMut::with_capacity(HEADER_BYTES + body.len() + early.len());
        message.extend_from_slice(&header.encode());
        message.extend_from_slice(&body);
        message.extend_from_slice(&early.copy_to_bytes(early.len()));
        let login = self.read_login(&mut stream, &mut message).await?;
        Ok((stream, message, login))
    }

    async fn read_login(&self, stream: &mut Stream, early: &mut BytesMut) -> Result<Login7, SessionError> {
        let message = messages::read_message(stream, early, PACKET_BYTES_LOGIN, self.login_bytes_max)
            .await
            .map_err(|error| client_read(Phase::Login, error))?;
        if message.first.kind != PacketKind::Login7 {
            return Err(SessionError::Client(Phase::Login, DecodeError::Misplaced("LOGIN7 was expected")));
        }
        Login7::decode(&message.body).map_err(|error| SessionError::Client(Phase::Login, error))
    }
}

fn on_behalf(asked: &Prelogin) -> OnBehalf {
    OnBehalf { trace_id: asked.trace_id, fed_auth: asked.fed_auth_required, endpoints: None }
}

/// Reads what a load balancer says of its client, before that client's first byte.
///
/// # Errors
/// It left, or says nothing of the kind.
pub(crate) async fn announcement(tcp: &mut TcpStream) -> Result<Announced, SessionError> {
    announcement::read(tcp).await.map_err(|error| match error {
        AnnouncementError::Closed => SessionError::ClientLeft(Phase::Prelogin),
        AnnouncementError::Io(error) => SessionError::ClientIo(Phase::Prelogin, error),
        AnnouncementError::Header(error) => SessionError::ProxyProtocol(error),
    })
}

/// Waits for a client's first byte and leaves it unread.
///
/// # Errors
/// The client left.
pub(crate) async fn first_byte(tcp: &TcpStream) -> Result<u8, SessionError> {
    let mut first = [0u8; 1];
    let peeked = tcp.peek(&mut first).await;
    match (peeked.map_err(|error| SessionError::ClientIo(Phase::Prelogin, error))?, first) {
        (0, _) => Err(SessionError::ClientLeft(Phase::Prelogin)),
        (_, [byte]) => Ok(byte),
    }
}

async fn read_prelogin(stream: &mut Stream, early: &mut BytesMut) -> Result<Prelogin, SessionError> {
    let message = messages::read_message(stream, early, PACKET_BYTES_LOGIN, PRELOGIN_BYTES_MAX)
        .await
        .map_err(|error| client_read(Phase::Prelogin, error))?;
    if message.first.kind != PacketKind::Prelogin {
        return Err(SessionError::Client(Phase::Prelogin, DecodeError::Misplaced("PRELOGIN was expected")));
    }
    Prelogin::decode(&message.body).map_err(|error| SessionError::Client(Phase::Prelogin, error))
}

fn client_read(phase: Phase, error: ReadError) -> SessionError {
    match error {
        ReadError::Closed => SessionError::ClientLeft(phase),
        ReadError::Io(error) => SessionError::ClientIo(phase, error),
        ReadError::Decode(error) => SessionError::Client(phase, error),
    }
}

async fn within<T>(limit: std::time::Duration, phase: Phase, wait: impl Future<Output = T>) -> Result<T, SessionError> {
    tokio::time::timeout(limit, wait).await.map_err(|_| SessionError::ClientTooSlow(phase))
}

#[cfg(test)]
mod tests;
