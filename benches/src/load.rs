//! The load test: what each kind of middleman costs between a client and a server, measured through running processes.
//!
//! | file | owns |
//! |---|---|
//! | `options.rs` | the command line |
//! | `answers.rs` | the requests and what the server answers |
//! | `server.rs` | the server: a role of this program |
//! | `relay.rs` | the bare TCP relay: a role of this program |
//! | `leg.rs` | one connection's bytes, plain or TLS |
//! | `client.rs` | one logged-in client |
//! | `process.rs` | a running child and its CPU time |
//! | `subject.rs` | what is measured: direct, relay, HAProxy, us |
//! | `sample.rs` | one measurement |
//! | `report.rs` | medians, ratios, the table |
//!
//! Server, load generator and whatever is between them are processes of their own. Rounds are interleaved (direct, relay,
//! HAProxy, us, direct, …), so that what else the machine does hits all of them alike, and the ratios of medians stand
//! where the numbers do not.

mod answers;
mod client;
mod leg;
mod options;
mod process;
mod relay;
mod report;
mod sample;
mod server;
mod subject;

use std::io;
use std::sync::Arc;

use clap::Parser;
use tokio::runtime::{Builder, Runtime};

use answers::Answer;
use options::{Options, Role};
use report::Report;
use sample::Scenario;
use subject::Field;

/// Reads the command line and measures, or plays the role it was started for.
///
/// # Errors
/// A process that does not start, a connection that breaks, or an answer that is not the server's.
pub fn main() -> io::Result<()> {
    let options = Options::parse();
    if rustls::crypto::aws_lc_rs::default_provider().install_default().is_err() {
        return Err(io::Error::other("a TLS provider is installed already"));
    }
    match options.role {
        Some(role) => play(role, &options),
        None if options.is_meant() => measure(&options.in_effect()),
        None => Ok(()),
    }
}

fn play(role: Role, options: &Options) -> io::Result<()> {
    process::end_with_stdin();
    match role {
        Role::Server => runtime(options.end_threads)?.block_on(server::run(options.tls_dir.as_deref())),
        Role::Relay => {
            let upstream = options.upstream.ok_or_else(|| io::Error::other("--role relay needs --upstream"))?;
            middle_runtime(options.threads)?.block_on(relay::run(upstream))
        }
    }
}

fn measure(options: &Options) -> io::Result<()> {
    let field = Field::start(options)?;
    let mut report = Report::new(options, &field)?;
    let runtime = runtime(options.end_threads)?;
    for scenario in Scenario::all(options) {
        let answer = Arc::new(Answer::to(scenario.request)?);
        for _ in 0..options.rounds {
            for subject in field.subjects() {
                let sample = runtime.block_on(sample::take(&field, subject, (scenario, &answer), options.seconds));
                let sample = sample.map_err(|error| io::Error::other(format!("{scenario} by {subject}: {error}")))?;
                report.add(scenario, subject.kind, sample);
            }
        }
        report.print(scenario)?;
    }
    Ok(())
}

/// The cheapest runtime for `threads`: the ends of the line should cost as little as they can.
fn runtime(threads: usize) -> io::Result<Runtime> {
    if threads <= 1 { Builder::new_current_thread().enable_all().build() } else { middle_runtime(threads) }
}

/// A runtime as `tds-proxy` has it.
fn middle_runtime(threads: usize) -> io::Result<Runtime> {
    Builder::new_multi_thread().worker_threads(threads).enable_all().build()
}
