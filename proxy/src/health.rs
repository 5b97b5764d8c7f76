//! Whether the process can do its work now, and if not, why not. Told by listeners, probes and the drain; asked by `/readyz`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use link_control::topology::{ReplicaName, Topology};

use crate::metrics;

/// What is known of the process's health. Cheap to clone; all clones know the same.
#[derive(Debug, Clone)]
pub struct Health(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    /// Services whose address is not bound yet.
    unbound: BTreeSet<String>,
    /// The last probe of each replica that was probed: nothing, or what went wrong.
    probes: BTreeMap<ReplicaName, Result<(), String>>,
    draining: bool,
    /// Bytes the process holds, and how many it may.
    memory: Option<(u64, u64)>,
}

impl Health {
    /// Nothing is known yet: these services are not bound, and no replica has answered.
    pub fn new<'n>(services: impl IntoIterator<Item = &'n str>) -> Self {
        let unbound = services.into_iter().map(str::to_owned).collect();
        Self(Arc::new(Mutex::new(State { unbound, probes: BTreeMap::new(), draining: false, memory: None })))
    }

    /// A service's address is bound.
    pub fn listening(&self, service: &str) {
        self.state().unbound.remove(service);
    }

    /// A probe of a replica ended: well, or with what went wrong, in words for an operator.
    pub fn replica_answered(&self, replica: &ReplicaName, answer: Result<(), String>) {
        metrics::replica_answers(replica.as_str(), answer.is_ok());
        self.state().probes.insert(replica.clone(), answer);
    }

    /// Only these replicas are there any more.
    pub fn forget_all_but<'n>(&self, replicas: impl IntoIterator<Item = &'n ReplicaName>) {
        let known: BTreeSet<_> = replicas.into_iter().collect();
        self.state().probes.retain(|replica, _| {
            let stays = known.contains(replica);
            if !stays {
                metrics::replica_is_gone(replica.as_str());
            }
            stays
        });
    }

    /// The process holds so many bytes of memory, and may hold so many before new sessions are refused.
    pub fn memory(&self, bytes: u64, limit: Option<u64>) {
        self.state().memory = limit.map(|limit| (bytes, limit));
    }

    /// Bytes the process holds and the limit they have reached, if they have.
    pub fn memory_exhausted(&self) -> Option<(u64, u64)> {
        self.state().memory.filter(|(bytes, limit)| bytes >= limit)
    }

    /// The process takes no new sessions any more.
    pub fn draining(&self) {
        self.state().draining = true;
    }

    /// Why new sessions should not be sent here, a sentence each. Empty when they may come.
    pub fn reasons(&self, topology: &Topology) -> Vec<String> {
        let mut reasons = Vec::new();
        if let Some((bytes, limit)) = self.memory_exhausted() {
            reasons.push(format!("the process holds {bytes} bytes of memory, and memory_bytes_max is {limit}"));
        }
        let state = self.state();
        if state.draining {
            reasons.push("the process is draining".to_owned());
        }
        reasons.extend(state.unbound.iter().map(|service| format!("service {service} is not listening yet")));
        for link in topology.links() {
            let Some(primary) = &link.primary else {
                reasons.push(format!("link {} has no primary: its phase is {}", link.name, link.phase.name()));
                continue;
            };
            match state.probes.get(primary) {
                Some(Ok(())) => {}
                Some(Err(error)) => {
                    reasons.push(format!(
                        "replica {primary}, the primary of link {}, does not answer: {error}",
                        link.name
                    ));
                }
                None => {
                    reasons.push(format!("replica {primary}, the primary of link {}, was not probed yet", link.name))
                }
            }
        }
        reasons
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Every change is one step, so a panic elsewhere leaves nothing half done.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    //! What stands between a process and its clients, one thing at a time.

    use std::sync::Arc;
    use std::time::Instant;

    use link_control::topology::{LinkView, Phase, TopologyReader, store};

    use super::*;

    fn topology(primary: Option<&str>) -> TopologyReader {
        let link = LinkView {
            name: "sales".into(),
            databases: vec!["SalesDB".to_owned()],
            phase: if primary.is_some() { Phase::Serving } else { Phase::Unknown },
            primary: primary.map(Into::into),
            secondaries: vec!["mi".into()],
            position: None,
            lag: None,
            updated: Instant::now(),
        };
        store(vec![link]).unwrap().1
    }

    #[track_caller]
    fn check(prepare: impl Fn(&Health), primary: Option<&str>, want: &[&str]) {
        let health = Health::new(["main"]);
        prepare(&health);
        let topology: Arc<Topology> = topology(primary).snapshot();
        assert_eq!(health.reasons(&topology), want);
    }

    #[test]
    fn a_process_that_just_started_waits_for_its_listeners_and_primaries() {
        check(
            |_| (),
            Some("onprem"),
            &["service main is not listening yet", "replica onprem, the primary of link sales, was not probed yet"],
        );
    }

    #[test]
    fn a_primary_that_answers_makes_ready_whatever_the_secondary_does() {
        let prepare = |health: &Health| {
            health.listening("main");
            health.replica_answered(&"onprem".into(), Ok(()));
            health.replica_answered(&"mi".into(), Err("refused".to_owned()));
        };
        check(prepare, Some("onprem"), &[]);
    }

    #[test]
    fn the_last_probe_counts() {
        let prepare = |health: &Health| {
            health.listening("main");
            health.replica_answered(&"onprem".into(), Ok(()));
            health.replica_answered(&"onprem".into(), Err("connection refused".to_owned()));
        };
        check(
            prepare,
            Some("onprem"),
            &["replica onprem, the primary of link sales, does not answer: connection refused"],
        );
    }

    #[test]
    fn a_replica_that_comes_back_after_it_was_removed_is_probed_anew() {
        let prepare = |health: &Health| {
            health.listening("main");
            health.replica_answered(&"onprem".into(), Ok(()));
            health.forget_all_but([&"mi".into()]);
        };
        check(prepare, Some("onprem"), &["replica onprem, the primary of link sales, was not probed yet"]);
    }

    #[test]
    fn a_link_without_a_proven_primary_is_not_ready() {
        check(|health| health.listening("main"), None, &["link sales has no primary: its phase is unknown"]);
    }

    #[test]
    fn a_process_at_its_memory_limit_is_not_ready_until_it_holds_less() {
        let at = |bytes| {
            move |health: &Health| {
                health.listening("main");
                health.replica_answered(&"onprem".into(), Ok(()));
                health.memory(100, Some(100));
                health.memory(bytes, Some(100));
            }
        };
        check(at(100), Some("onprem"), &["the process holds 100 bytes of memory, and memory_bytes_max is 100"]);
        check(at(99), Some("onprem"), &[]);
    }

    #[test]
    fn a_draining_process_is_not_ready() {
        let prepare = |health: &Health| {
            health.listening("main");
            health.replica_answered(&"onprem".into(), Ok(()));
            health.draining();
        };
        check(prepare, Some("onprem"), &["the process is draining"]);
    }
}
