//! The socket under a server's TLS: handshake bytes inside TDS packets first, bare TLS records afterwards.
//!
//! It never reads further than it must: not past a TDS packet during a wrapped handshake, not past a TLS record while only
//! the login is encrypted. What follows belongs to somebody else.

use bytes::{Buf, BytesMut};
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use tds::packet::{self, Framing, HEADER_BYTES, Header, PACKET_BYTES_LOGIN, PacketKind};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

/// Bytes of a TLS record's header.
const RECORD_HEADER_BYTES: usize = 5;

#[derive(Debug)]
enum Mode {
    /// Handshake bytes travel in PRELOGIN packets. Bytes to write wait for the flush that ends their flight.
    Wrapped { flight: BytesMut, framed: BytesMut },
    /// TLS records, read one at a time.
    Records,
    /// Whatever the socket has.
    Bare,
}

/// A socket as TLS sees it.
#[derive(Debug)]
pub(super) struct Wire {
    socket: TcpStream,
    mode: Mode,
    /// The header being read, of a TDS packet or a TLS record, and how much of it is there.
    header: [u8; HEADER_BYTES],
    header_bytes: usize,
    /// Bytes left of the packet's or record's body.
    body_bytes: usize,
    /// Bytes of a record's header that TLS has not been given yet.
    header_given: usize,
}

impl Wire {
    /// A socket whose TLS handshake travels in TDS packets.
    pub(super) fn wrapped(socket: TcpStream) -> Self {
        Self::new(socket, Mode::Wrapped { flight: BytesMut::new(), framed: BytesMut::new() })
    }

    /// A socket that begins with TLS.
    pub(super) fn bare(socket: TcpStream) -> Self {
        Self::new(socket, Mode::Bare)
    }

    fn new(socket: TcpStream, mode: Mode) -> Self {
        Self { socket, mode, header: [0; HEADER_BYTES], header_bytes: 0, body_bytes: 0, header_given: 0 }
    }

    /// After a wrapped handshake: TLS records from now on, one at a time if only the login is encrypted.
    pub(super) fn end_wrapping(&mut self, login_only: bool) {
        self.mode = if login_only { Mode::Records } else { Mode::Bare };
        (self.header_bytes, self.body_bytes, self.header_given) = (0, 0, 0);
    }

    /// The socket, for what follows in clear text.
    pub(super) fn into_socket(self) -> TcpStream {
        self.socket
    }

    /// Reads towards a header of `wanted` bytes. `false` is the end of the stream.
    fn poll_header(&mut self, context: &mut Context<'_>, wanted: usize) -> Poll<io::Result<bool>> {
        while self.header_bytes < wanted {
            let Some(room) = self.header.get_mut(self.header_bytes..wanted) else { break };
            let mut room = ReadBuf::new(room);
            ready!(Pin::new(&mut self.socket).poll_read(context, &mut room))?;
            if room.filled().is_empty() {
                return Poll::Ready(Ok(false));
            }
            self.header_bytes += room.filled().len();
        }
        Poll::Ready(Ok(true))
    }

    /// Reads into `out` up to the end of the current body.
    fn poll_body(&mut self, context: &mut Context<'_>, out: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let room = out.remaining().min(self.body_bytes);
        let mut part = ReadBuf::new(out.initialize_unfilled_to(room));
        ready!(Pin::new(&mut self.socket).poll_read(context, &mut part))?;
        let read = part.filled().len();
        out.advance(read);
        self.body_bytes -= read;
        if self.body_bytes == 0 {
            self.header_bytes = 0;
        }
        Poll::Ready(Ok(()))
    }

    fn poll_read_wrapped(&mut self, context: &mut Context<'_>, out: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        while self.body_bytes == 0 {
            if !ready!(self.poll_header(context, HEADER_BYTES))? {
                return Poll::Ready(Ok(()));
            }
            let header = Header::parse(self.header).map_err(io::Error::other)?;
            if header.kind != PacketKind::Prelogin || usize::from(header.length) > PACKET_BYTES_LOGIN {
                return Poll::Ready(Err(io::Error::other(
                    "the client sent something else in place of a TLS handshake",
                )));
            }
            self.body_bytes = header.body_bytes();
            if self.body_bytes == 0 {
                self.header_bytes = 0;
            }
        }
        self.poll_body(context, out)
    }

    fn poll_read_record(&mut self, context: &mut Context<'_>, out: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.body_bytes == 0 && self.header_given == 0 {
            if !ready!(self.poll_header(context, RECORD_HEADER_BYTES))? {
                return Poll::Ready(Ok(()));
            }
            let [_, _, _, high, low, ..] = self.header;
            self.body_bytes = usize::from(u16::from_be_bytes([high, low]));
            if self.body_bytes == 0 {
                return Poll::Ready(Err(io::Error::other("the client sent an empty TLS record")));
            }
        }
        if self.header_given < RECORD_HEADER_BYTES {
            let rest = self.header.get(self.header_given..RECORD_HEADER_BYTES).unwrap_or_default();
            let given = rest.len().min(out.remaining());
            out.put_slice(rest.get(..given).unwrap_or_default());
            self.header_given += given;
            return Poll::Ready(Ok(()));
        }
        ready!(self.poll_body(context, out))?;
        if self.body_bytes == 0 {
            self.header_given = 0;
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncRead for Wire {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, out: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let wire = self.get_mut();
        match wire.mode {
            Mode::Wrapped { .. } => wire.poll_read_wrapped(context, out),
            Mode::Records => wire.poll_read_record(context, out),
            Mode::Bare => Pin::new(&mut wire.socket).poll_read(context, out),
        }
    }
}

impl AsyncWrite for Wire {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let wire = self.get_mut();
        match &mut wire.mode {
            Mode::Wrapped { flight, .. } => {
                flight.extend_from_slice(bytes);
                Poll::Ready(Ok(bytes.len()))
            }
            Mode::Records | Mode::Bare => Pin::new(&mut wire.socket).poll_write(context, bytes),
        }
    }

    /// Sends what was written since the last flush as one message: tedious waits for one message per flight.
    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let wire = self.get_mut();
        if let Mode::Wrapped { flight, framed } = &mut wire.mode {
            if !flight.is_empty() {
                packet::put_message(framed, Framing::new(PacketKind::Prelogin, PACKET_BYTES_LOGIN), flight);
                flight.clear();
            }
            while !framed.is_empty() {
                let sent = ready!(Pin::new(&mut wire.socket).poll_write(context, framed))?;
                if sent == 0 {
                    return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
                }
                framed.advance(sent);
            }
        }
        Pin::new(&mut wire.socket).poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().socket).poll_shutdown(context)
    }
}
