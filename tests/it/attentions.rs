//! Attentions in all their races: whenever one comes, what is owed is paid, and the session goes on.

use std::sync::atomic::Ordering;

use tds::packet::{Header, PacketKind, Status};
use tests::fake_server::{self, FakeServer, OnLogin, OnRequest};
use tests::raw_client::{self, RawClient};
use tests::running_proxy::{RunningProxy, Setup};
use tokio::io::AsyncWriteExt;

async fn session(on_request: OnRequest) -> (FakeServer, RunningProxy, RawClient) {
    let server = FakeServer::start("onprem", OnLogin::Accept(Vec::new()), on_request).await;
    let proxy = Setup::primary("onprem", server.address).run().await;
    let (client, _) = RawClient::log_in(proxy.address, &raw_client::login("SalesDB", false)).await;
    (server, proxy, client)
}

/// Fails unless nothing is owed any more: then a draining proxy closes the session at once.
async fn is_settled(mut proxy: RunningProxy, mut client: RawClient) {
    proxy.stop();
    assert!(client.receive().await.is_none(), "somebody is still owed something");
    proxy.stopped().await;
}

fn packet(status: Status, body: &[u8]) -> Vec<u8> {
    let length = u16::try_from(body.len() + 8).unwrap();
    let header = Header { kind: PacketKind::TabularResult, status, length, spid: 0, packet_id: 1 };
    [&header.encode()[..], body].concat()
}

/// The two messages a server ends an interrupted request with.
fn separate() -> Vec<u8> {
    let ends = [fake_server::interrupted(), fake_server::acknowledgement()];
    ends.iter().flat_map(|tokens| fake_server::message(tokens)).collect()
}

/// The same in one message.
fn merged() -> Vec<u8> {
    fake_server::message(&[fake_server::interrupted(), fake_server::acknowledgement()].concat())
}

async fn attention(client: &mut RawClient) {
    client.send(PacketKind::Attention, &[]).await;
}

#[tokio::test]
async fn of_an_idle_session() {
    let (mut server, proxy, mut client) = session(OnRequest::Swallow).await;
    attention(&mut client).await;
    assert_eq!(server.packet().await.0, PacketKind::Attention);
    assert_eq!(client.receive().await.unwrap().body, fake_server::acknowledgement());
    is_settled(proxy, client).await;
}

#[tokio::test]
async fn before_the_first_byte_of_the_response_acknowledged_apart_or_together() {
    for (answer, messages) in [(separate(), 2), (merged(), 1)] {
        let (mut server, proxy, mut client) = session(OnRequest::Interrupted(Vec::new(), answer)).await;
        client.send(PacketKind::SqlBatch, &raw_client::batch("WAITFOR DELAY '01:00'")).await;
        server.packet().await;
        attention(&mut client).await;
        for _ in 0..messages {
            assert!(client.receive().await.is_some());
        }
        is_settled(proxy, client).await;
    }
}

#[tokio::test]
async fn in_the_middle_of_a_row_that_the_server_still_finishes() {
    // A result with one int column and the first half of a row; the attention brings the second half.
    let columns = [0x81, 1, 0, 0, 0, 0, 0, 0, 0, 0x38, 1, b'a', 0];
    let begun = packet(Status::NORMAL, &[&columns[..], &[0xD1, 1, 0]].concat());
    let rest = packet(Status::END_OF_MESSAGE, &[&[0, 0][..], &fake_server::interrupted()].concat());
    let then = [rest, fake_server::message(&fake_server::acknowledgement())].concat();
    let (_server, proxy, mut client) = session(OnRequest::Interrupted(begun, then)).await;
    client.send(PacketKind::SqlBatch, &raw_client::batch("SELECT a FROM t")).await;
    let (_, body) = client.packet().await.unwrap();
    assert!(body.ends_with(&[0xD1, 1, 0]));
    attention(&mut client).await;
    assert_eq!(client.receive().await.unwrap().body, [&[0, 0][..], &fake_server::interrupted()].concat());
    assert_eq!(client.receive().await.unwrap().body, fake_server::acknowledgement());
    is_settled(proxy, client).await;
}

#[tokio::test]
async fn after_the_last_byte_of_a_response_that_the_client_has_not_read() {
    let (mut server, proxy, mut client) = session(OnRequest::Tokens(fake_server::done())).await;
    client.send(PacketKind::SqlBatch, &raw_client::batch("SELECT 1")).await;
    server.packet().await;
    attention(&mut client).await;
    assert_eq!(client.receive().await.unwrap().body, fake_server::done());
    assert_eq!(client.receive().await.unwrap().body, fake_server::acknowledgement());
    is_settled(proxy, client).await;
}

#[tokio::test]
async fn twice_for_one_request() {
    let (mut server, proxy, mut client) = session(OnRequest::Silence).await;
    client.send(PacketKind::SqlBatch, &raw_client::batch("WAITFOR DELAY '01:00'")).await;
    attention(&mut client).await;
    attention(&mut client).await;
    for kind in [PacketKind::SqlBatch, PacketKind::Attention, PacketKind::Attention] {
        assert_eq!(server.packet().await.0, kind);
    }
    for _ in 0..2 {
        assert_eq!(client.receive().await.unwrap().body, fake_server::acknowledgement());
    }
    is_settled(proxy, client).await;
}

#[tokio::test]
async fn of_a_request_that_was_never_completed() {
    let (mut server, proxy, mut client) = session(OnRequest::Swallow).await;
    client.send_part(PacketKind::BulkLoad, &[0; 100]).await;
    attention(&mut client).await;
    for kind in [PacketKind::BulkLoad, PacketKind::Attention] {
        assert_eq!(server.packet().await.0, kind);
    }
    assert_eq!(client.receive().await.unwrap().body, fake_server::acknowledgement());
    // The client may still say that it gives the request up.
    let ignore = Status::END_OF_MESSAGE.with(Status::IGNORE);
    let header = Header { kind: PacketKind::BulkLoad, status: ignore, length: 8, spid: 0, packet_id: 2 };
    client.tcp.write_all(&header.encode()).await.unwrap();
    assert_eq!(client.receive().await.unwrap().body, fake_server::done());
    is_settled(proxy, client).await;
}

#[tokio::test]
async fn from_a_client_that_is_gone_before_the_acknowledgement() {
    let (mut server, proxy, mut client) = session(OnRequest::Interrupted(Vec::new(), Vec::new())).await;
    client.send(PacketKind::SqlBatch, &raw_client::batch("WAITFOR DELAY '01:00'")).await;
    attention(&mut client).await;
    for kind in [PacketKind::SqlBatch, PacketKind::Attention] {
        assert_eq!(server.packet().await.0, kind);
    }
    drop(client);
    server.closed().await;
    let (mut next, _) = RawClient::log_in(proxy.address, &raw_client::login("SalesDB", false)).await;
    next.send(PacketKind::SqlBatch, &raw_client::batch("SELECT 1")).await;
    assert_eq!(server.packet().await.0, PacketKind::SqlBatch, "the next session hears nothing of it");
    assert_eq!(server.logins.load(Ordering::Relaxed), 2);
}
