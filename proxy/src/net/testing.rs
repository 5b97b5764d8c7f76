//! For tests: certificates, and two connected sockets with somebody who watches between them.

use std::sync::Arc;

use rustls::RootCertStore;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{PrivateKeyDer, ServerName};
use tds::packet::{HEADER_BYTES, Header, PacketKind};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::tls::{ClientTls, ServerTls, Trust};

/// What passed one way while somebody watched.
pub(crate) type Watched = tokio::task::JoinHandle<Vec<u8>>;

/// A server's side of TLS for `localhost`, and a client's that believes it.
pub(crate) fn identity() -> (ServerTls, ClientTls) {
    let signed = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let key = PrivateKeyDer::from_pem_slice(signed.signing_key.serialize_pem().as_bytes()).unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(signed.cert.der().clone()).unwrap();
    let server = ServerTls::new(vec![signed.cert.der().clone()], key).unwrap();
    (server, ClientTls::new(&Trust::Roots(Arc::new(roots))).unwrap())
}

/// The name the certificate carries.
pub(crate) fn localhost() -> ServerName<'static> {
    ServerName::try_from("localhost").unwrap()
}

/// Two connected sockets.
pub(crate) async fn pair() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let near = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    // What was written is in the other's socket at once, and does not wait for an acknowledgement.
    near.set_nodelay(true).unwrap();
    (near, listener.accept().await.unwrap().0)
}

/// Two connected sockets with a watcher between them: client, server, what went up, what came down.
pub(crate) async fn watched_pair() -> (TcpStream, TcpStream, Watched, Watched) {
    let front = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let back = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let client = TcpStream::connect(front.local_addr().unwrap()).await.unwrap();
    let (middle, _) = front.accept().await.unwrap();
    let onward = TcpStream::connect(back.local_addr().unwrap()).await.unwrap();
    let (server, _) = back.accept().await.unwrap();
    let (client_side, server_side) = (middle.into_split(), onward.into_split());
    (client, server, watch(client_side.0, server_side.1), watch(server_side.0, client_side.1))
}

fn watch(mut from: tokio::net::tcp::OwnedReadHalf, mut to: tokio::net::tcp::OwnedWriteHalf) -> Watched {
    tokio::spawn(async move {
        let mut seen = Vec::new();
        let mut chunk = [0; 4096];
        while let Ok(count @ 1..) = from.read(&mut chunk).await {
            seen.extend_from_slice(&chunk[..count]);
            if to.write_all(&chunk[..count]).await.is_err() {
                break;
            }
        }
        seen
    })
}

/// The packets at the front of `bytes` that wrap a handshake, as (length, ends its message), and what follows them.
pub(crate) fn handshake_packets(mut bytes: &[u8]) -> (Vec<(usize, bool)>, &[u8]) {
    let mut packets = Vec::new();
    while let Some(head) = bytes.first_chunk::<HEADER_BYTES>() {
        let Ok(header) = Header::parse(*head) else { break };
        if header.kind != PacketKind::Prelogin {
            break;
        }
        packets.push((usize::from(header.length), header.status.is_end_of_message()));
        bytes = &bytes[usize::from(header.length)..];
    }
    (packets, bytes)
}

/// Lengths of the TLS records in `bytes`, headers not counted.
pub(crate) fn records(mut bytes: &[u8]) -> Vec<usize> {
    let mut records = Vec::new();
    while let [_, _, _, high, low, rest @ ..] = bytes {
        let length = usize::from(u16::from_be_bytes([*high, *low]));
        records.push(length);
        bytes = &rest[length..];
    }
    records
}
