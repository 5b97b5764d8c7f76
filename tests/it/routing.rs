//! Which replica a session lands on.

use tds::login7::{OptionFlags3, Password};
use tests::fake_server::{FakeServer, OnLogin, OnRequest};
use tests::raw_client::{self, RawClient};
use tests::running_proxy::Setup;

/// A primary and a secondary that lets in or refuses, and a proxy in front of them.
struct Pair {
    onprem: FakeServer,
    mi: FakeServer,
    setup: Setup,
}

impl Pair {
    async fn start(mi: OnLogin) -> Self {
        let onprem = FakeServer::obliging("onprem").await;
        let mi = FakeServer::start("mi", mi, OnRequest::Swallow).await;
        let setup = Setup::primary("onprem", onprem.address).secondary("mi", mi.address);
        Self { onprem, mi, setup }
    }

    /// Who answers a login for `database`: the name in the login response, or the number of the error.
    async fn check(&self, database: &str, read_only: bool, want: Result<&str, i32>) {
        let proxy = self.setup.run().await;
        let (_client, answer) = RawClient::log_in(proxy.address, &raw_client::login(database, read_only)).await;
        match (answer.error(), want) {
            (Some(error), Err(number)) => assert_eq!(error.number, number, "{}", error.text),
            (Some(error), Ok(name)) => panic!("{name} was wanted, but: {} {}", error.number, error.text),
            (None, Ok(name)) => assert!(answer.says(name), "{name} did not answer"),
            (None, Err(number)) => panic!("error {number} was wanted"),
        }
    }
}

fn lets_in() -> OnLogin {
    OnLogin::Accept(Vec::new())
}

#[tokio::test]
async fn a_session_without_intent_lands_on_the_primary() {
    Pair::start(lets_in()).await.check("SalesDB", false, Ok("onprem")).await;
}

#[tokio::test]
async fn a_read_only_session_lands_on_the_secondary() {
    Pair::start(lets_in()).await.check("salesdb", true, Ok("mi")).await;
}

#[tokio::test]
async fn a_database_in_no_link_follows_the_services_link() {
    Pair::start(lets_in()).await.check("master", true, Ok("mi")).await;
    Pair::start(lets_in()).await.check("", false, Ok("onprem")).await;
}

#[tokio::test]
async fn a_read_only_session_falls_back_to_the_primary_when_the_secondary_is_gone() {
    let mut pair = Pair::start(lets_in()).await;
    pair.mi.kill().await;
    pair.check("SalesDB", true, Ok("onprem")).await;
}

#[tokio::test]
async fn a_read_only_session_falls_back_when_the_secondary_does_not_serve_readers() {
    for number in [976, 978, 979, 983, 4060, 4221, 40613] {
        Pair::start(OnLogin::Refuse(number)).await.check("SalesDB", true, Ok("onprem")).await;
    }
}

#[tokio::test]
async fn a_wrong_password_is_told_by_the_secondary_itself() {
    Pair::start(OnLogin::Refuse(18456)).await.check("SalesDB", true, Err(18456)).await;
}

#[tokio::test]
async fn a_service_may_refuse_readers_rather_than_send_them_to_the_primary() {
    let mut pair = Pair::start(lets_in()).await;
    pair.setup = pair.setup.service("secondary_missing = \"refuse\"");
    pair.mi.kill().await;
    pair.check("SalesDB", true, Err(40613)).await;
}

#[tokio::test]
async fn a_primary_that_is_gone_is_a_retryable_error_and_never_the_secondary() {
    let mut pair = Pair::start(lets_in()).await;
    pair.onprem.kill().await;
    pair.check("SalesDB", false, Err(40613)).await;
    assert_eq!(pair.mi.logins.load(std::sync::atomic::Ordering::Relaxed), 0, "a writer knocked at the secondary");
}

#[tokio::test]
async fn a_password_change_goes_to_the_primary_even_with_read_only_intent() {
    let mut pair = Pair::start(lets_in()).await;
    let proxy = pair.setup.run().await;
    let mut login = raw_client::login("SalesDB", true);
    login.option_flags3 = OptionFlags3::CHANGE_PASSWORD;
    login.new_password = Password::from("another");
    let (_client, answer) = RawClient::log_in(proxy.address, &login).await;
    assert!(answer.says("onprem"));
    assert_eq!(pair.onprem.login().await.new_password.expose(), "another");
}
