//! One measurement: some clients ask without a pause for a while.

use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::Barrier;
use tokio::task::JoinSet;

use super::answers::{Answer, Request};
use super::client::Client;
use super::options::Options;
use super::subject::{Field, Subject};

/// What is asked, and by how many at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Scenario {
    pub(super) request: Request,
    pub(super) connections: usize,
}

impl Scenario {
    /// Those of the options, in order.
    pub(super) fn all(options: &Options) -> Vec<Self> {
        let small = options.small.iter().map(|connections| (Request::Small, *connections));
        let large = options.large.iter().map(|connections| (Request::Large, *connections));
        small.chain(large).map(|(request, connections)| Self { request, connections }).collect()
    }

    /// Requests each client sends before it is measured: until caches, buffers and windows are what they stay.
    fn warm_up(self) -> usize {
        match self.request {
            Request::Small => 50,
            Request::Large => 1,
        }
    }
}

impl fmt::Display for Scenario {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self.request {
            Request::Small => "SELECT 1",
            Request::Large => "100k rows",
        };
        write!(f, "{what}, {} conn.", self.connections)
    }
}

/// What one measurement gave.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sample {
    pub(super) requests_per_second: f64,
    pub(super) p50_us: f64,
    pub(super) p99_us: f64,
    pub(super) mib_per_second: f64,
    /// CPU time of the process in the middle per request, where there is one and the system tells.
    pub(super) cpu_us: Option<f64>,
}

/// What one client saw.
struct Seen {
    took: Vec<Duration>,
    bytes: u64,
}

/// How often a client asks.
struct Turns {
    /// Requests before it is measured.
    warm_up: usize,
    /// How long it is measured.
    span: Duration,
}

/// Logs the scenario's clients in through `subject` and lets them ask for `seconds`.
pub(super) async fn take(
    field: &Field,
    subject: &Subject,
    (scenario, answer): (Scenario, &Arc<Answer>),
    seconds: f64,
) -> io::Result<Sample> {
    let start = Arc::new(Barrier::new(scenario.connections + 1));
    let span = Duration::try_from_secs_f64(seconds).map_err(io::Error::other)?;
    let mut clients = JoinSet::new();
    for _ in 0..scenario.connections {
        let client = Client::log_in(subject.address, field.tls.as_ref()).await?;
        let turns = Turns { warm_up: scenario.warm_up(), span };
        clients.spawn(ask_for(client, Arc::clone(answer), Arc::clone(&start), turns));
    }
    let cpu = || subject.process.as_ref().and_then(super::process::Process::cpu);
    tokio::select! {
        _ = start.wait() => {}
        // Nobody is done before the start unless it broke.
        Some(ended) = clients.join_next() => {
            ended.map_err(io::Error::other)??;
        }
    }
    let (begun, cpu_before) = (Instant::now(), cpu());
    let mut seen = Seen { took: Vec::new(), bytes: 0 };
    while let Some(client) = clients.join_next().await {
        let client = client.map_err(io::Error::other)??;
        seen.took.extend(client.took);
        seen.bytes += client.bytes;
    }
    let (elapsed, cpu_after) = (begun.elapsed(), cpu());
    let cpu = cpu_after.zip(cpu_before).map(|(after, before)| after.saturating_sub(before));
    seen.took.sort_unstable();
    let requests = seen.took.len() as f64;
    Ok(Sample {
        requests_per_second: requests / elapsed.as_secs_f64(),
        p50_us: percentile_us(&seen.took, 0.50),
        p99_us: percentile_us(&seen.took, 0.99),
        mib_per_second: seen.bytes as f64 / elapsed.as_secs_f64() / f64::from(1 << 20),
        cpu_us: cpu.map(|cpu| cpu.as_secs_f64() * 1e6 / requests),
    })
}

/// Warms up, starts with the others, and asks until the span is over; the last answer is waited for.
async fn ask_for(mut client: Client, answer: Arc<Answer>, start: Arc<Barrier>, turns: Turns) -> io::Result<Seen> {
    let mut seen = Seen { took: Vec::new(), bytes: 0 };
    for _ in 0..turns.warm_up {
        client.ask(&answer).await?;
    }
    start.wait().await;
    let begun = Instant::now();
    let mut asked = begun;
    while asked - begun < turns.span {
        seen.bytes += client.ask(&answer).await?;
        let answered = Instant::now();
        seen.took.push(answered - asked);
        asked = answered;
    }
    Ok(seen)
}

/// The value that `share` of the sorted samples do not exceed.
fn percentile_us(sorted: &[Duration], share: f64) -> f64 {
    let rank = (sorted.len() as f64 * share).ceil() as usize;
    sorted.get(rank.saturating_sub(1)).map_or(0.0, |took| took.as_secs_f64() * 1e6)
}
