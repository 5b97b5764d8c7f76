//! Stopping in order: nothing new, what runs may finish, then the rest ends by a deadline.

use std::future;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

/// Starts the drain; held by `run` alone.
#[derive(Debug)]
pub(crate) struct DrainSwitch(watch::Sender<Option<Instant>>);

/// Knows whether the process drains. One per listener and session.
#[derive(Debug, Clone)]
pub(crate) struct Drain(watch::Receiver<Option<Instant>>);

/// The two ends, not draining.
pub(crate) fn drain() -> (DrainSwitch, Drain) {
    let (sender, receiver) = watch::channel(None);
    (DrainSwitch(sender), Drain(receiver))
}

impl DrainSwitch {
    /// Drains from now on; what has not ended after `limit` is ended.
    pub(crate) fn start(&self, limit: Duration) {
        self.0.send_replace(Some(Instant::now() + limit));
    }
}

impl Drain {
    /// Waits until the drain starts. Cancel-safe.
    pub(crate) async fn started(&mut self) {
        if self.0.wait_for(Option::is_some).await.is_err() {
            // The switch is gone without having been used: there will be no drain.
            future::pending::<()>().await;
        }
    }

    /// Waits until the drain's time is over. Cancel-safe.
    pub(crate) async fn deadline(&mut self) {
        self.started().await;
        let deadline = *self.0.borrow();
        if let Some(deadline) = deadline {
            sleep_until(deadline).await;
        }
    }
}
