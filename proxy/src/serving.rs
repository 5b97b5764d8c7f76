//! The tasks that a reload starts and stops: a listener for each service's address, a probe for each replica.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;

use tokio::task::{JoinHandle, JoinSet};
use tracing::info;

use crate::config::Config;
use crate::drain::Drain;
use crate::error::Error;
use crate::listener::Listener;
use crate::probe;
use crate::setup::{ListenerKey, Setup};
use crate::shared::Shared;

/// The tasks of a proxy that runs. All end when it is dropped.
pub(crate) struct Serving {
    shared: Arc<Shared>,
    drain: Drain,
    listeners: HashMap<ListenerKey, Task>,
    probes: JoinSet<()>,
}

impl Serving {
    /// Nothing runs yet.
    pub(crate) fn new(shared: Arc<Shared>, drain: Drain) -> Self {
        Self { shared, drain, listeners: HashMap::new(), probes: JoinSet::new() }
    }

    /// Binds the addresses of `config` that nobody listens on yet. They serve once they are given to [`serve`](Self::serve);
    /// dropped, they are free again.
    ///
    /// # Errors
    /// One of them cannot be had.
    pub(crate) fn bind_new(&self, config: &Config) -> Result<Vec<Listener>, Error> {
        let new = config.services.iter().filter(|service| !self.listeners.contains_key(&ListenerKey::of(service)));
        new.map(|service| Listener::bind(service, Arc::clone(&self.shared))).collect()
    }

    /// Serves at these addresses too, and probes the replicas of `setup` instead of those before. Gives what listens at
    /// addresses that `setup` does not have, for the caller to end.
    pub(crate) fn serve(&mut self, listeners: Vec<Listener>, setup: &Arc<Setup>) -> Vec<Unserved> {
        for listener in listeners {
            if let Some(service) = setup.service_at(listener.key()) {
                if let Ok(address) = listener.address() {
                    info!(service = %service.name(), %address, "listening");
                }
                self.shared.health.listening(service.name());
            }
            let key = listener.key().clone();
            self.listeners.insert(key, Task(tokio::spawn(listener.run(self.drain.clone()))));
        }
        // Dropping the old set ends its probes.
        self.probes = JoinSet::new();
        for replica in &setup.config.replicas {
            let (setup, shared) = (Arc::clone(setup), Arc::clone(&self.shared));
            self.probes.spawn(probe::run(replica.name.clone(), setup, shared, self.drain.clone()));
        }
        let gone = self.listeners.extract_if(|key, _| setup.service_at(key).is_none());
        gone.map(|(key, task)| Unserved { address: key.address, task }).collect()
    }
}

/// A listener whose service is gone; its running sessions are not.
pub(crate) struct Unserved {
    address: SocketAddr,
    task: Task,
}

impl Unserved {
    /// Closes it; the address is free when this returns.
    pub(crate) async fn close(mut self) {
        self.task.0.abort();
        // It was just aborted, so that is what its end says.
        let _ = (&mut self.task.0).await;
        info!(address = %self.address, "stopped accepting clients: the service was removed");
    }
}

/// A task that ends when it is dropped.
struct Task(JoinHandle<()>);

impl Drop for Task {
    fn drop(&mut self) {
        self.0.abort();
    }
}
