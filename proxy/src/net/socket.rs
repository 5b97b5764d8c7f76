//! TCP options and connecting.

use std::io;
use std::time::Duration;

use socket2::{SockRef, TcpKeepalive};
use tokio::net::TcpStream;

/// How many keep-alive probes may stay unanswered before a half-open socket is given up.
const KEEPALIVE_PROBES: u32 = 4;

/// Sets what every leg wants: no Nagle delay, and keep-alive probes that find peers which vanished without a word.
/// `keepalive` is the idle time before the first probe and between probes; zero leaves probing off.
pub(crate) fn prepare(tcp: &TcpStream, keepalive: Duration) -> io::Result<()> {
    tcp.set_nodelay(true)?;
    if keepalive.is_zero() {
        return Ok(());
    }
    let probes = TcpKeepalive::new().with_time(keepalive).with_interval(keepalive).with_retries(KEEPALIVE_PROBES);
    let socket = SockRef::from(tcp);
    socket.set_tcp_keepalive(&probes)?;
    // Unacknowledged bytes end a dead connection as soon as unanswered probes would.
    #[cfg(target_os = "linux")]
    socket.set_tcp_user_timeout(Some(keepalive * (KEEPALIVE_PROBES + 1)))?;
    Ok(())
}

/// Closes with a reset instead of a goodbye: for peers that broke the protocol or must see that a response was cut.
pub(crate) fn reset_on_close(tcp: &TcpStream) {
    // Failing to set it only means a softer close.
    let _ = SockRef::from(tcp).set_linger(Some(Duration::ZERO));
}

/// Connects to `address` (`host:port`), trying each of the host's addresses.
pub(crate) async fn connect(address: &str, keepalive: Duration) -> io::Result<TcpStream> {
    let tcp = TcpStream::connect(address).await?;
    prepare(&tcp, keepalive)?;
    Ok(tcp)
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::net::TcpListener;

    /// Both legs of a session: the one we accept and the one we open, as the listener and the backend prepare them.
    async fn legs(keepalive: Duration) -> [TcpStream; 2] {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let opened = connect(&address, keepalive).await.unwrap();
        let (accepted, _) = listener.accept().await.unwrap();
        prepare(&accepted, keepalive).unwrap();
        [accepted, opened]
    }

    #[tokio::test]
    async fn the_kernel_is_told_to_look_after_peers_that_vanished() {
        for tcp in &legs(Duration::from_secs(7)).await {
            let socket = SockRef::from(tcp);
            assert!(socket.keepalive().unwrap());
            assert_eq!(socket.tcp_keepalive_time().unwrap(), Duration::from_secs(7));
            assert_eq!(socket.tcp_keepalive_interval().unwrap(), Duration::from_secs(7));
            assert_eq!(socket.tcp_keepalive_retries().unwrap(), KEEPALIVE_PROBES);
            #[cfg(target_os = "linux")]
            assert_eq!(socket.tcp_user_timeout().unwrap(), Some(Duration::from_secs(35)));
        }
    }

    #[tokio::test]
    async fn no_keep_alive_time_means_no_probes() {
        for tcp in &legs(Duration::ZERO).await {
            assert!(!SockRef::from(tcp).keepalive().unwrap());
        }
    }

    #[tokio::test]
    async fn no_leg_waits_to_fill_its_segments() {
        for tcp in &legs(Duration::ZERO).await {
            assert!(tcp.nodelay().unwrap());
        }
    }
}
