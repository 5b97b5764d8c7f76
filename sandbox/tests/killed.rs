//! The servers' process is killed while the proxy in this process has sessions on it: what the clients see, with a
//! driver we did not write.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use proxy::{Config, Proxy};
use tiberius::{AuthMethod, Client, EncryptionLevel};
use tokio::net::TcpStream;
use tokio_util::compat::{Compat, TokioAsyncWriteCompatExt};

/// The two servers as a process of their own, and where they listen.
struct Servers {
    child: Child,
    onprem: String,
}

impl Servers {
    fn start() -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_sandbox"))
            .args(["servers", "--json", "--onprem-port", "0", "--mi-port", "0"])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let said: serde_json::Value = serde_json::from_str(&line).unwrap();
        Self { child, onprem: said["onprem"].as_str().unwrap().to_owned() }
    }

    /// SIGKILL: no goodbye, no flush; the kernel closes what was open.
    fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Servers {
    fn drop(&mut self) {
        // Dead already where the test got as far as that.
        let _ = self.child.kill();
    }
}

fn proxy_before(onprem: &str) -> Proxy {
    let text = format!(
        "[replicas.onprem]\naddress = \"{onprem}\"\nencryption = \"full\"\ntrust = \"trust\"\n\
         [links.sales]\ndatabases = [\"SalesDB\"]\nprimary = \"onprem\"\nsecondaries = []\n\
         [services.main]\nlisten = \"127.0.0.1:0\"\nlink = \"sales\"\nencryption = \"off\"\n"
    );
    Proxy::bind(Config::parse(&text, Path::new(".")).unwrap(), None).unwrap()
}

async fn connect(port: u16) -> tiberius::Result<Client<Compat<TcpStream>>> {
    let mut config = tiberius::Config::new();
    config.host("127.0.0.1");
    config.port(port);
    config.database(sandbox::DATABASE);
    config.authentication(AuthMethod::sql_server(sandbox::LOGIN, sandbox::PASSWORD));
    config.encryption(EncryptionLevel::NotSupported);
    let tcp = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    Box::pin(Client::connect(config, tcp.compat_write())).await
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_of_a_server_that_was_killed_learn_that_the_outcome_is_unknown_and_later_that_it_is_away() {
    let mut servers = Servers::start();
    let proxy = proxy_before(&servers.onprem);
    let port = proxy.addresses()["main"].port();
    let running = tokio::spawn(proxy.run(std::future::pending()));

    let mut busy = Vec::new();
    for _ in 0..10 {
        let mut client = connect(port).await.unwrap();
        // The first response is read, so the second request is known to be running when the server dies.
        client.simple_query("SELECT 1").await.unwrap().into_results().await.unwrap();
        busy.push(tokio::spawn(async move {
            let waiting = client.simple_query("PRINT 'running'; WAITFOR DELAY '01:00:00'").await;
            match waiting {
                Ok(stream) => stream.into_results().await.map(|_| ()),
                Err(error) => Err(error),
            }
        }));
    }
    tokio::task::yield_now().await;
    servers.kill();
    for client in busy {
        let error = client.await.unwrap().unwrap_err();
        // A request that had not left yet fails with the connection instead; both are errors, neither hangs.
        if let Some(number) = error.code() {
            assert_eq!(number, 10054, "{error}");
        }
    }
    let away = connect(port).await.err().unwrap();
    assert_eq!(away.code(), Some(40613), "{away}");
    running.abort();
}
