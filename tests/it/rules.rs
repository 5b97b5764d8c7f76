//! What operators' rules do to a login.

use tds::login7::Login7;
use tests::fake_server::{FakeServer, OnLogin, OnRequest};
use tests::raw_client::{self, RawClient};
use tests::running_proxy::Setup;

/// A primary and a secondary, and the rules in front of them.
struct Pair {
    onprem: FakeServer,
    mi: FakeServer,
    setup: Setup,
}

impl Pair {
    async fn start(rules: &str) -> Self {
        let onprem = FakeServer::obliging("onprem").await;
        let mi = FakeServer::start("mi", OnLogin::Accept(Vec::new()), OnRequest::Swallow).await;
        let setup = Setup::primary("onprem", onprem.address).secondary("mi", mi.address).section(rules);
        Self { onprem, mi, setup }
    }

    /// Logs in, and gives the login as `onprem` or `mi` got it.
    async fn check(&mut self, login: &Login7, want: &str) -> Login7 {
        let proxy = self.setup.run().await;
        let (_client, answer) = RawClient::log_in(proxy.address, login).await;
        assert!(answer.error().is_none(), "{:?}", answer.error());
        let (there, other) = match want {
            "onprem" => (&mut self.onprem, &self.mi),
            _ => (&mut self.mi, &self.onprem),
        };
        assert_eq!(other.logins.load(std::sync::atomic::Ordering::Relaxed), 0, "{want} was wanted");
        there.login().await
    }
}

fn rule(name: &str, rest: &str) -> String {
    format!("[[rules]]\nname = \"{name}\"\n{rest}\n")
}

#[tokio::test]
async fn a_rule_keeps_a_tool_on_the_primary_whatever_it_declares() {
    let mut pair = Pair::start(&rule("tools", "applications = [\"RAW *\"]\naction = \"primary\"")).await;
    let seen = pair.check(&raw_client::login("SalesDB", true), "onprem").await;
    assert!(!seen.is_read_only_intent(), "a primary may send away those who declare that they only read");
}

#[tokio::test]
async fn a_rule_sends_a_login_to_the_secondary_and_declares_what_it_did_not() {
    let mut pair = Pair::start(&rule("reports", "logins = [\"app\"]\naction = \"secondary\"")).await;
    let seen = pair.check(&raw_client::login("SalesDB", false), "mi").await;
    assert!(seen.is_read_only_intent(), "a secondary may take only those who declare that they only read");
}

#[tokio::test]
async fn a_rule_to_a_secondary_that_is_gone_follows_the_service() {
    let mut pair = Pair::start(&rule("reports", "logins = [\"app\"]\naction = \"secondary\"")).await;
    pair.mi.kill().await;
    let seen = pair.check(&raw_client::login("SalesDB", false), "onprem").await;
    assert!(!seen.is_read_only_intent());
    pair.setup = pair.setup.service("secondary_missing = \"refuse\"");
    let proxy = pair.setup.run().await;
    let (_client, answer) = RawClient::log_in(proxy.address, &raw_client::login("SalesDB", false)).await;
    assert_eq!(answer.error().unwrap().number, 40613);
}

#[tokio::test]
async fn an_exception_stands_before_the_rule_it_is_from() {
    let rules = rule("exception", "hosts = [\"web01\"]\naction = \"intent\"")
        + &rule("everybody", "logins = [\"*\"]\naction = \"secondary\"");
    let mut login = raw_client::login("SalesDB", false);
    login.host_name = "WEB01".to_owned();
    Pair::start(&rules).await.check(&login, "onprem").await;
    login.host_name = "web02".to_owned();
    Pair::start(&rules).await.check(&login, "mi").await;
}

#[tokio::test]
async fn a_rejected_login_hears_why_in_an_error_no_driver_retries() {
    let rules =
        rule("nobody", "networks = [\"127.0.0.0/8\"]\naction = \"reject\"\nmessage = \"closed for stocktaking\"");
    let pair = Pair::start(&rules).await;
    let proxy = pair.setup.run().await;
    let (_client, answer) = RawClient::log_in(proxy.address, &raw_client::login("SalesDB", true)).await;
    let error = answer.error().unwrap();
    assert_eq!((error.number, error.class), (17892, 14));
    assert!(error.text.contains("rule nobody") && error.text.contains("closed for stocktaking"), "{}", error.text);
    let logins = |server: &FakeServer| server.logins.load(std::sync::atomic::Ordering::Relaxed);
    assert_eq!((logins(&pair.onprem), logins(&pair.mi)), (0, 0), "no replica is bothered");
}
