//! Logins that succeed, and those that are refused.

use super::client::{RawClient, login};
use super::serve;
use bytes::Bytes;
use tds::login7::{Feature, FeatureId, Login7, TdsVersion};
use tds::packet::PacketKind;
use tds::prelogin::{Encryption, Protection};
use tds::token::{EnvChange, FeatureExtAck, LoginAck, Token};

fn name(token: &Token) -> &'static str {
    match token {
        Token::EnvChange(EnvChange::Database(..)) => "database",
        Token::EnvChange(EnvChange::Collation(..)) => "collation",
        Token::EnvChange(EnvChange::Language(..)) => "language",
        Token::EnvChange(EnvChange::PacketSize(..)) => "packet size",
        Token::Message(message) if message.number == 5701 => "5701",
        Token::Message(message) if message.number == 5703 => "5703",
        Token::LoginAck(_) => "ack",
        Token::FeatureExtAck(_) => "features",
        Token::Done(_) => "done",
        _ => "something else",
    }
}

async fn logged_in(change: impl FnOnce(&mut Login7)) -> Vec<Token> {
    let fixture = serve(Protection::Clear).await;
    let mut login = login();
    change(&mut login);
    RawClient::logged_in_with(fixture.server.address(), login).await.1.tokens
}

fn acknowledged(tokens: &[Token]) -> &LoginAck {
    let ack = tokens.iter().find_map(|token| match token {
        Token::LoginAck(ack) => Some(ack),
        _ => None,
    });
    ack.expect("a LOGINACK")
}

#[tokio::test]
async fn the_login_response_comes_in_sql_server_s_order() {
    let features = vec![
        Feature { id: FeatureId::SessionRecovery, data: Bytes::new() },
        Feature { id: FeatureId::Utf8Support, data: Bytes::new() },
    ];
    let tokens = logged_in(|login| login.features = Some(features)).await;
    let names: Vec<_> = tokens.iter().map(name).collect();
    let want = ["database", "5701", "collation", "language", "5703", "packet size", "ack", "features", "done"];
    assert_eq!(names, want);
    let ack = acknowledged(&tokens);
    assert_eq!((ack.tds_version, ack.program.as_str(), ack.version[0]), (0x7400_0004, "Microsoft SQL Server", 16));
}

#[tokio::test]
async fn only_features_that_were_asked_for_are_acknowledged() {
    let tokens = logged_in(|_| {}).await;
    assert!(!tokens.iter().any(|token| matches!(token, Token::FeatureExtAck(_))));
    let features = vec![Feature { id: FeatureId::Utf8Support, data: Bytes::new() }];
    let tokens = logged_in(|login| login.features = Some(features)).await;
    let acks = tokens.iter().filter_map(|token| match token {
        Token::FeatureExtAck(FeatureExtAck(features)) => Some(features.iter().map(|feature| feature.id).collect()),
        _ => None,
    });
    assert_eq!(acks.collect::<Vec<Vec<FeatureId>>>(), [vec![FeatureId::Utf8Support]]);
}

#[tokio::test]
async fn the_packet_size_is_what_was_asked_within_the_limits() {
    for (asked, granted) in [(0, 4096), (1, 512), (512, 512), (8000, 8000), (32_767, 32_767), (1_000_000, 32_767)] {
        let tokens = logged_in(|login| login.packet_bytes = asked).await;
        assert!(tokens.contains(&Token::EnvChange(EnvChange::PacketSize(granted, 4096))), "asked for {asked}");
    }
}

#[tokio::test]
async fn the_version_is_the_client_s_as_far_as_the_server_knows_it() {
    for (asked, answered) in [
        (TdsVersion::V7_2, 0x7209_0002),
        (TdsVersion::V7_3B, 0x730B_0003),
        (TdsVersion::V7_4, 0x7400_0004),
        (TdsVersion::Other(0x7500_0000), 0x7400_0004),
    ] {
        let tokens = logged_in(|login| login.tds_version = asked).await;
        assert_eq!(acknowledged(&tokens).tds_version, answered);
    }
}

async fn check_refused(login: Login7, number: i32) {
    let fixture = serve(Protection::Clear).await;
    let mut client = RawClient::connect(fixture.server.address()).await;
    client.greet(Encryption::NotSupported).await;
    let answer = client.log_in(&login).await;
    assert_eq!(answer.numbers(), [number]);
    assert!(answer.dones()[0].status.contains(tds::token::DoneStatus::ERROR));
    assert!(client.is_closed().await);
}

#[tokio::test]
async fn a_failed_login_is_told_why_and_disconnected() {
    check_refused(Login7 { password: "wrong".into(), ..login() }, 18456).await;
    check_refused(Login7 { user_name: "nobody".to_owned(), ..login() }, 18456).await;
    check_refused(Login7 { database: "NoSuchDatabase".to_owned(), ..login() }, 4060).await;
}

#[tokio::test]
async fn a_client_of_tds_7_1_is_told_that_it_is_too_old_even_without_prelogin() {
    let old = Login7 { tds_version: TdsVersion::V7_1Revision1, ..login() };
    check_refused(old.clone(), 50_000).await;
    let fixture = serve(Protection::Clear).await;
    let mut client = RawClient::connect(fixture.server.address()).await;
    assert_eq!(client.log_in(&old).await.numbers(), [50_000]);
    assert!(client.is_closed().await);
}

#[tokio::test]
async fn garbage_is_disconnected_and_does_no_harm() {
    let fixture = serve(Protection::Clear).await;
    let address = fixture.server.address();
    for garbage in [b"GET / HTTP/1.1\r\n\r\n".as_slice(), &[0x12; 64], &[0xFF; 64], &[0x16, 3, 1, 0, 4, 1, 2, 3, 4]] {
        let mut client = RawClient::connect(address).await;
        client.send_raw(garbage).await;
        let mut reply = Vec::new();
        while !client.is_closed().await {
            reply.push(());
        }
        assert!(reply.is_empty() || garbage[0] == 0x16, "{garbage:?} was answered");
    }
    let mut client = RawClient::connect(address).await;
    client.send(PacketKind::SqlBatch, b"SELECT 1").await;
    assert!(client.is_closed().await);
    assert_eq!(RawClient::logged_in(address).await.batch("one").await.rows().len(), 1);
}

#[tokio::test]
async fn session_ids_are_shown_in_every_packet_and_given_back() {
    let fixture = serve(Protection::Clear).await;
    let mut first = RawClient::logged_in(fixture.server.address()).await;
    let mut second = RawClient::logged_in(fixture.server.address()).await;
    assert_eq!((first.spid, second.spid), (Some(51), Some(52)));
    for client in [&mut first, &mut second] {
        let spid = client.spid.map(|spid| format!("{:?}", tds::value::Value::BigInt(spid.into())));
        let answer = client.batch("spid").await;
        assert_eq!(answer.rows().first().map(|row| format!("{:?}", row[0])), spid);
    }
    drop((first, second));
    fixture.server.sessions.all_free().await;
    assert_eq!(RawClient::logged_in(fixture.server.address()).await.spid, Some(51));
}
