//! Packet headers, cutting packets out of a byte stream and messages into packets ([MS-TDS] 2.2.3).

use crate::DecodeError;
use bytes::{BufMut, BytesMut};

/// Bytes in a packet header.
pub const HEADER_BYTES: usize = 8;
/// The smallest packet size that can be negotiated.
pub const PACKET_BYTES_MIN: usize = 512;
/// The largest packet size that can be negotiated.
pub const PACKET_BYTES_MAX: usize = 32_767;
/// The packet size both sides use until the login response ends.
pub const PACKET_BYTES_LOGIN: usize = 4096;

/// What a message is ([MS-TDS] 2.2.3.1.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum PacketKind {
    /// A batch of SQL text.
    SqlBatch = 0x01,
    /// The login of TDS 4.2 and 5.0; recognised to be refused by name.
    PreTds7Login = 0x02,
    /// One or several remote procedure calls.
    Rpc = 0x03,
    /// Everything a server sends.
    TabularResult = 0x04,
    /// The client cancels its running request.
    Attention = 0x06,
    /// Rows of a bulk load.
    BulkLoad = 0x07,
    /// A federated authentication token.
    FedAuthToken = 0x08,
    /// A transaction manager request.
    TransactionManager = 0x0E,
    /// LOGIN7.
    Login7 = 0x10,
    /// A further leg of an SSPI exchange.
    Sspi = 0x11,
    /// PRELOGIN, and the TLS handshake of TDS 7.x.
    Prelogin = 0x12,
}

impl TryFrom<u8> for PacketKind {
    type Error = DecodeError;

    fn try_from(byte: u8) -> Result<Self, DecodeError> {
        Ok(match byte {
            0x01 => Self::SqlBatch,
            0x02 => Self::PreTds7Login,
            0x03 => Self::Rpc,
            0x04 => Self::TabularResult,
            0x06 => Self::Attention,
            0x07 => Self::BulkLoad,
            0x08 => Self::FedAuthToken,
            0x0E => Self::TransactionManager,
            0x10 => Self::Login7,
            0x11 => Self::Sspi,
            0x12 => Self::Prelogin,
            other => return Err(DecodeError::UnknownPacketKind(other)),
        })
    }
}

/// The status bits of a packet ([MS-TDS] 2.2.3.1.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Status(pub u8);

impl Status {
    /// No bit set: more packets of the message follow.
    pub const NORMAL: Self = Self(0x00);
    /// Last packet of the message.
    pub const END_OF_MESSAGE: Self = Self(0x01);
    /// Client to server, with [`Self::END_OF_MESSAGE`]: ignore the message.
    pub const IGNORE: Self = Self(0x02);
    /// First packet of a request: reset the session before running it.
    pub const RESET_CONNECTION: Self = Self(0x08);
    /// As [`Self::RESET_CONNECTION`], but the transaction survives.
    pub const RESET_CONNECTION_SKIP_TRAN: Self = Self(0x10);

    /// Whether every bit of `other` is set.
    pub fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Whether this is the last packet of its message.
    pub fn is_end_of_message(self) -> bool {
        self.contains(Self::END_OF_MESSAGE)
    }

    /// Both sets of bits.
    #[must_use]
    pub fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

/// A packet header. `length` counts the header too and is at least [`HEADER_BYTES`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// What the message is.
    pub kind: PacketKind,
    /// Status bits.
    pub status: Status,
    /// Bytes of the whole packet, header included.
    pub length: u16,
    /// The server's session id; clients send 0.
    pub spid: u16,
    /// Counts packets modulo 256; receivers ignore it.
    pub packet_id: u8,
}

impl Header {
    /// Reads a header.
    ///
    /// # Errors
    /// An unknown type, or a length below the header's own.
    pub fn parse(bytes: [u8; HEADER_BYTES]) -> Result<Self, DecodeError> {
        let [kind, status, high, low, spid_high, spid_low, packet_id, _window] = bytes;
        let length = u16::from_be_bytes([high, low]);
        if usize::from(length) < HEADER_BYTES {
            return Err(DecodeError::BadValue { what: "packet length", value: u64::from(length) });
        }
        Ok(Self {
            kind: PacketKind::try_from(kind)?,
            status: Status(status),
            length,
            spid: u16::from_be_bytes([spid_high, spid_low]),
            packet_id,
        })
    }

    /// The header's bytes, window 0.
    pub fn encode(self) -> [u8; HEADER_BYTES] {
        let [high, low] = self.length.to_be_bytes();
        let [spid_high, spid_low] = self.spid.to_be_bytes();
        [self.kind as u8, self.status.0, high, low, spid_high, spid_low, self.packet_id, 0]
    }

    /// Bytes after the header.
    pub fn body_bytes(self) -> usize {
        usize::from(self.length).saturating_sub(HEADER_BYTES)
    }
}

/// Looks at the front of `buf` for a whole packet of at most `max` bytes; `None` means read more.
///
/// # Errors
/// A header that cannot be, or a packet longer than `max` (the negotiated packet size).
pub fn peek(buf: &[u8], max: usize) -> Result<Option<Header>, DecodeError> {
    let Some(head) = buf.first_chunk::<HEADER_BYTES>() else { return Ok(None) };
    let header = Header::parse(*head)?;
    let length = usize::from(header.length);
    if length > max {
        return Err(DecodeError::TooLarge { what: "a packet", limit: max });
    }
    Ok((buf.len() >= length).then_some(header))
}

/// Takes one whole packet from the front of `buf`: its header and its body. `None` means read more.
///
/// # Errors
/// As [`peek`].
pub fn take(buf: &mut BytesMut, max: usize) -> Result<Option<(Header, BytesMut)>, DecodeError> {
    let Some(header) = peek(buf, max)? else { return Ok(None) };
    let mut packet = buf.split_to(usize::from(header.length));
    let body = packet.split_off(HEADER_BYTES);
    Ok(Some((header, body)))
}

/// How [`put_message`] cuts a message.
#[derive(Debug, Clone, Copy)]
pub struct Framing {
    /// What the message is.
    pub kind: PacketKind,
    /// Bits of the first packet besides [`Status::END_OF_MESSAGE`].
    pub status: Status,
    /// Largest packet, header included; clamped to what can be negotiated.
    pub packet_bytes: usize,
    /// The session id to show; clients send 0.
    pub spid: u16,
}

impl Framing {
    /// A message in packets of `packet_bytes`, no status bits, session id 0.
    pub fn new(kind: PacketKind, packet_bytes: usize) -> Self {
        Self { kind, status: Status::NORMAL, packet_bytes, spid: 0 }
    }
}

/// Appends `body` to `out` as one message: packets numbered from 1, the last with [`Status::END_OF_MESSAGE`].
///
/// An empty body is one packet without a body, as an attention is.
pub fn put_message(out: &mut BytesMut, framing: Framing, body: &[u8]) {
    let room = framing.packet_bytes.clamp(PACKET_BYTES_MIN, PACKET_BYTES_MAX).saturating_sub(HEADER_BYTES);
    let packets = body.len().div_ceil(room).max(1);
    out.reserve(body.len().saturating_add(packets.saturating_mul(HEADER_BYTES)));
    let mut status = framing.status;
    let mut packet_id = 1u8;
    let mut rest = body;
    loop {
        let (chunk, tail) = rest.split_at(rest.len().min(room));
        if tail.is_empty() {
            status = status.with(Status::END_OF_MESSAGE);
        }
        let length = u16::try_from(chunk.len().saturating_add(HEADER_BYTES)).unwrap_or(u16::MAX);
        let header = Header { kind: framing.kind, status, length, spid: framing.spid, packet_id };
        out.put_slice(&header.encode());
        out.put_slice(chunk);
        if tail.is_empty() {
            return;
        }
        rest = tail;
        status = Status::NORMAL;
        packet_id = packet_id.wrapping_add(1);
    }
}
