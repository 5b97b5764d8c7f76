//! Taking over a changed configuration while sessions run: whole, or not at all.
//!
//! The file is the source of roles, so whoever follows it owns the topology's writer. Looks are compared instead of asking
//! the kernel for events: that sees a file renamed into place, a turned link of a mounted secret and a network file
//! system alike, and an event that is missed cannot be missed for ever.

use std::future;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use link_control::topology::{LinkView, Source, StaticSource, TopologyError, TopologyWriter};
use tokio::sync::{mpsc, oneshot};
use tokio::task::{JoinError, spawn_blocking};
use tokio::time::sleep;
use tracing::{info, warn};

use crate::config::{Config, ConfigErrors, SeenFile};
use crate::drain::Drain;
use crate::error::Error;
use crate::serving::Serving;
use crate::session::error::chain;
use crate::setup::Setup;
use crate::shared::Shared;
use crate::telemetry::LevelSwitch;
use crate::{metrics, open_files};

/// Why a reload changed nothing. The configuration before it stays in force.
#[derive(Debug, thiserror::Error)]
pub enum ReloadError {
    /// The file cannot be read or has mistakes.
    #[error("{0}")]
    Config(ConfigErrors),
    /// What it asks for cannot be had.
    #[error(transparent)]
    Setup(#[from] Error),
    /// The links contradict each other.
    #[error("the links contradict each other")]
    Topology(#[from] TopologyError),
    /// Reading it did not come to an end; a defect of the proxy.
    #[error("reading the configuration broke off")]
    Broken(#[from] JoinError),
    /// The proxy is stopping, or not started.
    #[error("the proxy takes no reload now")]
    Stopping,
}

/// Asks a proxy to read its configuration again. Cheap to clone.
#[derive(Debug, Clone)]
pub struct ReloadSwitch(mpsc::Sender<Answer>);

/// Where the outcome of a reload is told.
type Answer = oneshot::Sender<Result<(), ReloadError>>;

impl ReloadSwitch {
    /// Reloads, and says how that went once it is done. The log and a metric say so too.
    ///
    /// # Errors
    /// Nothing was changed, and why.
    pub async fn reload(&self) -> Result<(), ReloadError> {
        let (answer, answered) = oneshot::channel();
        self.0.send(answer).await.map_err(|_| ReloadError::Stopping)?;
        answered.await.unwrap_or(Err(ReloadError::Stopping))
    }
}

/// A file that is to be followed.
pub(crate) struct Follow {
    file: PathBuf,
    level: Option<LevelSwitch>,
    asked: mpsc::Receiver<Answer>,
}

impl Follow {
    /// Follows `file`; its log level is set with `level`.
    pub(crate) fn new(file: PathBuf, level: Option<LevelSwitch>) -> (Self, ReloadSwitch) {
        // One waits while one is served; the others wait to be sent.
        let (switch, asked) = mpsc::channel(1);
        (Self { file, level, asked }, ReloadSwitch(switch))
    }
}

/// Follows a file for a proxy that runs.
pub(crate) struct Follower {
    pub(crate) follow: Follow,
    pub(crate) shared: Arc<Shared>,
    pub(crate) serving: Serving,
    pub(crate) drain: Drain,
}

impl Source for Follower {
    fn first(&self, now: Instant) -> Vec<LinkView> {
        StaticSource::new(self.shared.setup().config.links.clone()).first(now)
    }

    async fn keep(mut self, mut writer: TopologyWriter) -> Result<(), TopologyError> {
        metrics::reloads_count_from_now();
        let mut seen = self.shared.setup().config.files.clone();
        loop {
            let answer = tokio::select! {
                biased;
                () = self.drain.started() => break,
                Some(answer) = self.follow.asked.recv() => Some(answer),
                () = changed(&self.shared, &seen) => None,
            };
            let outcome = self.reload(&mut writer, &mut seen).await;
            tell(&outcome);
            if let Some(answer) = answer {
                // Who asked may have stopped listening; the log was told.
                let _ = answer.send(outcome);
            }
        }
        // What runs ends by itself when it drains, so it is kept; nobody is left waiting for a reload.
        let Self { follow, serving: _serving, .. } = self;
        drop(follow);
        future::pending().await
    }
}

impl Follower {
    /// Reads the file and takes over what it says. Notes in `seen` what was read, whatever comes of it.
    async fn reload(&mut self, writer: &mut TopologyWriter, seen: &mut Vec<SeenFile>) -> Result<(), ReloadError> {
        let old = self.shared.setup();
        let prepare = {
            let (file, old) = (self.follow.file.clone(), Arc::clone(&old));
            move || prepare(&file, &old)
        };
        let (read, setup) = spawn_blocking(prepare).await?;
        *seen = read;
        let setup = Arc::new(setup?);
        let listeners = self.serving.bind_new(&setup.config)?;
        // From here on nothing can fail, but for links that their check let through.
        old.retire(self.shared.topology.snapshot());
        if setup.config.links != old.config.links {
            let epoch = writer.publish(StaticSource::new(setup.config.links.clone()).first(Instant::now()))?;
            info!(%epoch, "the links have changed");
        }
        self.shared.replace(Arc::clone(&setup));
        let unserved = self.serving.serve(listeners, &setup);
        self.shared.health.forget_all_but(setup.config.replicas.iter().map(|replica| &replica.name));
        open_files::raise(&setup.config.limits);
        self.set_level(&old.config, &setup.config);
        for listener in unserved {
            listener.close().await;
        }
        Ok(())
    }

    fn set_level(&self, old: &Config, new: &Config) {
        let Some(level) = self.follow.level.as_ref().filter(|_| old.log.level != new.log.level) else { return };
        if let Err(error) = level.set(&new.log.level) {
            warn!(error = %chain(&error), "the log level stays as it was");
        }
    }
}

/// Waits until the files look otherwise than they did, and the same in two looks in a row: then nobody is still writing.
async fn changed(shared: &Shared, seen: &[SeenFile]) {
    let mut last = None;
    loop {
        match shared.setup().config.timeouts.watch_interval {
            Some(interval) => sleep(interval).await,
            None => future::pending().await,
        }
        let files = seen.to_vec();
        let look = spawn_blocking(move || files.iter().map(SeenFile::again).collect::<Vec<_>>()).await.ok();
        if look.is_some() && look == last && look.as_deref() != Some(seen) {
            return;
        }
        last = look;
    }
}

/// Reads the file and makes it ready. Also gives the files that were read, or should have been.
fn prepare(file: &Path, old: &Setup) -> (Vec<SeenFile>, Result<Setup, ReloadError>) {
    match Config::load(file) {
        Ok(mut config) => {
            keep_what_needs_a_restart(&old.config, &mut config);
            (config.files.clone(), Setup::new(config, Some(old)).map_err(ReloadError::Setup))
        }
        Err(errors) => (errors.files().to_vec(), Err(ReloadError::Config(errors))),
    }
}

/// Puts back what a running process cannot change, and says so.
fn keep_what_needs_a_restart(old: &Config, new: &mut Config) {
    let ignored = |key| warn!(key, "this change needs a restart and is ignored until then");
    if new.admin != old.admin {
        ignored("admin.address");
        new.admin.clone_from(&old.admin);
    }
    match (&old.browser, &mut new.browser) {
        (Some(old), Some(new)) if new.listen != old.listen => {
            ignored("browser.listen");
            new.listen = old.listen;
        }
        (None, new @ Some(_)) => {
            ignored("browser");
            *new = None;
        }
        _ => {}
    }
    if new.runtime != old.runtime {
        ignored("runtime.worker_threads");
        new.runtime.clone_from(&old.runtime);
    }
    if new.log.format != old.log.format {
        ignored("log.format");
        new.log.format = old.log.format;
    }
}

fn tell(outcome: &Result<(), ReloadError>) {
    metrics::reloaded(outcome.is_ok());
    let error = match outcome {
        Ok(()) => return info!("the configuration was reloaded"),
        Err(error) => error,
    };
    // Mistakes are a line each, as `tds-proxy check` shows them.
    for line in chain(error).lines() {
        warn!("{line}");
    }
    warn!("the configuration was not reloaded; the one before stays in force");
}
