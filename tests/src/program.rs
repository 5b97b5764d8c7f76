//! The program `tds-proxy` as a process of its own, so that a test can read what the process holds: memory, open files,
//! sessions. Linux tells these in /proc.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::process::{Child, ChildStderr, Command, Stdio};
use std::thread;
use std::time::Duration;

use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::running_proxy::Setup;

/// What a process gets to put everything back that sessions used. Nothing waits this long unless it leaks.
const QUIET_LIMIT: Duration = Duration::from_secs(60);

/// A running proxy; killed when dropped.
pub struct Program {
    child: Child,
    /// Where its only service listens.
    pub address: SocketAddr,
    admin: SocketAddr,
}

impl Program {
    /// Starts `binary` with this configuration and waits until its log says that it serves.
    pub fn start(binary: &str, setup: &Setup) -> Self {
        let folder = TempDir::new().unwrap();
        let file = folder.path().join("proxy.toml");
        fs::write(&file, setup.clone().section("[admin]\naddress = \"127.0.0.1:0\"").text()).unwrap();
        let mut command = Command::new(binary);
        let mut child = command.args(["run", "--config"]).arg(&file).stderr(Stdio::piped()).spawn().unwrap();
        let mut log = BufReader::new(child.stderr.take().unwrap());
        let (mut address, mut admin) = (None, None);
        while address.is_none() || admin.is_none() {
            let line = next_line(&mut log);
            if line.contains("the admin interface is listening") {
                admin = Some(address_in(&line));
            } else if line.contains(" listening") {
                address = Some(address_in(&line));
            }
        }
        // A log that nobody reads would stop the program once the pipe is full.
        thread::spawn(move || log.read_to_end(&mut Vec::new()));
        Self { child, address: address.unwrap(), admin: admin.unwrap() }
    }

    /// Memory it holds now.
    pub fn resident_bytes(&self) -> u64 {
        self.status_kib("VmRSS:") * 1024
    }

    /// The most memory it ever held.
    pub fn peak_bytes(&self) -> u64 {
        self.status_kib("VmHWM:") * 1024
    }

    fn status_kib(&self, field: &str) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find(|line| line.starts_with(field)).unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    }

    /// Files and sockets it has open.
    pub fn open_files(&self) -> usize {
        fs::read_dir(format!("/proc/{}/fd", self.child.id())).unwrap().count()
    }

    /// Sessions in its registry, logged in or not.
    pub async fn sessions(&self) -> usize {
        let mut tcp = TcpStream::connect(self.admin).await.unwrap();
        tcp.write_all(b"GET /sessions HTTP/1.1\r\nhost: test\r\nconnection: close\r\n\r\n").await.unwrap();
        let mut answer = String::new();
        tcp.read_to_string(&mut answer).await.unwrap();
        let (_head, body) = answer.split_once("\r\n\r\n").unwrap();
        serde_json::from_str::<Vec<serde_json::Value>>(body).unwrap().len()
    }

    /// Waits until no session is left and no more than `files` are open.
    pub async fn quiet(&self, files: usize) {
        let quiet = async { while self.sessions().await > 0 || self.open_files() > files {} };
        if timeout(QUIET_LIMIT, quiet).await.is_err() {
            panic!("{} sessions and {} files are left, not {files}", self.sessions().await, self.open_files());
        }
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn next_line(log: &mut BufReader<ChildStderr>) -> String {
    let mut line = String::new();
    assert_ne!(log.read_line(&mut line).unwrap(), 0, "the program ended before it served");
    line
}

fn address_in(line: &str) -> SocketAddr {
    line.trim_end().rsplit_once("address=").unwrap().1.parse().unwrap()
}
