//! Requests and responses through a running proxy, byte for byte.

use bytes::{BufMut, BytesMut};
use tds::packet::{Header, PacketKind, Status};
use tds::token::{Done, DoneKind, DoneStatus, EnvChange};
use tests::fake_server::{self, FakeServer, OnLogin, OnRequest};
use tests::raw_client::{self, RawClient};
use tests::running_proxy::{RunningProxy, Setup};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

async fn session(on_request: OnRequest) -> (FakeServer, RunningProxy, RawClient) {
    let server = FakeServer::start("onprem", OnLogin::Accept(Vec::new()), on_request).await;
    let proxy = Setup::primary("onprem", server.address).run().await;
    let (client, _) = RawClient::log_in(proxy.address, &raw_client::login("SalesDB", false)).await;
    (server, proxy, client)
}

#[tokio::test]
async fn a_response_arrives_as_the_server_sent_it() {
    let mut tokens = BytesMut::new();
    EnvChange::Database("SalesDB".to_owned(), "master".to_owned()).encode(&mut tokens);
    tokens.put_slice(&fake_server::done());
    let (_server, _proxy, mut client) = session(OnRequest::Tokens(tokens.to_vec())).await;
    for _ in 0..3 {
        assert_eq!(client.query("SELECT 1").await.unwrap().body, tokens);
    }
}

#[tokio::test]
async fn every_kind_of_request_is_passed_on_with_its_status_bits() {
    let (mut server, _proxy, mut client) = session(OnRequest::Swallow).await;
    for kind in [PacketKind::SqlBatch, PacketKind::Rpc, PacketKind::BulkLoad, PacketKind::TransactionManager] {
        let status = Status::END_OF_MESSAGE.with(Status::RESET_CONNECTION);
        let header = Header { kind, status, length: 12, spid: 0, packet_id: 1 };
        client.tcp.write_all(&header.encode()).await.unwrap();
        client.tcp.write_all(b"body").await.unwrap();
        assert_eq!(server.packet().await, (kind, status.0));
        assert_eq!(client.receive().await.unwrap().body, fake_server::done());
    }
}

#[tokio::test]
async fn packets_pass_before_their_message_is_complete() {
    let (mut server, _proxy, mut client) = session(OnRequest::Swallow).await;
    client.send_part(PacketKind::BulkLoad, &[0; 1000]).await;
    assert_eq!(server.packet().await, (PacketKind::BulkLoad, 0));
    client.send(PacketKind::BulkLoad, &[0; 10]).await;
    assert_eq!(server.packet().await, (PacketKind::BulkLoad, 1));
    assert!(client.receive().await.is_some());
}

#[tokio::test]
async fn an_attention_overtakes_a_response_that_does_not_come() {
    let (mut server, _proxy, mut client) = session(OnRequest::Silence).await;
    client.send(PacketKind::SqlBatch, &raw_client::batch("WAITFOR DELAY '01:00'")).await;
    assert_eq!(server.packet().await.0, PacketKind::SqlBatch);
    client.send(PacketKind::Attention, &[]).await;
    assert_eq!(server.packet().await.0, PacketKind::Attention);
    let mut acknowledgement = BytesMut::new();
    Done { kind: DoneKind::Done, status: DoneStatus::ATTENTION, command: 0, rows: 0 }.encode(&mut acknowledgement);
    assert_eq!(client.receive().await.unwrap().body, acknowledgement);
    client.send(PacketKind::Attention, &[]).await;
    assert_eq!(
        client.receive().await.unwrap().body,
        acknowledgement,
        "an idle session's attention is acknowledged too"
    );
}

#[tokio::test]
async fn requests_cut_anywhere_arrive_whole() {
    let (_server, _proxy, mut client) = session(OnRequest::Tokens(fake_server::done())).await;
    let body = raw_client::batch("SELECT 1");
    let length = u16::try_from(body.len() + 8).unwrap();
    let header = Header { kind: PacketKind::SqlBatch, status: Status::END_OF_MESSAGE, length, spid: 0, packet_id: 1 };
    let packet = [&header.encode()[..], &body].concat();
    client.tcp.set_nodelay(true).unwrap();
    for cut in 1..packet.len() {
        let (head, tail) = packet.split_at(cut);
        client.tcp.write_all(head).await.unwrap();
        tokio::task::yield_now().await;
        client.tcp.write_all(tail).await.unwrap();
        assert_eq!(client.receive().await.unwrap().body, fake_server::done(), "cut at {cut}");
    }
}

#[tokio::test]
async fn packets_of_every_size_arrive_unchanged_and_in_order_both_ways() {
    // Sizes from the smallest to the largest that were negotiated, so that every position in the buffers is cut somewhere.
    let response: Vec<u8> =
        (0..2000u16).flat_map(|n| packet(PacketKind::TabularResult, n * 4 % 7992, n == 1999)).collect();
    let (mut server, _proxy, mut client) = session(OnRequest::Bytes(response.clone())).await;
    let request: Vec<u8> = (0..2000u16).flat_map(|n| packet(PacketKind::BulkLoad, n * 3 % 7992, n == 1999)).collect();
    client.tcp.write_all(&request).await.unwrap();
    for n in 0..2000 {
        assert_eq!(server.packet().await, (PacketKind::BulkLoad, u8::from(n == 1999)));
    }
    let mut received = vec![0; response.len()];
    client.tcp.read_exact(&mut received).await.unwrap();
    assert!(received == response, "the response was changed on its way");
}

/// A packet of DONE tokens and what does not fill one, numbered so that a lost or moved packet shows.
fn packet(kind: PacketKind, body_bytes: u16, last: bool) -> Vec<u8> {
    let status = if last { Status::END_OF_MESSAGE } else { Status::NORMAL };
    let packet_id = u8::try_from(body_bytes % 251).unwrap();
    let header = Header { kind, status, length: body_bytes + 8, spid: 0, packet_id };
    let body = (0..body_bytes).map(|n| u8::try_from(n % 253).unwrap());
    header.encode().into_iter().chain(body).collect()
}
