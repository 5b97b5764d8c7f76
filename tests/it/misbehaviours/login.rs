//! Dangers 6, 9 to 14, 21 and 23: what a client is told at its login.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use tds::login7::{Feature, FeatureId, Login7};
use tds::packet::{PACKET_BYTES_LOGIN, PacketKind, Status};
use tds::prelogin::{Encryption, Prelogin, Version};
use tds::token::env_change::Route;
use tds::token::{EnvChange, FeatureExtAck};
use tests::fake_server::{self, FakeServer, OnLogin, OnRequest};
use tests::raw_client::{self, RawClient, Received};
use tests::running_proxy::{RunningProxy, Setup};
use tokio::io::AsyncWriteExt;

const FEATURE_EXT_ACK: u8 = 0xAE;
const SESSION_STATE: u8 = 0xE4;

struct Heard {
    server: FakeServer,
    _proxy: RunningProxy,
    client: RawClient,
    answer: Received,
}

/// Logs in with `login` to a server that answers logins with `on_login`.
async fn heard(on_login: OnLogin, on_request: OnRequest, login: &Login7) -> Heard {
    let server = FakeServer::start("onprem", on_login, on_request).await;
    let proxy = Setup::primary("onprem", server.address).run().await;
    let (client, answer) = RawClient::log_in(proxy.address, login).await;
    Heard { server, _proxy: proxy, client, answer }
}

/// A login that asks for these features.
fn asking(ids: &[FeatureId]) -> Login7 {
    let mut login = raw_client::login("SalesDB", false);
    let feature = |id: &FeatureId| Feature { id: *id, data: Bytes::from_static(&[1]) };
    login.features = (!ids.is_empty()).then(|| ids.iter().map(feature).collect());
    login
}

/// FEATUREEXTACK for these.
fn acknowledging(ids: &[FeatureId]) -> Vec<u8> {
    let mut tokens = BytesMut::new();
    let feature = |id: &FeatureId| Feature { id: *id, data: Bytes::from_static(&[1]) };
    FeatureExtAck(ids.iter().map(feature).collect()).encode(&mut tokens);
    tokens.to_vec()
}

fn holds(answer: &Received, tokens: &[u8]) -> bool {
    answer.body.windows(tokens.len()).any(|window| window == tokens)
}

#[tokio::test]
async fn a_client_that_asks_about_mars_is_answered() {
    let server = FakeServer::obliging("onprem").await;
    let proxy = Setup::primary("onprem", server.address).run().await;
    for (asks, answered) in [(None, None), (Some(false), Some(false)), (Some(true), Some(false))] {
        let mut client = RawClient::connect(proxy.address).await;
        let version = Version { major: 16, ..Version::default() };
        let asked = Prelogin { version, encryption: Some(Encryption::NotSupported), mars: asks, ..Prelogin::default() };
        client.send(PacketKind::Prelogin, &asked.encode()).await;
        let answer = Prelogin::decode(&client.receive().await.unwrap().body).unwrap();
        assert_eq!(answer.mars, answered, "asked {asks:?}");
    }
}

#[tokio::test]
async fn no_packet_is_larger_than_the_client_was_told() {
    // A login response of several packets: the size granted in it counts only after it.
    let long = |n: usize| EnvChange::Database(format!("{n:0>100}"), "master".to_owned());
    let on_login = OnLogin::Accept((0..40).map(long).collect());
    let server = FakeServer::start("onprem", on_login, OnRequest::Swallow).await;
    let proxy = Setup::primary("onprem", server.address).run().await;
    let mut client = RawClient::connect(proxy.address).await;
    client.prelogin(Encryption::NotSupported).await;
    client.send(PacketKind::Login7, &raw_client::login("SalesDB", false).encode().unwrap()).await;
    let mut packets = 0;
    loop {
        let (header, _) = client.packet().await.unwrap();
        packets += 1;
        assert!(usize::from(header.length) <= PACKET_BYTES_LOGIN, "{} bytes", header.length);
        if header.status.is_end_of_message() {
            break;
        }
    }
    assert!(packets > 2, "only {packets} packets");

    // A packet above the 8000 bytes that were granted does not reach the client.
    let mut too_large = vec![0x04, 0x01, 0x23, 0x28, 0, 0, 1, 0];
    too_large.resize(9000, 0xFD);
    let on_request = OnRequest::Bytes(too_large);
    let mut heard = heard(OnLogin::Accept(Vec::new()), on_request, &raw_client::login("SalesDB", false)).await;
    assert_eq!(heard.client.query("SELECT 1").await.unwrap().error().unwrap().number, 10054);
}

#[tokio::test]
async fn packets_of_our_own_have_no_status_bit_but_the_last_ones() {
    let long = |n: usize| EnvChange::Database(format!("{n:0>100}"), "master".to_owned());
    let on_login = OnLogin::Accept((0..40).map(long).collect());
    let server = FakeServer::start("onprem", on_login, OnRequest::Silence).await;
    let proxy = Setup::primary("onprem", server.address).run().await;
    let mut client = RawClient::connect(proxy.address).await;
    client.prelogin(Encryption::NotSupported).await;
    client.send(PacketKind::Login7, &raw_client::login("SalesDB", false).encode().unwrap()).await;
    let mut statuses = Vec::new();
    while statuses.last() != Some(&Status::END_OF_MESSAGE) {
        let (header, _) = client.packet().await.unwrap();
        assert!(header.status.0 <= 1, "status {}", header.status.0);
        statuses.push(header.status);
    }
    assert!(statuses.len() > 2);
    // An error of our own, in the middle of a session.
    client.send(PacketKind::SqlBatch, &raw_client::batch("SELECT 1")).await;
    let mut server = server;
    server.packet().await;
    server.kill().await;
    assert_eq!(client.packet().await.unwrap().0.status, Status::END_OF_MESSAGE);
}

#[tokio::test]
async fn only_features_that_were_asked_for_are_acknowledged() {
    let granted = [FeatureId::Utf8Support, FeatureId::SessionRecovery, FeatureId::Other(0x77)];
    let on_login = || OnLogin::AcceptWith(acknowledging(&granted));
    let one = heard(on_login(), OnRequest::Swallow, &asking(&[FeatureId::Utf8Support])).await;
    assert!(holds(&one.answer, &acknowledging(&[FeatureId::Utf8Support])));
    assert!(!holds(&one.answer, &[0x77, 1, 0, 0, 0]), "an unknown feature was acknowledged");
    let none = heard(on_login(), OnRequest::Swallow, &asking(&[])).await;
    assert!(!holds(&none.answer, &[FEATURE_EXT_ACK, FeatureId::Utf8Support.to_byte()]));
    assert!(!holds(&none.answer, &[FEATURE_EXT_ACK, 0xFF]), "an empty list is a failure to tedious");
}

#[tokio::test]
async fn tokens_that_were_not_negotiated_stay_here() {
    // SESSIONSTATE, and an ENVCHANGE of a type nobody has defined.
    let state = [SESSION_STATE, 8, 0, 0, 0, 1, 0, 0, 0, 1, 9, 1, 0x5A];
    let unknown = [0xE3, 3, 0, 99, 0, 0];
    let tokens = [&state[..], &unknown].concat();
    let heard = heard(OnLogin::AcceptWith(tokens), OnRequest::Swallow, &raw_client::login("SalesDB", false)).await;
    assert!(heard.answer.error().is_none());
    assert!(!holds(&heard.answer, &state[..9]) && !holds(&heard.answer, &unknown));
}

#[tokio::test]
async fn column_encryption_is_what_the_sessions_own_replica_agreed_on() {
    // A column whose metadata begins with an empty key table, which is there only if that was agreed on.
    let columns = [0x81, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x38, 1, b'a', 0];
    let tokens = [&columns[..], &fake_server::done()].concat();
    let feature = [FeatureId::ColumnEncryption];
    let on_login = OnLogin::AcceptWith(acknowledging(&feature));
    let server = FakeServer::start("onprem", on_login, OnRequest::Tokens(tokens.clone())).await;
    let mut proxy = Setup::primary("onprem", server.address).section("[timeouts]\ndrain_ms = 60000").run().await;
    let (mut client, _) = RawClient::log_in(proxy.address, &asking(&feature)).await;
    assert_eq!(client.query("SELECT a FROM t").await.unwrap().body, tokens);
    // Who cannot read the table has lost the tokens, and must take it that a transaction may be open.
    proxy.stop();
    let closed = tokio::time::timeout(Duration::from_secs(20), client.receive()).await;
    assert!(closed.is_ok_and(|received| received.is_none()), "the response was not understood");
}

#[tokio::test]
async fn no_client_is_shown_the_way_around_the_proxy() {
    let partner = EnvChange::MirroringPartner("partner".to_owned(), String::new());
    let plain = raw_client::login("SalesDB", false);
    let heard = heard(OnLogin::Accept(vec![partner]), OnRequest::Swallow, &plain).await;
    assert!(heard.answer.error().is_none() && !heard.answer.says("partner"));
    let end = FakeServer::obliging("end").await;
    let route = Route { server: "127.0.0.1".to_owned(), port: end.address.port(), database: None };
    let gateway =
        FakeServer::start("gateway", OnLogin::Accept(vec![EnvChange::Routing(route)]), OnRequest::Swallow).await;
    let proxy = Setup::primary("gateway", gateway.address).run().await;
    let (_client, answer) = RawClient::log_in(proxy.address, &plain).await;
    assert!(answer.says("end") && !holds(&answer, &end.address.port().to_le_bytes()));
}

#[tokio::test]
async fn mars_is_declined_in_words_and_its_frames_are_refused() {
    let plain = raw_client::login("SalesDB", false);
    let mut heard = heard(OnLogin::Accept(Vec::new()), OnRequest::Swallow, &plain).await;
    let opening = [0x53, 0x01, 0, 0, 16, 0, 0, 0, 0, 0, 0, 0, 4, 0, 0, 0];
    heard.client.tcp.write_all(&opening).await.unwrap();
    assert!(heard.client.packet().await.is_none(), "a frame of MARS was taken");
    heard.server.closed().await;
}

#[tokio::test]
async fn session_recovery_is_never_promised() {
    let recovery = [FeatureId::SessionRecovery];
    let on_login = OnLogin::AcceptWith(acknowledging(&[FeatureId::Utf8Support]));
    let mut heard = heard(on_login, OnRequest::Swallow, &asking(&recovery)).await;
    assert!(heard.server.login().await.features.is_none(), "the replica was asked for it");
    assert!(!holds(&heard.answer, &acknowledging(&recovery)[..2]));
}
