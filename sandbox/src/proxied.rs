//! The proxy in front of the two servers, configured as an operator would configure it.

use crate::{DATABASE, Error};
use proxy::metrics::Recorder;
use proxy::{Config, Proxy};
use std::fmt::Write;
use std::net::SocketAddr;
use std::path::Path;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// The name of the proxy's only service.
const SERVICE: &str = "sandbox";

/// The proxy to start. Port 0 takes any free port.
#[derive(Debug, Default)]
pub struct ProxyOptions {
    /// Port that clients connect to.
    pub port: u16,
    /// Port of the admin interface.
    pub admin_port: u16,
    /// What the admin interface shows as metrics; only the program has one, for it is global to the process.
    pub recorder: Option<Recorder>,
}

/// A running proxy. Dropping it stops it without a drain.
#[derive(Debug)]
pub struct RunningProxy {
    address: SocketAddr,
    admin_address: SocketAddr,
    shutdown: Option<oneshot::Sender<()>>,
    running: JoinHandle<()>,
}

/// Where the servers are and what proves that it is they.
pub(crate) struct Behind<'a> {
    pub(crate) onprem: SocketAddr,
    pub(crate) mi: SocketAddr,
    pub(crate) certificates: &'a crate::tls::Certificates,
}

impl RunningProxy {
    pub(crate) fn start(options: ProxyOptions, behind: &Behind<'_>) -> Result<Self, Error> {
        let text = configuration(&options, behind);
        let config = Config::parse(&text, Path::new("/"))?;
        let proxy = Proxy::bind(config, options.recorder)?;
        let bound = (proxy.addresses().get(SERVICE).copied(), proxy.admin_address());
        let (Some(address), Some(admin_address)) = bound else { return Err(Error::NoAddress) };
        let (shutdown, asked) = oneshot::channel();
        let running = tokio::spawn(proxy.run(async move {
            // A sender that is gone asks for the same.
            let _ = asked.await;
        }));
        Ok(Self { address, admin_address, shutdown: Some(shutdown), running })
    }

    /// Where clients connect to.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where the admin interface listens.
    pub fn admin_address(&self) -> SocketAddr {
        self.admin_address
    }

    /// Drains the proxy and waits for its end.
    pub async fn shut_down(mut self) {
        drop(self.shutdown.take());
        let _ = (&mut self.running).await;
    }
}

impl Drop for RunningProxy {
    fn drop(&mut self) {
        self.running.abort();
    }
}

/// The proxy's configuration file. Clients get the encryption they ask for; both servers are verified.
fn configuration(options: &ProxyOptions, behind: &Behind<'_>) -> String {
    let certificates = behind.certificates;
    let path = |path: &Path| serde_json::Value::from(path.display().to_string()).to_string();
    let authority = path(&certificates.authority_path);
    let mut text = format!("[admin]\naddress = \"127.0.0.1:{}\"\n", options.admin_port);
    // Nobody wants to wait for the drain of a simulation.
    text.push_str("[timeouts]\ndrain_ms = 1000\n");
    for (name, address) in [("onprem", behind.onprem), ("mi", behind.mi)] {
        // Writing to a string cannot fail.
        let _ = write!(
            text,
            "[replicas.{name}]\naddress = \"{address}\"\nencryption = \"full\"\nca_file = {authority}\n\
             host_name = \"localhost\"\n"
        );
    }
    let _ = write!(
        text,
        "[links.sales]\ndatabases = [\"{DATABASE}\"]\nprimary = \"onprem\"\nsecondaries = [\"mi\"]\n\
         [services.{SERVICE}]\nlisten = \"127.0.0.1:{}\"\nlink = \"sales\"\nencryption = \"off\"\n\
         certificate_file = {}\nkey_file = {}\n",
        options.port,
        path(&certificates.chain_path),
        path(&certificates.key_path),
    );
    text
}
