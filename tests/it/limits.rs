//! What happens at and beyond the limits, before a login too.

use std::time::Duration;

use tds::packet::PacketKind;
use tds::prelogin::Encryption;
use tests::fake_server::{FakeServer, OnLogin, OnRequest};
use tests::raw_client::{self, RawClient};
use tests::running_proxy::Setup;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

#[tokio::test]
async fn a_session_beyond_the_limit_is_told_so_with_an_error_drivers_retry() {
    let server = FakeServer::obliging("onprem").await;
    let proxy = Setup::primary("onprem", server.address).section("[limits]\nsessions_max = 2").run().await;
    let login = raw_client::login("SalesDB", false);
    let (_first, _) = RawClient::log_in(proxy.address, &login).await;
    let (second, _) = RawClient::log_in(proxy.address, &login).await;
    let (_third, answer) = RawClient::log_in(proxy.address, &login).await;
    let error = answer.error().unwrap();
    assert_eq!(error.number, 10928);
    assert!(error.text.contains("2 sessions"), "{}", error.text);
    drop(second);
    // The place is free as soon as the proxy noticed; until then it says the same again.
    while RawClient::log_in(proxy.address, &login).await.1.error().is_some() {}
}

#[tokio::test]
async fn garbage_on_the_port_is_cut_without_an_answer() {
    let server = FakeServer::obliging("onprem").await;
    let proxy = Setup::primary("onprem", server.address).run().await;
    for garbage in [
        &b"GET / HTTP/1.1\r\n\r\n"[..],
        b"\x00\x00\x00\x00",
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"\x16\x03\x01\x00\x05hello",
        b"\x02\x01\x00\x08\x00\x00\x01\x00",
    ] {
        let mut client = RawClient::connect(proxy.address).await;
        client.tcp.write_all(garbage).await.unwrap();
        assert!(client.packet().await.is_none(), "{garbage:?}");
    }
    let (_client, answer) = RawClient::log_in(proxy.address, &raw_client::login("SalesDB", false)).await;
    assert!(answer.error().is_none(), "the proxy serves on");
}

#[tokio::test]
async fn clients_that_say_nothing_or_stop_in_the_middle_are_cut_in_time() {
    let server = FakeServer::obliging("onprem").await;
    let setup = Setup::primary("onprem", server.address).section("[timeouts]\nprelogin_ms = 100\nlogin_ms = 300");
    let proxy = setup.run().await;
    let mut silent = RawClient::connect(proxy.address).await;
    let mut halted = RawClient::connect(proxy.address).await;
    halted.tcp.write_all(&[0x12, 0x01, 0x00]).await.unwrap();
    let mut half_logged_in = RawClient::connect(proxy.address).await;
    half_logged_in.prelogin(Encryption::NotSupported).await;
    half_logged_in.send_part(PacketKind::Login7, &[0; 100]).await;
    for client in [&mut silent, &mut halted, &mut half_logged_in] {
        assert!(client.packet().await.is_none());
    }
}

#[tokio::test]
async fn a_login_larger_than_its_limit_is_refused_before_it_is_stored() {
    let server = FakeServer::obliging("onprem").await;
    let proxy = Setup::primary("onprem", server.address).run().await;
    let mut client = RawClient::connect(proxy.address).await;
    client.prelogin(Encryption::NotSupported).await;
    for _ in 0..100 {
        let header = [0x10, 0x00, 0x10, 0x00, 0, 0, 1, 0];
        if client.tcp.write_all(&[&header[..], &[0; 4088]].concat()).await.is_err() {
            return;
        }
    }
    assert!(client.packet().await.is_none());
}

#[tokio::test]
async fn a_client_that_will_not_encrypt_is_turned_away_by_a_service_that_asks_for_it() {
    let server = FakeServer::obliging("onprem").await;
    let (certificate, key) = tests::running_proxy::certificate_files();
    let setup = Setup::primary("onprem", server.address)
        .service("encryption = \"full\"")
        .service(&format!("certificate_file = {certificate:?}\nkey_file = {key:?}"));
    let proxy = setup.run().await;
    let mut client = RawClient::connect(proxy.address).await;
    let answer = client.prelogin(Encryption::NotSupported).await;
    assert_eq!(answer.encryption, Some(Encryption::Required));
    client.send(PacketKind::Login7, &raw_client::login("SalesDB", false).encode().unwrap()).await;
    assert!(client.packet().await.is_none(), "a password in clear text is not answered");
    assert_eq!(server.logins.load(std::sync::atomic::Ordering::Relaxed), 0);
}

#[tokio::test]
async fn a_login_waits_until_one_that_is_still_at_its_replica_is_done() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let setup = Setup::primary("onprem", listener.local_addr().unwrap());
    let proxy = setup.section("[limits]\nhandshakes_max = 1").run().await;
    let mut first = RawClient::connect(proxy.address).await;
    first.prelogin(Encryption::NotSupported).await;
    first.send(PacketKind::Login7, &raw_client::login("SalesDB", false).encode().unwrap()).await;
    // The replica takes the probe's connection and the first client's, and says nothing.
    let silent = [listener.accept().await.unwrap(), listener.accept().await.unwrap()];
    let mut second = RawClient::connect(proxy.address).await;
    let answered = tokio::time::timeout(Duration::from_millis(200), second.prelogin(Encryption::NotSupported)).await;
    assert!(answered.is_err(), "two logins were in progress");
    drop((silent, listener));
    assert!(first.packet().await.is_some(), "the first hears that its replica left");
    assert!(second.packet().await.is_some(), "the second has its turn");
}

/// A replica that never answers a login, and one client whose login keeps the only place busy.
async fn busy_place(rest: &str) -> (FakeServer, tests::running_proxy::RunningProxy, RawClient) {
    let mut server = FakeServer::start("onprem", OnLogin::Silence, OnRequest::Swallow).await;
    let proxy = Setup::primary("onprem", server.address).section(rest).run().await;
    let mut first = RawClient::connect(proxy.address).await;
    first.prelogin(Encryption::NotSupported).await;
    first.send(PacketKind::Login7, &raw_client::login("SalesDB", false).encode().unwrap()).await;
    server.login().await;
    (server, proxy, first)
}

#[tokio::test]
async fn a_login_that_finds_the_queue_full_is_told_so_at_once() {
    let (_server, proxy, _first) = busy_place("[limits]\nhandshakes_max = 1\nlogin_queue_max = 0").await;
    let (_client, answer) = RawClient::log_in(proxy.address, &raw_client::login("SalesDB", false)).await;
    let error = answer.error().unwrap();
    assert_eq!(error.number, 10928);
    assert!(error.text.contains("waiting logins"), "{}", error.text);
}

#[tokio::test]
async fn a_login_whose_turn_does_not_come_is_told_so_in_time() {
    let (_server, proxy, _first) = busy_place("[limits]\nhandshakes_max = 1\n[timeouts]\nlogin_ms = 2000").await;
    let (_client, answer) = RawClient::log_in(proxy.address, &raw_client::login("SalesDB", false)).await;
    let error = answer.error().unwrap();
    assert_eq!(error.number, 10928);
    assert!(error.text.contains("logins in progress"), "{}", error.text);
}

#[tokio::test]
async fn a_login_that_takes_too_long_is_told_so() {
    let (_server, _proxy, mut first) = busy_place("[timeouts]\nlogin_ms = 200").await;
    assert_eq!(first.receive().await.unwrap().error().unwrap().number, 40613);
}

/// The error that a login gets, whose number every driver retries; its text tells which limit it was.
#[track_caller]
fn check_refused(answer: &raw_client::Received, words: &str) {
    let error = answer.error().unwrap();
    assert_eq!(error.number, 10928);
    assert!(error.text.contains(words), "{}", error.text);
}

#[tokio::test]
async fn a_service_has_a_limit_of_sessions_of_its_own() {
    let server = FakeServer::obliging("onprem").await;
    let proxy = Setup::primary("onprem", server.address).service("sessions_max = 1").run().await;
    let login = raw_client::login("SalesDB", false);
    let (first, _) = RawClient::log_in(proxy.address, &login).await;
    check_refused(&RawClient::log_in(proxy.address, &login).await.1, "1 sessions of this service");
    drop(first);
    while RawClient::log_in(proxy.address, &login).await.1.error().is_some() {}
}

#[tokio::test]
async fn a_login_has_a_limit_of_sessions_of_its_own_whatever_its_case() {
    let server = FakeServer::obliging("onprem").await;
    let proxy = Setup::primary("onprem", server.address).service("sessions_per_login_max = 1").run().await;
    let login = raw_client::login("SalesDB", false);
    let (first, _) = RawClient::log_in(proxy.address, &login).await;
    let shouted = tds::login7::Login7 { user_name: "APP".to_owned(), ..login.clone() };
    check_refused(&RawClient::log_in(proxy.address, &shouted).await.1, "1 sessions of this login");
    let other = tds::login7::Login7 { user_name: "other".to_owned(), ..login.clone() };
    let (_other, answer) = RawClient::log_in(proxy.address, &other).await;
    assert!(answer.error().is_none(), "another login has its own");
    assert_eq!(server.logins.load(std::sync::atomic::Ordering::Relaxed), 2, "the replica is not bothered");
    drop(first);
    while RawClient::log_in(proxy.address, &login).await.1.error().is_some() {}
}

#[tokio::test]
async fn a_login_that_the_replica_refuses_takes_no_place_of_its_name() {
    let server = FakeServer::start("onprem", OnLogin::Refuse(18456), OnRequest::Silence).await;
    let proxy = Setup::primary("onprem", server.address).service("sessions_per_login_max = 1").run().await;
    for _ in 0..3 {
        let (_client, answer) = RawClient::log_in(proxy.address, &raw_client::login("SalesDB", false)).await;
        assert_eq!(answer.error().unwrap().number, 18456);
    }
}

#[tokio::test]
async fn logins_beyond_the_rate_are_told_so() {
    let server = FakeServer::obliging("onprem").await;
    let proxy = Setup::primary("onprem", server.address).service("logins_per_second_max = 1").run().await;
    let login = raw_client::login("SalesDB", false);
    let (_first, answer) = RawClient::log_in(proxy.address, &login).await;
    assert!(answer.error().is_none());
    let mut answer = RawClient::log_in(proxy.address, &login).await.1;
    // On a machine that is slow enough, a second passed between the two.
    while answer.error().is_none() {
        answer = RawClient::log_in(proxy.address, &login).await.1;
    }
    check_refused(&answer, "1 logins per second");
    while RawClient::log_in(proxy.address, &login).await.1.error().is_some() {}
}

#[tokio::test]
async fn connections_beyond_the_rate_are_cut_before_they_cost_a_handshake() {
    let server = FakeServer::obliging("onprem").await;
    let proxy = Setup::primary("onprem", server.address).service("connections_per_second_max = 1").run().await;
    let (mut cut, mut clients) = (0, Vec::new());
    for _ in 0..50 {
        match TcpStream::connect(proxy.address).await {
            Ok(tcp) => clients.push(tcp),
            // The reset came before the client knew that it was connected.
            Err(_) => cut += 1,
        }
    }
    for client in &mut clients {
        let ended = tokio::time::timeout(Duration::from_millis(1), client.read_u8()).await;
        cut += usize::from(ended.is_ok_and(|read| read.is_err()));
    }
    assert!(cut > 25, "only {cut} of 50 connections at once were cut");
}

#[tokio::test]
async fn a_process_at_its_memory_limit_refuses_new_logins() {
    let server = FakeServer::obliging("onprem").await;
    let proxy = Setup::primary("onprem", server.address).section("[limits]\nmemory_bytes_max = 1").run().await;
    let (_client, answer) = RawClient::log_in(proxy.address, &raw_client::login("SalesDB", false)).await;
    check_refused(&answer, "1 bytes of memory");
    assert_eq!(server.logins.load(std::sync::atomic::Ordering::Relaxed), 0, "the replica is not bothered");
}

#[tokio::test]
async fn a_request_that_runs_too_long_ends_its_session_with_an_error() {
    let mut server = FakeServer::start("onprem", OnLogin::Accept(Vec::new()), OnRequest::Silence).await;
    let proxy = Setup::primary("onprem", server.address).section("[timeouts]\nrequest_ms = 100").run().await;
    let (mut client, _) = RawClient::log_in(proxy.address, &raw_client::login("SalesDB", false)).await;
    let error = client.query("WAITFOR DELAY '1:00'").await.unwrap().error().unwrap();
    assert_eq!((error.number, error.class), (3617, 20));
    assert!(client.packet().await.is_none(), "the session is over");
    server.closed().await;
}
