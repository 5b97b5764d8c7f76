//! Bulk loads, row by row as they come.

use super::client::RawClient;
use super::serve;
use bytes::{BufMut, BytesMut};
use tds::packet::{PacketKind, Status};
use tds::prelogin::Protection;
use tds::token::{Agreed, Column, ColumnMetadata, Done, DoneKind, DoneStatus};
use tds::types::{FixedType, TypeInfo};
use tds::value::Value;

/// A load of these numbers, its end included.
fn load(numbers: impl Iterator<Item = i32>) -> BytesMut {
    let mut body = BytesMut::new();
    let columns = vec![Column::new("n", TypeInfo::Fixed(FixedType::Int4), false)];
    ColumnMetadata::new(columns.clone()).encode(Agreed::default(), &mut body);
    for number in numbers {
        tds::write::row(&mut body, &columns, &[Value::Int(number)]).unwrap();
    }
    Done { kind: DoneKind::Done, status: DoneStatus::FINAL, command: 0, rows: 0 }.encode(&mut body);
    body
}

async fn client() -> (super::Fixture, RawClient) {
    let fixture = serve(Protection::Clear).await;
    let client = RawClient::logged_in(fixture.server.address()).await;
    (fixture, client)
}

async fn stored(client: &mut RawClient) -> Value {
    client.batch("bulk").await.rows()[0][0].clone()
}

#[tokio::test]
async fn rows_are_stored_as_they_come_and_counted() {
    let (_fixture, mut client) = client().await;
    client.send(PacketKind::BulkLoad, &load(0..100_000)).await;
    let answer = client.answer().await;
    assert_eq!(answer.dones().iter().map(|done| done.rows).collect::<Vec<_>>(), [100_000]);
    assert_eq!(stored(&mut client).await, Value::BigInt(100_000));
}

#[tokio::test]
async fn a_row_the_engine_refuses_fails_the_load_once_all_of_it_was_sent() {
    let (_fixture, mut client) = client().await;
    let numbers = (0..1000).chain([-1]).chain(0..100_000);
    client.send(PacketKind::BulkLoad, &load(numbers)).await;
    let answer = client.answer().await;
    assert_eq!(answer.numbers(), [547]);
    assert!(answer.dones()[0].status.contains(DoneStatus::ERROR));
    assert_eq!(stored(&mut client).await, Value::BigInt(0));
}

#[tokio::test]
async fn a_load_the_client_breaks_off_leaves_nothing() {
    let (_fixture, mut client) = client().await;
    let body = load(0..100);
    client.send_packet(PacketKind::BulkLoad, Status::NORMAL, &body).await;
    client.send_packet(PacketKind::BulkLoad, Status::END_OF_MESSAGE.with(Status::IGNORE), &[]).await;
    assert!(client.answer().await.dones()[0].status.contains(DoneStatus::ERROR));
    assert_eq!(stored(&mut client).await, Value::BigInt(0));
    client.send_packet(PacketKind::BulkLoad, Status::NORMAL, &body).await;
    client.send(PacketKind::Attention, &[]).await;
    assert!(client.answer().await.dones()[0].status.contains(DoneStatus::ERROR));
    assert!(client.answer().await.is_acknowledgement());
    assert_eq!(stored(&mut client).await, Value::BigInt(0));
}

#[tokio::test]
async fn a_load_that_breaks_the_protocol_is_told_and_disconnected() {
    let (_fixture, mut client) = client().await;
    let mut body = load(0..3);
    body.truncate(body.len() - 20);
    body.put_u8(0xAA);
    client.send(PacketKind::BulkLoad, &body).await;
    assert_eq!(client.answer().await.numbers(), [4804]);
    assert!(client.is_closed().await);
}
