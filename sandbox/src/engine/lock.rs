//! One writer at a time per instance, and how a session stops waiting: by timeout or by attention.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Ends whatever a session is doing: a running query, WAITFOR or a wait for the writer lock.
#[derive(Debug, Clone, Default)]
pub(crate) struct Interrupter {
    shared: Arc<Signal>,
}

#[derive(Debug, Default)]
struct Signal {
    raised: AtomicBool,
    /// SQLite must not be interrupted now: it would roll back work that an attention must leave alone.
    shielded: AtomicBool,
    guard: Mutex<()>,
    changed: Condvar,
}

impl Interrupter {
    /// Stops the session's current request. Does nothing lasting while it is idle.
    pub(crate) fn raise(&self) {
        let _guard = self.shared.guard.lock().unwrap_or_else(PoisonError::into_inner);
        self.shared.raised.store(true, Ordering::SeqCst);
        self.shared.changed.notify_all();
    }

    pub(crate) fn is_raised(&self) -> bool {
        self.shared.raised.load(Ordering::SeqCst)
    }

    /// Whether SQLite is to stop what it runs.
    pub(crate) fn stops_sqlite(&self) -> bool {
        self.is_raised() && !self.shared.shielded.load(Ordering::SeqCst)
    }

    /// Keeps SQLite from being interrupted, or no longer.
    pub(crate) fn shield(&self, shielded: bool) {
        self.shared.shielded.store(shielded, Ordering::SeqCst);
    }

    pub(crate) fn clear(&self) {
        self.shared.raised.store(false, Ordering::SeqCst);
    }

    /// Sleeps; `false` if it was interrupted.
    pub(crate) fn sleep(&self, duration: Duration) -> bool {
        let deadline = Instant::now() + duration;
        let mut guard = self.shared.guard.lock().unwrap_or_else(PoisonError::into_inner);
        while !self.is_raised() {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return true;
            }
            guard = self.shared.changed.wait_timeout(guard, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        false
    }
}

/// The writer lock of an instance.
#[derive(Debug, Clone, Default)]
pub(crate) struct WriterLock {
    shared: Arc<(Mutex<bool>, Condvar)>,
}

/// Why the lock was not got.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NotLocked {
    TimedOut,
    Interrupted,
}

/// How often a waiter looks whether it was interrupted.
const LOOK: Duration = Duration::from_millis(5);

impl WriterLock {
    /// Waits for the lock; `None` waits for ever.
    pub(crate) fn lock(&self, timeout: Option<Duration>, interrupter: &Interrupter) -> Result<WriterGuard, NotLocked> {
        let deadline = timeout.map(|timeout| Instant::now() + timeout);
        let (held, freed) = &*self.shared;
        let mut held = held.lock().unwrap_or_else(PoisonError::into_inner);
        while *held {
            if interrupter.is_raised() {
                return Err(NotLocked::Interrupted);
            }
            let left = deadline.map_or(LOOK, |deadline| deadline.saturating_duration_since(Instant::now()).min(LOOK));
            if left.is_zero() {
                return Err(NotLocked::TimedOut);
            }
            held = freed.wait_timeout(held, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        *held = true;
        Ok(WriterGuard { lock: self.clone() })
    }
}

/// Holds the writer lock.
#[derive(Debug)]
pub(crate) struct WriterGuard {
    lock: WriterLock,
}

impl Drop for WriterGuard {
    fn drop(&mut self) {
        let (held, freed) = &*self.lock.shared;
        *held.lock().unwrap_or_else(PoisonError::into_inner) = false;
        freed.notify_one();
    }
}
