//! Many sessions, much data, much garbage: what the program's process holds meanwhile, and what it keeps afterwards. A
//! binary of its own, because cargo runs test binaries one after the other: these tests would take the processors from
//! others that watch the clock.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that cannot go on shall panic")]

mod bulk;
mod leftovers;
mod sessions;

use std::path::Path;

use futures_util::stream::{self, StreamExt};
use proxy::{Config, open_files};
use tests::fake_server::FakeServer;
use tests::program::Program;
use tests::running_proxy::Setup;

/// Fewer places than the tests that repeat something need, unless each place is given back.
const LIMITS: &str = "[limits]\nsessions_max = 2500\nhandshakes_max = 256\nlogin_queue_max = 0";

/// A program in front of `server`. Probes would open files while a test counts them, so there is but the first.
async fn start(server: &FakeServer, timeouts: &str) -> Program {
    let timeouts = format!("[timeouts]\nprobe_interval_ms = 600000\n{timeouts}");
    let setup = Setup::primary("onprem", server.address).section(&timeouts).section(LIMITS);
    let config = Config::parse(&setup.text(), Path::new(".")).unwrap();
    // The peers of thousands of sessions are all in this process.
    open_files::raise(&config.limits);
    let program = Program::start(env!("CARGO_BIN_EXE_tds-proxy-to-watch"), &setup);
    program.quiet(program.open_files()).await;
    program
}

/// Does `work` for 0..`count`, at most `at_once` at a time.
async fn each<T, F: Future<Output = T>>(count: usize, at_once: usize, work: impl Fn(usize) -> F) -> Vec<T> {
    stream::iter(0..count).map(work).buffer_unordered(at_once).collect().await
}
