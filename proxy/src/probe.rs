//! Asks every replica now and then whether it answers, and which version it is. Readiness and the version shown to
//! clients come from here; who is primary does not.

use std::sync::Arc;

use link_control::topology::ReplicaName;
use tokio::time::{MissedTickBehavior, interval};
use tracing::{info, warn};

use crate::backend;
use crate::drain::Drain;
use crate::session::error;
use crate::setup::Setup;
use crate::shared::Shared;

/// Probes `replica` as `setup` knows it, until the process drains.
pub(crate) async fn run(replica: ReplicaName, setup: Arc<Setup>, shared: Arc<Shared>, mut drain: Drain) {
    let mut ticks = interval(setup.config.timeouts.probe_interval);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut known = None;
    loop {
        tokio::select! {
            biased;
            () = drain.started() => return,
            _ = ticks.tick() => {}
        }
        let answers = probe(&replica, &setup, &shared).await;
        if known != Some(answers.is_ok()) {
            match &answers {
                Ok(()) => info!(%replica, "the replica answers"),
                Err(cause) => warn!(%replica, error = cause, "the replica does not answer"),
            }
        }
        known = Some(answers.is_ok());
        shared.health.replica_answered(&replica, answers);
    }
}

async fn probe(replica: &ReplicaName, setup: &Setup, shared: &Shared) -> Result<(), String> {
    let target = setup.target(replica).map_err(|error| error::chain(&error))?;
    let advertised = backend::ask(target, &setup.config.timeouts).await.map_err(|error| error::chain(&error))?;
    let topology = shared.topology_for(setup);
    for service in &setup.services {
        if topology.link(service.link()).is_some_and(|link| link.primary.as_ref() == Some(replica)) {
            service.advertised.store(advertised);
        }
    }
    Ok(())
}
