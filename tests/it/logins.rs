//! What passes through a login and what does not.

use bytes::Bytes;
use tds::login7::{Feature, FeatureId, OptionFlags2, TdsVersion};
use tds::packet::PacketKind;
use tds::token::env_change::Route;
use tds::token::{Agreed, EnvChange, Response, Token};
use tests::fake_server::{FakeServer, OnLogin, OnRequest};
use tests::raw_client::{self, RawClient, Received};
use tests::running_proxy::Setup;

async fn through(server: &FakeServer, login: &tds::login7::Login7) -> Received {
    let proxy = Setup::primary("onprem", server.address).run().await;
    RawClient::log_in(proxy.address, login).await.1
}

fn accepting(changes: Vec<EnvChange>) -> OnLogin {
    OnLogin::Accept(changes)
}

#[tokio::test]
async fn the_login_reaches_the_replica_as_the_client_wrote_it() {
    let mut server = FakeServer::obliging("onprem").await;
    let mut login = raw_client::login("SalesDB", false);
    login.language = "Deutsch".to_owned();
    login.host_name = "laptop".to_owned();
    login.option_flags2 = OptionFlags2::ODBC;
    assert!(through(&server, &login).await.error().is_none());
    let seen = server.login().await;
    assert_eq!(seen.server_name, "127.0.0.1", "Azure's gateways find the instance by the replica's own name");
    assert_eq!(seen.application_name, "raw client; tds-proxy", "a DBA sees who it is and which way it came");
    let (server_name, application_name) = (login.server_name.clone(), login.application_name.clone());
    assert_eq!(tds::login7::Login7 { server_name, application_name, ..seen }, login);
}

#[tokio::test]
async fn a_service_may_pass_applications_names_on_as_they_are() {
    let mut server = FakeServer::obliging("onprem").await;
    let setup = Setup::primary("onprem", server.address).service("application_name_suffix = \"\"");
    let proxy = setup.run().await;
    let (_client, answer) = RawClient::log_in(proxy.address, &raw_client::login("SalesDB", false)).await;
    assert!(answer.error().is_none());
    assert_eq!(server.login().await.application_name, "raw client");
}

#[tokio::test]
async fn features_that_lead_around_the_proxy_are_neither_asked_for_nor_acknowledged() {
    let mut server = FakeServer::obliging("onprem").await;
    let mut login = raw_client::login("SalesDB", false);
    let feature = |id| Feature { id, data: Bytes::new() };
    let asked =
        [FeatureId::SessionRecovery, FeatureId::AzureSqlDnsCaching, FeatureId::EnhancedRouting, FeatureId::Utf8Support];
    login.features = Some(asked.into_iter().map(feature).collect());
    assert!(through(&server, &login).await.error().is_none());
    let seen: Vec<FeatureId> = server.login().await.features.unwrap().iter().map(|feature| feature.id).collect();
    assert_eq!(seen, [FeatureId::Utf8Support]);
}

#[tokio::test]
async fn the_mirroring_partner_is_never_shown_to_the_client() {
    let partner = EnvChange::MirroringPartner("partner".to_owned(), String::new());
    let server = FakeServer::start("onprem", accepting(vec![partner]), OnRequest::Swallow).await;
    let answer = through(&server, &raw_client::login("SalesDB", false)).await;
    assert!(!answer.says("partner"));
}

#[tokio::test]
async fn a_redirect_is_followed_by_the_proxy_and_not_shown() {
    let mut elsewhere = FakeServer::obliging("elsewhere").await;
    let route = Route { server: "127.0.0.1".to_owned(), port: elsewhere.address.port(), database: None };
    let server = FakeServer::start("gateway", accepting(vec![EnvChange::Routing(route)]), OnRequest::Swallow).await;
    let answer = through(&server, &raw_client::login("SalesDB", false)).await;
    assert!(answer.error().is_none());
    assert_eq!(elsewhere.login().await.user_name, "app");
    assert!(!answer.body.windows(2).any(|window| window == elsewhere.address.port().to_le_bytes()));
}

#[tokio::test]
async fn redirects_in_a_circle_end_in_an_error() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    // Two gateways that send everybody to each other: the port of the second is known before it starts.
    let to = |port| EnvChange::Routing(Route { server: "127.0.0.1".to_owned(), port, database: None });
    let first = FakeServer::start("first", accepting(vec![to(port)]), OnRequest::Swallow).await;
    let second =
        FakeServer::start_at(port, "second", accepting(vec![to(first.address.port())]), OnRequest::Swallow).await;
    let answer = through(&first, &raw_client::login("SalesDB", false)).await;
    assert_eq!(answer.error().unwrap().number, 40613);
    let hops = first.logins.load(std::sync::atomic::Ordering::Relaxed)
        + second.logins.load(std::sync::atomic::Ordering::Relaxed);
    assert_eq!(hops, 11, "a login and ten redirects");
}

#[tokio::test]
async fn a_client_that_speaks_too_old_a_version_is_refused_by_name() {
    let server = FakeServer::obliging("onprem").await;
    let mut old = raw_client::login("SalesDB", false);
    old.tds_version = TdsVersion::from_number(0x7100_0001);
    let error = through(&server, &old).await.error().unwrap();
    assert!(error.text.contains("7.2") && error.text.contains("session "), "{}", error.text);
}

#[tokio::test]
async fn a_client_that_begins_with_an_old_login_is_refused_by_name() {
    let server = FakeServer::obliging("onprem").await;
    let proxy = Setup::primary("onprem", server.address).run().await;
    let mut old = raw_client::login("SalesDB", false);
    old.tds_version = TdsVersion::from_number(0x7100_0001);
    let mut client = RawClient::connect(proxy.address).await;
    client.send(PacketKind::Login7, &old.encode().unwrap()).await;
    let error = client.receive().await.unwrap().error().unwrap();
    assert_eq!(error.number, 17832);
    assert!(error.text.contains("TDS 7.2 or later"), "{}", error.text);
}

#[tokio::test]
async fn an_entra_token_is_never_passed_on_in_clear_text() {
    let server = FakeServer::obliging("onprem").await;
    let mut federated = raw_client::login("SalesDB", false);
    federated.features =
        Some(vec![Feature { id: FeatureId::FederatedAuthentication, data: Bytes::from_static(b"\x02\x02\0\0\0a\0") }]);
    let error = through(&server, &federated).await.error().unwrap();
    assert_eq!(error.number, 18452);
    assert!(error.text.contains("Encrypt="), "{}", error.text);
    assert_eq!(server.logins.load(std::sync::atomic::Ordering::Relaxed), 0);
}

/// Logs in with Windows authentication through a proxy in front of `server`, answering every question with its number.
async fn negotiated(server: &FakeServer) -> Option<Received> {
    let proxy = Setup::primary("onprem", server.address).run().await;
    let mut login = raw_client::login("SalesDB", false);
    login.option_flags2 = OptionFlags2::INTEGRATED_SECURITY;
    let (mut client, mut answer) = RawClient::log_in(proxy.address, &login).await;
    while let Some((0xED, [_, _, blob @ .., last])) = answer.body.split_first() {
        assert_eq!(blob.len(), 4999);
        client.send(PacketKind::Sspi, &[*last; 6000]).await;
        answer = client.receive().await?;
    }
    Some(answer)
}

#[tokio::test]
async fn the_legs_of_a_windows_login_are_passed_both_ways() {
    let server = FakeServer::start("onprem", OnLogin::Negotiate(3), OnRequest::Swallow).await;
    assert!(negotiated(&server).await.unwrap().error().is_none());
}

#[tokio::test]
async fn a_refused_windows_login_hears_the_servers_reason_and_what_a_relay_cannot_do() {
    let server = FakeServer::start("onprem", OnLogin::NegotiateAndRefuse(18452), OnRequest::Swallow).await;
    let answer = negotiated(&server).await.unwrap();
    let errors: Vec<_> = Response::new(&answer.body, Agreed::default()).map(Result::unwrap).collect();
    let [Token::Message(theirs), Token::Message(ours), Token::Done(_)] = &errors[..] else { panic!("{errors:?}") };
    assert_eq!((theirs.number, &*theirs.server), (18452, "onprem"));
    assert_eq!((ours.number, &*ours.server), (18452, "tds-proxy"));
    for limit in ["extended protection", "service principal name", "one replica per connection", "session "] {
        assert!(ours.text.contains(limit), "{}", ours.text);
    }
}

#[tokio::test]
async fn a_windows_login_without_end_is_cut() {
    let server = FakeServer::start("onprem", OnLogin::Negotiate(100), OnRequest::Swallow).await;
    assert!(negotiated(&server).await.is_none_or(|answer| answer.error().is_some()));
}

#[tokio::test]
async fn a_replica_that_answers_a_login_with_nonsense_is_a_retryable_error() {
    for nonsense in [&b"\x04\x01\x00\x0c\x00\x00\x01\x00\xd1\x00\x00\x00"[..], b"HTTP/1.1 400 Bad Request\r\n\r\n", b""]
    {
        let server = FakeServer::start("onprem", OnLogin::Bytes(nonsense.to_vec()), OnRequest::Swallow).await;
        let answer = through(&server, &raw_client::login("SalesDB", false)).await;
        assert_eq!(answer.error().unwrap().number, 40613);
    }
}

#[tokio::test]
async fn a_replica_that_never_answers_a_login_is_a_retryable_error() {
    let server = FakeServer::start("onprem", OnLogin::Silence, OnRequest::Swallow).await;
    let setup = Setup::primary("onprem", server.address).section("[timeouts]\nbackend_login_ms = 100");
    let proxy = setup.run().await;
    let (_client, answer) = RawClient::log_in(proxy.address, &raw_client::login("SalesDB", false)).await;
    let error = answer.error().unwrap();
    assert_eq!(error.number, 40613);
    assert!(error.text.contains("onprem"), "{}", error.text);
}
