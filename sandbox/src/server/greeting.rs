//! From the first byte to LOGIN7: which TDS the client speaks, what is encrypted, and who wants to log in.

use super::packets::read_one;
use super::stream::Stream;
use super::wire::Wire;
use super::{Error, Settings};
use tds::login7::{LOGIN7_BYTES_MAX, Login7};
use tds::packet::{self, Framing, PACKET_BYTES_LOGIN, PacketKind};
use tds::prelogin::{Encryption, Prelogin, Protection, Version, agree};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;

/// The version announced in PRELOGIN and LOGINACK: SQL Server 2022.
pub(super) const VERSION: Version = Version { major: 16, minor: 0, build: 4135, sub_build: 0 };

/// The first byte of a TLS record that holds a handshake.
const TLS_HANDSHAKE: u8 = 0x16;

/// A client that has said who it is.
pub(super) struct Greeted {
    /// Where the session goes on.
    pub(super) stream: Stream,
    /// What the client wants.
    pub(super) login: Login7,
    /// What the client was told of FEDAUTHREQUIRED; false where it did not ask.
    pub(super) fed_auth_required: bool,
}

/// Reads up to LOGIN7 and answers PRELOGIN.
pub(super) async fn greet(mut socket: TcpStream, settings: &Settings) -> Result<Greeted, Error> {
    let mut first = [0];
    if socket.peek(&mut first).await? == 0 {
        return Err(Error::Closed);
    }
    if first == [TLS_HANDSHAKE] {
        return greet_strict(socket, settings).await;
    }
    let (header, body) = read_one(&mut socket, PACKET_BYTES_LOGIN).await?;
    let fed_auth_required;
    let protection = match header.kind {
        PacketKind::Prelogin => {
            let prelogin = Prelogin::decode(&body)?;
            fed_auth_required = is_required(&prelogin, settings);
            answer(&mut socket, &prelogin, settings).await?
        }
        // jTDS without TLS and TDS 7.0 begin here.
        PacketKind::Login7 if settings.at_least == Protection::Clear => {
            let login = rest_of_login(&mut socket, header, body).await?;
            return Ok(Greeted { stream: Stream::Clear(socket), login, fed_auth_required: false });
        }
        other => return Err(Error::Unexpected(other)),
    };
    if protection == Protection::Clear {
        let login = read_login(&mut socket).await?;
        return Ok(Greeted { stream: Stream::Clear(socket), login, fed_auth_required });
    }
    let acceptor = TlsAcceptor::from(settings.certificates.wrapped.clone());
    let mut tls = acceptor.accept(Wire::wrapped(socket)).await.map_err(Error::Handshake)?;
    tls.get_mut().0.end_wrapping(protection == Protection::LoginOnly);
    if protection == Protection::Full {
        let login = read_login(&mut tls).await?;
        return Ok(Greeted { stream: Stream::Tls(Box::new(tls)), login, fed_auth_required });
    }
    let (header, body) = read_one(&mut tls, PACKET_BYTES_LOGIN).await?;
    // TLS ends here without a close_notify: the client would take it for a TDS packet.
    let mut socket = tls.into_inner().0.into_socket();
    let login = rest_of_login(&mut socket, header, body).await?;
    Ok(Greeted { stream: Stream::Clear(socket), login, fed_auth_required })
}

/// TDS 8.0: TLS first, then everything else inside it.
async fn greet_strict(socket: TcpStream, settings: &Settings) -> Result<Greeted, Error> {
    let acceptor = TlsAcceptor::from(settings.certificates.strict.clone());
    let mut tls = acceptor.accept(Wire::bare(socket)).await.map_err(Error::Handshake)?;
    let (header, body) = read_one(&mut tls, PACKET_BYTES_LOGIN).await?;
    if header.kind != PacketKind::Prelogin {
        return Err(Error::Unexpected(header.kind));
    }
    let prelogin = Prelogin::decode(&body)?;
    // The option decides nothing here, but JDBC still checks that the reply fits what it sent.
    let encryption = match prelogin.encryption {
        Some(Encryption::On | Encryption::Required | Encryption::Strict) => Encryption::On,
        _ => Encryption::NotSupported,
    };
    let fed_auth_required = is_required(&prelogin, settings);
    send_answer(&mut tls, &prelogin, encryption, settings).await?;
    let login = read_login(&mut tls).await?;
    Ok(Greeted { stream: Stream::Tls(Box::new(tls)), login, fed_auth_required })
}

async fn answer(socket: &mut TcpStream, prelogin: &Prelogin, settings: &Settings) -> Result<Protection, Error> {
    let offer = prelogin.encryption.unwrap_or(Encryption::NotSupported);
    let agreement = agree(offer, settings.at_least, true)?;
    send_answer(socket, prelogin, agreement.reply, settings).await?;
    Ok(agreement.protection)
}

async fn send_answer<S: AsyncWrite + Unpin>(
    stream: &mut S,
    prelogin: &Prelogin,
    encryption: Encryption,
    settings: &Settings,
) -> Result<(), Error> {
    let mut packets = bytes::BytesMut::new();
    let framing = Framing::new(PacketKind::TabularResult, PACKET_BYTES_LOGIN);
    let mut answer = prelogin.answer(VERSION, encryption);
    answer.fed_auth_required = prelogin.fed_auth_required.map(|_| is_required(prelogin, settings));
    packet::put_message(&mut packets, framing, &answer.encode());
    stream.write_all(&packets).await?;
    Ok(stream.flush().await?)
}

/// A server that takes tokens says so to who asks.
fn is_required(prelogin: &Prelogin, settings: &Settings) -> bool {
    prelogin.fed_auth_required == Some(true) && settings.entra_token.is_some()
}

async fn read_login<S: AsyncRead + Unpin>(stream: &mut S) -> Result<Login7, Error> {
    let (header, body) = read_one(stream, PACKET_BYTES_LOGIN).await?;
    rest_of_login(stream, header, body).await
}

/// Reads the packets of LOGIN7 after its first.
async fn rest_of_login<S: AsyncRead + Unpin>(
    stream: &mut S,
    mut header: packet::Header,
    mut message: Vec<u8>,
) -> Result<Login7, Error> {
    loop {
        if header.kind != PacketKind::Login7 {
            return Err(Error::Unexpected(header.kind));
        }
        if header.status.is_end_of_message() {
            return Ok(Login7::decode(&message)?);
        }
        let body;
        (header, body) = read_one(stream, PACKET_BYTES_LOGIN).await?;
        if message.len() + body.len() > LOGIN7_BYTES_MAX {
            return Err(tds::DecodeError::TooLarge { what: "a LOGIN7 message", limit: LOGIN7_BYTES_MAX }.into());
        }
        message.extend_from_slice(&body);
    }
}
