//! What the admin interface shows of the topology and of sessions, as JSON. Times are relative: they are of one machine.

use std::time::{Duration, Instant};

use link_control::topology::{LinkView, Phase, Topology};
use serde::Serialize;

/// One session. Holds names, never statements or passwords.
#[derive(Debug, Clone, Serialize)]
pub struct SessionView {
    /// Its number, as in log lines and in errors told to its client.
    pub id: u64,
    /// The client's address.
    pub client: String,
    /// The service it came to.
    pub service: String,
    /// How long ago it was accepted.
    pub age_ms: u64,
    /// Who logged in, and where to; `null` before that.
    pub login: Option<LoginView>,
}

/// A session's login.
#[derive(Debug, Clone, Serialize)]
pub struct LoginView {
    /// The SQL login's name.
    pub user: String,
    /// What the application calls itself.
    pub application: String,
    /// The database it asked for.
    pub database: String,
    /// The replica it is on.
    pub replica: String,
    /// That replica's role.
    pub role: &'static str,
    /// Why it is there.
    pub reason: &'static str,
    /// The operator's rule that applied to it, if one did.
    pub rule: Option<String>,
    /// The replica that let the client in with its own credentials, where this one knows the proxy's only.
    pub proven_on: Option<String>,
}

/// Every replica that told something of itself, and where those of one link differ.
#[derive(Debug, Clone, Default, Serialize)]
pub struct ReplicasView {
    /// By name.
    pub replicas: Vec<ReplicaView>,
    /// As far as is known; empty where all are alike.
    pub differences: Vec<DifferenceView>,
}

/// One replica, as far as logins and probes showed it.
#[derive(Debug, Clone, Serialize)]
pub struct ReplicaView {
    /// Its name.
    pub name: String,
    /// Major, minor and build.
    pub version: Option<String>,
    /// The language of the probes' login.
    pub language: Option<String>,
    /// The default collations of the links' databases and of `master`, as far as somebody logged in to them.
    pub collations: Vec<CollationView>,
    /// The features that were asked for.
    pub features: Vec<PromiseView>,
}

/// A database's default collation.
#[derive(Debug, Clone, Serialize)]
pub struct CollationView {
    /// The database.
    pub database: String,
    /// The bytes of the wire, and what they mean.
    pub collation: String,
}

/// How far a replica goes with a feature.
#[derive(Debug, Clone, Serialize)]
pub struct PromiseView {
    /// The feature.
    pub feature: String,
    /// The highest version it granted; 0 if none.
    pub granted: u8,
    /// The highest it grants; `null` while it was not asked for more than it granted.
    pub most: Option<u8>,
}

/// Something in which replicas of one link differ.
#[derive(Debug, Clone, Serialize)]
pub struct DifferenceView {
    /// The link.
    pub link: String,
    /// `version`, `collation`, `language` or `features`.
    pub what: &'static str,
    /// Who has what, and what it means.
    pub text: String,
}

/// The whole topology.
#[derive(Debug, Serialize)]
pub(super) struct TopologyView {
    epoch: u64,
    links: Vec<LinkState>,
}

#[derive(Debug, Serialize)]
struct LinkState {
    name: String,
    databases: Vec<String>,
    phase: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    holding: Option<Holding>,
    primary: Option<String>,
    secondaries: Vec<String>,
    /// As text: a position has more digits than a JSON number keeps.
    position: Option<String>,
    lag_ms: Option<u64>,
    updated_ms_ago: u64,
}

#[derive(Debug, Serialize)]
struct Holding {
    what: String,
    since_ms_ago: u64,
    ends_in_ms: u64,
}

impl TopologyView {
    pub(super) fn new(topology: &Topology, now: Instant) -> Self {
        let links = topology.links().iter().map(|link| LinkState::new(link, now)).collect();
        Self { epoch: topology.epoch().value(), links }
    }
}

impl LinkState {
    fn new(link: &LinkView, now: Instant) -> Self {
        let holding = match &link.phase {
            Phase::Holding { since, deadline, what } => Some(Holding {
                what: what.to_string(),
                since_ms_ago: milliseconds(now.saturating_duration_since(*since)),
                ends_in_ms: milliseconds(deadline.saturating_duration_since(now)),
            }),
            Phase::Serving | Phase::Unknown => None,
        };
        Self {
            name: link.name.to_string(),
            databases: link.databases.clone(),
            phase: link.phase.name(),
            holding,
            primary: link.primary.as_ref().map(ToString::to_string),
            secondaries: link.secondaries.iter().map(ToString::to_string).collect(),
            position: link.position.map(|position| position.0.to_string()),
            lag_ms: link.lag.map(milliseconds),
            updated_ms_ago: milliseconds(now.saturating_duration_since(link.updated)),
        }
    }
}

fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
