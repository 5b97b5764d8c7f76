//! A proxy in this process, configured by a test, on a port of its own.

use std::fmt::Write as _;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use proxy::{Config, Proxy, ReloadSwitch};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// A proxy that serves until it is dropped or stopped.
pub struct RunningProxy {
    /// Where its only service listens.
    pub address: SocketAddr,
    /// Where it answers for instance names, if it does.
    pub browser: Option<SocketAddr>,
    admin: Option<SocketAddr>,
    stop: Option<oneshot::Sender<()>>,
    task: JoinHandle<()>,
}

/// A configuration in the making: a service in clear over a link `sales` with database `SalesDB`.
#[derive(Debug, Clone)]
pub struct Setup {
    replicas: String,
    primary: String,
    secondaries: Vec<String>,
    service: String,
    rest: String,
}

impl Setup {
    /// A primary in clear at `address`.
    pub fn primary(name: &str, address: SocketAddr) -> Self {
        let empty = Self {
            replicas: String::new(),
            primary: name.to_owned(),
            secondaries: Vec::new(),
            service: String::new(),
            rest: String::new(),
        };
        empty.replica(name, address)
    }

    fn replica(mut self, name: &str, address: SocketAddr) -> Self {
        write!(self.replicas, "[replicas.{name}]\naddress = \"{address}\"\nencryption = \"off\"\n").unwrap();
        self
    }

    /// A secondary in clear at `address`.
    #[must_use]
    pub fn secondary(mut self, name: &str, address: SocketAddr) -> Self {
        self.secondaries.push(name.to_owned());
        self.replica(name, address)
    }

    /// Other lines for every replica, in place of `encryption = "off"`.
    #[must_use]
    pub fn replica_lines(mut self, lines: &str) -> Self {
        self.replicas = self.replicas.replace("encryption = \"off\"", lines);
        self
    }

    /// A line for `[services.main]`.
    #[must_use]
    pub fn service(mut self, line: &str) -> Self {
        writeln!(self.service, "{line}").unwrap();
        self
    }

    /// Whole sections, such as `[limits]`.
    #[must_use]
    pub fn section(mut self, text: &str) -> Self {
        writeln!(self.rest, "{text}").unwrap();
        self
    }

    /// The configuration file.
    pub fn text(&self) -> String {
        let Self { replicas, primary, secondaries, service, rest } = self;
        let encryption = if service.contains("encryption") { "" } else { "encryption = \"off\"\n" };
        format!(
            "{rest}\n{replicas}\n[links.sales]\ndatabases = [\"SalesDB\"]\nprimary = \"{primary}\"\n\
             secondaries = {secondaries:?}\n[services.main]\nlisten = \"127.0.0.1:0\"\nlink = \"sales\"\n{encryption}{service}"
        )
    }

    /// Runs a proxy with it.
    pub async fn run(&self) -> RunningProxy {
        Self::run_text(&self.text()).await
    }

    /// Runs a proxy with this configuration file, which has a service `main`.
    pub async fn run_text(text: &str) -> RunningProxy {
        let config = Config::parse(text, Path::new(".")).unwrap_or_else(|errors| panic!("{errors}"));
        let proxy = Proxy::bind(config, None).unwrap();
        RunningProxy::start(proxy, "main")
    }
}

impl RunningProxy {
    fn start(proxy: Proxy, service: &str) -> Self {
        let (address, browser) = (*proxy.addresses().get(service).unwrap(), proxy.browser_address());
        let admin = proxy.admin_address();
        let (stop, stopped) = oneshot::channel::<()>();
        let task = tokio::spawn(proxy.run(async move {
            let _ = stopped.await;
        }));
        Self { address, browser, admin, stop: Some(stop), task }
    }

    /// Runs a proxy that follows this file. Its address is that of the service `main`.
    pub async fn following(file: &Path) -> (Self, ReloadSwitch) {
        let config = Config::load(file).unwrap_or_else(|errors| panic!("{errors}"));
        let mut proxy = Proxy::bind(config, None).unwrap();
        let switch = proxy.follow(file.to_owned(), None);
        (Self::start(proxy, "main"), switch)
    }

    /// What the admin interface answers at `path`, for proxies that have one.
    pub async fn admin(&self, path: &str) -> String {
        let mut tcp = TcpStream::connect(self.admin.unwrap()).await.unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nhost: test\r\nconnection: close\r\n\r\n");
        tcp.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        tcp.read_to_string(&mut answer).await.unwrap();
        answer
    }

    /// Tells it to drain, as SIGTERM does.
    pub fn stop(&mut self) {
        if let Some(stop) = self.stop.take() {
            let _ = stop.send(());
        }
    }

    /// Waits until it has stopped.
    pub async fn stopped(&mut self) {
        (&mut self.task).await.unwrap();
    }
}

/// A certificate for this test process and its key, as PEM files that live as long as the process.
pub fn certificate_files() -> (PathBuf, PathBuf) {
    static FILES: OnceLock<(TempDir, PathBuf, PathBuf)> = OnceLock::new();
    let (_, certificate, key) = FILES.get_or_init(|| {
        let folder = TempDir::new().unwrap();
        let (certificate, key) = write_certificate(folder.path());
        (folder, certificate, key)
    });
    (certificate.clone(), key.clone())
}

/// Writes a new certificate and its key into `folder`, in place of those that are there.
pub fn write_certificate(folder: &Path) -> (PathBuf, PathBuf) {
    let signed = rcgen::generate_simple_self_signed(["localhost".to_owned(), "127.0.0.1".to_owned()]).unwrap();
    let (certificate, key) = (folder.join("server.pem"), folder.join("server.key"));
    fs::write(&certificate, signed.cert.pem()).unwrap();
    fs::write(&key, signed.signing_key.serialize_pem()).unwrap();
    (certificate, key)
}

impl Drop for RunningProxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}
