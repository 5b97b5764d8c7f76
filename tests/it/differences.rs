//! Replicas of one link that are not alike: what their sessions are told, and what operators are.

use bytes::Bytes;
use tds::login7::{Feature, FeatureId, Login7};
use tds::token::{Agreed, EnvChange, Response, Token};
use tds::types::Collation;
use tests::fake_server::{FakeServer, OnLogin, OnRequest};
use tests::raw_client::{self, RawClient, Received};
use tests::running_proxy::{RunningProxy, Setup};

const ADMIN: &str = "[admin]\naddress = \"127.0.0.1:0\"";

async fn log_in(proxy: &RunningProxy, read_only: bool) -> Received {
    let mut login = raw_client::login("SalesDB", read_only);
    let feature = |id, version| Feature { id, data: Bytes::copy_from_slice(&[version]) };
    login.features = Some(vec![feature(FeatureId::ColumnEncryption, 3), feature(FeatureId::Json, 1)]);
    let (_client, answer) = RawClient::log_in(proxy.address, &login).await;
    assert!(answer.error().is_none());
    answer
}

fn asked(login: &Login7) -> Vec<(FeatureId, u8)> {
    login.features.iter().flatten().map(|feature| (feature.id, *feature.data.first().unwrap())).collect()
}

fn acknowledged(answer: &Received) -> Vec<(FeatureId, u8)> {
    let tokens = Response::new(&answer.body, Agreed::default()).map(Result::unwrap);
    let acks = tokens.filter_map(|token| match token {
        Token::FeatureExtAck(ack) => Some(ack.0),
        _ => None,
    });
    acks.flatten().map(|feature| (feature.id, *feature.data.first().unwrap())).collect()
}

#[tokio::test]
async fn a_client_is_promised_what_every_replica_of_its_link_keeps() {
    let (encryption, json) = (FeatureId::ColumnEncryption, FeatureId::Json);
    let newer = OnLogin::Promise(vec![(encryption, 3), (json, 1)]);
    let mut onprem = FakeServer::start("onprem", newer, OnRequest::Swallow).await;
    let older = OnLogin::Promise(vec![(encryption, 1)]);
    let mi = FakeServer::start("mi", older, OnRequest::Swallow).await;
    let proxy = Setup::primary("onprem", onprem.address).secondary("mi", mi.address).section(ADMIN).run().await;

    assert_eq!(acknowledged(&log_in(&proxy, false).await), [(encryption, 3), (json, 1)], "nothing is known of mi yet");
    assert_eq!(asked(&onprem.login().await), [(encryption, 3), (json, 1)]);
    assert_eq!(acknowledged(&log_in(&proxy, true).await), [(encryption, 1)]);
    // The version of an answer is the server's; a real one does not grant more than it was asked for.
    log_in(&proxy, false).await;
    assert_eq!(asked(&onprem.login().await), [(encryption, 1)], "now it is");
    let replicas = proxy.admin("/replicas").await;
    assert!(replicas.contains("Json goes to version 1 on onprem, 0 on mi"), "{replicas}");
}

#[tokio::test]
async fn a_probe_with_a_login_learns_before_the_first_client_comes() {
    let mut onprem = FakeServer::obliging("onprem").await;
    let mut mi =
        FakeServer::start("mi", OnLogin::Promise(vec![(FeatureId::ColumnEncryption, 2)]), OnRequest::Swallow).await;
    let folder = tempfile::tempdir().unwrap();
    let password = folder.path().join("password");
    std::fs::write(&password, "watching").unwrap();
    let probe = format!("[replicas.mi.probe]\nuser = \"watcher\"\npassword_file = {password:?}\n{ADMIN}");
    let setup = Setup::primary("onprem", onprem.address).secondary("mi", mi.address).section(&probe);
    let proxy = setup.run().await;
    let seen = mi.login().await;
    assert_eq!((&*seen.user_name, seen.password.expose(), &*seen.database), ("watcher", "watching", "SalesDB"));
    assert!(seen.is_read_only_intent(), "a secondary may take only those");
    mi.closed().await;
    log_in(&proxy, false).await;
    assert_eq!(asked(&onprem.login().await), [(FeatureId::ColumnEncryption, 2)]);
}

#[tokio::test]
async fn a_different_collation_is_said_with_what_it_does() {
    let latin = Collation::SQL_LATIN1_GENERAL_CP1_CI_AS;
    let polish = Collation([0x15, 0x04, 0xD0, 0x00, 0x00]);
    let server = async |name, collation| {
        let database = EnvChange::Database("SalesDB".to_owned(), "master".to_owned());
        let changes = vec![database, EnvChange::Collation(Some(collation), None)];
        FakeServer::start(name, OnLogin::Accept(changes), OnRequest::Swallow).await
    };
    let (onprem, mi) = (server("onprem", latin).await, server("mi", polish).await);
    let proxy = Setup::primary("onprem", onprem.address).secondary("mi", mi.address).section(ADMIN).run().await;
    log_in(&proxy, false).await;
    assert!(proxy.admin("/replicas").await.contains(r#""differences":[]"#));
    log_in(&proxy, true).await;
    let replicas = proxy.admin("/replicas").await;
    assert!(replicas.contains("the default collation of salesdb is") && replicas.contains("silently"), "{replicas}");
}
