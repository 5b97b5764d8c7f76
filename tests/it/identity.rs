//! Replicas that do not know the clients' logins: who is proven where, and as whom a session ends up there.

use std::fs;
use std::sync::atomic::Ordering;

use tds::login7::{Login7, OptionFlags2, SspiData};
use tds::packet::PacketKind;
use tempfile::TempDir;
use tests::fake_server::{FakeServer, OnLogin, OnRequest};
use tests::raw_client::{self, RawClient, Received};
use tests::running_proxy::{RunningProxy, Setup};

/// A proxy in front of a server that knows the clients and one that knows only the proxy, and the latter's password.
struct Mapped {
    onprem: FakeServer,
    mi: FakeServer,
    folder: TempDir,
    proxy: RunningProxy,
}

async fn mapped(onprem: OnLogin, mi: OnLogin) -> Mapped {
    let onprem = FakeServer::start("onprem", onprem, OnRequest::Swallow).await;
    let mi = FakeServer::start("mi", mi, OnRequest::Swallow).await;
    let folder = tempfile::tempdir().unwrap();
    let password = folder.path().join("mi.password");
    fs::write(&password, "service secret\n").unwrap();
    let setup = Setup::primary("onprem", onprem.address).secondary("mi", mi.address);
    let identity =
        format!("[replicas.mi.identity]\nproven_on = \"onprem\"\nuser = \"svc\"\npassword_file = {password:?}");
    let setup = setup.section(&identity).section("[admin]\naddress = \"127.0.0.1:0\"");
    let proxy = setup.service("secondary_missing = \"refuse\"").run().await;
    Mapped { onprem, mi, folder, proxy }
}

impl Mapped {
    /// What a client hears that logs in to read.
    async fn reader(&self) -> Received {
        RawClient::log_in(self.proxy.address, &raw_client::login("SalesDB", true)).await.1
    }

    fn logins(&self) -> [usize; 2] {
        [&self.onprem, &self.mi].map(|server| server.logins.load(Ordering::Relaxed))
    }
}

const ACCEPT: OnLogin = OnLogin::Accept(Vec::new());

fn who(login: &Login7) -> (&str, &str, &str) {
    (&login.user_name, login.password.expose(), &login.database)
}

#[tokio::test]
async fn a_client_is_proven_on_one_replica_and_logged_in_as_the_proxy_on_the_other() {
    let mut mapped = mapped(ACCEPT, ACCEPT).await;
    let (_client, answer) = RawClient::log_in(mapped.proxy.address, &raw_client::login("SalesDB", true)).await;
    assert!(answer.error().is_none());
    assert_eq!(who(&mapped.onprem.login().await), ("app", "secret", "SalesDB"));
    assert_eq!(who(&mapped.mi.login().await), ("svc", "service secret", "SalesDB"));
    mapped.onprem.closed().await;
    let sessions = mapped.proxy.admin("/sessions").await;
    assert!(sessions.contains(r#""user":"app""#) && sessions.contains(r#""replica":"mi""#), "{sessions}");
    assert!(sessions.contains(r#""proven_on":"onprem""#) && !sessions.contains("secret"), "{sessions}");
}

#[tokio::test]
async fn a_session_on_the_replica_that_knows_the_client_is_the_clients_own() {
    let mut mapped = mapped(ACCEPT, ACCEPT).await;
    let (_client, answer) = RawClient::log_in(mapped.proxy.address, &raw_client::login("SalesDB", false)).await;
    assert!(answer.error().is_none());
    assert_eq!(who(&mapped.onprem.login().await), ("app", "secret", "SalesDB"));
    assert_eq!(mapped.logins(), [1, 0]);
    assert!(mapped.proxy.admin("/sessions").await.contains(r#""proven_on":null"#));
}

#[tokio::test]
async fn a_wrong_password_is_refused_by_the_replica_that_knows_it_and_the_other_is_never_asked() {
    // 4060 and 40613 too: what a secondary may say and be passed over is final where it is about the proof.
    for number in [18456, 4060, 40613] {
        let mapped = mapped(OnLogin::Refuse(number), ACCEPT).await;
        let error = mapped.reader().await.error().unwrap();
        assert_eq!((error.number, &*error.server), (number, "onprem"));
        assert_eq!(mapped.logins(), [1, 0]);
    }
}

#[tokio::test]
async fn nobody_gets_in_while_the_replica_that_proves_is_away() {
    let mut mapped = mapped(ACCEPT, ACCEPT).await;
    mapped.onprem.kill().await;
    let error = mapped.reader().await.error().unwrap();
    assert_eq!(error.number, 40613);
    assert!(error.text.contains("onprem"), "{}", error.text);
    assert_eq!(mapped.logins(), [0, 0]);
}

#[tokio::test]
async fn a_changed_password_counts_from_the_next_login_on() {
    let mut mapped = mapped(ACCEPT, ACCEPT).await;
    for password in ["first", "second"] {
        fs::write(mapped.folder.path().join("mi.password"), password).unwrap();
        assert!(mapped.reader().await.error().is_none());
        assert_eq!(mapped.mi.login().await.password.expose(), password);
    }
}

#[tokio::test]
async fn a_password_that_is_gone_is_an_error_that_drivers_retry() {
    let mapped = mapped(ACCEPT, ACCEPT).await;
    fs::remove_file(mapped.folder.path().join("mi.password")).unwrap();
    let error = mapped.reader().await.error().unwrap();
    assert_eq!(error.number, 40613);
    assert!(error.text.contains("replica mi"), "{}", error.text);
    assert!(!error.text.contains("mi.password"), "a path is the operator's business: {}", error.text);
    assert_eq!(mapped.logins(), [1, 0]);
}

#[tokio::test]
async fn a_refusal_of_the_proxys_own_login_is_not_blamed_on_the_client() {
    let mapped = mapped(ACCEPT, OnLogin::Refuse(18456)).await;
    let error = mapped.reader().await.error().unwrap();
    assert_eq!((error.number, &*error.server), (40613, "tds-proxy"));
    assert!(error.text.contains("18456") && !error.text.contains("svc"), "{}", error.text);
}

#[tokio::test]
async fn a_windows_user_reaches_a_replica_that_has_only_the_proxys_login() {
    let mut mapped = mapped(OnLogin::Negotiate(2), ACCEPT).await;
    let mut login = raw_client::login("SalesDB", true);
    login.user_name.clear();
    login.option_flags2 = OptionFlags2::INTEGRATED_SECURITY;
    login.sspi = SspiData(vec![1; 100].into());
    let (mut client, mut answer) = RawClient::log_in(mapped.proxy.address, &login).await;
    while answer.body.first() == Some(&0xED) {
        let number = *answer.body.last().unwrap();
        client.send(PacketKind::Sspi, &[number; 6000]).await;
        answer = client.receive().await.unwrap();
    }
    assert!(answer.error().is_none());
    let own = mapped.mi.login().await;
    assert_eq!(who(&own), ("svc", "service secret", "SalesDB"));
    assert!(!own.option_flags2.contains(OptionFlags2::INTEGRATED_SECURITY));
    assert_eq!(own.sspi, SspiData::default());
}

#[tokio::test]
async fn a_question_to_the_proxys_own_login_is_never_passed_to_a_client() {
    let mapped = mapped(ACCEPT, OnLogin::Negotiate(1)).await;
    let error = mapped.reader().await.error().unwrap();
    assert_eq!(error.number, 40613);
}
