//! Packets from and to a client's stream.

use super::Error;
use bytes::BytesMut;
use tds::packet::{self, Header};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// Read at least this much at a time while a session is idle or its requests are small.
const READ_BYTES: usize = 4096;
/// Read at most about this much at a time while a long message arrives.
const READ_LONG_BYTES: usize = 64 * 1024;

/// Cuts packets out of what a client sends.
#[derive(Debug)]
pub(super) struct PacketReader<R> {
    stream: R,
    unread: BytesMut,
    packet_bytes_max: usize,
    in_message: bool,
}

impl<R: AsyncRead + Unpin> PacketReader<R> {
    pub(super) fn new(stream: R, packet_bytes_max: usize) -> Self {
        Self { stream, unread: BytesMut::new(), packet_bytes_max, in_message: false }
    }

    /// The next packet; `None` when the client closed between packets.
    ///
    /// Cancel-safe: what was read stays for the next call.
    pub(super) async fn next(&mut self) -> Result<Option<(Header, BytesMut)>, Error> {
        loop {
            if let Some((header, body)) = packet::take(&mut self.unread, self.packet_bytes_max)? {
                self.in_message = !header.status.is_end_of_message();
                return Ok(Some((header, body)));
            }
            if !self.fill().await? {
                return if self.unread.is_empty() { Ok(None) } else { Err(Error::Closed) };
            }
        }
    }

    /// The header of the next packet as soon as the whole packet is there, without taking it.
    ///
    /// Cancel-safe, as [`Self::next`].
    pub(super) async fn peek(&mut self) -> Result<Option<Header>, Error> {
        loop {
            if let Some(header) = packet::peek(&self.unread, self.packet_bytes_max)? {
                return Ok(Some(header));
            }
            if !self.fill().await? {
                return Ok(None);
            }
        }
    }

    async fn fill(&mut self) -> Result<bool, Error> {
        if self.unread.is_empty() && !self.in_message {
            // Gives a long message's buffer back before the session may sit idle.
            if self.unread.capacity() > READ_LONG_BYTES {
                self.unread = BytesMut::new();
            }
            self.unread.reserve(READ_BYTES);
        } else {
            self.unread.reserve(READ_LONG_BYTES);
        }
        match self.stream.read_buf(&mut self.unread).await {
            Ok(read) => Ok(read > 0),
            // Most drivers end TLS without a close_notify. Nothing can be cut off: a message has its own end.
            Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => Ok(false),
            Err(error) => Err(error.into()),
        }
    }
}

/// Reads exactly one packet, not a byte further: what follows may be a TLS handshake, or clear text after TLS.
pub(super) async fn read_one<S: AsyncRead + Unpin>(stream: &mut S, max: usize) -> Result<(Header, Vec<u8>), Error> {
    let mut head = [0; packet::HEADER_BYTES];
    stream.read_exact(&mut head).await?;
    let header = Header::parse(head)?;
    if usize::from(header.length) > max {
        return Err(tds::DecodeError::TooLarge { what: "a packet", limit: max }.into());
    }
    let mut body = vec![0; header.body_bytes()];
    stream.read_exact(&mut body).await?;
    Ok((header, body))
}

/// Writes whole packets. On TLS each packet becomes a record of its own, as drivers expect of servers.
pub(super) async fn write_packets<W: AsyncWrite + Unpin>(
    stream: &mut W,
    packets: &[u8],
    encrypted: bool,
) -> Result<(), Error> {
    if !encrypted {
        return Ok(stream.write_all(packets).await?);
    }
    let mut rest = packets;
    while let Some([_, _, high, low, ..]) = rest.first_chunk::<{ packet::HEADER_BYTES }>() {
        let length = usize::from(u16::from_be_bytes([*high, *low]));
        let (packet, after) = rest.split_at_checked(length).unwrap_or((rest, &[]));
        stream.write_all(packet).await?;
        rest = after;
    }
    Ok(stream.flush().await?)
}
