//! The flag by which a session's task stops the engine that runs its request on another thread.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Set once per request, by an attention or the end of the connection.
#[derive(Debug, Clone, Default)]
pub(super) struct StopFlag(Arc<AtomicBool>);

impl StopFlag {
    pub(super) fn set(&self) {
        self.0.store(true, Ordering::Release);
    }

    pub(super) fn is_set(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}
