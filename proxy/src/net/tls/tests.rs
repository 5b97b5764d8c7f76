//! Handshakes of both roles over loopback, watched by somebody in the middle.

use tds::packet::{PACKET_BYTES_LOGIN, PacketKind};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::*;
use crate::net::Stream;
use crate::net::messages;
use crate::net::testing::{handshake_packets, identity, localhost, pair, records, watched_pair};

#[tokio::test]
async fn each_flight_of_a_wrapped_handshake_is_one_message_and_nothing_comes_after_it() {
    let (server, client) = identity();
    let (near, far, up, down) = watched_pair().await;
    let (accepted, connected) =
        tokio::join!(server.accept_wrapped(far, false), client.connect_wrapped(near, localhost()));
    drop((accepted.unwrap(), connected.unwrap()));
    for (way, flights) in [(up, 2), (down, 2)] {
        let bytes = way.await.unwrap();
        let (packets, rest) = handshake_packets(&bytes);
        assert_eq!(packets.iter().filter(|(_, ends)| *ends).count(), flights, "{packets:?}");
        assert!(packets.iter().all(|(length, _)| *length <= PACKET_BYTES_LOGIN), "{packets:?}");
        assert!(rest.is_empty(), "{} bytes after the handshake", rest.len());
    }
}

#[tokio::test]
async fn each_packet_becomes_one_record_however_many_are_written_at_once() {
    let (server, client) = identity();
    let (near, far, up, _down) = watched_pair().await;
    let (accepted, connected) =
        tokio::join!(server.accept_wrapped(far, false), client.connect_wrapped(near, localhost()));
    let mut stream = Stream::Tls(Box::new(connected.unwrap()));
    let mut reader = Stream::Tls(Box::new(accepted.unwrap()));
    let body = vec![7; 40 * 7992 + 100];
    let mut early = bytes::BytesMut::new();
    let (sent, received) = tokio::join!(
        messages::write_message(&mut stream, PacketKind::BulkLoad, 8000, &body),
        messages::read_message(&mut reader, &mut early, 8000, body.len()),
    );
    sent.unwrap();
    assert_eq!(received.unwrap().body, body);
    drop((stream, reader));
    let bytes = up.await.unwrap();
    let overhead = 24;
    let mut expected = vec![8000 + overhead; 40];
    expected.push(108 + overhead);
    let (_, application) = handshake_packets(&bytes);
    assert_eq!(records(application), expected);
}

#[tokio::test]
async fn after_a_login_in_tls_the_clear_bytes_behind_its_record_are_not_lost() {
    let (server, client) = identity();
    // No watcher: once written, the clear bytes are in the server's socket together with the record.
    let (near, far) = pair().await;
    let (accepted, connected) =
        tokio::join!(server.accept_wrapped(far, true), client.connect_wrapped(near, localhost()));
    let (mut accepted, mut connected) = (accepted.unwrap(), connected.unwrap());
    // A client may spread its packet over several records; the clear bytes begin behind the last of them.
    for part in [&b"\x10\x01\x00\x0e\x00\x00\x01\x00se"[..], b"cr", b"et"] {
        connected.write_all(part).await.unwrap();
        connected.flush().await.unwrap();
    }
    let TlsStream::Client(connected) = connected else { panic!("a client is a client") };
    let (mut tcp, _) = connected.into_inner().0.into_parts();
    tcp.write_all(b"clear bytes").await.unwrap();

    let (header, body) = messages::read_last_packet(&mut accepted, PACKET_BYTES_LOGIN).await.unwrap();
    assert_eq!((header.kind, &body[..]), (PacketKind::Login7, &b"secret"[..]));
    let TlsStream::Server(accepted) = accepted else { panic!("a server is a server") };
    let (mut tcp, mut clear) = accepted.into_inner().0.into_parts();
    while clear.len() < 11 {
        tcp.read_buf(&mut clear).await.unwrap();
    }
    assert_eq!(clear, &b"clear bytes"[..]);
}

#[tokio::test]
async fn tds_8_is_negotiated_by_name_but_a_client_that_names_nothing_is_welcome() {
    let (server, client) = identity();
    for named in [true, false] {
        let mut client = client.clone();
        if !named {
            Arc::make_mut(&mut client.strict).alpn_protocols.clear();
        }
        let (near, far, _up, _down) = watched_pair().await;
        let (accepted, connected) = tokio::join!(server.accept_strict(far), client.connect_strict(near, localhost()));
        connected.unwrap();
        let agreed = accepted.unwrap().get_ref().1.alpn_protocol().map(<[u8]>::to_vec);
        assert_eq!(agreed, named.then(|| ALPN_TDS8.to_vec()));
    }
}

#[tokio::test]
async fn a_certificate_is_believed_only_with_its_name_and_root_unless_the_operator_trusts_anyone() {
    let (server, verifying) = identity();
    let (_, stranger) = identity();
    let trusting = ClientTls::new(&Trust::Anyone).unwrap();
    let elsewhere = ServerName::try_from("elsewhere").unwrap();
    for (client, name, believed) in [
        (&verifying, localhost(), true),
        (&verifying, elsewhere.clone(), false),
        (&stranger, localhost(), false),
        (&trusting, elsewhere, true),
    ] {
        let (near, far, _up, _down) = watched_pair().await;
        let (_, connected) = tokio::join!(server.accept_wrapped(far, false), client.connect_wrapped(near, name));
        assert_eq!(connected.is_ok(), believed);
    }
}

#[tokio::test]
async fn a_wrapped_handshake_that_is_interrupted_by_another_packet_fails() {
    let (server, _) = identity();
    let (mut near, far, _up, _down) = watched_pair().await;
    near.write_all(b"\x01\x01\x00\x0c\x00\x00\x01\x00oops").await.unwrap();
    assert_eq!(server.accept_wrapped(far, false).await.unwrap_err().kind(), io::ErrorKind::InvalidData);
}
