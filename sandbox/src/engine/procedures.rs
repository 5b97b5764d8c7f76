//! The system procedures clients call.

mod cursors;
mod datatypes;
mod describe;
mod metadata;
mod prepare;

use std::sync::Arc;

use tds::rpc::TableValue;
use tds::value::Value;

use super::ast::{Name, Parameter};
use super::catalog::Table;
use super::convert::{Reason, convert};
use super::error::SqlError;
use super::session::{Outcome, Session, Unwind};
use super::sink::Sink;
use super::types::Type;

pub(crate) use prepare::Prepared;

/// A parameter as the caller gave it.
#[derive(Debug, Clone)]
pub(crate) struct Given {
    /// With `@`, empty if given by place.
    pub(crate) name: String,
    pub(crate) type_: Type,
    /// `None` asks for the default.
    pub(crate) value: Option<Value>,
    pub(crate) output: bool,
    /// A table, instead of a value.
    pub(crate) table: Option<GivenTable>,
}

/// A table as a parameter.
#[derive(Debug, Clone)]
pub(crate) enum GivenTable {
    /// Its rows came from the client.
    Rows(Arc<TableValue>),
    /// It is a table variable of the caller.
    Variable(Arc<Table>),
}

/// Calls a system procedure; `None` if there is none of this name.
pub(crate) fn call(
    session: &mut Session,
    name: &Name,
    given: &[Given],
    level: u32,
    sink: &mut dyn Sink,
) -> Option<Result<Outcome, Unwind>> {
    let procedure = name.last().to_ascii_lowercase();
    Some(match procedure.as_str() {
        "sp_executesql" => prepare::execute_sql(session, given, level, sink),
        "sp_prepare" => prepare::prepare(session, given),
        "sp_execute" => prepare::execute(session, given, level, sink),
        "sp_prepexec" => prepare::prepare_and_execute(session, given, level, sink),
        "sp_prepexecrpc" => prepare::prepare_call(session, given, level, sink),
        "sp_describe_undeclared_parameters" => describe::undeclared_parameters(session, given, sink),
        "sp_datatype_info" | "sp_datatype_info_90" | "sp_datatype_info_100" => datatypes::info(given, sink),
        "sp_cursoropen" => cursors::open(session, given, level, sink),
        "sp_cursorprepare" => cursors::prepare(session, given, sink),
        "sp_cursorexecute" => cursors::execute(session, given, level, sink),
        "sp_cursorprepexec" => cursors::prepare_and_open(session, given, level, sink),
        "sp_cursorunprepare" => cursors::unprepare(session, given),
        "sp_cursorfetch" => cursors::fetch(session, given, sink),
        "sp_cursoroption" => cursors::option(session, given),
        "sp_cursorclose" => cursors::close(session, given),
        "sp_cursor" => cursors::change(session, given, sink),
        "sp_unprepare" => prepare::unprepare(session, given),
        "sp_reset_connection" => {
            super::front::EngineSession::reset(session, false);
            Ok(Outcome::default())
        }
        "sp_tablecollations_100" | "sp_tablecollations_90" => Ok(Outcome::default()),
        "sp_describe_first_result_set" => metadata::first_result_set(session, given, sink),
        other => return metadata::call(session, other, given, level, sink),
    })
}

/// A parameter as text.
fn text(given: &[Given], at: usize) -> Option<String> {
    let one = given.get(at)?;
    let value = one.value.clone()?;
    match convert(value, one.type_, Type::NVARCHAR_MAX, 0, Reason::Cast) {
        Ok(Value::Text(text)) => Some(text),
        _ => None,
    }
}

/// A parameter as a whole number.
fn number(given: &[Given], at: usize) -> Option<i32> {
    let one = given.get(at)?;
    match convert(one.value.clone()?, one.type_, Type::Int, 0, Reason::Cast) {
        Ok(Value::Int(value)) => Some(value),
        _ => None,
    }
}

fn raise(error: SqlError) -> Unwind {
    Unwind::Raise(error)
}

fn declared(text: Option<String>) -> Result<Vec<Parameter>, Unwind> {
    super::parser::parameters(&text.unwrap_or_default()).map_err(raise)
}
