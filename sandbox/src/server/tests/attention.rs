//! Attentions: a running request really stops, and one that ended is acknowledged.

use super::client::{RawClient, batch};
use super::fake::DESCRIPTOR;
use super::serve;
use tds::packet::{PacketKind, Status};
use tds::prelogin::Protection;
use tds::token::{DoneStatus, EnvChange};

async fn client() -> (super::Fixture, RawClient) {
    let fixture = serve(Protection::Clear).await;
    let client = RawClient::logged_in(fixture.server.address()).await;
    (fixture, client)
}

async fn cancel(client: &mut RawClient) {
    client.send(PacketKind::Attention, &[]).await;
}

#[tokio::test]
async fn an_attention_when_idle_gets_just_the_acknowledgement() {
    let (_fixture, mut client) = client().await;
    for _ in 0..2 {
        cancel(&mut client).await;
        assert!(client.answer().await.is_acknowledgement());
    }
    assert_eq!(client.batch("one").await.rows().len(), 1);
}

#[tokio::test]
async fn an_attention_stops_a_wait_with_two_messages() {
    let (_fixture, mut client) = client().await;
    client.send(PacketKind::SqlBatch, &batch(0, "wait")).await;
    cancel(&mut client).await;
    let cut_short = client.answer().await;
    assert!(cut_short.dones().last().unwrap().status.contains(DoneStatus::ERROR));
    let changes: Vec<_> = cut_short.changes().collect();
    assert_eq!(changes, [&EnvChange::Rollback(DESCRIPTOR)], "what the engine undid is told all the same");
    assert!(cut_short.numbers().is_empty(), "a cancelled statement reports no error of its own");
    assert!(client.answer().await.is_acknowledgement());
    assert_eq!(client.batch("one").await.rows().len(), 1);
}

#[tokio::test]
async fn an_attention_that_comes_too_late_finds_a_whole_response() {
    let (_fixture, mut client) = client().await;
    let answer = client.batch("one").await;
    cancel(&mut client).await;
    assert_eq!(answer.rows().len(), 1);
    assert!(client.answer().await.is_acknowledgement());
}

#[tokio::test]
async fn a_message_the_client_takes_back_is_not_run() {
    let (_fixture, mut client) = client().await;
    let body = batch(0, "wait");
    client.send_packet(PacketKind::SqlBatch, Status::NORMAL, &body).await;
    client.send_packet(PacketKind::SqlBatch, Status::END_OF_MESSAGE.with(Status::IGNORE), &[]).await;
    let answer = client.answer().await;
    assert_eq!(answer.tokens.len(), 1);
    assert!(answer.dones()[0].status.contains(DoneStatus::ERROR));
    // SqlClient sends an attention as well, which is answered on its own.
    cancel(&mut client).await;
    assert!(client.answer().await.is_acknowledgement());
}

#[tokio::test]
async fn an_attention_in_the_middle_of_a_message_ends_it() {
    let (_fixture, mut client) = client().await;
    client.send_packet(PacketKind::SqlBatch, Status::NORMAL, &batch(0, "wait")).await;
    cancel(&mut client).await;
    assert!(client.answer().await.dones()[0].status.contains(DoneStatus::ERROR));
    assert!(client.answer().await.is_acknowledgement());
    assert_eq!(client.batch("one").await.rows().len(), 1);
}

#[tokio::test]
async fn a_client_that_goes_during_a_wait_frees_its_session() {
    let (fixture, mut client) = client().await;
    client.send(PacketKind::SqlBatch, &batch(0, "wait")).await;
    drop(client);
    fixture.server.sessions.all_free().await;
}

#[tokio::test]
async fn dropping_all_connections_ends_what_runs() {
    let (fixture, mut client) = client().await;
    client.send(PacketKind::SqlBatch, &batch(0, "wait")).await;
    fixture.server.drop_connections();
    assert!(client.is_closed().await);
    fixture.server.sessions.all_free().await;
    assert_eq!(RawClient::logged_in(fixture.server.address()).await.batch("one").await.rows().len(), 1);
    let (server, address) = (fixture.server, client.spid);
    assert!(address.is_some());
    server.shut_down().await;
}
