//! Somebody on the wire who passes everything on and remembers it.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use tds::packet::{HEADER_BYTES, Header, PacketKind};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

/// What went up each connection, in the order the connections came.
type Up = Arc<Mutex<Vec<Vec<u8>>>>;

/// A tap before a server. Stops when dropped.
pub struct Tap {
    /// Where it listens.
    pub address: SocketAddr,
    up: Up,
    _tasks: JoinSet<()>,
}

impl Tap {
    /// Listens in front of `server`.
    pub async fn before(server: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let up = Up::default();
        let heard = Arc::clone(&up);
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let mut ways = JoinSet::new();
            while let Ok((client, _)) = listener.accept().await {
                let (from_client, to_client) = client.into_split();
                let (from_server, to_server) = TcpStream::connect(server).await.unwrap().into_split();
                let number = {
                    let mut heard = heard.lock().unwrap_or_else(PoisonError::into_inner);
                    heard.push(Vec::new());
                    heard.len() - 1
                };
                ways.spawn(pass(from_client, to_server, Some((Arc::clone(&heard), number))));
                ways.spawn(pass(from_server, to_client, None));
            }
        });
        Self { address, up, _tasks: tasks }
    }

    /// What went up the connection that said most: probes say little.
    pub fn up(&self) -> Vec<u8> {
        let heard = self.up.lock().unwrap_or_else(PoisonError::into_inner);
        heard.iter().max_by_key(|bytes| bytes.len()).cloned().unwrap_or_default()
    }
}

async fn pass(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, heard: Option<(Up, usize)>) {
    let mut chunk = vec![0; 64 * 1024];
    while let Ok(count @ 1..) = from.read(&mut chunk).await {
        if let Some((up, number)) = &heard {
            up.lock().unwrap_or_else(PoisonError::into_inner)[*number].extend_from_slice(&chunk[..count]);
        }
        if to.write_all(&chunk[..count]).await.is_err() {
            return;
        }
    }
    let _ = to.shutdown().await;
}

/// What follows the PRELOGIN packets at the front: PRELOGIN itself and the wrapped handshake.
pub fn after_handshake(mut bytes: &[u8]) -> &[u8] {
    while let Some(Ok(header)) = bytes.first_chunk::<HEADER_BYTES>().map(|head| Header::parse(*head)) {
        if header.kind != PacketKind::Prelogin {
            break;
        }
        bytes = &bytes[usize::from(header.length)..];
    }
    bytes
}

/// The TLS records at the front, as (type, bytes of content), and what follows them.
pub fn records(mut bytes: &[u8]) -> (Vec<(u8, usize)>, &[u8]) {
    let mut records = Vec::new();
    while let [kind @ 0x14..=0x17, 3, _, high, low, rest @ ..] = bytes {
        let length = usize::from(u16::from_be_bytes([*high, *low]));
        let Some(after) = rest.get(length..) else { break };
        records.push((*kind, length));
        bytes = after;
    }
    (records, bytes)
}
