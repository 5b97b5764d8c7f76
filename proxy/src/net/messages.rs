//! Whole TDS messages in and out of a stream: what the login needs. Requests and responses stream through `flow`.

use std::future::poll_fn;
use std::io;
use std::pin::pin;
use std::task::Poll;

use bytes::BytesMut;
use tds::DecodeError;
use tds::packet::{self, Header, PacketKind};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio_rustls::TlsStream;

use super::wire::Wire;

/// A message that did not arrive.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReadError {
    /// The peer closed before the first byte of the message.
    #[error("the connection was closed")]
    Closed,
    /// The socket failed, or the peer closed in the middle of the message.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// The bytes are no TDS.
    #[error(transparent)]
    Decode(#[from] DecodeError),
}

/// A whole message: the header of its first packet and all bodies in a row.
#[derive(Debug)]
pub(crate) struct Message {
    pub(crate) first: Header,
    pub(crate) body: BytesMut,
}

/// Reads one packet of at most `packet_bytes_max`; `buffer` keeps what was read beyond it.
pub(crate) async fn read_packet<S>(
    stream: &mut S,
    buffer: &mut BytesMut,
    packet_bytes_max: usize,
) -> Result<(Header, BytesMut), ReadError>
where
    S: AsyncRead + Unpin,
{
    loop {
        if let Some(packet) = packet::take(buffer, packet_bytes_max)? {
            return Ok(packet);
        }
        let started = !buffer.is_empty();
        buffer.reserve(packet_bytes_max.min(packet::PACKET_BYTES_LOGIN));
        if stream.read_buf(buffer).await? == 0 {
            let ended = cut("the connection was closed inside a packet");
            return Err(if started { ended.into() } else { ReadError::Closed });
        }
    }
}

/// Reads one packet out of TLS that ends with it: never a byte more than the records that hold it.
pub(crate) async fn read_last_packet(
    stream: &mut TlsStream<Wire>,
    packet_bytes_max: usize,
) -> Result<(Header, BytesMut), ReadError> {
    let mut decrypted = BytesMut::new();
    loop {
        if let Some(packet) = packet::take(&mut decrypted, packet_bytes_max)? {
            return if decrypted.is_empty() { Ok(packet) } else { Err(DecodeError::Misplaced(BEYOND).into()) };
        }
        let read = {
            let mut read = pin!(stream.read_buf(&mut decrypted));
            poll_fn(|cx| Poll::Ready(read.as_mut().poll(cx))).await
        };
        match read {
            Poll::Ready(Ok(0)) => return Err(cut("the connection was closed inside the login").into()),
            Poll::Ready(Ok(_)) => stream.get_mut().0.allow_record(),
            Poll::Ready(Err(error)) => return Err(error.into()),
            Poll::Pending if stream.get_ref().0.awaits_permission() => stream.get_mut().0.allow_record(),
            Poll::Pending => stream.get_ref().0.tcp().readable().await?,
        }
    }
}

/// Only the first packet of LOGIN7 may be encrypted where encryption ends with it.
const BEYOND: &str = "more than the first packet of LOGIN7 was encrypted";

fn cut(what: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::UnexpectedEof, what)
}

/// Reads one message of at most `body_bytes_max`, its packets at most `packet_bytes_max` each.
pub(crate) async fn read_message<S>(
    stream: &mut S,
    buffer: &mut BytesMut,
    packet_bytes_max: usize,
    body_bytes_max: usize,
) -> Result<Message, ReadError>
where
    S: AsyncRead + Unpin,
{
    let (first, body) = read_packet(stream, buffer, packet_bytes_max).await?;
    let mut message = Message { first, body };
    let mut last = first;
    while !last.status.is_end_of_message() {
        let (header, body) = read_packet(stream, buffer, packet_bytes_max).await.map_err(inside_message)?;
        if header.kind != first.kind {
            return Err(DecodeError::Misplaced("the packets of one message have different types").into());
        }
        if message.body.len() + body.len() > body_bytes_max {
            return Err(DecodeError::TooLarge { what: "a login message", limit: body_bytes_max }.into());
        }
        message.body.unsplit(body);
        last = header;
    }
    Ok(message)
}

fn inside_message(error: ReadError) -> ReadError {
    match error {
        ReadError::Closed => cut("the connection was closed inside a message").into(),
        other => other,
    }
}

/// Writes `body` as one message in packets of `packet_bytes`, each packet with a write of its own, and flushes.
pub(crate) async fn write_message<S>(
    stream: &mut S,
    kind: PacketKind,
    packet_bytes: usize,
    body: &[u8],
) -> io::Result<()>
where
    S: AsyncWrite + Unpin,
{
    let mut framed = BytesMut::new();
    packet::put_message(&mut framed, packet::Framing::new(kind, packet_bytes), body);
    write_packets(stream, &framed).await
}

/// Writes whole packets, each with a write of its own so that under TLS each becomes one record, and flushes.
pub(crate) async fn write_packets<S>(stream: &mut S, mut packets: &[u8]) -> io::Result<()>
where
    S: AsyncWrite + Unpin,
{
    while let Ok(Some(header)) = packet::peek(packets, packet::PACKET_BYTES_MAX) {
        let (one, rest) = packets.split_at(usize::from(header.length));
        stream.write_all(one).await?;
        packets = rest;
    }
    stream.flush().await
}
