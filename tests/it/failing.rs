//! Peers that die, hang or lie while a session runs.

use tds::packet::PacketKind;
use tests::fake_server::{self, FakeServer, OnLogin, OnRequest};
use tests::raw_client::{self, RawClient};
use tests::running_proxy::{RunningProxy, Setup};
use tokio::io::AsyncWriteExt;

async fn session(on_request: OnRequest, rest: &str) -> (FakeServer, RunningProxy, RawClient) {
    let server = FakeServer::start("onprem", OnLogin::Accept(Vec::new()), on_request).await;
    let proxy = Setup::primary("onprem", server.address).section(rest).run().await;
    let (client, _) = RawClient::log_in(proxy.address, &raw_client::login("SalesDB", false)).await;
    (server, proxy, client)
}

#[tokio::test]
async fn a_backend_that_dies_during_a_request_is_told_to_the_client_as_an_unknown_outcome() {
    let (mut server, _proxy, mut client) = session(OnRequest::Silence, "").await;
    client.send(PacketKind::SqlBatch, &raw_client::batch("UPDATE t SET a = 1")).await;
    server.packet().await;
    server.kill().await;
    let error = client.receive().await.unwrap().error().unwrap();
    assert_eq!((error.number, error.class), (10054, 20));
    assert!(error.text.contains("onprem") && error.text.contains("not known"), "{}", error.text);
    assert!(client.receive().await.is_none(), "the connection is over");
}

#[tokio::test]
async fn a_backend_that_dies_inside_a_row_cuts_the_clients_connection_without_a_made_up_end() {
    // A result with one int column, then a row that lacks its last byte.
    let columns = [0x81, 1, 0, 0, 0, 0, 0, 0, 0, 0x38, 1, b'a', 0];
    let tokens = [&columns[..], &[0xD1, 1, 0, 0]].concat();
    let packet = [&[0x04, 0x00, 0x00, u8::try_from(tokens.len() + 8).unwrap(), 0, 0, 1, 0], &tokens[..]].concat();
    let (mut server, _proxy, mut client) = session(OnRequest::Bytes(packet), "").await;
    client.send(PacketKind::SqlBatch, &raw_client::batch("SELECT a FROM t")).await;
    assert_eq!(client.packet().await.unwrap().1, tokens);
    server.kill().await;
    assert!(client.packet().await.is_none());
}

#[tokio::test]
async fn a_backend_that_leaves_an_idle_session_ends_it() {
    let (mut server, _proxy, mut client) = session(OnRequest::Swallow, "").await;
    server.kill().await;
    assert!(client.receive().await.is_none());
}

#[tokio::test]
async fn a_client_that_leaves_frees_its_backend() {
    let (mut server, _proxy, client) = session(OnRequest::Silence, "").await;
    drop(client);
    server.closed().await;
}

#[tokio::test]
async fn a_server_that_sends_what_is_no_response_ends_the_session() {
    for lie in
        [&b"\x01\x01\x00\x0a\x00\x00\x01\x00xx"[..], b"HTTP/1.1 500 oops\r\n\r\n", b"\x04\x01\xff\xff\x00\x00\x01\x00"]
    {
        let (_server, _proxy, mut client) = session(OnRequest::Bytes(lie.to_vec()), "").await;
        let error = client.query("SELECT 1").await.unwrap().error().unwrap();
        assert_eq!(error.number, 10054);
        assert!(client.receive().await.is_none());
    }
}

#[tokio::test]
async fn tokens_nobody_knows_pass_as_they_are() {
    let mut tokens = vec![0x01, 0x02, 0x03];
    tokens.extend(fake_server::done());
    let (_server, _proxy, mut client) = session(OnRequest::Tokens(tokens.clone()), "").await;
    for _ in 0..3 {
        assert_eq!(client.query("SELECT 1").await.unwrap().body, tokens);
    }
}

#[tokio::test]
async fn a_client_that_breaks_the_protocol_is_cut_and_its_backend_closed() {
    for lie in [
        &b"\x63\x01\x00\x08\x00\x00\x01\x00"[..], // no such type
        b"\x01\x01\x00\x04\x00\x00\x01\x00",      // shorter than its header
        b"\x01\x01\x7f\xff\x00\x00\x01\x00",      // larger than negotiated: refused once it is complete
        b"\x10\x01\x00\x08\x00\x00\x01\x00",      // a second login
        b"\x12\x01\x00\x08\x00\x00\x01\x00",      // a second PRELOGIN
        b"\x06\x01\x00\x09\x00\x00\x01\x00x",     // an attention with a body
        b"\x53\x01\x00\x00\x10\x00\x00\x00",      // MARS, which was declined
    ] {
        let (mut server, _proxy, mut client) = session(OnRequest::Swallow, "").await;
        client.tcp.write_all(lie).await.unwrap();
        let _ = client.tcp.write_all(&[0; 40_000]).await;
        assert!(client.packet().await.is_none(), "{lie:?}");
        server.closed().await;
    }
}

#[tokio::test]
async fn a_client_that_reads_nothing_is_cut_after_the_stall_time() {
    let large = fake_server::message(&[0xAB; 60_000]);
    let flood = large.repeat(400);
    let (mut server, _proxy, mut client) = session(OnRequest::Bytes(flood), "[timeouts]\nstall_ms = 200").await;
    client.send(PacketKind::SqlBatch, &raw_client::batch("SELECT everything")).await;
    server.closed().await;
}

#[tokio::test]
async fn an_idle_session_ends_after_the_idle_time_if_one_is_set() {
    let (mut server, _proxy, mut client) = session(OnRequest::Swallow, "[timeouts]\nidle_ms = 100").await;
    assert!(client.query("SELECT 1").await.is_some());
    assert!(client.receive().await.is_none());
    server.closed().await;
}
