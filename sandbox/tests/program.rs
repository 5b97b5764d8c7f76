//! The program as a user starts it: what it prints, that a driver can connect, and that it stops when told.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, ChildStdout, Command, Stdio};
use tiberius::{AuthMethod, Client, Config, EncryptionLevel};
use tokio::net::TcpStream;
use tokio_util::compat::TokioAsyncWriteCompatExt;

struct Program {
    child: Child,
    stdout: BufReader<ChildStdout>,
}

impl Program {
    fn start(arguments: &[&str]) -> Self {
        let any_port = ["--proxy-port", "0", "--onprem-port", "0", "--mi-port", "0", "--admin-port", "0"];
        let mut child = Command::new(env!("CARGO_BIN_EXE_sandbox"))
            .args(arguments)
            .args(any_port)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        Self { child, stdout }
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.stdout.read_line(&mut line).unwrap();
        line
    }

    /// Ends the program with SIGTERM and gives what it printed until then.
    fn stop(mut self) -> String {
        let id = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(id, rustix::process::Signal::TERM).unwrap();
        let mut rest = String::new();
        self.stdout.read_to_string(&mut rest).unwrap();
        assert!(self.child.wait().unwrap().success());
        rest
    }
}

async fn server_name(address: &str, ca: &str, read_only: bool) -> String {
    let mut config = Config::new();
    let (_, port) = address.rsplit_once(':').unwrap();
    config.host("localhost");
    config.port(port.parse().unwrap());
    config.database(sandbox::DATABASE);
    config.authentication(AuthMethod::sql_server(sandbox::LOGIN, sandbox::PASSWORD));
    config.encryption(EncryptionLevel::Required);
    config.trust_cert_ca(ca);
    config.readonly(read_only);
    let socket = TcpStream::connect(address).await.unwrap();
    let mut client = Box::pin(Client::connect(config, socket.compat_write())).await.unwrap();
    let row = client.simple_query("SELECT @@SERVERNAME").await.unwrap().into_row().await.unwrap().unwrap();
    row.get::<&str, _>(0).unwrap().to_owned()
}

#[tokio::test]
async fn with_json_it_prints_one_line_by_which_a_driver_reaches_every_server() {
    let mut program = Program::start(&["--json"]);
    let said: serde_json::Value = serde_json::from_str(&program.line()).unwrap();
    let said = |key: &str| said[key].as_str().unwrap().to_owned();
    let ca = said("ca");
    assert_eq!(server_name(&said("proxy"), &ca, false).await, "onprem");
    assert_eq!(server_name(&said("proxy"), &ca, true).await, "mi");
    assert_eq!(server_name(&said("onprem"), &ca, false).await, "onprem");
    assert_eq!(server_name(&said("mi"), &ca, false).await, "mi");
    assert!(TcpStream::connect(said("admin")).await.is_ok());
    assert_eq!(program.stop(), "");
}

#[tokio::test]
async fn without_the_proxy_it_prints_how_to_connect_and_that_it_is_a_simulation() {
    let mut program = Program::start(&["servers"]);
    let first = program.line();
    assert!(first.contains("simulation"), "{first}");
    let text = program.stop();
    for client in ["sqlcmd", "pyodbc", "ADO.NET", "JDBC", "node", "Go"] {
        assert!(text.lines().any(|line| line.starts_with(client)), "{client} is missing in {text}");
    }
    assert!(!text.contains("proxy "), "{text}");
}
