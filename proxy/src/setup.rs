//! A configuration made ready for use: replicas that can be connected to, services with their certificates. A reload makes
//! a new one; whoever began with one ends with it.

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};

use link_control::topology::{ReplicaName, Topology};
use tokio::sync::Semaphore;

use crate::backend::Target;
use crate::config::{Config, Service};
use crate::error::Error;
use crate::metrics::Meters;
use crate::service::ServiceState;
use crate::session::error::SessionError;

/// One configuration, ready.
pub(crate) struct Setup {
    pub(crate) config: Config,
    pub(crate) meters: Meters,
    /// Logins in progress.
    pub(crate) logins: Arc<Semaphore>,
    pub(crate) services: Vec<Arc<ServiceState>>,
    targets: HashMap<ReplicaName, Target>,
    /// The last topology that was made of these links. There once another setup took over.
    last_topology: OnceLock<Arc<Topology>>,
}

impl Setup {
    /// Prepares what `config` names. What was learned and counted under the setup `before` goes on counting. Reads files,
    /// so it may take a moment.
    ///
    /// # Errors
    /// A certificate does not work, or a replica could not be verified because there are no roots.
    pub(crate) fn new(config: Config, before: Option<&Self>) -> Result<Self, Error> {
        let target = |replica| match Target::new(replica) {
            Ok(target) => Ok((replica.name.clone(), target)),
            Err(source) => Err(Error::Replica { replica: replica.name.to_string(), source }),
        };
        let targets = config.replicas.iter().map(target).collect::<Result<_, _>>()?;
        let service = |service: &Service| {
            let known = before.and_then(|before| before.services.iter().find(|known| known.name() == &service.name));
            ServiceState::new(service.clone(), known.map(|known| &**known)).map(Arc::new)
        };
        let services = config.services.iter().map(service).collect::<Result<_, _>>()?;
        // Logins in progress hold their place in the old one, so only a changed limit gets a new one.
        let same = before.filter(|before| before.config.limits.handshakes_max == config.limits.handshakes_max);
        let logins = match same {
            Some(before) => Arc::clone(&before.logins),
            None => Arc::new(Semaphore::new(config.limits.handshakes_max)),
        };
        let meters = Meters::new(config.services.iter().map(|service| &*service.name));
        Ok(Self { config, meters, logins, services, targets, last_topology: OnceLock::new() })
    }

    /// The service that clients of this listener get; `None` where there is none any more.
    pub(crate) fn service_at(&self, key: &ListenerKey) -> Option<&Arc<ServiceState>> {
        self.services.iter().find(|service| ListenerKey::of(&service.config) == *key)
    }

    /// The replica with this name, ready to be connected to.
    ///
    /// # Errors
    /// When the topology names a replica that the configuration does not know.
    pub(crate) fn target(&self, replica: &ReplicaName) -> Result<&Target, SessionError> {
        self.targets.get(replica).ok_or_else(|| SessionError::Connect {
            replica: replica.clone(),
            source: io::Error::new(io::ErrorKind::NotFound, "the configuration has no replica of this name"),
        })
    }

    /// Says that another setup takes over, and that `topology` is the last one that fits this one. To be called before
    /// the other's topology is published.
    pub(crate) fn retire(&self, topology: Arc<Topology>) {
        // It retires once; a second call could only say the same.
        let _ = self.last_topology.set(topology);
    }

    /// The topology a login under this setup obeys: `current`, unless that may be another setup's already.
    /// `current` must have been taken before this call.
    pub(crate) fn fitting(&self, current: Arc<Topology>) -> Arc<Topology> {
        self.last_topology.get().map_or(current, Arc::clone)
    }
}

/// What makes a listener the same one after a reload: its address, and where the system chooses the port, its service.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct ListenerKey {
    pub(crate) address: SocketAddr,
    service: Option<Arc<str>>,
}

impl ListenerKey {
    /// Where this service listens.
    pub(crate) fn of(service: &Service) -> Self {
        let named = service.listen.port() == 0;
        Self { address: service.listen, service: named.then(|| Arc::clone(&service.name)) }
    }
}
