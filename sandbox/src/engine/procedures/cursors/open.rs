//! Opening API cursors, with and without preparing them.

use std::sync::Arc;

use super::super::super::ast::{Branch, Parameter, SelectItem, Statement, StatementKind};
use super::super::super::cursors::{Cursor, Fetch, OPEN_MAX, SESSION_BYTES_MAX, Snapshot, not_a_query, shown_row};
use super::super::super::error::SqlError;
use super::super::super::session::{Outcome, Session, Unwind};
use super::super::super::sink::{Sink, StatementEnd};
use super::super::prepare::{Prepared, run};
use super::super::{Given, declared, number, raise, text};
use super::{CLOSED, READ_ONLY, SELECT, STATIC, output};

/// Where SQL Server's own handles begin, so that nobody takes them for those of prepared statements.
const FIRST_CURSOR: i32 = 180_150_003;
const FIRST_PREPARED: i32 = 1_073_741_825;

/// Bits of `@scrollopt`.
const FORWARD_ONLY: i32 = 0x4;
const FAST_FORWARD: i32 = 0x10;
const PARAMETERIZED: i32 = 0x1000;
const AUTO_FETCH: i32 = 0x2000;
const AUTO_CLOSE: i32 = 0x4000;
/// The bit of `@ccopt` that lets what is no query run without a cursor.
const ALLOW_DIRECT: i32 = 0x2000;
/// Rows of an automatic fetch where the caller does not say.
const FETCH_ROWS: i32 = 20;

/// A statement to open, with where its outputs stand among what the caller gave.
struct Opening<'a> {
    sql: &'a str,
    parameters: &'a [Parameter],
    /// Everything the caller gave.
    given: &'a [Given],
    /// The place of `@cursor`.
    cursor: usize,
    /// The place of `@scrollopt`; `@ccopt` and `@rowcount` follow it.
    scroll: usize,
    /// How many parameters stand before the statement's own.
    before: usize,
}

/// `@cursor OUTPUT, @stmt, @scrollopt OUTPUT, @ccopt OUTPUT, @rowcount OUTPUT, @params, values…`.
pub(in super::super) fn open(
    session: &mut Session,
    given: &[Given],
    level: u32,
    sink: &mut dyn Sink,
) -> Result<Outcome, Unwind> {
    let sql = text(given, 1).unwrap_or_default();
    let parameterised = number(given, 2).unwrap_or(0) & PARAMETERIZED != 0;
    let parameters = if parameterised { declared(text(given, 5))? } else { Vec::new() };
    let before = if parameterised { 6 } else { given.len() };
    let opening = Opening { sql: &sql, parameters: &parameters, given, cursor: 0, scroll: 2, before };
    run_opening(session, &opening, level, sink)
}

/// `@handle OUTPUT, @params, @stmt, @options, @scrollopt OUTPUT, @ccopt OUTPUT`.
pub(in super::super) fn prepare(
    session: &mut Session,
    given: &[Given],
    sink: &mut dyn Sink,
) -> Result<Outcome, Unwind> {
    let parameters = declared(text(given, 1))?;
    let sql = text(given, 2).unwrap_or_default();
    let described = session.described(&sql, &parameters).map_err(raise)?;
    if number(given, 3).unwrap_or(0) & 1 != 0
        && let Some(columns) = described
    {
        sink.columns(&columns)?;
        sink.end(StatementEnd { command: SELECT, rows: None, failed: false })?;
    }
    let handle = keep(session, &sql, parameters)?;
    let scroll = granted(number(given, 4).unwrap_or(0));
    let outputs = [output(given, 0, handle), output(given, 4, scroll), output(given, 5, READ_ONLY)];
    Ok(Outcome { status: 0, outputs: outputs.into_iter().flatten().collect() })
}

/// `@handle, @cursor OUTPUT, @scrollopt OUTPUT, @ccopt OUTPUT, @rowcount OUTPUT, values…`.
pub(in super::super) fn execute(
    session: &mut Session,
    given: &[Given],
    level: u32,
    sink: &mut dyn Sink,
) -> Result<Outcome, Unwind> {
    let handle = number(given, 0).unwrap_or(0);
    let Some(prepared) = session.prepared.get(&handle).cloned() else { return Err(raise(unknown(handle))) };
    let (sql, parameters) = (&*prepared.sql, &*prepared.parameters);
    run_opening(session, &Opening { sql, parameters, given, cursor: 1, scroll: 2, before: 5 }, level, sink)
}

/// `@handle OUTPUT, @cursor OUTPUT, @params, @stmt, @scrollopt OUTPUT, @ccopt OUTPUT, @rowcount OUTPUT, values…`.
pub(in super::super) fn prepare_and_open(
    session: &mut Session,
    given: &[Given],
    level: u32,
    sink: &mut dyn Sink,
) -> Result<Outcome, Unwind> {
    if let Some(old) = number(given, 0) {
        session.prepared.remove(&old);
    }
    let parameters = declared(text(given, 2))?;
    let sql = text(given, 3).unwrap_or_default();
    let handle = keep(session, &sql, parameters.clone())?;
    let opening = Opening { sql: &sql, parameters: &parameters, given, cursor: 1, scroll: 4, before: 7 };
    let mut outcome = run_opening(session, &opening, level, sink)?;
    if let Some(handle) = output(given, 0, handle) {
        outcome.outputs.insert(0, handle);
    }
    Ok(outcome)
}

/// `@handle`.
pub(in super::super) fn unprepare(session: &mut Session, given: &[Given]) -> Result<Outcome, Unwind> {
    let handle = number(given, 0).unwrap_or(0);
    session.prepared.remove(&handle).map(|_| Outcome::default()).ok_or_else(|| raise(unknown(handle)))
}

fn unknown(handle: i32) -> SqlError {
    SqlError::new(8179, 16, 2, format!("Could not find prepared statement with handle {handle}."))
}

fn keep(session: &mut Session, sql: &str, parameters: Vec<Parameter>) -> Result<i32, Unwind> {
    if session.prepared.len() >= super::super::prepare::MAX_PREPARED {
        return Err(raise(SqlError::unsupported("more prepared statements in one session")));
    }
    session.code(sql, "").map_err(raise)?;
    let handle = session.prepared.last_key_value().map_or(FIRST_PREPARED, |(last, _)| last.saturating_add(1));
    let handle = handle.max(FIRST_PREPARED);
    session.prepared.insert(handle, Prepared { sql: Arc::from(sql), parameters: parameters.into() });
    Ok(handle)
}

/// The kind of cursor a caller gets who asks for this one: forward-only stays so, all others are static.
fn granted(asked: i32) -> i32 {
    match asked & 0x1F {
        FORWARD_ONLY => FORWARD_ONLY,
        FAST_FORWARD => FAST_FORWARD,
        _ => STATIC,
    }
}

fn run_opening(
    session: &mut Session,
    opening: &Opening<'_>,
    level: u32,
    sink: &mut dyn Sink,
) -> Result<Outcome, Unwind> {
    let given = opening.given;
    let asked = number(given, opening.scroll).unwrap_or(0);
    let options = number(given, opening.scroll + 1).unwrap_or(READ_ONLY);
    let values = given.get(opening.before..).unwrap_or(&[]);
    let code = session.code(opening.sql, "").map_err(raise)?;
    if !is_query(code.batch.statements.as_slice()) {
        if options & ALLOW_DIRECT == 0 {
            return Err(raise(not_a_query()));
        }
        sink.message(SqlError::new(16954, 10, 1, "Executing SQL directly; no cursor.").message(""))?;
        let mut outcome = run(session, opening.sql, opening.parameters, values, opening.before, level, sink)?;
        let none = [opening.cursor, opening.scroll, opening.scroll + 1, opening.scroll + 2];
        outcome.outputs.extend(none.into_iter().filter_map(|place| output(given, place, 0)));
        return Ok(outcome);
    }
    if session.cursors.len() >= OPEN_MAX {
        return Err(raise(SqlError::unsupported("more cursors in one session")));
    }
    let held: usize = session.cursors.values().map(|cursor| cursor.bytes).sum();
    let mut snapshot = Snapshot::new(sink, SESSION_BYTES_MAX.saturating_sub(held));
    let ran = run(session, opening.sql, opening.parameters, values, opening.before, level, &mut snapshot);
    let outcome = match ran {
        Err(Unwind::Stop) if snapshot.is_too_large() => Outcome::default(),
        other => other?,
    };
    if snapshot.failed {
        sink.end(StatementEnd { command: SELECT, rows: None, failed: true })?;
        return Ok(Outcome { status: 1, outputs: outcome.outputs });
    }
    let mut cursor = snapshot.into_cursor().map_err(raise)?;
    cursor.scroll = granted(asked);
    cursor.forward_only = cursor.scroll != STATIC;
    cursor.auto_close = asked & AUTO_CLOSE != 0;
    finish(session, cursor, asked, opening, outcome, sink)
}

/// Shows the columns, fetches what is to be fetched at once, and gives the handle out.
fn finish(
    session: &mut Session,
    mut cursor: Cursor,
    asked: i32,
    opening: &Opening<'_>,
    mut outcome: Outcome,
    sink: &mut dyn Sink,
) -> Result<Outcome, Unwind> {
    let given = opening.given;
    sink.columns(&cursor.shown_columns())?;
    let mut fetched = None;
    if asked & AUTO_FETCH != 0 {
        let wanted = number(given, opening.scroll + 2).filter(|&rows| rows > 0).unwrap_or(FETCH_ROWS);
        let rows = cursor.fetch(Fetch::Next, usize::try_from(wanted).unwrap_or(0));
        for row in rows {
            sink.row(&shown_row(row))?;
        }
        fetched = Some(rows.len() as u64);
    }
    sink.end(StatementEnd { command: SELECT, rows: Some(fetched.unwrap_or(0)), failed: false })?;
    let rows = match (fetched, cursor.scroll) {
        (_, STATIC) => i32::try_from(cursor.total()).unwrap_or(i32::MAX),
        (Some(rows), _) => i32::try_from(rows).unwrap_or(i32::MAX),
        // A cursor that goes forward does not know how far.
        (None, _) => -1,
    };
    let scroll = cursor.scroll;
    let closes = fetched.is_some() && cursor.auto_close && cursor.is_at_end();
    let mut handle = 0;
    if !closes {
        handle = FIRST_CURSOR.wrapping_add(session.cursors_opened.wrapping_mul(2));
        session.cursors_opened = session.cursors_opened.wrapping_add(1);
        session.cursors.insert(handle, cursor);
    }
    let outputs = [(opening.cursor, handle), (opening.scroll, scroll), (opening.scroll + 1, READ_ONLY)];
    let outputs = outputs.into_iter().chain([(opening.scroll + 2, rows)]);
    outcome.outputs.splice(0..0, outputs.filter_map(|(place, value)| output(given, place, value)));
    outcome.status = if closes { CLOSED } else { 0 };
    Ok(outcome)
}

/// Whether a text is one SELECT that returns rows.
fn is_query(statements: &[Statement]) -> bool {
    let [statement] = statements else { return false };
    let StatementKind::Query(query) = &statement.kind else { return false };
    let Branch::Select(select) = &query.body.first else { return true };
    let assigns = |item: &SelectItem| matches!(item, SelectItem::Assign { .. });
    select.into.is_none() && !select.items.iter().any(assigns)
}
