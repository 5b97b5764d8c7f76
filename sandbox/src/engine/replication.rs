//! The redo log between a primary and its secondary: commits go in with an LSN, and come out after the lag.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::catalog::{Procedure, Table, TableType};
use super::changes::RowImages;
use super::error::SqlError;
use super::instance::Instance;
use super::lock::Interrupter;

/// Bytes of rows the log may hold while the secondary does not redo: then the primary's log is full.
const MAX_BYTES: u64 = 4 << 30;

/// A change of the catalog, to be made on the secondary too.
#[derive(Debug, Clone)]
pub(crate) enum Definition {
    Table(Arc<Table>),
    DropTable(String),
    Procedure(Arc<Procedure>),
    DropProcedure(String),
    Type(Arc<TableType>),
    DropType(String),
}

/// What a transaction did, in order.
#[derive(Debug)]
pub(crate) enum Record {
    /// SQLite statements and what they mean in the catalog.
    Define { database: String, statements: Vec<String>, change: Definition },
    /// Rows as they were when the record was made.
    Rows(RowImages),
    /// How far a table's identity counter got.
    Identity { database: String, table: String, last: i64 },
}

#[derive(Debug)]
struct Commit {
    lsn: u64,
    at: Instant,
    records: Vec<Record>,
    bytes: u64,
}

#[derive(Debug, Default)]
struct State {
    queue: VecDeque<Commit>,
    bytes: u64,
    committed: u64,
    redone: u64,
    lag: Duration,
    frozen: bool,
    closed: bool,
}

/// Where primary and secondary stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Position {
    /// LSN of the last commit on the primary.
    pub committed: u64,
    /// LSN the secondary has redone, so that a query there sees it.
    pub redone: u64,
}

/// The log. Clones are the same log.
#[derive(Debug, Clone, Default)]
pub(crate) struct RedoLog {
    shared: Arc<(Mutex<State>, Condvar)>,
}

impl RedoLog {
    fn state(&self) -> MutexGuard<'_, State> {
        self.shared.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether a commit may still be logged.
    pub(crate) fn has_room(&self) -> Result<(), SqlError> {
        if self.state().bytes <= MAX_BYTES {
            return Ok(());
        }
        let text = "The transaction log is full due to 'AVAILABILITY_REPLICA'.";
        Err(SqlError::new(9002, 17, 2, text))
    }

    /// Appends what was just committed. The caller still holds the primary's writer lock, which keeps the order.
    pub(crate) fn append(&self, records: Vec<Record>) {
        let bytes = records.iter().map(|record| if let Record::Rows(rows) = record { rows.bytes() } else { 0 }).sum();
        let mut state = self.state();
        state.committed += 1;
        state.bytes += bytes;
        let lsn = state.committed;
        state.queue.push_back(Commit { lsn, at: Instant::now(), records, bytes });
        self.shared.1.notify_all();
    }

    pub(crate) fn set_lag(&self, lag: Duration) {
        self.state().lag = lag;
        self.shared.1.notify_all();
    }

    pub(crate) fn set_frozen(&self, frozen: bool) {
        self.state().frozen = frozen;
        self.shared.1.notify_all();
    }

    pub(crate) fn position(&self) -> Position {
        let state = self.state();
        Position { committed: state.committed, redone: state.redone }
    }

    pub(crate) fn close(&self) {
        self.state().closed = true;
        self.shared.1.notify_all();
    }

    /// Waits until the secondary has redone `lsn`; `false` if time ran out first.
    pub(crate) fn wait_for(&self, lsn: u64, timeout: Duration) -> bool {
        let deadline = Instant::now() + timeout;
        let mut state = self.state();
        while state.redone < lsn {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() || state.closed {
                return false;
            }
            state = self.shared.1.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        true
    }

    /// The next commit once its lag is over; `None` when the log is closed.
    fn next(&self) -> Option<Commit> {
        let mut state = self.state();
        loop {
            if state.closed {
                return None;
            }
            let due = state.queue.front().map(|commit| commit.at + state.lag);
            let wait = match due {
                Some(due) if !state.frozen => {
                    let left = due.saturating_duration_since(Instant::now());
                    if left.is_zero() {
                        return state.queue.pop_front();
                    }
                    left
                }
                _ => Duration::from_secs(3600),
            };
            state = self.shared.1.wait_timeout(state, wait).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    fn redone(&self, lsn: u64, bytes: u64) {
        let mut state = self.state();
        state.redone = lsn;
        state.bytes = state.bytes.saturating_sub(bytes);
        self.shared.1.notify_all();
    }

    /// Redoes commits on the secondary until the log is closed. Runs on a thread of its own.
    pub(crate) fn redo(&self, secondary: &Instance) {
        let interrupter = Interrupter::default();
        while let Some(mut commit) = self.next() {
            if let Err(error) = secondary.redo(&mut commit.records, &interrupter) {
                tracing::error!(number = error.number, lsn = commit.lsn, "the secondary cannot redo; it stays behind");
                return;
            }
            self.redone(commit.lsn, commit.bytes);
        }
    }
}
