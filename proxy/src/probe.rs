//! Asks every replica now and then whether it answers, and which version it is. Readiness and the version shown to
//! clients come from here; who is primary does not. With a login of its own, a probe also learns what only a login shows.

use std::sync::Arc;

use link_control::topology::ReplicaName;
use tds::packet::PACKET_BYTES_LOGIN;
use tokio::time::{MissedTickBehavior, interval};
use tracing::{info, warn};

use crate::backend::{self, Attempt, Narrowed, OnBehalf, Outcome};
use crate::config::SqlLogin;
use crate::drain::Drain;
use crate::identity;
use crate::learned::Lesson;
use crate::session::error;
use crate::setup::Setup;
use crate::shared::Shared;

/// Probes `replica` as `setup` knows it, until the process drains.
pub(crate) async fn run(replica: ReplicaName, setup: Arc<Setup>, shared: Arc<Shared>, mut drain: Drain) {
    let mut ticks = interval(setup.config.timeouts.probe_interval);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut known = None;
    let login = setup.config.replica(&replica).and_then(|replica| replica.probe.as_ref());
    let mut last_look = Ok(());
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
        if let Some(login) = login.filter(|_| answers.is_ok()) {
            let looked = look(&replica, login, &setup, &shared).await;
            // A secondary may not let anybody in, so this says nothing of its health.
            match &looked {
                Err(cause) if looked != last_look => warn!(%replica, error = cause, "the probe's login failed"),
                _ => {}
            }
            last_look = looked;
        }
        shared.health.replica_answered(&replica, answers);
    }
}

async fn probe(replica: &ReplicaName, setup: &Setup, shared: &Shared) -> Result<(), String> {
    let target = setup.target(replica).map_err(|error| error::chain(&error))?;
    let advertised = backend::ask(target, &setup.config.timeouts).await.map_err(|error| error::chain(&error))?;
    let topology = shared.topology_for(setup);
    shared.learned.version(replica, advertised.version, &topology);
    for service in &setup.services {
        if topology.link(service.link()).is_some_and(|link| link.primary.as_ref() == Some(replica)) {
            service.advertised.store(advertised);
        }
    }
    Ok(())
}

/// Logs in as the probes' own user, asks for everything, and hangs up. Says what went wrong, in words for an operator.
async fn look(replica: &ReplicaName, login: &SqlLogin, setup: &Setup, shared: &Shared) -> Result<(), String> {
    let failed = |error: &dyn std::error::Error| error::chain(error);
    let topology = shared.topology_for(setup);
    let mut links = topology.links().iter();
    let link = links.find(|link| link.primary.iter().chain(&link.secondaries).any(|member| member == replica));
    let database = link.and_then(|link| link.databases.first()).map_or("master", String::as_str);
    let probe = identity::probe_login(login, database).await.map_err(|error| failed(&error))?;
    let attempt = Attempt {
        target: setup.target(replica).map_err(|error| failed(&error))?,
        login: &probe,
        asked: &probe,
        application_name_suffix: "",
        // Some secondaries let nobody in who does not say so, and a primary may send those away who do.
        read_only: link.is_some_and(|link| link.primary.as_ref() != Some(replica)),
        owed: None,
        narrowed: Narrowed::default(),
        client_strict: false,
        on_behalf: OnBehalf::default(),
        packet_bytes_max: PACKET_BYTES_LOGIN,
        timeouts: &setup.config.timeouts,
    };
    match Box::pin(attempt.run(None)).await.map_err(|error| failed(&error))? {
        (Outcome::Accepted(accepted), advertised) => {
            shared.learned.login(replica, &Lesson::new(advertised.version, &accepted, true), &topology);
            Ok(())
        }
        (Outcome::Rejected(rejection), _) => Err(format!("it refused {} with error {}", login.user, rejection.number)),
    }
}
