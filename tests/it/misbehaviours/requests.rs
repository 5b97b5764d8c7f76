//! Dangers 15 to 18, 26 and 28: requests and responses of one session.

use bytes::{BufMut, BytesMut};
use tds::packet::{Header, PacketKind, Status};
use tds::token::EnvChange;
use tests::fake_server::{self, FakeServer, OnLogin, OnRequest};
use tests::raw_client::{self, RawClient};
use tests::running_proxy::Setup;
use tokio::io::AsyncWriteExt;

use super::{say, session};

fn header(kind: PacketKind, status: Status, body_bytes: usize) -> [u8; 8] {
    let length = u16::try_from(body_bytes + 8).unwrap();
    Header { kind, status, length, spid: 0, packet_id: 1 }.encode()
}

#[tokio::test]
async fn an_attention_reaches_its_own_backend_and_is_acknowledged_in_a_message_of_its_own() {
    let answers =
        [fake_server::message(&fake_server::interrupted()), fake_server::message(&fake_server::acknowledgement())];
    let on_request = OnRequest::Interrupted(Vec::new(), answers.concat());
    let mut server = FakeServer::start("onprem", OnLogin::Accept(Vec::new()), on_request).await;
    let proxy = Setup::primary("onprem", server.address).run().await;
    let login = raw_client::login("SalesDB", false);
    let (mut one, _) = RawClient::log_in(proxy.address, &login).await;
    let (mut other, _) = RawClient::log_in(proxy.address, &login).await;
    for client in [&mut one, &mut other] {
        client.send(PacketKind::SqlBatch, &raw_client::batch("WAITFOR DELAY '01:00'")).await;
        assert_eq!(server.packet().await.0, PacketKind::SqlBatch);
    }
    one.send(PacketKind::Attention, &[]).await;
    assert_eq!(server.packet().await.0, PacketKind::Attention);
    // The response's own end, then the acknowledgement, each a message: JDBC waits for two.
    assert_eq!(one.receive().await.unwrap().body, fake_server::interrupted());
    assert_eq!(one.receive().await.unwrap().body, fake_server::acknowledgement());
    // The stranger's request still runs: the next thing it hears answers its own attention.
    other.send(PacketKind::Attention, &[]).await;
    assert_eq!(server.packet().await.0, PacketKind::Attention);
    assert_eq!(other.receive().await.unwrap().body, fake_server::interrupted());
}

#[tokio::test]
async fn an_ignored_request_and_the_attention_after_it_get_an_answer_each() {
    let (mut server, mut proxy, mut client) = session(OnRequest::Swallow).await;
    client.send_part(PacketKind::BulkLoad, &[0; 100]).await;
    let ignore = Status::END_OF_MESSAGE.with(Status::IGNORE);
    client.tcp.write_all(&header(PacketKind::BulkLoad, ignore, 0)).await.unwrap();
    client.send(PacketKind::Attention, &[]).await;
    let (bulk, attention) = (PacketKind::BulkLoad, PacketKind::Attention);
    for want in [(bulk, 0), (bulk, ignore.0), (attention, 1)] {
        assert_eq!(server.packet().await, want);
    }
    assert_eq!(client.receive().await.unwrap().body, fake_server::done());
    assert_eq!(client.receive().await.unwrap().body, fake_server::acknowledgement());
    // Nothing is owed any more: an idle session is closed at once.
    proxy.stop();
    assert!(client.receive().await.is_none());
    proxy.stopped().await;
}

#[tokio::test]
async fn no_change_of_the_transaction_is_lost() {
    // Begun, rolled back and begun again inside one response, as procedures do.
    let mut tokens = BytesMut::new();
    for change in [EnvChange::Begin(7), EnvChange::Rollback(7), EnvChange::Begin(8)] {
        change.encode(&mut tokens);
    }
    tokens.put_slice(&fake_server::done());
    let (_server, mut proxy, mut client) = session(OnRequest::Tokens(tokens.to_vec())).await;
    assert_eq!(client.query("EXEC p").await.unwrap().body, tokens, "byte for byte");
    proxy.stop();
    assert!(client.query("SELECT 1").await.is_some(), "the transaction that is open was not seen");
}

#[tokio::test]
async fn a_reset_passes_once_and_nobody_inherits_a_backend() {
    let (mut server, proxy, mut client) = session(OnRequest::Swallow).await;
    let body = raw_client::batch("SELECT 1");
    let reset = Status::END_OF_MESSAGE.with(Status::RESET_CONNECTION);
    client.tcp.write_all(&[&header(PacketKind::SqlBatch, reset, body.len())[..], &body].concat()).await.unwrap();
    assert_eq!(server.packet().await, (PacketKind::SqlBatch, reset.0));
    assert!(client.receive().await.is_some());
    say(&mut client, PacketKind::SqlBatch, &["SELECT 2"]).await;
    assert_eq!(server.packet().await, (PacketKind::SqlBatch, 1), "the reset is not repeated");
    drop(client);
    server.closed().await;
    let (_next, _) = RawClient::log_in(proxy.address, &raw_client::login("SalesDB", false)).await;
    assert_eq!(server.logins.load(std::sync::atomic::Ordering::Relaxed), 2, "the next session has a login of its own");
}

#[tokio::test]
async fn several_calls_in_one_message_stay_together() {
    let (mut server, _proxy, mut client) = session(OnRequest::Swallow).await;
    // Two calls by number with the separator between them, cut into packets in the middle of it.
    let calls = [&raw_client::batch("")[..], &[0xFF, 0xFF, 10, 0, 0, 0], &[0xFF], &[0xFF, 0xFF, 10, 0, 0, 0]].concat();
    let (head, tail) = calls.split_at(29);
    client.send_part(PacketKind::Rpc, head).await;
    client.send(PacketKind::Rpc, tail).await;
    assert_eq!(server.packet().await, (PacketKind::Rpc, 0));
    assert_eq!(server.packet().await, (PacketKind::Rpc, 1));
    assert_eq!(client.receive().await.unwrap().body, fake_server::done(), "one message, one response");
}

#[tokio::test]
async fn a_message_passes_before_it_is_complete_however_large_it_is() {
    const PACKETS: usize = 2000;
    let (mut server, _proxy, mut client) = session(OnRequest::Swallow).await;
    for _ in 0..PACKETS {
        client.send_part(PacketKind::BulkLoad, &[7; 7992]).await;
    }
    // 16 MB are through a buffer of 64 KiB while the message still goes on.
    for _ in 0..PACKETS {
        assert_eq!(server.packet().await, (PacketKind::BulkLoad, 0));
    }
    client.send(PacketKind::BulkLoad, &[7; 10]).await;
    assert!(client.receive().await.is_some());
}
