//! Dangers 19, 20, 22, 24, 25, 27, 29 and 30: a session has one backend from its login to its end, so whatever it made
//! there is where it looks for it.

use std::sync::atomic::Ordering;

use tds::login7::TdsVersion;
use tds::packet::PacketKind;
use tds::token::EnvChange;
use tds::types::Collation;
use tests::fake_server::{self, FakeServer, OnLogin, OnRequest};
use tests::raw_client::{self, RawClient};
use tests::running_proxy::{RunningProxy, Setup};

use super::say;

/// A primary, two secondaries, and a session among them.
struct Three {
    primary: FakeServer,
    secondaries: [FakeServer; 2],
    proxy: RunningProxy,
}

impl Three {
    async fn start() -> Self {
        let primary = FakeServer::obliging("onprem").await;
        let secondaries = [FakeServer::obliging("mi").await, FakeServer::obliging("mi2").await];
        let setup = Setup::primary("onprem", primary.address)
            .secondary("mi", secondaries[0].address)
            .secondary("mi2", secondaries[1].address);
        let proxy = setup.run().await;
        Self { primary, secondaries, proxy }
    }

    async fn session(&self, read_only: bool) -> RawClient {
        let (client, answer) = RawClient::log_in(self.proxy.address, &raw_client::login("SalesDB", read_only)).await;
        assert!(answer.error().is_none());
        client
    }

    fn logins(&self) -> [usize; 3] {
        [&self.primary, &self.secondaries[0], &self.secondaries[1]].map(|server| server.logins.load(Ordering::Relaxed))
    }

    /// Fails unless the primary heard these, in this order, and no other server was logged in to.
    async fn only_the_primary_heard(&mut self, kinds: &[PacketKind]) {
        assert_eq!(self.logins(), [1, 0, 0]);
        for kind in kinds {
            assert_eq!(self.primary.packet().await.0, *kind);
        }
    }
}

#[tokio::test]
async fn handles_stay_with_the_backend_that_gave_them() {
    let mut three = Three::start().await;
    // Two readers, one on each secondary; each prepares and executes there.
    for _ in 0..2 {
        let mut client = three.session(true).await;
        say(&mut client, PacketKind::Rpc, &["sp_prepare", "sp_execute", "sp_execute", "sp_unprepare"]).await;
    }
    assert_eq!(three.logins(), [0, 1, 1]);
    for secondary in &mut three.secondaries {
        for _ in 0..4 {
            assert_eq!(secondary.packet().await.0, PacketKind::Rpc);
        }
    }
}

#[tokio::test]
async fn the_collation_shown_is_that_of_the_replica_that_answers() {
    let server = async |name, collation: u8| {
        let change = EnvChange::Collation(Some(Collation([collation, 4, 0xD0, 0, 0x34])), None);
        FakeServer::start(name, OnLogin::Accept(vec![change]), OnRequest::Swallow).await
    };
    let (onprem, mi) = (server("onprem", 0x09).await, server("mi", 0x07).await);
    let proxy = Setup::primary("onprem", onprem.address).secondary("mi", mi.address).run().await;
    for (read_only, collation) in [(false, 0x09), (true, 0x07)] {
        let (_client, answer) = RawClient::log_in(proxy.address, &raw_client::login("SalesDB", read_only)).await;
        let shown = [7, 5, collation, 4, 0xD0, 0, 0x34, 0];
        assert!(answer.body.windows(shown.len()).any(|window| window == shown), "read only: {read_only}");
    }
}

#[tokio::test]
async fn a_bulk_load_follows_its_announcement() {
    let mut three = Three::start().await;
    let mut client = three.session(false).await;
    say(&mut client, PacketKind::SqlBatch, &["insert bulk t (a int)"]).await;
    say(&mut client, PacketKind::BulkLoad, &["rows"]).await;
    three.only_the_primary_heard(&[PacketKind::SqlBatch, PacketKind::BulkLoad]).await;
}

#[tokio::test]
async fn a_login_that_finds_no_primary_is_told_to_come_again() {
    let mut primary = FakeServer::obliging("onprem").await;
    let proxy = Setup::primary("onprem", primary.address).run().await;
    primary.kill().await;
    let (_client, answer) = RawClient::log_in(proxy.address, &raw_client::login("SalesDB", false)).await;
    let error = answer.error().unwrap();
    assert_eq!((error.number, error.class), (40613, 17), "SqlClient's pool must not take it for a wrong password");
}

#[tokio::test]
async fn reads_of_a_session_in_manual_commit_stay_in_its_transaction() {
    let mut three = Three::start().await;
    let mut client = three.session(false).await;
    say(&mut client, PacketKind::SqlBatch, &["SET IMPLICIT_TRANSACTIONS ON", "SELECT a FROM t"]).await;
    say(&mut client, PacketKind::Rpc, &["sp_executesql SELECT b FROM t"]).await;
    say(&mut client, PacketKind::TransactionManager, &["commit"]).await;
    let batch = PacketKind::SqlBatch;
    three.only_the_primary_heard(&[batch, batch, PacketKind::Rpc, PacketKind::TransactionManager]).await;
}

#[tokio::test]
async fn connections_that_say_nothing_keep_nobody_out() {
    let server = FakeServer::obliging("onprem").await;
    let limits =
        "[limits]\nhandshakes_max = 1\nlogin_queue_max = 100\nsessions_max = 1\n[timeouts]\nprelogin_ms = 60000";
    let proxy = Setup::primary("onprem", server.address).section(limits).run().await;
    let mut silent = Vec::new();
    for _ in 0..50 {
        silent.push(RawClient::connect(proxy.address).await);
    }
    let (mut client, answer) = RawClient::log_in(proxy.address, &raw_client::login("SalesDB", false)).await;
    assert!(answer.error().is_none(), "a login waits for connections that say nothing");
    assert!(client.query("SELECT 1").await.is_some());
    assert_eq!(server.logins.load(Ordering::Relaxed), 1, "who says nothing costs no login");
}

#[tokio::test]
async fn errors_of_our_own_are_retryable_where_retrying_helps_and_end_in_done() {
    let server = FakeServer::obliging("onprem").await;
    let rule = "[[rules]]\nname = \"no-guests\"\nlogins = [\"guest\"]\naction = \"reject\"\nmessage = \"not here\"";
    let gone = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let plain = raw_client::login("SalesDB", false);
    let (mut old, mut guest) = (plain.clone(), plain.clone());
    old.tds_version = TdsVersion::from_number(0x7100_0001);
    guest.user_name = "guest".to_owned();
    for (login, address, section, number, class) in [
        (&old, server.address, "", 17832, 20),
        (&guest, server.address, rule, 17892, 14),
        (&plain, gone, "", 40613, 17),
    ] {
        let proxy = Setup::primary("onprem", address).section(section).run().await;
        let (mut client, answer) = RawClient::log_in(proxy.address, login).await;
        let error = answer.error().unwrap();
        assert_eq!((error.number, error.class), (number, class), "{}", error.text);
        assert!(answer.body.ends_with(&fake_server::interrupted()), "no DONE with the error bit");
        assert!(client.receive().await.is_none());
    }
}

#[tokio::test]
async fn settings_live_in_the_one_backend_a_session_has() {
    let mut three = Three::start().await;
    let mut client = three.session(false).await;
    let said = ["USE SalesDB", "SET LANGUAGE Deutsch", "EXEC p", "SELECT @@LANGUAGE"];
    say(&mut client, PacketKind::SqlBatch, &said).await;
    three.only_the_primary_heard(&[PacketKind::SqlBatch; 4]).await;
}
