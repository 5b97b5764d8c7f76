//! What all sessions share: the current setup, the topology, who is connected, the limits in use.

use std::sync::Arc;

use arc_swap::ArcSwap;
use link_control::topology::{Topology, TopologyReader};

use crate::health::Health;
use crate::learned::Learned;
use crate::places::Places;
use crate::sessions::Sessions;
use crate::setup::Setup;

/// Everything a session needs that is not its own, and that outlives a reload.
pub(crate) struct Shared {
    setup: ArcSwap<Setup>,
    pub(crate) topology: TopologyReader,
    pub(crate) sessions: Arc<Sessions>,
    /// Sockets of clients, logged in or not.
    pub(crate) sockets: Arc<Places>,
    /// Clients that wait for their turn to log in.
    pub(crate) login_queue: Arc<Places>,
    /// Sessions that logged in, or are about to.
    pub(crate) places: Arc<Places>,
    pub(crate) health: Health,
    pub(crate) learned: Arc<Learned>,
}

impl Shared {
    /// Shares this setup first.
    pub(crate) fn new(setup: Setup, topology: TopologyReader) -> Self {
        let health = Health::new(setup.config.services.iter().map(|service| &*service.name));
        Self {
            setup: ArcSwap::from_pointee(setup),
            topology,
            sessions: Arc::default(),
            sockets: Arc::default(),
            login_queue: Arc::default(),
            places: Arc::default(),
            health,
            learned: Arc::default(),
        }
    }

    /// The setup as it is now. Take one for a whole login: a reload between two looks would mix two configurations.
    pub(crate) fn setup(&self) -> Arc<Setup> {
        self.setup.load_full()
    }

    /// Makes this the setup of every login from now on. The topology of its links must be published already.
    pub(crate) fn replace(&self, setup: Arc<Setup>) {
        self.setup.store(setup);
    }

    /// The topology for a login under `setup`. While a reload puts another in its place, a login never sees the links of
    /// one and the replicas of the other.
    pub(crate) fn topology_for(&self, setup: &Setup) -> Arc<Topology> {
        // In this order: a setup retires before the next one's links are published.
        let current = self.topology.snapshot();
        setup.fitting(current)
    }
}
