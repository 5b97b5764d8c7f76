//! Thousands of sessions at the same time, and one after the other.

use std::time::Duration;

use tests::fake_server::FakeServer;
use tests::raw_client::{self, RawClient};

use crate::{each, start};

const SESSIONS: usize = 2_000;
/// Logins at one time.
const AT_ONCE: usize = 64;
/// A bound to notice a buffer that stays: one that an idle session kept would be 4 KiB at least, in each direction.
const IDLE_BYTES_MAX: u64 = 24 * 1024;
/// What a process may have grown after thousands of sessions more: less than a kilobyte for each.
const GROWTH_BYTES_MAX: u64 = 2 << 20;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_thousand_sessions_work_side_by_side_and_hold_little_while_idle() {
    let server = FakeServer::obliging("onprem").await;
    let program = start(&server, "").await;
    let (files, address) = (program.open_files(), program.address);
    let log_in = |_| async move {
        let (mut client, answer) = RawClient::log_in(address, &raw_client::login("SalesDB", false)).await;
        assert!(answer.error().is_none());
        assert!(client.query("SELECT 1").await.is_some());
        client
    };
    // As many as come at one time before memory is counted: what logins need while they run is not what sessions hold.
    let mut clients = each(AT_ONCE, AT_ONCE, log_in).await;
    let before = program.resident_bytes();
    clients.extend(each(SESSIONS - AT_ONCE, AT_ONCE, log_in).await);
    assert_eq!(program.sessions().await, SESSIONS);
    assert!(program.open_files() >= files + 2 * SESSIONS, "each session has two sockets");
    let per_session = program.resident_bytes().saturating_sub(before) / (SESSIONS - AT_ONCE) as u64;
    println!("an idle session holds {per_session} bytes");
    assert!(per_session <= IDLE_BYTES_MAX, "an idle session holds {per_session} bytes");
    for client in &mut clients {
        assert!(client.query("SELECT 2").await.is_some());
    }
    drop(clients);
    program.quiet(files).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sessions_that_come_and_go_leave_no_file_and_no_memory_behind() {
    let server = FakeServer::obliging("onprem").await;
    let program = start(&server, "").await;
    let (files, address) = (program.open_files(), program.address);
    let come_and_go = |turn: usize| async move {
        let (mut client, answer) = RawClient::log_in(address, &raw_client::login("SalesDB", false)).await;
        assert!(answer.error().is_none());
        assert!(client.query("SELECT 1").await.is_some());
        if turn.is_multiple_of(2) {
            // Half of them leave as a killed process does.
            client.tcp.set_zero_linger().unwrap();
        }
    };
    each(SESSIONS, AT_ONCE, come_and_go).await;
    program.quiet(files).await;
    let before = program.resident_bytes();
    each(2 * SESSIONS, AT_ONCE, come_and_go).await;
    program.quiet(files).await;
    let grown = program.resident_bytes().saturating_sub(before);
    println!("{} sessions more left {grown} bytes", 2 * SESSIONS);
    assert!(grown <= GROWTH_BYTES_MAX, "{} sessions more left {grown} bytes", 2 * SESSIONS);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_that_idles_too_long_is_closed_on_both_sides() {
    let server = FakeServer::obliging("onprem").await;
    let program = start(&server, "idle_ms = 100").await;
    let files = program.open_files();
    let (mut client, _) = RawClient::log_in(program.address, &raw_client::login("SalesDB", false)).await;
    let silence = tokio::time::timeout(Duration::from_secs(30), client.receive()).await;
    assert!(silence.unwrap().is_none(), "the proxy closes");
    program.quiet(files).await;
}
