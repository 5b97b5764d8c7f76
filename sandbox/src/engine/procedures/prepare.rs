//! sp_executesql and the sp_prepare family.

use std::sync::Arc;

use tds::value::Value;

use super::super::ast::{Name, Parameter};
use super::super::error::SqlError;
use super::super::session::{Outcome, Session, Unwind, matched};
use super::super::sink::Sink;
use super::super::types::Type;
use super::{Given, declared, number, raise, text};

/// Prepared statements one session may hold.
pub(super) const MAX_PREPARED: usize = 20_000;

/// A prepared statement.
#[derive(Debug, Clone)]
pub(crate) struct Prepared {
    pub(crate) sql: Arc<str>,
    pub(crate) parameters: Arc<[Parameter]>,
}

/// `@stmt, @params, values…`.
pub(super) fn execute_sql(
    session: &mut Session,
    given: &[Given],
    level: u32,
    sink: &mut dyn Sink,
) -> Result<Outcome, Unwind> {
    let Some(sql) = text(given, 0) else {
        let text = "Procedure expects parameter '@statement' of type 'ntext/nchar/nvarchar'.";
        return Err(raise(SqlError::new(214, 16, 2, text)));
    };
    let parameters = declared(text(given, 1))?;
    run(session, &sql, &parameters, given.get(2..).unwrap_or(&[]), 2, level, sink)
}

/// Runs a text with the values that follow it; `before` is how many parameters stand in front of them.
pub(super) fn run(
    session: &mut Session,
    sql: &str,
    parameters: &[Parameter],
    values: &[Given],
    before: usize,
    level: u32,
    sink: &mut dyn Sink,
) -> Result<Outcome, Unwind> {
    let mut arguments = matched(parameters, values, "sp_executesql").map_err(missing_parameter).map_err(raise)?;
    for argument in &mut arguments {
        argument.place = argument.place.saturating_add(before);
    }
    // A driver may mark a parameter as output in the call only.
    let asked =
        |parameter: &Parameter, output: bool| Parameter { output: parameter.output || output, ..parameter.clone() };
    let parameters: Vec<Parameter> =
        parameters.iter().zip(&arguments).map(|(parameter, argument)| asked(parameter, argument.output)).collect();
    session.run_text(sql, &parameters, &arguments, String::new(), level, sink)
}

/// The parameterised query is named in the message, not a procedure.
fn missing_parameter(error: SqlError) -> SqlError {
    if error.number != 201 {
        return error;
    }
    let name = error.text.split('\'').nth(3).unwrap_or("").to_owned();
    let text = format!("The parameterized query expects the parameter '{name}', which was not supplied.");
    SqlError::new(8178, 16, 1, text)
}

fn keep(session: &mut Session, sql: String, parameters: Vec<Parameter>) -> Result<i32, Unwind> {
    if session.prepared.len() >= MAX_PREPARED {
        return Err(raise(SqlError::unsupported("more prepared statements in one session")));
    }
    // A statement that does not parse is refused when it is prepared.
    session.code(&sql, "").map_err(raise)?;
    session.last_handle = session.last_handle.wrapping_add(1).max(1);
    let handle = session.last_handle;
    session.prepared.insert(handle, Prepared { sql: sql.into(), parameters: parameters.into() });
    Ok(handle)
}

fn handle_output(handle: i32) -> (usize, Type, Value) {
    (0, Type::Int, Value::Int(handle))
}

/// `@handle OUTPUT, @params, @stmt, @options`.
pub(super) fn prepare(session: &mut Session, given: &[Given]) -> Result<Outcome, Unwind> {
    let parameters = declared(text(given, 1))?;
    let sql = text(given, 2).unwrap_or_default();
    let handle = keep(session, sql, parameters)?;
    Ok(Outcome { status: 0, outputs: vec![handle_output(handle)] })
}

/// `@handle, values…`.
pub(super) fn execute(
    session: &mut Session,
    given: &[Given],
    level: u32,
    sink: &mut dyn Sink,
) -> Result<Outcome, Unwind> {
    let handle = number(given, 0).unwrap_or(0);
    let Some(prepared) = session.prepared.get(&handle).cloned() else { return Err(raise(unknown(handle))) };
    run(session, &prepared.sql, &prepared.parameters, given.get(1..).unwrap_or(&[]), 1, level, sink)
}

/// `@handle OUTPUT, @params, @stmt, values…`; a handle given is dropped.
pub(super) fn prepare_and_execute(
    session: &mut Session,
    given: &[Given],
    level: u32,
    sink: &mut dyn Sink,
) -> Result<Outcome, Unwind> {
    if let Some(old) = number(given, 0) {
        session.prepared.remove(&old);
    }
    let parameters = declared(text(given, 1))?;
    let sql = text(given, 2).unwrap_or_default();
    let handle = keep(session, sql.clone(), parameters.clone())?;
    let mut outcome = run(session, &sql, &parameters, given.get(3..).unwrap_or(&[]), 3, level, sink)?;
    outcome.outputs.insert(0, handle_output(handle));
    Ok(outcome)
}

/// `@handle OUTPUT, @call, values…`: an RPC by name that also gets a handle.
pub(super) fn prepare_call(
    session: &mut Session,
    given: &[Given],
    level: u32,
    sink: &mut dyn Sink,
) -> Result<Outcome, Unwind> {
    let name = text(given, 1).unwrap_or_default();
    let name = Name(name.split('.').map(|part| part.trim_matches(['[', ']', '"', ' ']).to_owned()).collect());
    let mut outcome = session.invoke(&name, given.get(2..).unwrap_or(&[]), level, sink)?;
    for (place, ..) in &mut outcome.outputs {
        *place = place.saturating_add(2);
    }
    session.last_handle = session.last_handle.wrapping_add(1).max(1);
    outcome.outputs.insert(0, handle_output(session.last_handle));
    Ok(outcome)
}

pub(super) fn unprepare(session: &mut Session, given: &[Given]) -> Result<Outcome, Unwind> {
    let handle = number(given, 0).unwrap_or(0);
    match session.prepared.remove(&handle) {
        Some(_) => Ok(Outcome::default()),
        None => Err(raise(unknown(handle))),
    }
}

fn unknown(handle: i32) -> SqlError {
    SqlError::new(8179, 16, 2, format!("Could not find prepared statement with handle {handle}."))
}
