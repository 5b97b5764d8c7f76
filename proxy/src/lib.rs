//! The data path: one TDS session in, the right SQL Server out.
//!
//! A client is accepted by a [listener](self), heard out (PRELOGIN, TLS, LOGIN7), routed by the current topology, logged
//! in to a replica with its own credentials, and from then on its requests and responses are relayed.
//! ARCHITECTURE.md follows one request through the files.

pub mod admin;
mod backend;
pub mod config;
mod drain;
mod error;
pub mod health;
mod listener;
pub mod metrics;
mod net;
pub mod open_files;
mod probe;
mod route;
mod session;
mod sessions;
mod shared;
pub mod telemetry;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use link_control::topology::{self, Source, StaticSource};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tracing::{info, warn};

pub use config::Config;
pub use error::Error;

use admin::{Admin, Sources};
use listener::Listener;
use metrics::Recorder;
use shared::{ServiceState, Shared};

/// How much longer than the drain's own limit sessions get to close their sockets.
const CLOSING: Duration = Duration::from_secs(2);

/// A proxy whose addresses are bound. Serves once [`run`](Self::run) is called.
pub struct Proxy {
    shared: Arc<Shared>,
    services: Vec<Arc<ServiceState>>,
    listeners: Vec<Listener>,
    source: StaticSource,
    writer: topology::TopologyWriter,
    admin: Option<Admin>,
}

impl Proxy {
    /// Takes the addresses that `config` names. Nothing is served yet. Must be called inside a tokio runtime. What
    /// `recorder` keeps is shown by the admin interface, if the configuration has one.
    ///
    /// # Errors
    /// An address cannot be had, or a certificate does not work.
    pub fn bind(config: Config, recorder: Option<Recorder>) -> Result<Self, Error> {
        let source = StaticSource::new(config.links.clone());
        let (writer, reader) = topology::store(source.first(Instant::now()))?;
        let sockets = config.limits.sessions_max + config.limits.handshakes_max + config.limits.login_queue_max;
        let sockets = Arc::new(Semaphore::new(sockets));
        let services = config.services.iter().map(service).collect::<Result<Vec<_>, _>>()?;
        let shared = Shared::new(config, reader)
            .map_err(|(replica, source)| Error::Replica { replica: replica.to_string(), source })?;
        let shared = Arc::new(shared);
        let listen = |service: &Arc<ServiceState>| {
            Listener::bind(Arc::clone(service), Arc::clone(&shared), Arc::clone(&sockets)).map_err(|source| {
                let (service, address) = (service.config.name.to_string(), service.config.listen);
                Error::Listen { service, address, source }
            })
        };
        let listeners = services.iter().map(listen).collect::<Result<Vec<_>, _>>()?;
        let admin =
            shared.config.admin.as_ref().map(|admin| bind_admin(admin.address, &shared, recorder)).transpose()?;
        Ok(Self { shared, services, listeners, source, writer, admin })
    }

    /// Where the admin interface listens, if there is one.
    pub fn admin_address(&self) -> Option<SocketAddr> {
        self.admin.as_ref()?.address().ok()
    }

    /// Where each service listens, by its name. Tells the ports where the configuration asked for any.
    pub fn addresses(&self) -> BTreeMap<String, SocketAddr> {
        let address = |listener: &Listener| Some((listener.name().to_string(), listener.address().ok()?));
        self.listeners.iter().filter_map(address).collect()
    }

    /// Serves until `shutdown` resolves, then drains: nothing new is accepted, idle sessions close, running requests and
    /// open transactions get the configured time.
    pub async fn run(self, shutdown: impl Future<Output = ()>) {
        let (switch, drain) = drain::drain();
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            if let Err(error) = self.source.keep(self.writer).await {
                warn!(%error, "the topology is not kept up any more; the last picture stays");
            }
        });
        for target in self.shared.targets() {
            let (shared, services) = (Arc::clone(&self.shared), self.services.clone());
            tasks.spawn(probe::run(target.name.clone(), shared, services, drain.clone()));
        }
        for listener in self.listeners {
            if let Ok(address) = listener.address() {
                info!(service = %listener.name(), %address, "listening");
            }
            self.shared.health.listening(listener.name());
            tasks.spawn(listener.run(drain.clone()));
        }
        if let Some(admin) = self.admin {
            tasks.spawn(serve_admin(admin));
        }
        shutdown.await;
        let limit = self.shared.config.timeouts.drain;
        info!(sessions = self.shared.sessions.count(), limit_ms = limit.as_millis(), "draining");
        self.shared.health.draining();
        switch.start(limit);
        if tokio::time::timeout(limit + CLOSING, self.shared.sessions.gone()).await.is_err() {
            warn!(sessions = self.shared.sessions.count(), "sessions did not end in time and are cut");
        }
        tasks.shutdown().await;
        info!("stopped");
    }
}

fn service(config: &config::Service) -> Result<Arc<ServiceState>, Error> {
    let state = ServiceState::new(config.clone());
    let state = state.map_err(|source| Error::Certificate { service: config.name.to_string(), source })?;
    Ok(Arc::new(state))
}

fn bind_admin(address: SocketAddr, shared: &Arc<Shared>, recorder: Option<Recorder>) -> Result<Admin, Error> {
    let sessions = Arc::clone(&shared.sessions);
    let sources = Sources {
        health: shared.health.clone(),
        topology: shared.topology.clone(),
        sessions: Arc::new(move || sessions.views()),
        recorder,
    };
    Admin::bind(address, sources).map_err(|source| Error::Admin { address, source })
}

/// Serves until it is aborted, which is after the last session: who watches a drain wants to see its end.
async fn serve_admin(admin: Admin) {
    if let Err(error) = admin.run(std::future::pending()).await {
        warn!(%error, "the admin interface ended");
    }
}
