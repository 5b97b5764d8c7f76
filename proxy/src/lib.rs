//! The data path: one TDS session in, the right SQL Server out.

pub mod admin;
pub mod config;
pub mod health;
pub mod metrics;
pub mod open_files;
pub mod telemetry;

use std::io;
use std::sync::Arc;
use std::time::Instant;

use link_control::topology::{Source, StaticSource, store};

use admin::{Admin, Sources};
use config::Config;
use health::Health;
use metrics::Recorder;

/// Serves the admin interface until `shutdown` resolves.
///
/// # Errors
/// The address cannot be had.
pub async fn run(config: Config, recorder: Recorder, shutdown: impl Future<Output = ()>) -> io::Result<()> {
    let health = Health::new(config.services.iter().map(|service| &*service.name));
    let source = StaticSource::new(config.links);
    let (_writer, topology) = store(source.first(Instant::now())).map_err(io::Error::other)?;
    let Some(admin) = config.admin else {
        shutdown.await;
        return Ok(());
    };
    let sources = Sources { health, topology, sessions: Arc::new(Vec::new), recorder: Some(recorder) };
    Admin::bind(admin.address, sources)?.run(shutdown).await
}
