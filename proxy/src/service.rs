//! A service as its sessions use it: its policy, its certificate, and what its primary says of itself.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use link_control::topology::LinkName;
use tds::prelogin::Version;

use crate::backend::Advertised;
use crate::config::Service;
use crate::error::Error;
use crate::limits::Usage;
use crate::net::tls::ServerTls;

/// What clients are shown until a replica told of itself: SQL Server 2022.
const UNTIL_KNOWN: Advertised =
    Advertised { version: Version { major: 16, minor: 0, build: 1000, sub_build: 0 }, fed_auth_required: false };

/// A service and what it learned.
pub(crate) struct ServiceState {
    pub(crate) config: Service,
    pub(crate) tls: Option<ServerTls>,
    pub(crate) advertised: Arc<AdvertisedCell>,
    pub(crate) usage: Arc<Usage>,
}

impl ServiceState {
    /// A service as configured. What the same service learned `before` it knows already.
    ///
    /// # Errors
    /// When the key does not belong to the certificate.
    pub(crate) fn new(config: Service, before: Option<&Self>) -> Result<Self, Error> {
        let tls = config.certificate.as_ref().map(|certificate| ServerTls::new(certificate.chain(), certificate.key()));
        let failed = |source| Error::Certificate { service: config.name.to_string(), source };
        let tls = tls.transpose().map_err(failed)?;
        let advertised = before.map_or_else(Arc::default, |before| Arc::clone(&before.advertised));
        let usage = before.map_or_else(Arc::default, |before| Arc::clone(&before.usage));
        Ok(Self { tls, advertised, usage, config })
    }

    /// Its name.
    pub(crate) fn name(&self) -> &Arc<str> {
        &self.config.name
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
