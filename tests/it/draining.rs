//! Stopping while sessions run.

use bytes::{BufMut, BytesMut};
use tds::packet::PacketKind;
use tds::token::EnvChange;
use tests::fake_server::{self, FakeServer, OnLogin, OnRequest};
use tests::raw_client::{self, RawClient};
use tests::running_proxy::{RunningProxy, Setup};

async fn session(on_request: OnRequest, drain_ms: u32) -> (FakeServer, RunningProxy, RawClient) {
    let server = FakeServer::start("onprem", OnLogin::Accept(Vec::new()), on_request).await;
    let setup = Setup::primary("onprem", server.address).section(&format!("[timeouts]\ndrain_ms = {drain_ms}"));
    let proxy = setup.run().await;
    let (client, _) = RawClient::log_in(proxy.address, &raw_client::login("SalesDB", false)).await;
    (server, proxy, client)
}

#[tokio::test]
async fn an_idle_session_is_closed_at_once_and_the_port_is_free() {
    let (_server, mut proxy, mut client) = session(OnRequest::Swallow, 60_000).await;
    proxy.stop();
    assert!(client.receive().await.is_none());
    proxy.stopped().await;
    assert!(tokio::net::TcpStream::connect(proxy.address).await.is_err());
}

#[tokio::test]
async fn a_running_request_gets_its_response_before_its_session_is_closed() {
    let (mut server, mut proxy, mut client) = session(OnRequest::Silence, 60_000).await;
    client.send(PacketKind::SqlBatch, &raw_client::batch("SELECT slow")).await;
    server.packet().await;
    proxy.stop();
    // The server answers an attention, which is how this test lets the request end.
    client.send(PacketKind::Attention, &[]).await;
    assert!(client.receive().await.is_some());
    assert!(client.receive().await.is_none());
    proxy.stopped().await;
}

#[tokio::test]
async fn an_open_transaction_may_go_on_until_the_deadline() {
    let mut tokens = BytesMut::new();
    EnvChange::Begin(1).encode(&mut tokens);
    tokens.put_slice(&fake_server::done());
    let (_server, mut proxy, mut client) = session(OnRequest::Tokens(tokens.to_vec()), 400).await;
    client.query("BEGIN TRAN").await.unwrap();
    proxy.stop();
    assert!(client.query("INSERT t DEFAULT VALUES").await.is_some(), "the transaction goes on");
    assert!(client.receive().await.is_none());
    proxy.stopped().await;
}

#[tokio::test]
async fn a_request_that_outlasts_the_deadline_ends_with_an_error_drivers_retry() {
    let (mut server, mut proxy, mut client) = session(OnRequest::Silence, 100).await;
    client.send(PacketKind::SqlBatch, &raw_client::batch("SELECT for ever")).await;
    server.packet().await;
    proxy.stop();
    assert_eq!(client.receive().await.unwrap().error().unwrap().number, 40613);
    proxy.stopped().await;
}
