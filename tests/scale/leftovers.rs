//! Peers that talk nonsense, fall silent or vanish: nothing of them stays.

use std::fs;
use std::time::Duration;

use tds::packet::PacketKind;
use tds::prelogin::Encryption;
use tests::fake_server::{FakeServer, OnLogin, OnRequest};
use tests::raw_client::{self, RawClient};
use tokio::io::AsyncWriteExt;

use crate::{each, start};

const CONNECTIONS: usize = 3_000;
const AT_ONCE: usize = 64;
/// What a process may have grown after thousands of connections more.
const GROWTH_BYTES_MAX: u64 = 2 << 20;
/// The state of a connection in /proc/net/tcp that stands.
const ESTABLISHED: &str = "01";
/// The timer of a connection in /proc/net/tcp that waits to probe its peer.
const KEEPALIVE_TIMER: &str = "02";

/// What port scanners, browsers, broken drivers and attackers send.
const GARBAGE: [&[u8]; 7] = [
    b"GET / HTTP/1.1\r\n\r\n",
    b"\x00\x00\x00\x00",
    b"SSH-2.0-OpenSSH_9.2\r\n",
    b"\x16\x03\x01\x00\x05hello",
    b"\x02\x01\x00\x08\x00\x00\x01\x00",
    b"\x12\x01\x00\x07\x00\x00\x01\x00",
    b"\x12\x01\xff\xff\x00\x00\x01\x00\xff",
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn garbage_from_thousands_of_connections_leaves_nothing_behind() {
    let server = FakeServer::obliging("onprem").await;
    let program = start(&server, "prelogin_ms = 1000").await;
    let (files, address) = (program.open_files(), program.address);
    let litter = |turn: usize| async move {
        let mut client = RawClient::connect(address).await;
        client.tcp.write_all(GARBAGE[turn % GARBAGE.len()]).await.unwrap();
        assert!(client.packet().await.is_none());
    };
    each(CONNECTIONS, AT_ONCE, litter).await;
    program.quiet(files).await;
    let before = program.resident_bytes();
    each(CONNECTIONS, AT_ONCE, litter).await;
    program.quiet(files).await;
    let grown = program.resident_bytes().saturating_sub(before);
    println!("{CONNECTIONS} connections more left {grown} bytes");
    assert!(grown <= GROWTH_BYTES_MAX, "{CONNECTIONS} connections more left {grown} bytes");
    let (_client, answer) = RawClient::log_in(address, &raw_client::login("SalesDB", false)).await;
    assert!(answer.error().is_none(), "the proxy serves on");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clients_that_fall_silent_before_they_are_logged_in_are_all_cut() {
    let server = FakeServer::obliging("onprem").await;
    let program = start(&server, "prelogin_ms = 300\nlogin_ms = 600").await;
    let (files, address) = (program.open_files(), program.address);
    let fall_silent = |turn: usize| async move {
        let mut client = RawClient::connect(address).await;
        match turn % 3 {
            0 => {}
            1 => client.tcp.write_all(&[0x12, 0x01, 0x00]).await.unwrap(),
            _ => {
                client.prelogin(Encryption::NotSupported).await;
                client.send_part(PacketKind::Login7, &[0; 100]).await;
            }
        }
        client
    };
    let clients = each(300, AT_ONCE, fall_silent).await;
    // The clients keep their sockets: it is the proxy that ends this.
    program.quiet(files).await;
    drop(clients);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_falls_silent_at_the_login_is_given_up() {
    let server = FakeServer::start("onprem", OnLogin::Silence, OnRequest::Silence).await;
    let program = start(&server, "backend_login_ms = 300").await;
    let (files, address) = (program.open_files(), program.address);
    let log_in =
        |_| async move { RawClient::log_in(address, &raw_client::login("SalesDB", false)).await.1.error().unwrap() };
    for error in each(100, AT_ONCE, log_in).await {
        assert!(error.text.contains("onprem"), "{}", error.text);
    }
    program.quiet(files).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_takes_nothing_is_given_up_after_the_stall_time() {
    let tokens = OnRequest::Tokens(vec![0xFD; 64 << 20]);
    let server = FakeServer::start("onprem", OnLogin::Accept(Vec::new()), tokens).await;
    let program = start(&server, "stall_ms = 300").await;
    let files = program.open_files();
    let (mut client, _) = RawClient::log_in(program.address, &raw_client::login("SalesDB", false)).await;
    client.send(PacketKind::SqlBatch, &raw_client::batch("SELECT much")).await;
    // The client keeps its socket: it is the proxy that ends this.
    program.quiet(files).await;
    drop(client);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_system_watches_both_legs_of_an_idle_session_for_peers_that_vanished() {
    let server = FakeServer::obliging("onprem").await;
    let program = start(&server, "").await;
    let (mut client, _) = RawClient::log_in(program.address, &raw_client::login("SalesDB", false)).await;
    assert!(client.query("SELECT 1").await.is_some());
    let client_leg = (program.address.port(), client.tcp.local_addr().unwrap().port());
    let backend_port = server.address.port();
    let watched = async {
        let are_watched = |is_meant: &dyn Fn(&Connection) -> bool| {
            let legs: Vec<_> = connections().into_iter().filter(is_meant).collect();
            matches!(&legs[..], [leg] if leg.timer == KEEPALIVE_TIMER)
        };
        // Until the last bytes are acknowledged, the connection's timer is the one that sends them again.
        while !are_watched(&|leg| leg.ends == client_leg) || !are_watched(&|leg| leg.ends.1 == backend_port) {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), watched).await.unwrap();
}

/// A connection of this machine as /proc/net/tcp shows it.
#[derive(Debug)]
struct Connection {
    /// Local and remote port.
    ends: (u16, u16),
    timer: String,
}

fn connections() -> Vec<Connection> {
    let port = |end: &str| u16::from_str_radix(end.split_once(':').unwrap().1, 16).unwrap();
    let table = fs::read_to_string("/proc/net/tcp").unwrap();
    let connection = |line: &str| {
        let fields: Vec<_> = line.split_whitespace().collect();
        let timer = fields[5].split_once(':').unwrap().0.to_owned();
        (fields[3] == ESTABLISHED).then(|| Connection { ends: (port(fields[1]), port(fields[2])), timer })
    };
    table.lines().skip(1).filter_map(connection).collect()
}
