//! The data path: one TDS session in, the right SQL Server out.
//!
//! A client is accepted by a [listener](self), heard out (PRELOGIN, TLS, LOGIN7), routed by the current topology, logged
//! in to a replica with its own credentials, and from then on its requests and responses are relayed.
//! ARCHITECTURE.md follows one request through the files.

pub mod admin;
mod backend;
mod browser;
pub mod config;
mod drain;
mod error;
#[cfg(any(test, feature = "fuzzing"))]
#[doc(hidden)]
pub mod fuzzing;
pub mod health;
mod identity;
mod learned;
pub mod limits;
mod listener;
mod memory;
pub mod metrics;
mod net;
pub mod open_files;
mod places;
mod probe;
pub mod proxy_protocol;
mod reload;
mod route;
mod rules;
mod service;
mod serving;
mod session;
mod sessions;
mod setup;
mod shared;
pub mod telemetry;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use link_control::topology::{self, Source, StaticSource, TopologyWriter};
use tokio::task::JoinSet;
use tracing::{info, warn};

pub use config::Config;
pub use error::Error;
pub use reload::{ReloadError, ReloadSwitch};

use admin::{Admin, Sources};
use browser::Browser;
use listener::Listener;
use metrics::Recorder;
use reload::{Follow, Follower};
use serving::Serving;
use setup::Setup;
use shared::Shared;
use telemetry::LevelSwitch;

/// How much longer than the drain's own limit sessions get to close their sockets.
const CLOSING: Duration = Duration::from_secs(2);

/// A proxy whose addresses are bound. Serves once [`run`](Self::run) is called.
pub struct Proxy {
    shared: Arc<Shared>,
    listeners: Vec<Listener>,
    follow: Option<Follow>,
    writer: TopologyWriter,
    admin: Option<Admin>,
    browser: Option<Browser>,
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
        let shared = Arc::new(Shared::new(Setup::new(config, None)?, reader));
        let config = &shared.setup().config;
        let listen = |service| Listener::bind(service, Arc::clone(&shared));
        let listeners = config.services.iter().map(listen).collect::<Result<Vec<_>, _>>()?;
        let admin = config.admin.as_ref().map(|admin| bind_admin(admin.address, &shared, recorder)).transpose()?;
        let browser =
            config.browser.as_ref().map(|browser| bind_browser(browser.listen, &shared, &listeners)).transpose()?;
        Ok(Self { shared, listeners, follow: None, writer, admin, browser })
    }

    /// Follows `file`, which its configuration was read from: what changes there, or in the files it names, is taken over
    /// while the proxy runs, and also when the switch asks for it. A new log level is set with `level`.
    pub fn follow(&mut self, file: PathBuf, level: Option<LevelSwitch>) -> ReloadSwitch {
        let (follow, switch) = Follow::new(file, level);
        self.follow = Some(follow);
        switch
    }

    /// Where the admin interface listens, if there is one.
    pub fn admin_address(&self) -> Option<SocketAddr> {
        self.admin.as_ref()?.address().ok()
    }

    /// Where questions for instance names come, if they are answered.
    pub fn browser_address(&self) -> Option<SocketAddr> {
        self.browser.as_ref()?.address().ok()
    }

    /// Where each service listens, by its name. Tells the ports where the configuration asked for any.
    pub fn addresses(&self) -> BTreeMap<String, SocketAddr> {
        addresses(&self.shared.setup(), &self.listeners)
    }

    /// Serves until `shutdown` resolves, then drains: nothing new is accepted, idle sessions close, running requests and
    /// open transactions get the configured time.
    pub async fn run(self, shutdown: impl Future<Output = ()>) {
        let (switch, drain) = drain::drain();
        let mut tasks = JoinSet::new();
        if let Some(browser) = self.browser {
            tasks.spawn(browser.run(drain.clone()));
        }
        memory::sample(&self.shared);
        tasks.spawn(memory::watch(Arc::clone(&self.shared)));
        let mut serving = Serving::new(Arc::clone(&self.shared), drain.clone());
        serving.serve(self.listeners, &self.shared.setup());
        match self.follow {
            Some(follow) => {
                let follower = Follower { follow, shared: Arc::clone(&self.shared), serving, drain };
                tasks.spawn(keep_roles(follower, self.writer));
            }
            None => {
                let source = StaticSource::new(self.shared.setup().config.links.clone());
                tasks.spawn(async move {
                    let _serving = serving;
                    keep_roles(source, self.writer).await;
                });
            }
        }
        if let Some(admin) = self.admin {
            tasks.spawn(serve_admin(admin));
        }
        shutdown.await;
        let limit = self.shared.setup().config.timeouts.drain;
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

async fn keep_roles(source: impl Source, writer: TopologyWriter) {
    if let Err(error) = source.keep(writer).await {
        warn!(%error, "the topology is not kept up any more; the last picture stays");
    }
}

fn addresses(setup: &Setup, listeners: &[Listener]) -> BTreeMap<String, SocketAddr> {
    let address = |listener: &Listener| {
        let service = setup.service_at(listener.key())?;
        Some((service.name().to_string(), listener.address().ok()?))
    };
    listeners.iter().filter_map(address).collect()
}

fn bind_browser(address: SocketAddr, shared: &Arc<Shared>, listeners: &[Listener]) -> Result<Browser, Error> {
    let ports = addresses(&shared.setup(), listeners).into_iter().map(|(name, address)| (name, address.port()));
    let browser = Browser::bind(address, Arc::clone(shared), ports.collect());
    browser.map_err(|source| Error::Browser { address, source })
}

fn bind_admin(address: SocketAddr, shared: &Arc<Shared>, recorder: Option<Recorder>) -> Result<Admin, Error> {
    let (sessions, learned) = (Arc::clone(&shared.sessions), Arc::clone(&shared.learned));
    let sources = Sources {
        health: shared.health.clone(),
        topology: shared.topology.clone(),
        sessions: Arc::new(move || sessions.views()),
        replicas: Arc::new(move || learned.view()),
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
