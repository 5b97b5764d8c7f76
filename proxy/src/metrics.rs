//! Every metric: its name, its unit, its labels. Handles are made once and kept, so that counting is one atomic step.
//!
//! Label values come from small enums and from configured names, never from clients: the number of series is fixed by the
//! configuration. The recorder is installed by a `main`; without one, counting does nothing.

mod recorder;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::time::Duration;

use metrics::{Counter, Gauge, Histogram, Unit};
use metrics::{counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram};

use crate::limits::Limit;

pub use recorder::{InstallError, Recorder};

/// Sessions now, from accept to close; label `service`.
pub const SESSIONS: &str = "proxy_sessions";
/// Sessions that ended; labels `service` and `outcome` (see [`Outcome`]).
pub const SESSIONS_TOTAL: &str = "proxy_sessions_total";
/// Requests passed on; labels `replica` and `reason` (why the session is on that replica).
pub const REQUESTS_TOTAL: &str = "proxy_requests_total";
/// Logins that a rule applied to; labels `rule` and `action`.
pub const RULE_MATCHES_TOTAL: &str = "proxy_rule_matches_total";
/// Bytes of packets passed on; label `direction`: `up` from client to replica, `down` back.
pub const BYTES_TOTAL: &str = "proxy_bytes_total";
/// Logged-in connections to a replica now; label `replica`.
pub const BACKENDS: &str = "proxy_backends";
/// Sessions that ended with an error; label `fault`: who has to do something about it.
pub const ERRORS_TOTAL: &str = "proxy_errors_total";
/// From accept to the client's login answer.
pub const LOGIN_DURATION: &str = "proxy_login_duration_seconds";
/// From a request's last packet to its response's last packet; label `role` of the replica.
pub const REQUEST_DURATION: &str = "proxy_request_duration_seconds";
/// 1 while a replica answers probes, else 0; NaN once it was removed from the configuration; label `replica`.
pub const REPLICA_ANSWERS: &str = "proxy_replica_answers";
/// Reloads of the configuration; label `outcome`: `applied`, or `refused`, which changed nothing.
pub const RELOADS_TOTAL: &str = "proxy_reloads_total";
/// In how many things the replicas of a link differ; labels `link` and `what`.
pub const REPLICA_DIFFERENCES: &str = "proxy_replica_differences";
/// Clients that a limit refused; labels `service` and `limit` (see [`Limit`]).
pub const REFUSALS_TOTAL: &str = "proxy_refusals_total";
/// Resident memory of the process.
pub const MEMORY_BYTES: &str = "proxy_memory_bytes";
/// The epoch of the current topology.
pub const TOPOLOGY_EPOCH: &str = "link_topology_epoch";

/// The outcomes of a reload.
const RELOAD_OUTCOMES: [&str; 2] = ["applied", "refused"];

/// How a session ended. The label `outcome`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It logged in and ended without an error.
    Served,
    /// The replica refused its login.
    LoginRefused,
    /// Something went wrong, before or after its login.
    Failed,
    /// There was no room for it.
    TurnedAway,
}

/// What the process counts. One per process or test; cheap to share by reference.
#[derive(Debug)]
pub struct Meters {
    services: BTreeMap<String, ServiceMeters>,
    login_duration: Histogram,
}

/// What one service counts.
#[derive(Debug)]
struct ServiceMeters {
    live: Gauge,
    ended: [(Outcome, Counter); Outcome::ALL.len()],
}

/// Counts one session: live until dropped, then ended with its outcome, however its task ends.
#[derive(Debug)]
pub struct SessionMeter {
    live: Gauge,
    ended: [(Outcome, Counter); Outcome::ALL.len()],
    outcome: Outcome,
}

/// Counts what a session does on its replica; also that it holds a backend there, until dropped.
#[derive(Debug)]
pub struct RouteMeters {
    backends: Gauge,
    requests: Counter,
    up: Counter,
    down: Counter,
    request_duration: Histogram,
}

impl Meters {
    /// Describes every metric, and registers those that concern these services, so that they show as 0 from the start.
    pub fn new<'n>(services: impl IntoIterator<Item = &'n str>) -> Self {
        describe();
        let services = services.into_iter().map(|name| (name.to_owned(), ServiceMeters::new(name))).collect();
        Self { services, login_duration: histogram!(LOGIN_DURATION) }
    }

    /// Counts a session of this service from now on.
    pub fn session(&self, service: &str) -> SessionMeter {
        let (live, ended) = match self.services.get(service) {
            Some(meters) => (meters.live.clone(), meters.ended.clone()),
            None => {
                let meters = ServiceMeters::new(service);
                (meters.live, meters.ended)
            }
        };
        live.increment(1);
        SessionMeter { live, ended, outcome: Outcome::Failed }
    }

    /// Counts a client that was turned away before it became a session.
    pub fn turned_away(&self, service: &str) {
        if let Some(meters) = self.services.get(service) {
            count(&meters.ended, Outcome::TurnedAway);
        }
    }

    /// Counts a login that succeeded, from accept to answer.
    pub fn logged_in(&self, took: Duration) {
        self.login_duration.record(took);
    }

    /// Counts a login that an operator's rule applied to.
    pub fn rule_matched(&self, rule: &str, action: &'static str) {
        counter!(RULE_MATCHES_TOTAL, "rule" => rule.to_owned(), "action" => action).increment(1);
    }

    /// Counts an error by whose fault it is.
    pub fn failed(&self, fault: &'static str) {
        counter!(ERRORS_TOTAL, "fault" => fault).increment(1);
    }
}

impl SessionMeter {
    /// Says how the session ended; the last word counts, and without one it failed.
    pub fn ended(&mut self, outcome: Outcome) {
        self.outcome = outcome;
    }
}

impl Drop for SessionMeter {
    fn drop(&mut self) {
        self.live.decrement(1);
        count(&self.ended, self.outcome);
    }
}

impl RouteMeters {
    /// Counts on this replica, in this role, for this reason, from now on.
    pub fn new(replica: &str, role: &'static str, reason: &'static str) -> Self {
        let backends = gauge!(BACKENDS, "replica" => replica.to_owned());
        backends.increment(1);
        Self {
            backends,
            requests: counter!(REQUESTS_TOTAL, "replica" => replica.to_owned(), "reason" => reason),
            up: counter!(BYTES_TOTAL, "direction" => "up"),
            down: counter!(BYTES_TOTAL, "direction" => "down"),
            request_duration: histogram!(REQUEST_DURATION, "role" => role),
        }
    }

    /// A request's last packet was read.
    pub fn request(&self) {
        self.requests.increment(1);
    }

    /// A response's last packet was read, so long after its request's.
    pub fn response(&self, took: Duration) {
        self.request_duration.record(took);
    }

    /// Bytes went from the client to the replica.
    pub fn up(&self, bytes: usize) {
        self.up.increment(bytes as u64);
    }

    /// Bytes went from the replica to the client.
    pub fn down(&self, bytes: usize) {
        self.down.increment(bytes as u64);
    }
}

impl Drop for RouteMeters {
    fn drop(&mut self) {
        self.backends.decrement(1);
    }
}

impl ServiceMeters {
    fn new(service: &str) -> Self {
        let ended = |outcome: Outcome| {
            let counter = counter!(SESSIONS_TOTAL, "service" => service.to_owned(), "outcome" => outcome.as_str());
            (outcome, counter)
        };
        Self { live: gauge!(SESSIONS, "service" => service.to_owned()), ended: Outcome::ALL.map(ended) }
    }
}

impl Outcome {
    const ALL: [Self; 4] = [Self::Served, Self::LoginRefused, Self::Failed, Self::TurnedAway];

    /// The outcome as the label says it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Served => "served",
            Self::LoginRefused => "login-refused",
            Self::Failed => "failed",
            Self::TurnedAway => "turned-away",
        }
    }
}

/// Notes whether a replica answered its last probe.
pub(crate) fn replica_answers(replica: &str, answers: bool) {
    gauge!(REPLICA_ANSWERS, "replica" => replica.to_owned()).set(if answers { 1.0 } else { 0.0 });
}

/// Notes that a replica was removed: neither 0 nor 1 would be true, and an alarm on either would never end.
pub(crate) fn replica_is_gone(replica: &str) {
    gauge!(REPLICA_ANSWERS, "replica" => replica.to_owned()).set(f64::NAN);
}

/// Counts a client that a limit refused.
pub(crate) fn refused(service: &str, limit: Limit) {
    counter!(REFUSALS_TOTAL, "service" => service.to_owned(), "limit" => limit.as_str()).increment(1);
}

/// Notes how much memory the process holds.
pub(crate) fn memory(bytes: u64) {
    // Exact up to 2^53 bytes.
    gauge!(MEMORY_BYTES).set(bytes as f64);
}

/// Shows reloads as 0 before the first.
pub(crate) fn reloads_count_from_now() {
    for outcome in RELOAD_OUTCOMES {
        drop(counter!(RELOADS_TOTAL, "outcome" => outcome));
    }
}

/// Counts a reload that was applied, or refused.
pub(crate) fn reloaded(applied: bool) {
    let [good, bad] = RELOAD_OUTCOMES;
    counter!(RELOADS_TOTAL, "outcome" => if applied { good } else { bad }).increment(1);
}

/// Notes in how many things of one kind the replicas of a link differ.
pub(crate) fn replica_differences(link: &str, what: &'static str, count: usize) {
    // A handful at most, so that nothing is lost.
    gauge!(REPLICA_DIFFERENCES, "link" => link.to_owned(), "what" => what).set(count as f64);
}

/// Notes the epoch of the current topology.
pub(crate) fn topology_epoch(epoch: u64) {
    // Exact up to 2^53 epochs, which no failover history reaches.
    gauge!(TOPOLOGY_EPOCH).set(epoch as f64);
}

fn count(counters: &[(Outcome, Counter)], outcome: Outcome) {
    if let Some((_, counter)) = counters.iter().find(|(of, _)| *of == outcome) {
        counter.increment(1);
    }
}

fn describe() {
    describe_gauge!(SESSIONS, Unit::Count, "Sessions now, from accept to close.");
    describe_counter!(SESSIONS_TOTAL, Unit::Count, "Sessions that ended, by outcome.");
    describe_counter!(REQUESTS_TOTAL, Unit::Count, "Requests passed on, by replica and why the session is there.");
    describe_counter!(RULE_MATCHES_TOTAL, Unit::Count, "Logins that a rule applied to, by rule and what it does.");
    describe_counter!(BYTES_TOTAL, Unit::Bytes, "Bytes of packets passed on: up to a replica, down to a client.");
    describe_gauge!(BACKENDS, Unit::Count, "Logged-in connections to a replica now.");
    describe_counter!(ERRORS_TOTAL, Unit::Count, "Sessions that ended with an error, by whose fault it is.");
    describe_histogram!(LOGIN_DURATION, Unit::Seconds, "From accept to the client's login answer.");
    describe_histogram!(REQUEST_DURATION, Unit::Seconds, "From a request's last packet to its response's last packet.");
    describe_gauge!(REPLICA_ANSWERS, Unit::Count, "1 while a replica answers probes, else 0.");
    describe_counter!(REFUSALS_TOTAL, Unit::Count, "Clients that a limit refused, by limit.");
    describe_gauge!(MEMORY_BYTES, Unit::Bytes, "Resident memory of the process.");
    describe_counter!(RELOADS_TOTAL, Unit::Count, "Reloads of the configuration, applied or refused.");
    describe_gauge!(REPLICA_DIFFERENCES, Unit::Count, "In how many things the replicas of a link differ.");
    describe_gauge!(TOPOLOGY_EPOCH, Unit::Count, "The epoch of the current topology.");
}
