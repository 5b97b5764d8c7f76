//! The simulated database engine behind one server: T-SQL in, rows and messages out. Knows nothing of TDS framing.
//!
//! A batch goes through `lexer` and `parser` to `ast`, `bind` turns each statement into one of SQLite with
//! `functions` that have T-SQL's semantics, and `session` runs it and tells the [`sink`]. `replication` ships
//! commits from the primary of a `Pair` to its secondary.

mod ast;
mod bind;
mod calendar;
mod catalog;
mod changes;
mod connection;
mod convert;
mod cursors;
mod error;
pub mod front;
mod functions;
mod instance;
mod lexer;
mod lock;
mod numeric;
mod pair;
mod parser;
mod procedures;
mod replication;
mod session;
pub mod sink;
mod storage;
mod types;

pub use catalog::Role;
pub use instance::{Instance, InstanceOptions, Password};
pub use pair::{Pair, PairOptions};
pub use replication::Position;

#[cfg(test)]
mod tests;
