//! Transactions: nesting, savepoints, the writer lock, and what a commit hands to the redo log.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use tds::request::{IsolationLevel, TransactionRequest};

use super::super::catalog::{Catalog, Role, Table, object_key};
use super::super::error::SqlError;
use super::super::lock::{NotLocked, WriterGuard};
use super::super::replication::Record;
use super::super::sink::{Environment, Sink, StatementEnd, Stop};
use super::{Failure, Session};

/// Descriptors are never used twice in a process.
static DESCRIPTORS: AtomicU64 = AtomicU64::new(0x0100_0000_0001);

/// A transaction, or the work of one statement outside of any (depth 0).
#[derive(Debug, Default)]
pub(crate) struct Transaction {
    descriptor: u64,
    /// `@@TRANCOUNT`.
    pub(crate) depth: u32,
    /// Held from the first write to a table that is not temporary.
    guard: Option<WriterGuard>,
    /// Whether SQLite has a transaction open.
    open: bool,
    savepoints: Vec<Savepoint>,
    /// The catalog with this transaction's definitions.
    pub(crate) catalog: Option<Arc<Catalog>>,
    pub(crate) records: Vec<Record>,
    /// Only ROLLBACK is possible any more.
    pub(crate) doomed: bool,
    /// Temporary tables as they were before SQLite's transaction, which undoes their making too.
    temporary: BTreeMap<String, Arc<Table>>,
    /// Tables whose identity counters moved.
    pub(crate) counted: Vec<Arc<Table>>,
}

#[derive(Debug)]
struct Savepoint {
    name: String,
    /// Whether SQLite knows it; one set before the first write stands for the beginning.
    open: bool,
    records: usize,
    catalog: Option<Arc<Catalog>>,
    temporary: BTreeMap<String, Arc<Table>>,
}

impl Transaction {
    /// What the client knows it by; 0 outside a transaction.
    pub(super) fn descriptor(&self) -> u64 {
        if self.depth > 0 { self.descriptor } else { 0 }
    }

    pub(super) fn is_open(&self) -> bool {
        self.open
    }
}

/// What a write touches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reach {
    /// Temporary tables only: no lock, allowed on a secondary.
    Temporary,
    /// A database.
    Stored,
}

/// CurCmd values of transaction statements.
const BEGIN: u16 = 0xD4;
const COMMIT: u16 = 0xD5;
const ROLLBACK: u16 = 0xD2;
const SAVE: u16 = 0xD6;

impl Session {
    /// `@@TRANCOUNT`.
    pub(crate) fn depth(&self) -> u32 {
        self.transaction.as_ref().map_or(0, |transaction| transaction.depth)
    }

    pub(crate) fn is_doomed(&self) -> bool {
        self.transaction.as_ref().is_some_and(|transaction| transaction.doomed)
    }

    pub(super) fn doom(&mut self) {
        if let Some(transaction) = &mut self.transaction {
            transaction.doomed = true;
        }
    }

    pub(crate) fn begin(&mut self, sink: &mut dyn Sink) -> Result<(), Failure> {
        match &mut self.transaction {
            Some(transaction) => transaction.depth += 1,
            None => {
                let descriptor = DESCRIPTORS.fetch_add(1, Ordering::Relaxed);
                self.transaction = Some(Transaction { descriptor, depth: 1, ..Transaction::default() });
                sink.environment(Environment::Begin(descriptor))?;
            }
        }
        Ok(())
    }

    /// Under IMPLICIT_TRANSACTIONS a statement that touches a table begins a transaction.
    pub(crate) fn begin_implicitly(&mut self, sink: &mut dyn Sink) -> Result<(), Failure> {
        if self.options.implicit_transactions && self.transaction.is_none() {
            self.begin(sink)?;
        }
        Ok(())
    }

    pub(crate) fn commit(&mut self, sink: &mut dyn Sink) -> Result<(), Failure> {
        let Some(transaction) = &mut self.transaction else {
            let text = "The COMMIT TRANSACTION request has no corresponding BEGIN TRANSACTION.";
            return Err(SqlError::new(3902, 16, 1, text).into());
        };
        if transaction.doomed {
            let text = "The current transaction cannot be committed and cannot support operations that write to the log file. Roll back the transaction.";
            return Err(SqlError::new(3930, 16, 1, text).into());
        }
        transaction.depth = transaction.depth.saturating_sub(1);
        if transaction.depth > 0 {
            return Ok(());
        }
        let descriptor = transaction.descriptor;
        if let Err(error) = self.commit_work() {
            self.rollback_work();
            sink.environment(Environment::Rollback(descriptor))?;
            return Err(error.into());
        }
        sink.environment(Environment::Commit(descriptor))?;
        Ok(())
    }

    /// ROLLBACK of everything, or to a savepoint.
    pub(crate) fn rollback(&mut self, name: Option<&str>, sink: &mut dyn Sink) -> Result<(), Failure> {
        let Some(transaction) = &self.transaction else {
            let text = "The ROLLBACK TRANSACTION request has no corresponding BEGIN TRANSACTION.";
            return Err(SqlError::new(3903, 16, 1, text).into());
        };
        if let Some(name) = name
            && let Some(at) = transaction.savepoints.iter().rposition(|one| one.name.eq_ignore_ascii_case(name))
        {
            if transaction.doomed {
                let text = "The current transaction cannot be committed and cannot be rolled back to a savepoint. Roll back the entire transaction.";
                return Err(SqlError::new(3931, 16, 1, text).into());
            }
            return Ok(self.rollback_to(at)?);
        }
        Ok(self.rollback_all(sink)?)
    }

    /// Ends the transaction, if there is one, and says so.
    pub(crate) fn rollback_all(&mut self, sink: &mut dyn Sink) -> Result<(), Stop> {
        let descriptor = self.transaction.as_ref().map_or(0, Transaction::descriptor);
        self.rollback_work();
        if descriptor != 0 { sink.environment(Environment::Rollback(descriptor)) } else { Ok(()) }
    }

    pub(super) fn rollback_silently(&mut self) {
        self.rollback_work();
    }

    pub(crate) fn save(&mut self, name: &str) -> Result<(), Failure> {
        let Some(mut transaction) = self.transaction.take() else {
            return Err(SqlError::new(
                628,
                16,
                0,
                "Cannot issue SAVE TRANSACTION when there is no active transaction.",
            )
            .into());
        };
        let saved = self.set_savepoint(&mut transaction, name);
        self.transaction = Some(transaction);
        saved
    }

    fn set_savepoint(&self, transaction: &mut Transaction, name: &str) -> Result<(), Failure> {
        if transaction.open
            && let Some(lease) = &self.lease
        {
            // What was touched so far must not be lost when later records are.
            let rows = lease.changes.lock().unwrap_or_else(PoisonError::into_inner).take(&lease.connection)?;
            transaction.records.extend(rows.map(Record::Rows));
            lease.connection.execute_batch(&format!("SAVEPOINT s{}", transaction.savepoints.len()))?;
        }
        transaction.savepoints.push(Savepoint {
            name: name.to_owned(),
            open: transaction.open,
            records: transaction.records.len(),
            catalog: transaction.catalog.clone(),
            temporary: self.temporary.clone(),
        });
        Ok(())
    }

    fn rollback_to(&mut self, at: usize) -> Result<(), SqlError> {
        let Some(transaction) = &mut self.transaction else { return Ok(()) };
        let Some(savepoint) = transaction.savepoints.get(at) else { return Ok(()) };
        let (open, records) = (savepoint.open, savepoint.records);
        let (catalog, temporary) = (savepoint.catalog.clone(), savepoint.temporary.clone());
        transaction.savepoints.truncate(at + 1);
        if let Some(lease) = &self.lease
            && transaction.open
        {
            lease.changes.lock().unwrap_or_else(PoisonError::into_inner).clear();
            if open {
                lease.connection.execute_batch(&format!("ROLLBACK TO s{at}"))?;
            } else {
                lease.connection.execute_batch("ROLLBACK")?;
                transaction.open = false;
                transaction.guard = None;
            }
        }
        transaction.records.truncate(records);
        transaction.catalog = catalog;
        self.temporary = temporary;
        Ok(())
    }

    /// Runs `work` in the transaction, or in one of its own that ends with it.
    pub(crate) fn writing<T>(
        &mut self,
        reach: Reach,
        work: impl FnOnce(&mut Self) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        if self.is_doomed() {
            let text = "The current transaction cannot be committed and cannot support operations that write to the log file. Roll back the transaction.";
            return Err(SqlError::new(3930, 16, 1, text).into());
        }
        let alone = self.transaction.is_none();
        if alone {
            self.transaction = Some(Transaction::default());
        }
        // An interrupted write makes SQLite roll back its whole transaction. Where that holds earlier work, the write
        // runs to its end instead, because an attention must leave the transaction as it was.
        let has_work = self.transaction.as_ref().is_some_and(Transaction::is_open);
        let opened = self.open_write(reach);
        self.interrupter.shield(has_work);
        let done = opened.and_then(|()| work(self));
        self.interrupter.shield(false);
        if !has_work && done.is_err() {
            self.forget_lost_work();
        }
        if !alone {
            return done;
        }
        let done = done.and_then(|value| self.commit_work().map(|()| value).map_err(Failure::from));
        if done.is_err() {
            self.rollback_work();
        }
        done
    }

    /// Whether SQLite has rolled back by itself what the transaction thinks is open.
    fn has_lost_work(&self) -> bool {
        let open = self.transaction.as_ref().is_some_and(Transaction::is_open);
        open && self.lease.as_ref().is_some_and(|lease| lease.connection.is_autocommit())
    }

    /// The transaction's first write was rolled back by SQLite: it goes on as if it had written nothing.
    fn forget_lost_work(&mut self) {
        if !self.has_lost_work() {
            return;
        }
        if let Some(lease) = &self.lease {
            lease.changes.lock().unwrap_or_else(PoisonError::into_inner).clear();
        }
        if let Some(transaction) = &mut self.transaction {
            transaction.open = false;
            transaction.guard = None;
            transaction.catalog = None;
            transaction.records.clear();
            self.temporary = std::mem::take(&mut transaction.temporary);
        }
    }

    /// A full disk or a failing one makes SQLite roll back: the client must know that its transaction is gone.
    pub(super) fn report_lost_work(&mut self, sink: &mut dyn Sink) -> Result<(), Stop> {
        if self.has_lost_work() { self.rollback_all(sink) } else { Ok(()) }
    }

    /// Takes the writer lock and opens SQLite's transaction where that is still to be done.
    fn open_write(&mut self, reach: Reach) -> Result<(), Failure> {
        let lease = self.take_lease()?;
        let Some(mut transaction) = self.transaction.take() else { return Ok(()) };
        let opened = self.open_in(&lease, &mut transaction, reach);
        self.lease = Some(lease);
        self.transaction = Some(transaction);
        opened
    }

    fn open_in(&self, lease: &super::Lease, transaction: &mut Transaction, reach: Reach) -> Result<(), Failure> {
        if reach == Reach::Stored && transaction.guard.is_none() {
            let timeout = u64::try_from(self.options.lock_timeout_ms).ok().map(Duration::from_millis);
            let guard = self.instance.shared.writer.lock(timeout, &self.interrupter);
            transaction.guard = Some(guard.map_err(|reason| match reason {
                NotLocked::Interrupted => Failure::Stop,
                NotLocked::TimedOut => SqlError::new(1222, 16, 45, "Lock request time out period exceeded.").into(),
            })?);
            let catalog = self.instance.catalog();
            let primary = catalog.databases.iter().filter(|database| database.role == Role::Primary);
            let prefixes = primary.map(|database| format!("{}.", database.name)).collect();
            lease.changes.lock().unwrap_or_else(PoisonError::into_inner).prefixes = prefixes;
        }
        if !transaction.open {
            let begin = if reach == Reach::Stored { "BEGIN IMMEDIATE" } else { "BEGIN" };
            lease.connection.execute_batch(begin)?;
            transaction.open = true;
            transaction.temporary = self.temporary.clone();
        }
        Ok(())
    }

    /// Commits in SQLite, publishes definitions and hands the changes to the redo log, in this order under the lock.
    pub(super) fn commit_work(&mut self) -> Result<(), SqlError> {
        let Some(mut transaction) = self.transaction.take() else { return Ok(()) };
        let Some(lease) = self.lease.as_ref().filter(|_| transaction.open) else { return Ok(()) };
        let log = self.instance.log();
        let finished = (|| {
            if let Some(log) = &log {
                log.has_room()?;
                let rows = lease.changes.lock().unwrap_or_else(PoisonError::into_inner).take(&lease.connection)?;
                transaction.records.extend(rows.map(Record::Rows));
            }
            lease.connection.execute_batch("COMMIT").map_err(SqlError::from)
        })();
        if let Err(error) = finished {
            self.transaction = Some(transaction);
            return Err(error);
        }
        let catalog = transaction.catalog.take();
        if let Some(catalog) = catalog {
            self.instance.publish(catalog);
        }
        if let Some(log) = log {
            let current = self.instance.catalog();
            let replicated =
                |table: &Table| current.database(&table.database).is_some_and(|one| one.role == Role::Primary);
            for table in transaction.counted.iter().filter(|table| replicated(table)) {
                if let Some(last) = table.identity.as_ref().and_then(|identity| identity.last()) {
                    let key = object_key(&table.schema, &table.name);
                    transaction.records.push(Record::Identity { database: table.database.clone(), table: key, last });
                }
            }
            if transaction.records.iter().any(|record| !matches!(record, Record::Identity { .. })) {
                log.append(std::mem::take(&mut transaction.records));
            }
        }
        Ok(())
    }

    pub(super) fn rollback_work(&mut self) {
        let Some(transaction) = self.transaction.take() else { return };
        if let Some(lease) = self.lease.as_ref().filter(|_| transaction.open) {
            lease.changes.lock().unwrap_or_else(PoisonError::into_inner).clear();
            // Fails only if SQLite has rolled back by itself already.
            let _ = lease.connection.execute_batch("ROLLBACK");
            self.temporary = transaction.temporary;
        }
    }

    /// After a stopped statement outside a transaction nothing of it may stay.
    pub(super) fn abandon_statement(&mut self) {
        if self.transaction.as_ref().is_some_and(|transaction| transaction.depth == 0) {
            self.rollback_work();
        }
    }

    pub(super) fn run_transaction_request(
        &mut self,
        request: TransactionRequest,
        sink: &mut dyn Sink,
    ) -> Result<(), Stop> {
        let (command, done) = match request {
            TransactionRequest::Begin(begin) => {
                self.isolate(begin.isolation);
                (BEGIN, self.begin(sink))
            }
            TransactionRequest::Commit { then, .. } => {
                let done = self.commit(sink).and_then(|()| self.begin_next(then, sink));
                (COMMIT, done)
            }
            TransactionRequest::Rollback { name, then } => {
                let name = Some(name.as_str()).filter(|name| !name.is_empty());
                let done = self.rollback(name, sink).and_then(|()| self.begin_next(then, sink));
                (ROLLBACK, done)
            }
            TransactionRequest::Save { name } => (SAVE, self.save(&name)),
            TransactionRequest::DtcAddress | TransactionRequest::Propagate(_) | TransactionRequest::Promote => {
                (BEGIN, Err(SqlError::unsupported("distributed transactions").into()))
            }
        };
        let failed = match done {
            Ok(()) => false,
            Err(Failure::Stop) => return Err(Stop),
            Err(Failure::Sql(error)) => {
                sink.message(error.message(""))?;
                true
            }
        };
        sink.end(StatementEnd { command, rows: None, failed })
    }

    fn begin_next(&mut self, then: Option<tds::request::Begin>, sink: &mut dyn Sink) -> Result<(), Failure> {
        let Some(begin) = then else { return Ok(()) };
        self.isolate(begin.isolation);
        self.begin(sink)
    }

    fn isolate(&mut self, level: IsolationLevel) {
        let name = match level {
            IsolationLevel::Unchanged => return,
            IsolationLevel::ReadUncommitted => "READ UNCOMMITTED",
            IsolationLevel::ReadCommitted => "READ COMMITTED",
            IsolationLevel::RepeatableRead => "REPEATABLE READ",
            IsolationLevel::Serializable => "SERIALIZABLE",
            IsolationLevel::Snapshot => "SNAPSHOT",
        };
        self.options.isolation = name.to_owned();
    }
}
