//! A SQLite connection with everything the engine registers on it.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, Result};

use super::changes::Changes;
use super::functions::{self, SharedIdentity};
use super::lock::Interrupter;

/// Statements kept prepared per connection.
const STATEMENTS: usize = 64;
/// SQLite instructions between looks whether the client cancelled.
const STEPS: i32 = 2_000;

/// A connection and what its hooks and functions share with the engine.
pub(crate) struct Lease {
    pub(crate) connection: Connection,
    pub(crate) identity: SharedIdentity,
    pub(crate) changes: Arc<Mutex<Changes>>,
}

impl Lease {
    pub(crate) fn open(path: &Path) -> Result<Self> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
            | OpenFlags::SQLITE_OPEN_CREATE
            | OpenFlags::SQLITE_OPEN_NO_MUTEX
            | OpenFlags::SQLITE_OPEN_PRIVATE_CACHE;
        let mut connection = Connection::open_with_flags(path, flags)?;
        connection.busy_timeout(Duration::from_secs(10))?;
        connection.set_prepared_statement_cache_capacity(STATEMENTS);
        // The data lives as long as the process, so nothing is gained by waiting for the disk.
        connection.execute_batch(
            "PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF; PRAGMA cache_size = -2000; PRAGMA wal_autocheckpoint = 4000;",
        )?;
        let identity = SharedIdentity::default();
        functions::register(&connection, &identity)?;
        let changes = Arc::new(Mutex::new(Changes::default()));
        let touched = Arc::clone(&changes);
        connection.update_hook(Some(move |_, database: &str, table: &str, row: i64| {
            if database == "main" {
                touched.lock().unwrap_or_else(PoisonError::into_inner).touch(table, row);
            }
        }))?;
        Ok(Self { connection, identity, changes })
    }

    /// Lets `interrupter` end what runs on this connection.
    pub(crate) fn obey(&mut self, interrupter: &Interrupter) -> Result<()> {
        let interrupter = interrupter.clone();
        self.connection.progress_handler(STEPS, Some(move || interrupter.stops_sqlite()))
    }
}
