//! Requests of every type, and what comes back.

use super::client::{RawClient, batch, login};
use super::serve;
use bytes::{BufMut, BytesMut};
use tds::login7::Login7;
use tds::packet::{PacketKind, Status};
use tds::prelogin::Protection;
use tds::request::{AllHeaders, Begin, IsolationLevel, TransactionRequest};
use tds::token::{DoneKind, DoneStatus, EnvChange, Token};

async fn client() -> (super::Fixture, RawClient) {
    let fixture = serve(Protection::Clear).await;
    let client = RawClient::logged_in(fixture.server.address()).await;
    (fixture, client)
}

/// A call of sp_executesql with one statement, without headers.
fn execute(sql: &str) -> BytesMut {
    let mut call = BytesMut::new();
    call.put_slice(&[0xFF, 0xFF, 10, 0, 0, 0]);
    call.put_slice(&[0, 0, 0xE7, 0x40, 0x1F, 9, 4, 0xD0, 0, 0x34]);
    call.put_u16_le(u16::try_from(tds::text::units(sql) * 2).unwrap());
    tds::text::put(&mut call, sql);
    call
}

fn transaction(descriptor: u64, request: &TransactionRequest) -> BytesMut {
    let mut body = BytesMut::new();
    AllHeaders::in_transaction(descriptor).put(&mut body);
    request.put(&mut body);
    body
}

fn begin() -> TransactionRequest {
    TransactionRequest::Begin(Begin { isolation: IsolationLevel::Unchanged, name: String::new() })
}

#[tokio::test]
async fn statements_of_a_batch_end_with_done_and_only_the_last_ends_the_message() {
    let (_fixture, mut client) = client().await;
    let answer = client.batch("one spid").await;
    assert_eq!(answer.rows().len(), 2);
    let kinds: Vec<_> = answer.dones().iter().map(|done| (done.kind, done.rows)).collect();
    assert_eq!(kinds, [(DoneKind::Done, 1), (DoneKind::Done, 1)]);
}

#[tokio::test]
async fn a_batch_without_statements_is_answered_all_the_same() {
    let (_fixture, mut client) = client().await;
    assert_eq!(client.batch(" \t ").await.tokens.len(), 1);
    assert_eq!(client.batch("").await.tokens.len(), 1);
}

#[tokio::test]
async fn an_error_leaves_the_session_usable() {
    let (_fixture, mut client) = client().await;
    let answer = client.batch("fail").await;
    assert_eq!(answer.numbers(), [8134]);
    assert!(answer.dones().last().unwrap().status.contains(DoneStatus::ERROR));
    assert_eq!(client.batch("one").await.rows().len(), 1);
}

#[tokio::test]
async fn several_calls_in_a_message_get_one_response_message() {
    let (_fixture, mut client) = client().await;
    let mut body = BytesMut::new();
    AllHeaders::in_transaction(0).put(&mut body);
    for (number, sql) in ["one", "spid", "one"].iter().enumerate() {
        if number > 0 {
            body.put_u8(0xFF);
        }
        body.put_slice(&execute(sql));
    }
    client.send(PacketKind::Rpc, &body).await;
    let answer = client.answer().await;
    assert_eq!(answer.rows().len(), 3);
    let dones = answer.dones();
    let kinds: Vec<_> = dones.iter().map(|done| done.kind).collect();
    assert_eq!(kinds, [DoneKind::DoneInProc, DoneKind::DoneProc].repeat(3));
    let in_batch: Vec<_> = dones.iter().map(|done| done.status.contains(DoneStatus::RPC_IN_BATCH)).collect();
    assert_eq!(in_batch, [false, true, false, true, false, false]);
    let statuses = answer.tokens.iter().filter(|token| matches!(token, Token::ReturnStatus(0))).count();
    assert_eq!(statuses, 3);
}

#[tokio::test]
async fn a_large_result_comes_in_packets_of_the_granted_size() {
    let fixture = serve(Protection::Clear).await;
    for asked in [512, 4096, 32_767] {
        let login = Login7 { packet_bytes: asked, ..login() };
        let (mut client, _) = RawClient::logged_in_with(fixture.server.address(), login).await;
        let sql = "long ".repeat(3);
        let answer = client.batch(&sql).await;
        assert_eq!(answer.rows().len(), 3);
        let full = answer.packets.iter().filter(|packet| u32::from(packet.length) == asked).count();
        assert!(full + 4 >= answer.packets.len(), "{full} of {} packets are full", answer.packets.len());
    }
}

#[tokio::test]
async fn a_reset_is_acknowledged_at_the_head_of_the_response() {
    let (_fixture, mut client) = client().await;
    for status in [Status::RESET_CONNECTION, Status::RESET_CONNECTION_SKIP_TRAN] {
        client.send_with(PacketKind::SqlBatch, status, &batch(0, "one")).await;
        let answer = client.answer().await;
        assert_eq!(answer.tokens.first(), Some(&Token::EnvChange(EnvChange::ResetAcknowledged)));
        assert_eq!(answer.rows().len(), 1);
    }
    assert!(client.batch("one").await.changes().next().is_none());
}

#[tokio::test]
async fn a_reset_ends_the_transaction_unless_it_says_otherwise() {
    let (_fixture, mut client) = client().await;
    client.send(PacketKind::TransactionManager, &transaction(0, &begin())).await;
    let answer = client.answer().await;
    let Some(&EnvChange::Begin(descriptor)) = answer.changes().next() else { panic!("{answer:?}") };
    client
        .send_with(PacketKind::SqlBatch, Status::RESET_CONNECTION_SKIP_TRAN, &batch(descriptor, "transactions"))
        .await;
    assert_eq!(client.answer().await.rows(), [[tds::value::Value::BigInt(1)]]);
    client.send_with(PacketKind::SqlBatch, Status::RESET_CONNECTION, &batch(0, "transactions")).await;
    assert_eq!(client.answer().await.rows(), [[tds::value::Value::BigInt(0)]]);
}

#[tokio::test]
async fn a_transaction_is_known_by_its_descriptor() {
    let (_fixture, mut client) = client().await;
    client.send(PacketKind::TransactionManager, &transaction(0, &begin())).await;
    let begun = client.answer().await;
    let Some(&EnvChange::Begin(descriptor)) = begun.changes().next() else { panic!("{begun:?}") };
    assert_ne!(descriptor, 0);
    client.send(PacketKind::SqlBatch, &batch(descriptor + 1, "one")).await;
    assert_eq!(client.answer().await.numbers(), [3989]);
    let commit = TransactionRequest::Commit { name: String::new(), then: None };
    client.send(PacketKind::TransactionManager, &transaction(descriptor, &commit)).await;
    let committed = client.answer().await;
    assert_eq!(committed.changes().collect::<Vec<_>>(), [&EnvChange::Commit(descriptor)]);
}

#[tokio::test]
async fn a_message_that_breaks_the_protocol_is_told_and_disconnected() {
    for (kind, body) in [
        (PacketKind::SqlBatch, &[1u8, 0, 0][..]),
        (PacketKind::Rpc, &[4, 0, 0, 0, 1, 0]),
        (PacketKind::TransactionManager, &[4, 0, 0, 0, 99, 0]),
    ] {
        let (_fixture, mut client) = client().await;
        client.send(kind, body).await;
        assert_eq!(client.answer().await.numbers(), [4002]);
        assert!(client.is_closed().await);
    }
}

#[tokio::test]
async fn a_message_in_many_small_packets_is_put_together() {
    let (_fixture, mut client) = client().await;
    let body = batch(0, "one fail one");
    for byte in body.chunks(1) {
        client.send_packet(PacketKind::SqlBatch, Status::NORMAL, byte).await;
    }
    client.send_packet(PacketKind::SqlBatch, Status::END_OF_MESSAGE, &[]).await;
    assert_eq!(client.answer().await.rows().len(), 2);
}
