//! What the TDS front asks of an engine. The front knows these traits and [`sink`](super::sink), and nothing of SQL.

use super::sink::{Message, Sink, Stop};
use std::sync::Arc;
use tds::request::TransactionRequest;
use tds::rpc::TableValue;
use tds::token::Column;
use tds::types::TypeInfo;
use tds::value::Value;

/// One simulated server: its name and its databases.
pub trait Engine: Send + Sync + std::fmt::Debug {
    /// The server's name, as `@@SERVERNAME` gives it.
    fn name(&self) -> &str;

    /// Logs a user in, to `database` or to the login's default.
    ///
    /// # Errors
    /// What the client is to be told: 18456, 4060 and their like.
    fn login(
        &self,
        user: &str,
        password: &str,
        database: Option<&str>,
        options: LoginOptions,
    ) -> Result<Box<dyn EngineSession>, Message>;
}

/// What a login says beside its user.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LoginOptions {
    /// The session's id: `@@SPID`.
    pub session_id: u16,
    /// The language, `None` for the login's default.
    pub language: Option<String>,
    /// The session begins with the ODBC defaults of its SET options.
    pub odbc: bool,
    /// The client's machine: `HOST_NAME()`.
    pub host_name: String,
    /// The application: `APP_NAME()`.
    pub application_name: String,
}

/// A logged-in session. Everything that runs statements blocks; a thread that may block calls it.
pub trait EngineSession: Send {
    /// The current database.
    fn database(&self) -> &str;

    /// The descriptor of the open transaction, 0 for none.
    fn descriptor(&self) -> u64;

    /// Stops what the session runs, from another thread.
    fn interrupt(&self) -> Arc<dyn Interrupt>;

    /// Runs a batch. Errors of its statements go to the sink.
    fn batch(&mut self, sql: &str, sink: &mut dyn Sink) -> Result<(), Stop>;

    /// Calls a procedure: its statements, its return status and its output parameters go to the sink.
    fn call(&mut self, call: Call, sink: &mut dyn Sink) -> Result<(), Stop>;

    /// Runs a transaction manager request.
    fn transaction(&mut self, request: TransactionRequest, sink: &mut dyn Sink) -> Result<(), Stop>;

    /// Makes the session as it was after its login, without a word to the client.
    fn reset(&mut self, keep_transaction: bool);

    /// Begins the bulk load that the batch before announced (`INSERT BULK`). Rows will have these columns.
    ///
    /// # Errors
    /// Why no rows can be taken.
    fn begin_bulk(&mut self, columns: &[Column]) -> Result<(), Message>;

    /// Takes a row of the load.
    ///
    /// # Errors
    /// Why it cannot be stored. The load is over then; [`Self::abort_bulk`] follows.
    fn bulk_row(&mut self, values: &[Value]) -> Result<(), Message>;

    /// Ends the load and says how many rows were stored.
    fn end_bulk(&mut self, sink: &mut dyn Sink) -> Result<(), Stop>;

    /// Forgets the rows of the load. Without a load it does nothing.
    fn abort_bulk(&mut self);
}

/// Stops a session's running statement from another thread; does nothing to an idle one.
pub trait Interrupt: Send + Sync {
    /// Makes what waits or computes notice [`Sink::stopped`] soon.
    fn interrupt(&self);
}

/// A call of a procedure.
#[derive(Debug, Clone, PartialEq)]
pub struct Call {
    /// Its name as the client wrote it; system procedures called by number have their name without a schema.
    pub procedure: String,
    /// Its parameters in their order.
    pub parameters: Vec<CallParameter>,
}

/// A parameter of a call.
#[derive(Debug, Clone, PartialEq)]
pub struct CallParameter {
    /// Its name with `@`, empty if given by position.
    pub name: String,
    /// Its type.
    pub type_info: TypeInfo,
    /// Its value.
    pub value: Value,
    /// Its value is wanted back.
    pub output: bool,
    /// The procedure's default is to be used, not the value.
    pub default: bool,
    /// A table-valued parameter; then type and value mean nothing.
    pub table: Option<TableValue>,
}
