//! A configuration that changes while sessions run: what comes later obeys it, what runs does not notice.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use proxy::{ReloadError, ReloadSwitch};
use tds::packet::PacketKind;
use tds::prelogin::Encryption;
use tempfile::TempDir;
use tests::fake_server::FakeServer;
use tests::raw_client::{self, RawClient};
use tests::running_proxy::{RunningProxy, write_certificate};
use tests::shown_certificate::shown_certificate;
use tokio::net::{TcpListener, TcpStream};

/// A configuration file in the making.
#[derive(Clone)]
struct File {
    rest: String,
    replicas: Vec<(&'static str, SocketAddr)>,
    primary: &'static str,
    services: Vec<(&'static str, SocketAddr, String)>,
}

impl File {
    /// One replica, and the service `main` in clear, on a port of its own that later versions of the file keep.
    fn new(name: &'static str, replica: SocketAddr) -> Self {
        let main = ("main", free_address(), "encryption = \"off\"".to_owned());
        Self { rest: String::new(), replicas: vec![(name, replica)], primary: name, services: vec![main] }
    }

    fn text(&self) -> String {
        let mut text = self.rest.clone();
        for (name, address) in &self.replicas {
            text += &format!("\n[replicas.{name}]\naddress = \"{address}\"\nencryption = \"off\"\n");
        }
        text += &format!("[links.sales]\ndatabases = [\"SalesDB\"]\nprimary = \"{}\"\n", self.primary);
        for (name, address, lines) in &self.services {
            text += &format!("[services.{name}]\nlisten = \"{address}\"\nlink = \"sales\"\n{lines}\n");
        }
        text
    }
}

/// A proxy that follows a file in a folder of its own.
struct Following {
    folder: TempDir,
    proxy: RunningProxy,
    switch: ReloadSwitch,
}

impl Following {
    async fn start(file: &File) -> Self {
        let folder = TempDir::new().unwrap();
        Self::start_in(folder, file).await
    }

    async fn start_in(folder: TempDir, file: &File) -> Self {
        fs::write(folder.path().join("proxy.toml"), file.text()).unwrap();
        let (proxy, switch) = RunningProxy::following(&folder.path().join("proxy.toml")).await;
        Self { folder, proxy, switch }
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("proxy.toml")
    }

    /// Writes the file anew and asks for a reload, as SIGHUP does.
    async fn reload(&self, file: &File) -> Result<(), ReloadError> {
        fs::write(self.file(), file.text()).unwrap();
        self.switch.reload().await
    }
}

/// An address nobody listens on.
fn free_address() -> SocketAddr {
    std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap()
}

/// A logged-in client, and which server let it in.
async fn log_in(address: SocketAddr) -> (RawClient, String) {
    let (client, answer) = RawClient::log_in(address, &raw_client::login("SalesDB", false)).await;
    let server = answer.server().unwrap_or_else(|| panic!("{:?}", answer.error()));
    (client, server)
}

/// The kernel's number of the socket that listens at `address`: it stays while the socket stays open.
fn listening_socket(address: SocketAddr) -> Option<String> {
    let local = format!("0100007F:{:04X}", address.port());
    let sockets = fs::read_to_string("/proc/net/tcp").unwrap();
    let listens = |fields: &Vec<&str>| fields.get(1) == Some(&&*local) && fields.get(3) == Some(&"0A");
    let found = sockets.lines().map(|line| line.split_whitespace().collect::<Vec<_>>()).find(listens)?;
    found.get(9).map(ToString::to_string)
}

#[tokio::test]
async fn new_sessions_go_where_the_new_file_says_and_running_ones_stay() {
    let (first, second) = (FakeServer::obliging("first").await, FakeServer::obliging("second").await);
    let mut file = File::new("onprem", first.address);
    let following = Following::start(&file).await;
    let (mut running, server) = log_in(following.proxy.address).await;
    assert_eq!(server, "first");
    file.replicas = vec![("onprem", second.address)];
    following.reload(&file).await.unwrap();
    assert_eq!(log_in(following.proxy.address).await.1, "second");
    assert!(running.query("SELECT 1").await.is_some(), "the session that ran goes on");
    assert_eq!(first.logins.load(std::sync::atomic::Ordering::Relaxed), 1);
}

#[tokio::test]
async fn a_link_that_changes_gives_new_sessions_its_new_primary() {
    let (first, second) = (FakeServer::obliging("first").await, FakeServer::obliging("second").await);
    let mut file = File::new("onprem", first.address);
    file.replicas.push(("mi", second.address));
    let following = Following::start(&file).await;
    let (mut running, _) = log_in(following.proxy.address).await;
    file.primary = "mi";
    following.reload(&file).await.unwrap();
    assert_eq!(log_in(following.proxy.address).await.1, "second");
    assert!(running.query("SELECT 1").await.is_some(), "the session that ran goes on");
}

#[tokio::test]
async fn a_login_that_began_before_a_reload_ends_by_the_configuration_it_began_with() {
    let (first, second) = (FakeServer::obliging("first").await, FakeServer::obliging("second").await);
    let mut file = File::new("onprem", first.address);
    let following = Following::start(&file).await;
    let mut early = RawClient::connect(following.proxy.address).await;
    early.prelogin(Encryption::NotSupported).await;
    // Its link, its replica and its service are all called otherwise now.
    file.replicas = vec![("mi", second.address)];
    file.primary = "mi";
    following.reload(&file).await.unwrap();
    early.send(PacketKind::Login7, &raw_client::login("SalesDB", false).encode().unwrap()).await;
    assert_eq!(early.receive().await.unwrap().server().unwrap(), "first");
    assert_eq!(log_in(following.proxy.address).await.1, "second");
}

#[tokio::test]
async fn a_bad_file_changes_nothing_and_says_all_its_mistakes_with_their_lines() {
    let server = FakeServer::obliging("onprem").await;
    let file = File::new("onprem", server.address);
    let following = Following::start(&file).await;
    let mut bad = file.clone();
    bad.rest = "[limits]\nsessions_max = 0".to_owned();
    bad.primary = "onpremise";
    let Err(ReloadError::Config(errors)) = following.reload(&bad).await else { panic!("a bad file was applied") };
    let lines: Vec<_> = errors.errors().iter().filter_map(|error| error.line).collect();
    assert_eq!(lines, [2, 8], "{errors}");
    assert_eq!(log_in(following.proxy.address).await.1, "onprem");
    following.reload(&file).await.unwrap();
}

#[tokio::test]
async fn an_address_that_is_taken_refuses_the_whole_reload() {
    let (first, second) = (FakeServer::obliging("first").await, FakeServer::obliging("second").await);
    let mut file = File::new("onprem", first.address);
    let following = Following::start(&file).await;
    let taken = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let free = free_address();
    file.replicas = vec![("onprem", second.address)];
    file.services.insert(0, ("early", free, "encryption = \"off\"".to_owned()));
    file.services.push(("zlate", taken.local_addr().unwrap(), "encryption = \"off\"".to_owned()));
    let error = following.reload(&file).await.unwrap_err();
    assert!(error.to_string().contains("zlate"), "{error}");
    assert_eq!(log_in(following.proxy.address).await.1, "first", "the replica's address must not have changed either");
    assert!(TcpStream::connect(free).await.is_err(), "the other new service must not listen either");
}

#[tokio::test]
async fn services_come_and_go_without_touching_the_listeners_of_others() {
    let server = FakeServer::obliging("onprem").await;
    let mut file = File::new("onprem", server.address);
    let following = Following::start(&file).await;
    let main = following.proxy.address;
    let socket = listening_socket(main).unwrap();
    let reports = free_address();
    file.services.push(("reports", reports, "encryption = \"off\"".to_owned()));
    following.reload(&file).await.unwrap();
    let (mut running, _) = log_in(reports).await;
    file.services.pop();
    // A listener is its address: what its service is called does not matter to it.
    file.services[0].0 = "renamed";
    following.reload(&file).await.unwrap();
    assert!(TcpStream::connect(reports).await.is_err(), "the removed service must not listen any more");
    assert!(running.query("SELECT 1").await.is_some(), "the removed service's session goes on");
    assert_eq!(log_in(main).await.1, "onprem");
    assert_eq!(listening_socket(main).unwrap(), socket, "the listener was closed in between");
}

#[tokio::test]
async fn limits_of_a_new_file_count_for_the_sessions_that_are_there_too() {
    let server = FakeServer::obliging("onprem").await;
    let mut file = File::new("onprem", server.address);
    let following = Following::start(&file).await;
    let (_first, _) = log_in(following.proxy.address).await;
    file.rest = "[limits]\nsessions_max = 1\nhandshakes_max = 1".to_owned();
    following.reload(&file).await.unwrap();
    let (_refused, answer) = RawClient::log_in(following.proxy.address, &raw_client::login("SalesDB", false)).await;
    assert_eq!(answer.error().unwrap().number, 10928);
    file.rest = "[limits]\nsessions_max = 2".to_owned();
    following.reload(&file).await.unwrap();
    log_in(following.proxy.address).await;
}

/// The certificates that a TLS client is shown before and after `change`, which gets the folder with the files.
async fn check_new_certificate(change: impl FnOnce(&Path)) {
    let folder = TempDir::new().unwrap();
    write_certificate(folder.path());
    let server = FakeServer::obliging("onprem").await;
    let mut file = File::new("onprem", server.address);
    file.services.first_mut().unwrap().2 = "certificate_file = \"server.pem\"\nkey_file = \"server.key\"".to_owned();
    file.rest = "[timeouts]\nwatch_interval_ms = 10".to_owned();
    let following = Following::start_in(folder, &file).await;
    let address = following.proxy.address;
    let before = shown_certificate(address).await;
    assert_eq!(shown_certificate(address).await, before, "nothing has changed yet");
    change(following.folder.path());
    while shown_certificate(address).await == before {}
}

#[tokio::test]
async fn a_certificate_that_is_written_over_is_shown_to_new_clients() {
    check_new_certificate(|folder| {
        write_certificate(folder);
    })
    .await;
}

#[tokio::test]
async fn a_certificate_that_is_renamed_into_place_is_shown_to_new_clients() {
    check_new_certificate(|folder| {
        let new = TempDir::new_in(folder).unwrap();
        write_certificate(new.path());
        for name in ["server.key", "server.pem"] {
            fs::rename(new.path().join(name), folder.join(name)).unwrap();
        }
    })
    .await;
}

#[tokio::test]
async fn a_mounted_secret_whose_link_is_turned_is_shown_to_new_clients() {
    let folder = TempDir::new().unwrap();
    // As Kubernetes mounts one: the files are links through `..data`, which is turned to another folder at once.
    for version in ["..1", "..2"] {
        fs::create_dir(folder.path().join(version)).unwrap();
        write_certificate(&folder.path().join(version));
    }
    symlink("..1", folder.path().join("..data")).unwrap();
    let server = FakeServer::obliging("onprem").await;
    let mut file = File::new("onprem", server.address);
    file.services[0].2 = "certificate_file = \"..data/server.pem\"\nkey_file = \"..data/server.key\"".to_owned();
    file.rest = "[timeouts]\nwatch_interval_ms = 10".to_owned();
    let following = Following::start_in(folder, &file).await;
    let before = shown_certificate(following.proxy.address).await;
    symlink("..2", following.folder.path().join("..new")).unwrap();
    fs::rename(following.folder.path().join("..new"), following.folder.path().join("..data")).unwrap();
    while shown_certificate(following.proxy.address).await == before {}
}

#[tokio::test]
async fn a_bad_file_that_is_mended_is_noticed_without_being_asked() {
    let (first, second) = (FakeServer::obliging("first").await, FakeServer::obliging("second").await);
    let mut file = File::new("onprem", first.address);
    file.rest = "[timeouts]\nwatch_interval_ms = 10".to_owned();
    let following = Following::start(&file).await;
    fs::write(following.file(), "nonsense").unwrap();
    assert!(following.switch.reload().await.is_err());
    file.replicas = vec![("onprem", second.address)];
    fs::write(following.file(), file.text()).unwrap();
    while log_in(following.proxy.address).await.1 == "first" {}
}

#[tokio::test]
async fn a_proxy_that_stops_takes_no_reload() {
    let server = FakeServer::obliging("onprem").await;
    let file = File::new("onprem", server.address);
    let mut following = Following::start(&file).await;
    following.proxy.stop();
    following.proxy.stopped().await;
    assert!(matches!(following.reload(&file).await, Err(ReloadError::Stopping)));
}
