//! The proxy's own side as a client: every way to encrypt towards a replica, against servers that speak all of them.

use sandbox::{Options, Running};
use tds::prelogin::Protection;
use tests::raw_client::{self, RawClient, Received};
use tests::running_proxy::{self, Setup};

async fn servers(at_least: Protection) -> Running {
    sandbox::start(Options { at_least, ..Options::default() }).await.unwrap()
}

/// What a session hears from a primary that is spoken to as `replica` says: its answer, or the text of the error.
async fn said(servers: &Running, replica: &str) -> Result<Received, String> {
    let proxy = Setup::primary("onprem", servers.onprem.address()).replica_lines(replica).run().await;
    let mut login = raw_client::login("SalesDB", false);
    login.user_name = sandbox::LOGIN.to_owned();
    login.password = sandbox::PASSWORD.into();
    let (mut client, answer) = RawClient::log_in(proxy.address, &login).await;
    if let Some(error) = answer.error() {
        return Err(error.text);
    }
    let response = client.query("SELECT @@SERVERNAME").await.unwrap();
    assert_eq!(answer.last.spid, response.last.spid, "the session id changed after the login");
    Ok(response)
}

fn verified(servers: &Running, encryption: &str) -> String {
    format!("encryption = {encryption:?}\nca_file = {:?}", servers.ca_path())
}

#[track_caller]
fn answered(said: &Result<Received, String>) {
    assert!(said.as_ref().is_ok_and(|answer| answer.says("onprem")), "{said:?}");
}

#[track_caller]
fn refused(said: Result<Received, String>, why: &str) {
    let text = said.unwrap_err();
    assert!(text.contains(why), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replica_is_spoken_to_exactly_as_the_operator_wrote() {
    let servers = servers(Protection::Clear).await;
    answered(&said(&servers, "encryption = \"off\"").await);
    for encryption in ["login-only", "full", "strict"] {
        answered(&said(&servers, &verified(&servers, encryption)).await);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_insists_on_encryption_is_not_spoken_to_in_clear() {
    let servers = servers(Protection::Full).await;
    refused(said(&servers, "encryption = \"off\"").await, "no encryption could be agreed on");
    answered(&said(&servers, &verified(&servers, "login-only")).await);
    answered(&said(&servers, &verified(&servers, "full")).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replica_whose_certificate_does_not_hold_is_not_logged_in_to() {
    let servers = servers(Protection::Clear).await;
    let (stranger, _) = running_proxy::certificate_files();
    for encryption in ["login-only", "full", "strict"] {
        let other_root = format!("encryption = {encryption:?}\nca_file = {stranger:?}");
        refused(said(&servers, &other_root).await, "TLS handshake");
        let other_name = format!("{}\nhost_name = \"elsewhere.example\"", verified(&servers, encryption));
        refused(said(&servers, &other_name).await, "TLS handshake");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_operator_can_say_that_any_certificate_will_do() {
    let servers = servers(Protection::Clear).await;
    answered(&said(&servers, "encryption = \"full\"\ntrust = \"trust\"").await);
}
