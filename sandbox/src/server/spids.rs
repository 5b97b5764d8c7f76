//! Session ids: the smallest free number from 51 on, as SQL Server gives them to users.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::Notify;

/// SQL Server keeps the ids below for itself.
const FIRST: u16 = 51;
/// SQL Server's own limit on user connections.
const MOST: usize = 32_767;

/// The ids of one server.
#[derive(Debug, Clone, Default)]
pub(super) struct SessionIds(Arc<Ids>);

#[derive(Debug, Default)]
struct Ids {
    free: Mutex<Free>,
    released: Notify,
}

#[derive(Debug, Default)]
struct Free {
    /// Numbers given back, counted from 0.
    returned: BTreeSet<u16>,
    /// Numbers from here on were never given.
    next: u16,
}

impl SessionIds {
    /// A free id, or `None` if all are taken.
    pub(super) fn take(&self) -> Option<Spid> {
        let mut free = self.0.free.lock().unwrap_or_else(PoisonError::into_inner);
        let number = match free.returned.pop_first() {
            Some(number) => number,
            None if usize::from(free.next) < MOST => {
                free.next += 1;
                free.next - 1
            }
            None => return None,
        };
        Some(Spid { number, ids: self.clone() })
    }

    /// How many are taken.
    pub(super) fn taken(&self) -> usize {
        let free = self.0.free.lock().unwrap_or_else(PoisonError::into_inner);
        usize::from(free.next) - free.returned.len()
    }

    /// Waits until none is taken.
    pub(super) async fn all_free(&self) {
        loop {
            let released = self.0.released.notified();
            if self.taken() == 0 {
                return;
            }
            released.await;
        }
    }
}

/// An id, given back when dropped.
#[derive(Debug)]
pub(super) struct Spid {
    number: u16,
    ids: SessionIds,
}

impl Spid {
    /// The number clients see.
    pub(super) fn number(&self) -> u16 {
        FIRST + self.number
    }
}

impl Drop for Spid {
    fn drop(&mut self) {
        self.ids.0.free.lock().unwrap_or_else(PoisonError::into_inner).returned.insert(self.number);
        self.ids.0.released.notify_waiters();
    }
}
