//! What all sessions share: the configuration, the topology, the replicas, the limits in use.

use std::collections::HashMap;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use link_control::topology::{LinkName, ReplicaName, TopologyReader};
use tds::prelogin::Version;
use tokio::sync::Semaphore;

use crate::backend::{Advertised, Target};
use crate::config::{Config, Service};
use crate::health::Health;
use crate::metrics::Meters;
use crate::net::tls::ServerTls;
use crate::session::error::SessionError;
use crate::sessions::Sessions;

/// What clients are shown until a replica told of itself: SQL Server 2022.
const UNTIL_KNOWN: Advertised =
    Advertised { version: Version { major: 16, minor: 0, build: 1000, sub_build: 0 }, fed_auth_required: false };

/// Everything a session needs that is not its own.
pub(crate) struct Shared {
    pub(crate) config: Config,
    pub(crate) topology: TopologyReader,
    pub(crate) sessions: Arc<Sessions>,
    /// Logins in progress.
    pub(crate) logins: Semaphore,
    /// Clients that wait for their turn to log in.
    pub(crate) login_queue: Semaphore,
    /// Sessions that logged in, or are about to.
    pub(crate) places: Arc<Semaphore>,
    pub(crate) meters: Meters,
    pub(crate) health: Health,
    targets: HashMap<ReplicaName, Target>,
}

impl Shared {
    /// Prepares what `config` names.
    ///
    /// # Errors
    /// When a replica's certificates could not be verified, because there are no roots.
    pub(crate) fn new(config: Config, topology: TopologyReader) -> Result<Self, (ReplicaName, io::Error)> {
        let target = |replica| match Target::new(replica) {
            Ok(target) => Ok((replica.name.clone(), target)),
            Err(error) => Err((replica.name.clone(), error)),
        };
        let targets = config.replicas.iter().map(target).collect::<Result<_, _>>()?;
        let limits = &config.limits;
        Ok(Self {
            topology,
            sessions: Arc::default(),
            logins: Semaphore::new(limits.handshakes_max),
            login_queue: Semaphore::new(limits.login_queue_max),
            places: Arc::new(Semaphore::new(limits.sessions_max)),
            meters: Meters::new(config.services.iter().map(|service| &*service.name)),
            health: Health::new(config.services.iter().map(|service| &*service.name)),
            targets,
            config,
        })
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

    /// Every replica.
    pub(crate) fn targets(&self) -> impl Iterator<Item = &Target> {
        self.targets.values()
    }
}

/// A service and what it learned.
pub(crate) struct ServiceState {
    pub(crate) config: Service,
    pub(crate) tls: Option<ServerTls>,
    pub(crate) advertised: AdvertisedCell,
}

impl ServiceState {
    /// A service as configured.
    ///
    /// # Errors
    /// When the key does not belong to the certificate.
    pub(crate) fn new(config: Service) -> Result<Self, rustls::Error> {
        let tls = config.certificate.as_ref().map(|certificate| ServerTls::new(certificate.chain(), certificate.key()));
        Ok(Self { tls: tls.transpose()?, advertised: AdvertisedCell::default(), config })
    }

    /// The link of sessions that name no database of a link.
    pub(crate) fn link(&self) -> &LinkName {
        &self.config.link
    }
}

/// What the primary says of itself, shown to clients before their own login knows where it goes.
#[derive(Debug)]
pub(crate) struct AdvertisedCell(AtomicU64);

impl Default for AdvertisedCell {
    fn default() -> Self {
        let cell = Self(AtomicU64::new(0));
        cell.store(UNTIL_KNOWN);
        cell
    }
}

impl AdvertisedCell {
    /// What to show.
    pub(crate) fn load(&self) -> Advertised {
        let [major, minor, b1, b0, s1, s0, fed_auth, _] = self.0.load(Ordering::Relaxed).to_be_bytes();
        let (build, sub_build) = (u16::from_be_bytes([b1, b0]), u16::from_be_bytes([s1, s0]));
        Advertised { version: Version { major, minor, build, sub_build }, fed_auth_required: fed_auth != 0 }
    }

    /// Remembers what the primary said.
    pub(crate) fn store(&self, advertised: Advertised) {
        let version = advertised.version;
        let [b1, b0] = version.build.to_be_bytes();
        let [s1, s0] = version.sub_build.to_be_bytes();
        let packed =
            u64::from_be_bytes([version.major, version.minor, b1, b0, s1, s0, advertised.fed_auth_required.into(), 0]);
        self.0.store(packed, Ordering::Relaxed);
    }
}
