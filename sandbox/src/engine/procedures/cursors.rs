//! The API cursor procedures: sp_cursoropen and its kin, as drivers call them.

mod open;

use tds::value::Value;

use super::super::cursors::{Fetch, shown_row};
use super::super::error::SqlError;
use super::super::session::{Outcome, Session, Unwind};
use super::super::sink::{Sink, StatementEnd};
use super::super::types::Type;
use super::{Given, number, raise, text};
pub(super) use open::{execute, open, prepare, prepare_and_open, unprepare};

const SELECT: u16 = 0xC1;
/// The return status of a fetch or open that closed its cursor, as AUTO_CLOSE asks.
const CLOSED: i32 = 16;
/// What every cursor here is: READ_ONLY.
const READ_ONLY: i32 = 1;
const STATIC: i32 = 8;

/// Fetch types of sp_cursorfetch.
const FETCH_INFO: i32 = 0x100;
/// Operations of sp_cursor that change nothing: REFRESH, LOCK, SETPOSITION, ABSOLUTE.
const REFRESH: i32 = 0x08;
const HARMLESS: i32 = REFRESH | 0x10 | 0x20 | 0x40;

fn unknown(procedure: &str, handle: i32) -> SqlError {
    let text = format!("{procedure}: The cursor identifier value provided ({handle:x}) is not valid.");
    SqlError::new(16909, 16, 1, text)
}

fn invalid(procedure: &str, parameter: &str) -> SqlError {
    SqlError::new(16902, 16, 48, format!("{procedure}: The value of the parameter '{parameter}' is invalid."))
}

/// An output value, if the caller wants one in this place.
fn output(given: &[Given], place: usize, value: i32) -> Option<(usize, Type, Value)> {
    given.get(place).filter(|one| one.output).map(|_| (place, Type::Int, Value::Int(value)))
}

/// `@cursor, @fetchtype, @rownum, @nrows`.
pub(super) fn fetch(session: &mut Session, given: &[Given], sink: &mut dyn Sink) -> Result<Outcome, Unwind> {
    let handle = number(given, 0).unwrap_or(0);
    // SKIP_UPDT_CNCY and what else stands above says nothing about where to go.
    let kind = number(given, 1).unwrap_or(2) & 0x3FF;
    let row = i64::from(number(given, 2).unwrap_or(0));
    let wanted =
        usize::try_from(number(given, 3).unwrap_or(20)).map_err(|_| raise(invalid("sp_cursorfetch", "nrows")))?;
    let Some(cursor) = session.cursors.get_mut(&handle) else { return Err(raise(unknown("sp_cursorfetch", handle))) };
    if kind == FETCH_INFO {
        let whole = |count: usize| i32::try_from(count).unwrap_or(i32::MAX);
        let (position, total) = (whole(cursor.position()), whole(cursor.total()));
        let outputs = [output(given, 2, position), output(given, 3, total)];
        return Ok(Outcome { status: 0, outputs: outputs.into_iter().flatten().collect() });
    }
    let (fetch, name) = match kind {
        0x001 => (Fetch::First, "first"),
        0x002 => (Fetch::Next, "next"),
        0x004 => (Fetch::Previous, "prev"),
        0x008 => (Fetch::Last, "last"),
        0x010 => (Fetch::Absolute(row), "absolute"),
        0x020 => (Fetch::Relative(row), "relative"),
        0x080 => (Fetch::Again, "refresh"),
        0x200 | 0x204 => (Fetch::PreviousShort, "prev"),
        _ => return Err(raise(invalid("sp_cursorfetch", "fetchtype"))),
    };
    let goes_back = !matches!(fetch, Fetch::First | Fetch::Next | Fetch::Again);
    if cursor.forward_only && goes_back {
        let text = format!("sp_cursorfetch: The fetch type {name} cannot be used with forward only cursors.");
        return Err(raise(SqlError::new(16911, 16, 1, text)));
    }
    sink.columns(&cursor.shown_columns())?;
    let rows = cursor.fetch(fetch, wanted);
    for row in rows {
        sink.row(&shown_row(row))?;
    }
    let rows = rows.len() as u64;
    sink.end(StatementEnd { command: SELECT, rows: Some(rows), failed: false })?;
    let closes = cursor.auto_close && cursor.is_at_end();
    if closes {
        session.cursors.remove(&handle);
    }
    Ok(Outcome { status: if closes { CLOSED } else { 0 }, outputs: Vec::new() })
}

/// `@cursor`.
pub(super) fn close(session: &mut Session, given: &[Given]) -> Result<Outcome, Unwind> {
    let handle = number(given, 0).unwrap_or(0);
    match session.cursors.remove(&handle) {
        Some(_) => Ok(Outcome::default()),
        None => Err(raise(unknown("sp_cursorclose", handle))),
    }
}

/// `@cursor, @code, @value`.
pub(super) fn option(session: &mut Session, given: &[Given]) -> Result<Outcome, Unwind> {
    let handle = number(given, 0).unwrap_or(0);
    let Some(cursor) = session.cursors.get_mut(&handle) else { return Err(raise(unknown("sp_cursoroption", handle))) };
    let told = match number(given, 1).unwrap_or(0) {
        // Rows are sent whole, so it does not matter how text columns are to be sent.
        1 | 3 => None,
        2 => {
            cursor.name = text(given, 2).unwrap_or_default();
            None
        }
        4 => Some(cursor.scroll),
        5 => Some(READ_ONLY),
        6 => Some(i32::try_from(cursor.total()).unwrap_or(i32::MAX)),
        _ => return Err(raise(invalid("sp_cursoroption", "code"))),
    };
    let outputs = told.and_then(|value| output(given, 2, value)).into_iter().collect();
    Ok(Outcome { status: 0, outputs })
}

/// `@cursor, @optype, @rownum, …`: a row of the current block again, which is how Microsoft's ODBC driver reads unbound
/// columns, or a change through the cursor, which none here allows.
pub(super) fn change(session: &Session, given: &[Given], sink: &mut dyn Sink) -> Result<Outcome, Unwind> {
    let handle = number(given, 0).unwrap_or(0);
    let Some(cursor) = session.cursors.get(&handle) else { return Err(raise(unknown("sp_cursor", handle))) };
    let operation = number(given, 1).unwrap_or(0);
    if operation & !HARMLESS != 0 {
        return Err(raise(SqlError::new(16929, 16, 1, "The cursor is READ ONLY.")));
    }
    if operation & REFRESH != 0 {
        let row = number(given, 2).and_then(|row| usize::try_from(row).ok());
        let row = row.ok_or_else(|| raise(invalid("sp_cursor", "rownum")))?;
        sink.columns(&cursor.shown_columns())?;
        let rows = cursor.rows_again(row);
        for row in rows {
            sink.row(&shown_row(row))?;
        }
        sink.end(StatementEnd { command: SELECT, rows: Some(rows.len() as u64), failed: false })?;
    }
    Ok(Outcome::default())
}
