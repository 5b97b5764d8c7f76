//! The PROXY protocol's header on a socket: read before a session, and not a byte more; written before one.

use std::io;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::proxy_protocol::{self, Announced, Endpoints, HeaderError};

/// What a look at a socket takes: most headers are shorter.
const LOOK_BYTES: usize = 256;

/// Why no header was read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AnnouncementError {
    /// The peer closed the connection.
    #[error("the connection was closed")]
    Closed,
    /// The connection failed.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// The peer sent something else.
    #[error(transparent)]
    Header(#[from] HeaderError),
}

/// Reads a header. What follows it stays in the socket, where the session finds it. Waits as long as the peer does.
pub(crate) async fn read(tcp: &mut TcpStream) -> Result<Announced, AnnouncementError> {
    let mut header = Vec::new();
    loop {
        let mut look = [0; LOOK_BYTES];
        let looked = tcp.peek(&mut look).await?;
        if looked == 0 {
            return Err(AnnouncementError::Closed);
        }
        let before = header.len();
        header.extend_from_slice(look.get(..looked).unwrap_or_default());
        // The parser bounds the header: it takes no more bytes for one than a header may have.
        let parsed = proxy_protocol::parse(&header)?;
        let length = parsed.map_or(header.len(), |(_, length)| length);
        let taken = look.get_mut(..length.saturating_sub(before)).unwrap_or_default();
        tcp.read_exact(taken).await?;
        if let Some((announced, _)) = parsed {
            return Ok(announced);
        }
    }
}

/// Announces a client, or without one a connection of our own.
pub(crate) async fn write(tcp: &mut TcpStream, endpoints: Option<Endpoints>) -> io::Result<()> {
    tcp.write_all(&proxy_protocol::encode(endpoints)).await
}
