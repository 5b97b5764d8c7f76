//! What lies under TLS: the socket, with TLS 7.x's habit of wrapping handshakes in PRELOGIN packets.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, BufMut, BytesMut};
use tds::packet::{self, Framing, HEADER_BYTES, Header, PACKET_BYTES_LOGIN, PacketKind};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

/// How many bytes of TLS records gather before a write waits for the socket.
const OUT_BYTES_MAX: usize = 64 * 1024;
/// Bytes of a TLS record header.
const RECORD_HEADER_BYTES: usize = 5;

/// How the bytes under TLS travel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    /// As they are.
    Raw,
    /// In PRELOGIN packets, one flight a message ([MS-TDS] 2.2.6.5); `left` bytes of the packet being read.
    Wrapped { left: usize },
    /// As they are, but one TLS record for each [`Wire::allow_record`]; `left` bytes of the record being read. tokio-rustls
    /// reads on as long as its caller's buffer has room, so it must be told where to stop.
    RecordWise { left: usize, allowed: bool },
}

/// A socket under TLS. Writes gather until a flush, so that the records of many packets leave in one system call.
#[derive(Debug)]
pub(crate) struct Wire {
    tcp: TcpStream,
    mode: Mode,
    /// Bytes taken from the socket and not yet handed to TLS.
    inbound: BytesMut,
    /// Bytes TLS wants written.
    outbound: BytesMut,
    /// In wrapped mode, how much of `outbound` is framed already.
    framed: usize,
}

impl Wire {
    /// TLS directly on the socket, as TDS 8.0 has it.
    pub(crate) fn raw(tcp: TcpStream) -> Self {
        Self { tcp, mode: Mode::Raw, inbound: BytesMut::new(), outbound: BytesMut::new(), framed: 0 }
    }

    /// TLS handshakes inside PRELOGIN packets, as TDS 7.x has them.
    pub(crate) fn wrapped(tcp: TcpStream) -> Self {
        Self { mode: Mode::Wrapped { left: 0 }, ..Self::raw(tcp) }
    }

    /// The handshake is over: from now on bare records. What came after the handshake inside packets is dropped.
    pub(crate) fn unwrap_records(&mut self) {
        self.inbound = BytesMut::new();
        self.mode = Mode::Raw;
    }

    /// The handshake is over and TLS will end with a record: TLS gets the first record, and each further one only when it
    /// is allowed to.
    pub(crate) fn unwrap_record_wise(&mut self) {
        self.inbound = BytesMut::new();
        self.mode = Mode::RecordWise { left: 0, allowed: true };
    }

    /// Whether TLS wants a record that it was not allowed yet. Nobody wakes it for that.
    pub(crate) fn awaits_permission(&self) -> bool {
        matches!(self.mode, Mode::RecordWise { left: 0, allowed: false })
    }

    /// Allows TLS one more record.
    pub(crate) fn allow_record(&mut self) {
        if let Mode::RecordWise { allowed, .. } = &mut self.mode {
            *allowed = true;
        }
    }

    /// The socket, and the clear bytes read behind the last record.
    pub(crate) fn into_parts(self) -> (TcpStream, BytesMut) {
        (self.tcp, self.inbound)
    }

    /// The socket itself.
    pub(crate) fn tcp(&self) -> &TcpStream {
        &self.tcp
    }

    /// Gives the write buffer's memory back; for legs that go idle.
    pub(crate) fn give_back(&mut self) {
        if self.outbound.is_empty() {
            self.outbound = BytesMut::new();
        }
    }

    /// Reads from the socket until `inbound` holds `want` bytes. `Ok(false)` is a clean end before the first of them.
    fn poll_inbound(&mut self, cx: &mut Context<'_>, want: usize) -> Poll<io::Result<bool>> {
        while self.inbound.len() < want {
            let before = self.inbound.len();
            ready!(poll_read_into(Pin::new(&mut self.tcp), cx, &mut self.inbound))?;
            if self.inbound.len() == before {
                let clean = before == 0;
                return Poll::Ready(if clean { Ok(false) } else { Err(io::ErrorKind::UnexpectedEof.into()) });
            }
        }
        Poll::Ready(Ok(true))
    }

    /// Hands at most `left` gathered bytes to TLS and says how many.
    fn hand_over(&mut self, left: usize, out: &mut ReadBuf<'_>) -> usize {
        let count = left.min(self.inbound.len()).min(out.remaining());
        let (head, _) = self.inbound.split_at(count);
        out.put_slice(head);
        self.inbound.advance(count);
        count
    }

    fn poll_read_wrapped(
        &mut self,
        cx: &mut Context<'_>,
        mut left: usize,
        out: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        while left == 0 {
            if !ready!(self.poll_inbound(cx, HEADER_BYTES))? {
                return Poll::Ready(Ok(()));
            }
            left = wrapped_body_bytes(&mut self.inbound)?;
            self.mode = Mode::Wrapped { left };
        }
        if !ready!(self.poll_inbound(cx, 1))? {
            return Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into()));
        }
        let left = left - self.hand_over(left, out);
        self.mode = Mode::Wrapped { left };
        Poll::Ready(Ok(()))
    }

    fn poll_read_record(
        &mut self,
        cx: &mut Context<'_>,
        mut left: usize,
        allowed: bool,
        out: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if left == 0 {
            if !allowed {
                return Poll::Pending;
            }
            if !ready!(self.poll_inbound(cx, RECORD_HEADER_BYTES))? {
                return Poll::Ready(Ok(()));
            }
            let Some([_, _, _, high, low]) = self.inbound.first_chunk::<RECORD_HEADER_BYTES>() else {
                return Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into()));
            };
            left = RECORD_HEADER_BYTES + usize::from(u16::from_be_bytes([*high, *low]));
        }
        if !ready!(self.poll_inbound(cx, 1))? {
            return Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into()));
        }
        let left = left - self.hand_over(left, out);
        self.mode = Mode::RecordWise { left, allowed: false };
        Poll::Ready(Ok(()))
    }

    /// Frames what gathered as one message: one flight of a handshake.
    fn frame_flight(&mut self) {
        if matches!(self.mode, Mode::Wrapped { .. }) && self.outbound.len() > self.framed {
            let flight = self.outbound.split_off(self.framed);
            let framing = Framing::new(PacketKind::Prelogin, PACKET_BYTES_LOGIN);
            packet::put_message(&mut self.outbound, framing, &flight);
            self.framed = self.outbound.len();
        }
    }

    fn poll_send(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.outbound.is_empty() {
            let sent = ready!(Pin::new(&mut self.tcp).poll_write(cx, &self.outbound))?;
            if sent == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.outbound.advance(sent);
            self.framed = self.framed.saturating_sub(sent);
        }
        self.outbound.clear();
        Poll::Ready(Ok(()))
    }
}

/// Takes a packet header from `inbound` and says how many handshake bytes follow.
fn wrapped_body_bytes(inbound: &mut BytesMut) -> io::Result<usize> {
    let Some(head) = inbound.first_chunk::<HEADER_BYTES>() else { return Err(io::ErrorKind::UnexpectedEof.into()) };
    let header = Header::parse(*head).map_err(invalid)?;
    // SQL Server's own type is 0x12; some servers wrap their flights in 0x04, which drivers accept too.
    if !matches!(header.kind, PacketKind::Prelogin | PacketKind::TabularResult) {
        return Err(invalid("the TLS handshake was interrupted by a packet of another type"));
    }
    inbound.advance(HEADER_BYTES);
    Ok(header.body_bytes())
}

fn invalid(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error)
}

/// One read of at most [`PACKET_BYTES_LOGIN`] bytes, appended to `out`.
fn poll_read_into(tcp: Pin<&mut TcpStream>, cx: &mut Context<'_>, out: &mut BytesMut) -> Poll<io::Result<()>> {
    let mut chunk = [0u8; PACKET_BYTES_LOGIN];
    let mut read = ReadBuf::new(&mut chunk);
    ready!(tcp.poll_read(cx, &mut read))?;
    out.put_slice(read.filled());
    Poll::Ready(Ok(()))
}

impl AsyncRead for Wire {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, out: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        match this.mode {
            Mode::Raw => Pin::new(&mut this.tcp).poll_read(cx, out),
            Mode::Wrapped { left } => this.poll_read_wrapped(cx, left, out),
            Mode::RecordWise { left, allowed } => this.poll_read_record(cx, left, allowed, out),
        }
    }
}

impl AsyncWrite for Wire {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        if this.outbound.len() >= OUT_BYTES_MAX {
            this.frame_flight();
            ready!(this.poll_send(cx))?;
        }
        this.outbound.put_slice(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        this.frame_flight();
        this.poll_send(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        this.frame_flight();
        ready!(this.poll_send(cx))?;
        Pin::new(&mut this.tcp).poll_shutdown(cx)
    }
}
