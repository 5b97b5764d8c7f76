//! What logins and probes taught about each replica, and where the replicas of one link differ.
//!
//! A session is told once, at its login, what its server can do. What is known of all the replicas it could reach
//! decides what it may be told; a difference that nobody sees would show as wrong data one day, so each is said.

pub(crate) mod differences;
#[cfg(test)]
mod tests;
mod traits;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use link_control::topology::{Epoch, LinkView, ReplicaName, Topology};
use tds::prelogin::Version;
use tracing::{info, warn};

use crate::admin::{DifferenceView, ReplicaView, ReplicasView};
use crate::backend::{Accepted, Heard, Narrowed, PROMISES, Versions};
use crate::metrics;
use differences::{Difference, Kind};
use traits::Traits;

/// What is known of all replicas.
#[derive(Debug, Default)]
pub(crate) struct Learned(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    replicas: BTreeMap<ReplicaName, Traits>,
    /// The differences that were said and still are.
    differences: BTreeSet<Difference>,
    /// The topology they are differences of.
    epoch: Option<Epoch>,
}

/// A login that succeeded, as far as it teaches.
#[derive(Debug)]
pub(crate) struct Lesson<'a> {
    pub(crate) version: Version,
    pub(crate) heard: &'a Heard,
    pub(crate) asked: &'a Versions,
    /// The login is the probes' own, which is the same user each time; other users have languages of their own.
    pub(crate) probe: bool,
}

impl<'a> Lesson<'a> {
    /// What `accepted` teaches of a replica that announced `version`.
    pub(crate) fn new(version: Version, accepted: &'a Accepted, probe: bool) -> Self {
        Self { version, heard: &accepted.heard, asked: &accepted.asked, probe }
    }
}

impl Learned {
    /// A replica announced its version.
    pub(crate) fn version(&self, replica: &ReplicaName, version: Version, topology: &Topology) {
        self.learn(replica, topology, |traits| traits.version(version));
    }

    /// A login succeeded.
    pub(crate) fn login(&self, replica: &ReplicaName, lesson: &Lesson<'_>, topology: &Topology) {
        // Whoever may log in may log in to any database, so only the links' own are kept.
        let kept =
            topology.link_of(&lesson.heard.database).is_some() || lesson.heard.database.eq_ignore_ascii_case("master");
        self.learn(replica, topology, |traits| {
            let mut news = traits.version(lesson.version) | traits.promises(lesson.asked, &lesson.heard.promises);
            if let Some(collation) = lesson.heard.collation.filter(|_| kept) {
                news |= traits.collation(&lesson.heard.database, collation);
            }
            if lesson.probe {
                news |= traits.language(&lesson.heard.language);
            }
            news
        });
    }

    /// How far features may be promised to a session of this link, by what is known now: as far as every replica of the
    /// link goes. What is not known of a replica narrows nothing.
    pub(crate) fn narrowed(&self, link: &LinkView) -> Narrowed {
        let state = self.state();
        let most = |id| members(link).filter_map(|replica| state.replicas.get(replica)?.most(id)).min();
        Narrowed(PROMISES.iter().filter_map(|id| Some((*id, most(*id)?))).collect())
    }

    /// Everything, as the admin interface shows it.
    pub(crate) fn view(&self) -> ReplicasView {
        let state = self.state();
        let replicas = state.replicas.iter().map(|(name, traits)| traits.view(name)).collect::<Vec<ReplicaView>>();
        let differences = state.differences.iter().map(Difference::view).collect::<Vec<DifferenceView>>();
        ReplicasView { replicas, differences }
    }

    fn learn(&self, replica: &ReplicaName, topology: &Topology, lesson: impl FnOnce(&mut Traits) -> bool) {
        let mut state = self.state();
        let news = lesson(state.replicas.entry(replica.clone()).or_default());
        if news || state.epoch != Some(topology.epoch()) {
            state.compare(topology);
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Every lesson stands for itself, so a panic elsewhere leaves nothing half learned.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn compare(&mut self, topology: &Topology) {
        let found: BTreeSet<_> =
            topology.links().iter().flat_map(|link| differences::of(link, &self.replicas)).collect();
        for new in found.difference(&self.differences) {
            warn!(link = %new.link, what = new.kind.as_str(), "the replicas of a link differ: {}", new.text);
        }
        for gone in self.differences.difference(&found) {
            info!(link = %gone.link, what = gone.kind.as_str(), "the replicas do not differ any more: {}", gone.text);
        }
        let links = topology.links().iter().map(|link| &link.name);
        let links: BTreeSet<_> = links.chain(self.differences.iter().map(|difference| &difference.link)).collect();
        for link in links {
            for kind in Kind::ALL {
                let count = found.iter().filter(|found| found.link == *link && found.kind == kind).count();
                metrics::replica_differences(link.as_str(), kind.as_str(), count);
            }
        }
        self.differences = found;
        self.epoch = Some(topology.epoch());
    }
}

/// Every replica that sessions of this link can reach.
fn members(link: &LinkView) -> impl Iterator<Item = &ReplicaName> {
    link.primary.iter().chain(&link.secondaries)
}
