//! Where the engine puts what a statement produces, in the order it produces it.

use tds::types::TypeInfo;
use tds::value::Value;

/// The consumer wants no more: the client cancelled, or is gone. The engine unwinds at once and reports nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stop;

/// A column of a result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    /// Its name, empty for an expression without one.
    pub name: String,
    /// Its type.
    pub type_info: TypeInfo,
    /// Whether it may be NULL.
    pub nullable: bool,
    /// Whether it is an identity column.
    pub identity: bool,
    /// Whether applications shall not see it: cursors have such a column.
    pub hidden: bool,
}

/// An error (class above 10) or an informational message (class 10 and below), with SQL Server's own number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// SQL Server's message number.
    pub number: i32,
    /// Its state.
    pub state: u8,
    /// Its class, also called severity.
    pub class: u8,
    /// Its text.
    pub text: String,
    /// The procedure it arose in, empty for none.
    pub procedure: String,
    /// The line of the batch it arose in, from 1.
    pub line: u32,
}

/// A statement ended. The consumer decides between DONE, DONEINPROC and DONEPROC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StatementEnd {
    /// The `CurCmd` of the statement (SELECT 0xC1, INSERT 0xC3, …).
    pub command: u16,
    /// Rows returned or changed; `None` under NOCOUNT or where nothing is counted.
    pub rows: Option<u64>,
    /// Whether it ended in an error.
    pub failed: bool,
}

/// What changed in the session and must be told to the client (ENVCHANGE).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Environment {
    /// The current database: new, old.
    Database(String, String),
    /// The language: new, old.
    Language(String, String),
    /// A transaction began; its descriptor.
    Begin(u64),
    /// The transaction with this descriptor committed.
    Commit(u64),
    /// The transaction with this descriptor rolled back.
    Rollback(u64),
}

/// An output parameter's value.
#[derive(Debug, Clone, PartialEq)]
pub struct ReturnValue {
    /// Which parameter of the call, from 0.
    pub ordinal: u16,
    /// Its name with `@`, empty if the caller gave none.
    pub name: String,
    /// Its type.
    pub type_info: TypeInfo,
    /// Its value.
    pub value: Value,
}

/// Takes what the engine produces. Calls may block the engine's thread: that is the back-pressure.
pub trait Sink {
    /// A result begins.
    fn columns(&mut self, columns: &[Column]) -> Result<(), Stop>;
    /// A row of the result that began last.
    fn row(&mut self, values: &[Value]) -> Result<(), Stop>;
    /// An error or a message.
    fn message(&mut self, message: Message) -> Result<(), Stop>;
    /// A change the client must know.
    fn environment(&mut self, change: Environment) -> Result<(), Stop>;
    /// A statement ended.
    fn end(&mut self, end: StatementEnd) -> Result<(), Stop>;
    /// An output parameter.
    fn return_value(&mut self, value: ReturnValue) -> Result<(), Stop>;
    /// A procedure's return status.
    fn return_status(&mut self, status: i32) -> Result<(), Stop>;
    /// Whether the client cancelled; asked by whatever runs long without producing anything.
    fn stopped(&self) -> bool;
}
