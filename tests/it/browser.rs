//! Instance names: what is answered by UDP, and to whom.

use std::net::SocketAddr;
use std::time::Duration;

use tests::fake_server::FakeServer;
use tests::running_proxy::{RunningProxy, Setup};
use tokio::net::UdpSocket;

/// A proxy with two instance names on its only service.
async fn start(rest: &str) -> (RunningProxy, FakeServer) {
    let server = FakeServer::obliging("onprem").await;
    let browser = "[browser]\nlisten = \"127.0.0.1:0\"\nserver_name = \"sql.corp.local\"\n\
                   instances = { SALES = \"main\", HR = \"main\" }";
    let proxy = Setup::primary("onprem", server.address).section(&format!("{browser}\n{rest}")).run().await;
    (proxy, server)
}

/// A client of the browser at an address of its own.
struct Client(UdpSocket, SocketAddr);

impl Client {
    async fn at(address: &str, proxy: &RunningProxy) -> Self {
        Self(UdpSocket::bind((address, 0)).await.unwrap(), proxy.browser.unwrap())
    }

    async fn ask(&self, question: &[u8]) {
        self.0.send_to(question, self.1).await.unwrap();
    }

    /// The names of the instances in the next answer, each of which must be on the proxy's port.
    async fn hears(&self, proxy: &RunningProxy) -> Vec<String> {
        let mut datagram = [0; 2048];
        let received = tokio::time::timeout(Duration::from_secs(10), self.0.recv_from(&mut datagram)).await;
        let (length, _) = received.expect("there is no answer").unwrap();
        let (head, text) = datagram.get(..length).unwrap().split_at(3);
        let text = std::str::from_utf8(text).unwrap();
        let [low, high] = u16::try_from(text.len()).unwrap().to_le_bytes();
        assert_eq!(head, [5, low, high]);
        let end = format!(";tcp;{};;", proxy.address.port());
        text.split_terminator(end.as_str()).map(|told| told.split(';').nth(3).unwrap().to_owned()).collect()
    }

    /// How many answers are here already.
    fn waiting(&self) -> usize {
        let mut datagram = [0; 2048];
        std::iter::from_fn(|| self.0.try_recv_from(&mut datagram).ok()).count()
    }
}

async fn check(question: &[u8], want: &[&str]) {
    let (proxy, _server) = start("").await;
    let client = Client::at("127.0.0.1", &proxy).await;
    client.ask(question).await;
    assert_eq!(client.hears(&proxy).await, want);
}

#[tokio::test]
async fn a_client_that_asks_for_its_instance_hears_its_port() {
    check(b"\x04sales\0", &["SALES"]).await;
    check(b"\x04HR", &["HR"]).await;
}

#[tokio::test]
async fn a_client_that_asks_for_all_hears_all() {
    check(b"\x03", &["HR", "SALES"]).await;
    check(b"\x02", &["HR", "SALES"]).await;
}

#[tokio::test]
async fn what_is_not_known_or_no_question_is_met_with_silence() {
    let (proxy, _server) = start("").await;
    let client = Client::at("127.0.0.1", &proxy).await;
    for question in [&b"\x04OTHER\0"[..], b"\x0f\x01SALES\0", b"\x03\x03", &[4; 500], b""] {
        client.ask(question).await;
        // Questions are answered in their order, so an answer to the first would come first.
        client.ask(b"\x04HR").await;
        assert_eq!(client.hears(&proxy).await, ["HR"], "{}", question.escape_ascii());
    }
    assert_eq!(client.waiting(), 0);
}

#[tokio::test]
async fn one_address_gets_no_more_than_ten_answers_a_second() {
    let (proxy, _server) = start("").await;
    let greedy = Client::at("127.0.0.1", &proxy).await;
    let other = Client::at("127.0.0.2", &proxy).await;
    for _ in 0..100 {
        greedy.ask(b"\x03").await;
    }
    other.ask(b"\x03").await;
    assert_eq!(other.hears(&proxy).await.len(), 2, "others are answered");
    let answers = greedy.waiting();
    // A new second may begin between two questions.
    assert!((10..=20).contains(&answers), "{answers} answers to 100 questions");
}

#[tokio::test]
async fn who_is_in_no_known_network_is_met_with_silence() {
    let (proxy, _server) = start("networks = [\"127.0.0.2\"]").await;
    let stranger = Client::at("127.0.0.1", &proxy).await;
    let known = Client::at("127.0.0.2", &proxy).await;
    stranger.ask(b"\x03").await;
    known.ask(b"\x03").await;
    assert_eq!(known.hears(&proxy).await.len(), 2);
    assert_eq!(stranger.waiting(), 0);
}
