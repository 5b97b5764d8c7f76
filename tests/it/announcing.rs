//! The PROXY protocol: clients behind a load balancer, and a load balancer before a replica.

use proxy::proxy_protocol::{self, Announced, Endpoints};
use tds::packet::PacketKind;
use tds::prelogin::{Encryption, Prelogin};
use tests::fake_server::{FakeServer, OnLogin, OnRequest};
use tests::raw_client::{self, RawClient};
use tests::running_proxy::{RunningProxy, Setup};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

const CLIENT: &str = "203.0.113.9:54321";
const LINE: &[u8] = b"PROXY TCP4 203.0.113.9 10.0.0.1 54321 1433\r\n";

fn endpoints() -> Endpoints {
    Endpoints { client: CLIENT.parse().unwrap(), server: "10.0.0.1:1433".parse().unwrap() }
}

/// A proxy that takes this machine for a load balancer and sends clients in `203.0.113.0/24` to the secondary.
async fn start(trusted: &str) -> (RunningProxy, FakeServer, FakeServer) {
    let onprem = FakeServer::obliging("onprem").await;
    let mi = FakeServer::start("mi", OnLogin::Accept(Vec::new()), OnRequest::Swallow).await;
    let rule = "[[rules]]\nname = \"far\"\nnetworks = [\"203.0.113.0/24\"]\naction = \"secondary\"";
    let setup = Setup::primary("onprem", onprem.address).secondary("mi", mi.address).section(rule);
    let setup = setup.section("[timeouts]\nprelogin_ms = 500");
    (setup.service(&format!("proxy_protocol_from = [\"{trusted}\"]")).run().await, onprem, mi)
}

/// Sends this header in pieces, then logs in. Whether the client was let in, to whichever replica.
async fn log_in_behind(proxy: &RunningProxy, pieces: &[&[u8]]) -> bool {
    let mut client = RawClient::connect(proxy.address).await;
    for piece in pieces {
        client.tcp.write_all(piece).await.unwrap();
        client.tcp.flush().await.unwrap();
        tokio::task::yield_now().await;
    }
    client.prelogin(Encryption::NotSupported).await;
    client.send(PacketKind::Login7, &raw_client::login("SalesDB", false).encode().unwrap()).await;
    client.receive().await.is_some_and(|answer| answer.error().is_none())
}

#[tokio::test]
async fn the_client_a_load_balancer_announces_is_the_one_rules_see() {
    for header in [LINE.to_vec(), proxy_protocol::encode(Some(endpoints()))] {
        let (proxy, _onprem, mut mi) = start("127.0.0.1").await;
        assert!(log_in_behind(&proxy, &[&header]).await);
        assert_eq!(mi.login().await.user_name, "app");
    }
}

#[tokio::test]
async fn a_load_balancer_that_announces_nobody_is_the_client_itself() {
    for header in [b"PROXY UNKNOWN\r\n".to_vec(), proxy_protocol::encode(None)] {
        let (proxy, mut onprem, _mi) = start("127.0.0.1").await;
        assert!(log_in_behind(&proxy, &[&header]).await);
        assert_eq!(onprem.login().await.user_name, "app");
    }
}

#[tokio::test]
async fn a_header_may_come_in_any_pieces() {
    let (proxy, _onprem, mut mi) = start("127.0.0.0/8").await;
    let bytes: Vec<_> = LINE.chunks(1).collect();
    assert!(log_in_behind(&proxy, &bytes).await);
    mi.login().await;
    let long =
        [&b"\r\n\r\n\0\r\nQUIT\n\x21\x11\x04\x00\xcb\x00\x71\x09\x0a\x00\x00\x01\xd4\x31\x05\x99"[..], &[0; 1012]];
    assert!(log_in_behind(&proxy, &long).await, "1 KiB of extensions");
    mi.login().await;
}

async fn check_cut(trusted: &str, first: &[u8]) {
    let (proxy, onprem, mi) = start(trusted).await;
    let mut client = RawClient::connect(proxy.address).await;
    client.tcp.write_all(first).await.unwrap();
    assert!(client.packet().await.is_none(), "{}", first.escape_ascii());
    let logins = |server: &FakeServer| server.logins.load(std::sync::atomic::Ordering::Relaxed);
    assert_eq!((logins(&onprem), logins(&mi)), (0, 0));
}

#[tokio::test]
async fn a_connection_without_a_header_is_cut() {
    check_cut("127.0.0.1", b"\x12\x01\x00\x2f\x00\x00\x01\x00").await;
    check_cut("127.0.0.1", b"\x16\x03\x01\x00\x05hello").await;
    check_cut("127.0.0.1", b"PROXY TCP4 1.2.3.4\r\n").await;
    check_cut("127.0.0.1", &[b'P'; 200]).await;
}

#[tokio::test]
async fn a_load_balancer_that_stops_in_the_middle_is_cut_in_time() {
    check_cut("127.0.0.1", b"PROXY TCP4").await;
    check_cut("127.0.0.1", b"\r\n\r\n\0\r\nQUIT\n\x21\x11\x0f\x00").await;
    check_cut("127.0.0.1", b"").await;
}

#[tokio::test]
async fn a_peer_that_is_not_trusted_cannot_announce_anybody() {
    let (proxy, _onprem, _mi) = start("10.0.0.10").await;
    let mut client = RawClient::connect(proxy.address).await;
    client.tcp.write_all(LINE).await.unwrap();
    let prelogin = Prelogin { encryption: Some(Encryption::NotSupported), ..Prelogin::default() };
    client.send(PacketKind::Prelogin, &prelogin.encode()).await;
    assert!(client.packet().await.is_none(), "a stranger was answered");
}

#[tokio::test]
async fn a_service_that_asks_for_no_header_takes_none() {
    let server = FakeServer::obliging("onprem").await;
    let proxy = Setup::primary("onprem", server.address).run().await;
    let mut client = RawClient::connect(proxy.address).await;
    client.tcp.write_all(LINE).await.unwrap();
    assert!(client.packet().await.is_none());
}

/// What a connection to a replica begins with, up to its first packet.
async fn header_of(listener: &TcpListener) -> (Announced, TcpStream) {
    let (mut tcp, _) = listener.accept().await.unwrap();
    let mut bytes = Vec::new();
    loop {
        match proxy_protocol::parse(&bytes).unwrap() {
            Some((announced, length)) => {
                assert_eq!(length, bytes.len());
                return (announced, tcp);
            }
            None => bytes.push(tcp.read_u8().await.unwrap()),
        }
    }
}

#[tokio::test]
async fn a_replica_behind_a_load_balancer_hears_who_the_client_is_and_probes_announce_nobody() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let setup =
        Setup::primary("onprem", listener.local_addr().unwrap()).service("proxy_protocol_from = [\"127.0.0.1\"]");
    let text = setup.text().replace("[replicas.onprem]", "[replicas.onprem]\nsend_proxy_protocol = true");
    let proxy = Setup::run_text(&text).await;
    let (announced, _probe) = header_of(&listener).await;
    assert_eq!(announced, Announced::Nobody);
    let mut client = RawClient::connect(proxy.address).await;
    client.tcp.write_all(LINE).await.unwrap();
    client.prelogin(Encryption::NotSupported).await;
    client.send(PacketKind::Login7, &raw_client::login("SalesDB", false).encode().unwrap()).await;
    let (announced, mut backend) = header_of(&listener).await;
    assert_eq!(announced, Announced::Client(endpoints()));
    assert_eq!(backend.read_u8().await.unwrap(), 0x12, "PRELOGIN follows");
}
