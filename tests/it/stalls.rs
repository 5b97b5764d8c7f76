//! Peers that stop in the middle of a phase: each phase has a limit, and whoever waits is told or freed.

use tds::packet::{Header, PacketKind, Status};
use tds::prelogin::Encryption;
use tests::fake_server::{FakeServer, OnLogin, OnRequest};
use tests::raw_client::{self, RawClient};
use tests::running_proxy::{self, Setup};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;

/// A packet of a login that says it is longer than what comes of it.
fn half_a_packet(kind: PacketKind) -> Vec<u8> {
    let header = Header { kind, status: Status::END_OF_MESSAGE, length: 200, spid: 0, packet_id: 1 };
    [&header.encode()[..], &[0; 50]].concat()
}

#[tokio::test]
async fn a_client_in_the_middle_of_prelogin_is_cut() {
    let server = FakeServer::obliging("onprem").await;
    let limit = "[timeouts]\nprelogin_ms = 200";
    let proxy = Setup::primary("onprem", server.address).section(limit).run().await;
    let mut client = RawClient::connect(proxy.address).await;
    client.tcp.write_all(&half_a_packet(PacketKind::Prelogin)).await.unwrap();
    assert!(client.packet().await.is_none());
}

#[tokio::test]
async fn a_client_in_the_middle_of_the_tls_handshake_is_cut() {
    let server = FakeServer::obliging("onprem").await;
    let (certificate, key) = running_proxy::certificate_files();
    let lines = format!("encryption = \"full\"\ncertificate_file = {certificate:?}\nkey_file = {key:?}");
    let setup = Setup::primary("onprem", server.address).service(&lines);
    let proxy = setup.section("[timeouts]\ntls_handshake_ms = 200").run().await;
    let mut client = RawClient::connect(proxy.address).await;
    client.prelogin(Encryption::On).await;
    client.tcp.write_all(&half_a_packet(PacketKind::Prelogin)).await.unwrap();
    assert!(client.packet().await.is_none());
}

#[tokio::test]
async fn a_client_in_the_middle_of_login7_is_cut() {
    let server = FakeServer::obliging("onprem").await;
    let proxy = Setup::primary("onprem", server.address).section("[timeouts]\nlogin_ms = 300").run().await;
    let mut client = RawClient::connect(proxy.address).await;
    client.prelogin(Encryption::NotSupported).await;
    client.tcp.write_all(&half_a_packet(PacketKind::Login7)).await.unwrap();
    assert!(client.packet().await.is_none());
}

#[tokio::test]
async fn a_replica_that_takes_connections_and_says_nothing_is_a_retryable_error() {
    // The system accepts for a listener that never does.
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let setup = Setup::primary("onprem", silent.local_addr().unwrap());
    let proxy = setup.section("[timeouts]\ntls_handshake_ms = 300").run().await;
    let (_client, answer) = RawClient::log_in(proxy.address, &raw_client::login("SalesDB", false)).await;
    assert_eq!(answer.error().unwrap().number, 40613);
}

#[tokio::test]
async fn a_client_in_the_middle_of_a_request_does_not_outlast_a_drain() {
    let mut server = FakeServer::start("onprem", OnLogin::Accept(Vec::new()), OnRequest::Swallow).await;
    let setup = Setup::primary("onprem", server.address).section("[timeouts]\ndrain_ms = 200");
    let mut proxy = setup.run().await;
    let (mut client, _) = RawClient::log_in(proxy.address, &raw_client::login("SalesDB", false)).await;
    client.send_part(PacketKind::BulkLoad, &[0; 100]).await;
    server.packet().await;
    proxy.stop();
    proxy.stopped().await;
    server.closed().await;
}

#[tokio::test]
async fn a_replica_in_the_middle_of_a_packet_does_not_outlast_a_drain() {
    let on_request = OnRequest::Bytes(half_a_packet(PacketKind::TabularResult));
    let mut server = FakeServer::start("onprem", OnLogin::Accept(Vec::new()), on_request).await;
    let setup = Setup::primary("onprem", server.address).section("[timeouts]\ndrain_ms = 200");
    let mut proxy = setup.run().await;
    let (mut client, _) = RawClient::log_in(proxy.address, &raw_client::login("SalesDB", false)).await;
    client.send(PacketKind::SqlBatch, &raw_client::batch("SELECT 1")).await;
    server.packet().await;
    proxy.stop();
    // The half never reached the client, so it can still be told why it ends.
    assert_eq!(client.receive().await.unwrap().error().unwrap().number, 40613);
    proxy.stopped().await;
    server.closed().await;
}
