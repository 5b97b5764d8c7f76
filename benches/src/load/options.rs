//! The command line of the load test.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Parser, ValueEnum};

use super::subject::Kind;

/// Load test through running processes: direct, a bare TCP relay, HAProxy in TCP mode, and us
#[derive(Debug, Clone, Parser)]
#[command(name = "load")]
pub(super) struct Options {
    /// Rounds; in each, every subject takes its turn
    #[arg(long, default_value_t = 5)]
    pub(super) rounds: usize,
    /// How long one measurement lasts
    #[arg(long, default_value_t = 1.0)]
    pub(super) seconds: f64,
    /// Connections that send small requests, one measurement each; may be empty
    #[arg(long, value_delimiter = ',', num_args = 0.., default_value = "1,64,256")]
    pub(super) small: Vec<usize>,
    /// Connections that fetch the large result, one measurement each; may be empty
    #[arg(long, value_delimiter = ',', num_args = 0.., default_value = "1,8")]
    pub(super) large: Vec<usize>,
    /// Worker threads of the process in the middle
    #[arg(long, default_value_t = 1)]
    pub(super) threads: usize,
    /// Threads of the server, and as many of the load generator
    #[arg(long, default_value_t = 1)]
    pub(super) end_threads: usize,
    /// What to measure
    #[arg(long, value_delimiter = ',', default_value = "direct,relay,haproxy,us")]
    pub(super) only: Vec<Kind>,
    /// TLS on both legs (TDS 8.0); HAProxy and we end and begin it, the relay passes it through
    #[arg(long)]
    pub(super) tls: bool,
    /// The proxy to measure; without it, `tds-proxy` is built as this program was
    #[arg(long, value_name = "FILE")]
    pub(super) proxy: Option<PathBuf>,
    /// See that everything runs, in a second or two; measures nothing worth reading
    #[arg(long)]
    test: bool,
    /// What cargo tells every bench
    #[arg(long, hide = true)]
    bench: bool,
    /// Names of benches to run, as criterion's benches take them
    filters: Vec<String>,
    /// What a child process is
    #[arg(long, hide = true)]
    pub(super) role: Option<Role>,
    /// Where a relay connects to
    #[arg(long, hide = true)]
    pub(super) upstream: Option<SocketAddr>,
    /// Where a server finds its certificate
    #[arg(long, hide = true)]
    pub(super) tls_dir: Option<PathBuf>,
}

/// What this program can be when it starts itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Role {
    /// Answers requests.
    Server,
    /// Copies bytes.
    Relay,
}

impl Options {
    /// Whether the filters, which `cargo bench -- FILTER` gives to every bench, mean this one.
    pub(super) fn is_meant(&self) -> bool {
        self.filters.is_empty() || self.filters.iter().any(|filter| "load".contains(filter.as_str()))
    }

    /// The options with `--test` applied: everything once and briefly.
    pub(super) fn in_effect(self) -> Self {
        if !self.test {
            return self;
        }
        Self { rounds: 1, seconds: 0.05, small: vec![2], large: vec![1], ..self }
    }
}
