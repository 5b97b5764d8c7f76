//! Packets through a flow into TLS, and what leaves on the wire.

use std::future::poll_fn;

use bytes::BytesMut;
use tds::packet::{Framing, PacketKind};
use tokio::io::AsyncWriteExt;

use super::*;
use crate::net::messages;
use crate::net::testing::{handshake_packets, identity, localhost, pair, records, watched_pair};

/// Counts what passes.
#[derive(Default)]
struct Count(usize);

impl Observer for Count {
    fn packet(&mut self, _header: Header, _body: &[u8]) -> Result<(), DecodeError> {
        self.0 += 1;
        Ok(())
    }
}

#[tokio::test]
async fn each_packet_is_one_record_even_while_the_sink_is_slow() {
    let (server, client) = identity();
    let (near, far, up, _down) = watched_pair().await;
    let (accepted, connected_tls) =
        tokio::join!(server.accept_wrapped(far, false), client.connect_wrapped(near, localhost()));
    let mut sink = Stream::Tls(Box::new(connected_tls.unwrap()));
    let mut reader = Stream::Tls(Box::new(accepted.unwrap()));
    let (mut writer, source) = pair().await;
    let mut source = Stream::Plain(source);

    let body = vec![7; 1000 * 7992];
    let mut framed = BytesMut::new();
    packet::put_message(&mut framed, Framing::new(PacketKind::BulkLoad, 8000), &body);
    let write = async {
        writer.write_all(&framed).await.unwrap();
        writer.shutdown().await.unwrap();
    };
    let (mut flow, mut count) = (Flow::new(64 * 1024, &[]), Count::default());
    let pass = poll_fn(|cx| {
        flow.poll_pass(cx, &mut source, &mut sink, &mut count).unwrap();
        if flow.has_ended() && flow.is_empty() { Poll::Ready(()) } else { Poll::Pending }
    });
    let mut early = BytesMut::new();
    let read = messages::read_message(&mut reader, &mut early, 8000, body.len());
    let ((), (), received) = tokio::join!(write, pass, read);
    assert!(received.unwrap().body == body, "the message was changed on its way");
    assert_eq!(count.0, 1000);
    drop((sink, reader));
    let bytes = up.await.unwrap();
    let overhead = 24;
    assert_eq!(records(handshake_packets(&bytes).1), vec![8000 + overhead; 1000]);
}

#[tokio::test]
async fn half_a_packet_never_leaves() {
    let (mut writer, source) = pair().await;
    let (sink, mut reader) = pair().await;
    let (mut source, mut sink) = (Stream::Plain(source), Stream::Plain(sink));
    let mut framed = BytesMut::new();
    packet::put_message(&mut framed, Framing::new(PacketKind::SqlBatch, 4096), &[1; 100]);
    let whole = framed.len();
    framed.extend_from_slice(&[1, 0, 0, 50, 0, 0, 1, 0, 9, 9]);
    writer.write_all(&framed).await.unwrap();
    drop(writer);
    let (mut flow, mut count) = (Flow::new(64 * 1024, &[]), Count::default());
    poll_fn(|cx| {
        flow.poll_pass(cx, &mut source, &mut sink, &mut count).unwrap();
        if flow.has_ended() { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
    assert!(flow.holds_part_of_a_packet() && !flow.has_packets());
    drop(sink);
    let mut received = Vec::new();
    tokio::io::AsyncReadExt::read_to_end(&mut reader, &mut received).await.unwrap();
    assert_eq!((received.len(), count.0), (whole, 1));
}
