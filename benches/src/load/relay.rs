//! The bare relay: tokio's copy loop between two sockets, the least a proxy on tokio can do.

use std::io;
use std::net::SocketAddr;

use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};

use super::process;

/// Relays every connection to `upstream` until the process ends; tells its parent where it listens.
pub(super) async fn run(upstream: SocketAddr) -> io::Result<()> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    process::announce(listener.local_addr()?)?;
    loop {
        let (client, _) = listener.accept().await?;
        // One side that breaks ends the other; whoever measures notices.
        tokio::spawn(relay(client, upstream));
    }
}

async fn relay(mut client: TcpStream, upstream: SocketAddr) -> io::Result<()> {
    let mut server = TcpStream::connect(upstream).await?;
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    copy_bidirectional(&mut client, &mut server).await?;
    Ok(())
}
