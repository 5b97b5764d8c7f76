//! Dangers 1 to 5, 7 and 8: packets, records, and the handshake inside packets.

use bytes::{Bytes, BytesMut};
use sandbox::{Options, Running};
use tds::login7::{Feature, FeatureId, Login7};
use tds::packet::{self, Framing, PACKET_BYTES_LOGIN, PacketKind};
use tds::prelogin::Encryption;
use tests::fake_server::FakeServer;
use tests::raw_client::{self, RawClient};
use tests::running_proxy::{self, RunningProxy, Setup};
use tests::tap::{self, Tap};
use tests::wrapped_client::WrappedClient;
use tokio::io::AsyncWriteExt;

/// The type of a record of application data.
const DATA: u8 = 0x17;

/// A session through the proxy to a server behind a tap, encrypted there as `encryption` says.
async fn tapped(encryption: &str) -> (Running, Tap, RunningProxy, RawClient) {
    let servers = sandbox::start(Options::default()).await.unwrap();
    let tap = Tap::before(servers.onprem.address()).await;
    let replica = format!("encryption = {encryption:?}\nca_file = {:?}", servers.ca_path());
    let proxy = Setup::primary("onprem", tap.address).replica_lines(&replica).run().await;
    let mut login = raw_client::login("SalesDB", false);
    login.user_name = sandbox::LOGIN.to_owned();
    login.password = sandbox::PASSWORD.into();
    let (client, answer) = RawClient::log_in(proxy.address, &login).await;
    assert!(answer.error().is_none());
    (servers, tap, proxy, client)
}

/// A service that encrypts towards clients, in front of a server in clear.
async fn encrypting(at_least: &str) -> (FakeServer, RunningProxy) {
    let server = FakeServer::obliging("onprem").await;
    let (certificate, key) = running_proxy::certificate_files();
    let lines = format!("encryption = {at_least:?}\ncertificate_file = {certificate:?}\nkey_file = {key:?}");
    let proxy = Setup::primary("onprem", server.address).service(&lines).run().await;
    (server, proxy)
}

/// A login of several packets.
fn long_login() -> Login7 {
    let mut login = raw_client::login("SalesDB", false);
    let data = Bytes::from(vec![7; 9000]);
    login.features = Some(vec![Feature { id: FeatureId::UserAgent, data }]);
    login
}

fn packets(login: &Login7) -> BytesMut {
    let mut framed = BytesMut::new();
    packet::put_message(&mut framed, Framing::new(PacketKind::Login7, PACKET_BYTES_LOGIN), &login.encode().unwrap());
    framed
}

#[tokio::test(flavor = "multi_thread")]
async fn a_packet_towards_a_replica_is_one_tls_record() {
    let (_servers, tap, _proxy, mut client) = tapped("full").await;
    let statement = format!("SELECT 1 /* {} */", "long ".repeat(20_000));
    let body = raw_client::batch(&statement);
    assert!(client.query(&statement).await.unwrap().error().is_none());
    let up = tap.up();
    let (records, rest) = tap::records(tap::after_handshake(&up));
    assert!(rest.is_empty(), "something else than records went up");
    // The login's packet, then those of the batch as the client cut it.
    let sent = body.len().div_ceil(PACKET_BYTES_LOGIN - 8);
    assert_eq!(records.len(), 1 + sent);
    let overhead = 24;
    assert!(records[1..sent].iter().all(|record| *record == (DATA, PACKET_BYTES_LOGIN + overhead)), "{records:?}");
}

#[tokio::test]
async fn no_packet_is_larger_than_a_tls_record() {
    let (mut server, proxy) = encrypting("off").await;
    let mut login = raw_client::login("SalesDB", false);
    login.packet_bytes = 32_767;
    let (_client, _) = RawClient::log_in(proxy.address, &login).await;
    assert_eq!(server.login().await.packet_bytes, 16_383);
}

#[tokio::test]
async fn no_session_ticket_follows_a_wrapped_handshake() {
    let (_server, proxy) = encrypting("full").await;
    let mut client = WrappedClient::connect(proxy.address, Encryption::On).await;
    client.send(&packets(&raw_client::login("SalesDB", false))).await;
    let (header, _) = client.packet().await;
    assert_eq!(header.kind, PacketKind::TabularResult);
    assert_eq!(client.tickets(), 0, "a ticket came before the login response");
}

#[tokio::test]
async fn a_flight_of_the_handshake_is_one_message() {
    let (_server, proxy) = encrypting("full").await;
    let client = WrappedClient::connect(proxy.address, Encryption::On).await;
    // TLS 1.2 has two flights of the server.
    assert_eq!(client.flights, 2);
}

#[tokio::test]
async fn no_reply_to_an_encryption_offer_lets_a_password_out_in_clear() {
    use Encryption::{NotSupported, Off, On, Required};
    for (at_least, offer, reply) in [
        ("off", NotSupported, NotSupported),
        ("off", Off, Off),
        ("off", On, On),
        ("login-only", Off, Off),
        ("login-only", NotSupported, Required),
        ("login-only", On, On),
        ("full", Off, Required),
        ("full", NotSupported, Required),
        ("full", On, On),
        ("full", Required, On),
    ] {
        let (_server, proxy) = encrypting(at_least).await;
        let mut client = RawClient::connect(proxy.address).await;
        assert_eq!(client.prelogin(offer).await.encryption, Some(reply), "{at_least}: {offer:?}");
    }
}

#[tokio::test]
async fn only_the_first_packet_of_a_login_is_encrypted_where_only_logins_are() {
    let (mut server, proxy) = encrypting("login-only").await;
    let mut client = WrappedClient::connect(proxy.address, Encryption::Off).await;
    let framed = packets(&long_login());
    let (first, rest) = framed.split_at(PACKET_BYTES_LOGIN);
    client.send(first).await;
    client.raw.tcp.write_all(rest).await.unwrap();
    assert!(client.raw.receive().await.unwrap().error().is_none());
    assert_eq!(server.login().await.features.unwrap()[0].data.len(), 9000);
}

#[tokio::test(flavor = "multi_thread")]
async fn tls_that_ends_with_the_login_ends_without_a_word() {
    // Towards the client: what follows its login in clear is a packet, not an alert.
    let (_server, proxy) = encrypting("login-only").await;
    let mut client = WrappedClient::connect(proxy.address, Encryption::Off).await;
    client.send(&packets(&raw_client::login("SalesDB", false))).await;
    assert_eq!(client.raw.packet().await.unwrap().0.kind, PacketKind::TabularResult);
    assert!(client.raw.query("SELECT 1").await.unwrap().error().is_none());

    // Towards a replica: one record, then packets in clear.
    let (_servers, tap, _proxy, mut client) = tapped("login-only").await;
    assert!(client.query("SELECT 1").await.is_some());
    let up = tap.up();
    let (records, clear) = tap::records(tap::after_handshake(&up));
    assert!(matches!(records[..], [(DATA, _)]), "{records:?}");
    assert_eq!(clear.first(), Some(&(PacketKind::SqlBatch as u8)));
}
