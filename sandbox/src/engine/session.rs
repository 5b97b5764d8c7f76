//! A logged-in session: its state, and the requests that run in it.

mod define;
mod execute;
mod load;
mod options;
mod raise;
mod run;
mod statement;
mod system;
mod tables;
mod transaction;

use std::collections::BTreeMap;
use std::sync::Arc;

use tds::request::TransactionRequest;
use tds::token;
use tds::value::Value;

use super::catalog::views::sessions::Shown;
use super::catalog::{Catalog, Table};
use super::connection::Lease;
use super::cursors::Cursor;
use super::error::SqlError;
use super::front::{Call, EngineSession, Interrupt, LoginOptions};
use super::instance::{Code, Instance};
use super::lock::Interrupter;
use super::procedures::Prepared;
use super::sink::{Message, Sink, Stop};
use super::types::Type;
pub(crate) use execute::{Outcome, matched};
use load::Load;
use options::Options;
pub(crate) use run::Unwind;
use transaction::Transaction;

/// Why a statement did not end well.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The client cancelled or is gone.
    Stop,
    Sql(SqlError),
}

impl From<Stop> for Failure {
    fn from(_: Stop) -> Self {
        Self::Stop
    }
}

impl From<SqlError> for Failure {
    fn from(error: SqlError) -> Self {
        Self::Sql(error)
    }
}

impl From<rusqlite::Error> for Failure {
    fn from(error: rusqlite::Error) -> Self {
        match error.sqlite_error_code() {
            Some(rusqlite::ErrorCode::OperationInterrupted) => Self::Stop,
            _ => Self::Sql(error.into()),
        }
    }
}

/// Variables and everything else that belongs to one batch, procedure or dynamic text.
#[derive(Debug)]
pub(crate) struct Frame {
    pub(crate) types: BTreeMap<String, Type>,
    pub(crate) values: BTreeMap<String, Value>,
    pub(crate) tables: BTreeMap<String, Arc<Table>>,
    /// Name of the procedure, empty for a batch.
    pub(crate) procedure: String,
    pub(crate) identity: Option<i64>,
    /// Errors being handled by CATCH blocks, the innermost last.
    pub(crate) errors: Vec<SqlError>,
    pub(crate) code: Arc<Code>,
    /// Whether statements report DONE to the client as their own (batch), not within a call.
    pub(crate) level: u32,
}

/// A logged-in session.
pub(crate) struct Session {
    pub(crate) instance: Instance,
    pub(crate) login: String,
    pub(crate) login_options: LoginOptions,
    login_database: String,
    pub(crate) database: String,
    pub(crate) options: Options,
    lease: Option<Lease>,
    transaction: Option<Transaction>,
    pub(crate) temporary: BTreeMap<String, Arc<Table>>,
    /// Table variables made so far, for their names in SQLite.
    table_variables: u64,
    pub(crate) interrupter: Interrupter,
    pub(crate) row_count: i64,
    pub(crate) error: i32,
    pub(crate) identity: Option<i64>,
    pub(crate) prepared: BTreeMap<i32, Prepared>,
    pub(crate) last_handle: i32,
    /// Open API cursors by handle.
    pub(crate) cursors: BTreeMap<i32, Cursor>,
    /// Cursors opened so far: a handle is never given twice.
    pub(crate) cursors_opened: i32,
    pub(crate) nesting: u32,
    try_depth: u32,
    /// Whether the error on its way was thrown: THROW ends the batch.
    thrown: bool,
    load: Option<Load>,
    /// What the session is called in the list of all.
    listed: u64,
}

impl Session {
    pub(crate) fn new(instance: Instance, login: String, database: String, login_options: LoginOptions) -> Self {
        let options = Options::at_login(&login_options);
        let mut session = Self {
            instance,
            login,
            login_options,
            login_database: database.clone(),
            database,
            options,
            lease: None,
            transaction: None,
            temporary: BTreeMap::new(),
            table_variables: 0,
            interrupter: Interrupter::default(),
            row_count: 0,
            error: 0,
            identity: None,
            prepared: BTreeMap::new(),
            last_handle: 0,
            cursors: BTreeMap::new(),
            cursors_opened: 0,
            nesting: 0,
            try_depth: 0,
            thrown: false,
            load: None,
            listed: 0,
        };
        session.listed = session.instance.catalog().sessions.add(session.shown(false));
        session
    }

    /// What the dynamic management views show of the session.
    fn shown(&self, running: bool) -> Shown {
        let catalog = self.instance.catalog();
        Shown {
            session_id: self.login_options.session_id,
            login: self.login.clone(),
            program: self.login_options.application_name.clone(),
            host: self.login_options.host_name.clone(),
            database_id: catalog.database(&self.database).map_or(0, |database| database.id),
            isolation: self.options.isolation.clone(),
            running,
            transactions: self.depth(),
        }
    }

    /// Shows the others, and itself, what became of the session.
    pub(crate) fn show(&self, running: bool) {
        self.instance.catalog().sessions.set(self.listed, self.shown(running));
    }

    /// The catalog as this session sees it: its own while it has uncommitted definitions.
    pub(crate) fn catalog(&self) -> Arc<Catalog> {
        let own = self.transaction.as_ref().and_then(|transaction| transaction.catalog.clone());
        own.unwrap_or_else(|| self.instance.catalog())
    }

    /// Takes the connection out of the session, opening one if it has none.
    fn take_lease(&mut self) -> Result<Lease, Failure> {
        if let Some(lease) = self.lease.take() {
            return Ok(lease);
        }
        let mut lease = self.instance.lease()?;
        lease.obey(&self.interrupter)?;
        Ok(lease)
    }

    /// Gives the connection back unless it holds something of the session.
    fn release(&mut self) {
        let holds = !self.temporary.is_empty() || self.transaction.as_ref().is_some_and(|open| open.is_open());
        if holds {
            return;
        }
        if let Some(lease) = self.lease.take() {
            self.instance.give_back(lease);
        }
    }

    /// Before each request: what an earlier attention left behind is no reason to stop this one.
    fn begin_request(&self, sink: &dyn Sink) -> Result<(), Stop> {
        self.interrupter.clear();
        self.show(true);
        if sink.stopped() { Err(Stop) } else { Ok(()) }
    }

    /// After a request that was stopped: an open transaction survives unless XACT_ABORT is on.
    fn end_request(&mut self, outcome: Result<(), Stop>, sink: &mut dyn Sink) -> Result<(), Stop> {
        self.try_depth = 0;
        self.nesting = 0;
        if outcome.is_err() {
            self.abandon_statement();
            // The client that stopped the request may not be there to hear it.
            let _ = self.report_lost_work(sink);
            if self.options.xact_abort {
                // The client that stopped the request still learns that its transaction is gone, if it is there.
                let _ = self.rollback_all(sink);
            }
        }
        self.release();
        self.show(false);
        outcome
    }
}

impl EngineSession for Session {
    fn database(&self) -> &str {
        &self.database
    }

    fn descriptor(&self) -> u64 {
        self.transaction.as_ref().map_or(0, Transaction::descriptor)
    }

    fn interrupt(&self) -> Arc<dyn Interrupt> {
        Arc::new(self.interrupter.clone())
    }

    fn batch(&mut self, sql: &str, sink: &mut dyn Sink) -> Result<(), Stop> {
        self.begin_request(sink)?;
        let outcome = self.run_batch(sql, sink);
        self.end_request(outcome, sink)
    }

    fn call(&mut self, call: Call, sink: &mut dyn Sink) -> Result<(), Stop> {
        self.begin_request(sink)?;
        let outcome = self.run_call(call, sink);
        self.end_request(outcome, sink)
    }

    fn transaction(&mut self, request: TransactionRequest, sink: &mut dyn Sink) -> Result<(), Stop> {
        self.begin_request(sink)?;
        let outcome = self.run_transaction_request(request, sink);
        self.end_request(outcome, sink)
    }

    fn reset(&mut self, keep_transaction: bool) {
        self.abort_bulk();
        if !keep_transaction {
            self.rollback_silently();
        }
        self.drop_temporary();
        self.prepared.clear();
        self.cursors.clear();
        self.options = Options::after_reset(&self.login_options, &self.options);
        self.database = self.login_database.clone();
        self.row_count = 0;
        self.error = 0;
        self.identity = None;
        self.release();
    }

    fn begin_bulk(&mut self, columns: &[token::Column]) -> Result<(), Message> {
        let types: Option<Vec<Type>> = columns.iter().map(|column| Type::from_type_info(&column.type_info)).collect();
        let types = types.ok_or_else(|| SqlError::unsupported("this type in a bulk load").message(""))?;
        self.begin_load(&types).map_err(message_of)
    }

    fn bulk_row(&mut self, values: &[Value]) -> Result<(), Message> {
        self.load_row(values).map_err(message_of)
    }

    fn end_bulk(&mut self, sink: &mut dyn Sink) -> Result<(), Stop> {
        let outcome = self.end_load(sink);
        self.end_request(outcome, sink)
    }

    fn abort_bulk(&mut self) {
        self.abort_load();
        self.release();
    }
}

/// A failure where no sink is at hand.
fn message_of(failure: Failure) -> Message {
    match failure {
        Failure::Sql(error) => error.message(""),
        Failure::Stop => SqlError::new(3617, 16, 1, "The operation was cancelled.").message(""),
    }
}

impl Interrupt for Interrupter {
    fn interrupt(&self) {
        self.raise();
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.rollback_silently();
        self.drop_temporary();
        self.release();
        self.instance.catalog().sessions.remove(self.listed);
    }
}
