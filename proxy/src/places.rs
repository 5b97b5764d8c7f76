//! A number of places that are taken and given back. How many there may be is said when one is taken, so that a reload
//! can change it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Counts the places that are taken.
#[derive(Debug, Default)]
pub(crate) struct Places(AtomicUsize);

/// A place that is taken until it is dropped.
#[derive(Debug)]
pub(crate) struct Place(Arc<Places>);

impl Places {
    /// A place, unless `max` are taken.
    pub(crate) fn take(self: &Arc<Self>, max: usize) -> Option<Place> {
        let one_more = |taken: usize| (taken < max).then(|| taken + 1);
        self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_more).ok()?;
        Some(Place(Arc::clone(self)))
    }

    /// How many are taken.
    pub(crate) fn taken(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, Ordering::Relaxed);
    }
}
