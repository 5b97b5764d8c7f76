//! Asks every replica now and then whether it answers, and which version it is. Readiness and the version shown to
//! clients come from here; who is primary does not.

use std::sync::Arc;

use link_control::topology::ReplicaName;
use tokio::time::{MissedTickBehavior, interval};
use tracing::{info, warn};

use crate::backend;
use crate::drain::Drain;
use crate::session::error;
use crate::shared::{ServiceState, Shared};

/// Probes `replica` until the process drains.
pub(crate) async fn run(replica: ReplicaName, shared: Arc<Shared>, services: Vec<Arc<ServiceState>>, mut drain: Drain) {
    let mut ticks = interval(shared.config.timeouts.probe_interval);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut known = None;
    loop {
        tokio::select! {
            biased;
            () = drain.started() => return,
            _ = ticks.tick() => {}
        }
        let answers = probe(&replica, &shared, &services).await;
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

async fn probe(replica: &ReplicaName, shared: &Shared, services: &[Arc<ServiceState>]) -> Result<(), String> {
    let target = shared.target(replica).map_err(|error| error::chain(&error))?;
    let advertised = backend::ask(target, &shared.config.timeouts).await.map_err(|error| error::chain(&error))?;
    let topology = shared.topology.snapshot();
    for service in services {
        if topology.link(service.link()).is_some_and(|link| link.primary.as_ref() == Some(replica)) {
            service.advertised.store(advertised);
        }
    }
    Ok(())
}
