//! T-SQL's semantics as functions and a collation registered in SQLite. The binder writes calls to them.

mod aggregates;
mod arithmetic;
mod dates;
mod strings;

use std::cmp::Ordering;
use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::functions::{Context, FunctionFlags};
use rusqlite::types::{Value as Stored, ValueRef};
use rusqlite::{Connection, Result};
use tds::value::Value;

use super::bind::type_of_code;
use super::catalog::Identity;
use super::convert::{Reason, convert};
use super::error::SqlError;
use super::storage::{decoded, owned, utc_ticks};
use super::types::Type;

/// The identity column of the table being inserted into, and the value it gave last.
#[derive(Debug, Default)]
pub(crate) struct IdentityState {
    pub(crate) current: Option<Arc<Identity>>,
    pub(crate) last: Option<i64>,
}

/// Shared between a connection's functions and who runs statements on it.
pub(crate) type SharedIdentity = Arc<Mutex<IdentityState>>;

type Outcome = std::result::Result<Stored, SqlError>;

const PURE: FunctionFlags = FunctionFlags::SQLITE_UTF8.union(FunctionFlags::SQLITE_DETERMINISTIC);

/// Registers everything on a new connection.
pub(crate) fn register(connection: &Connection, identity: &SharedIdentity) -> Result<()> {
    connection.create_collation("tsql", compare_text)?;
    conversions(connection)?;
    arithmetic::register(connection)?;
    strings::register(connection)?;
    dates::register(connection)?;
    aggregates::register(connection)?;
    let next = Arc::clone(identity);
    connection.create_scalar_function("next_identity", 0, FunctionFlags::SQLITE_UTF8, move |_| {
        let mut state = next.lock().unwrap_or_else(PoisonError::into_inner);
        let value = state.current.as_ref().map(|identity| identity.next());
        state.last = value;
        Ok(value)
    })?;
    let seen = Arc::clone(identity);
    connection.create_scalar_function("seen_identity", 1, FunctionFlags::SQLITE_UTF8, move |context| {
        let mut state = seen.lock().unwrap_or_else(PoisonError::into_inner);
        let value = context.get::<i64>(0)?;
        if let Some(identity) = &state.current {
            identity.seen(value);
        }
        state.last = Some(value);
        Ok(value)
    })
}

/// Registers a function that answers NULL if any argument is NULL.
fn strict(
    connection: &Connection,
    name: &'static str,
    arguments: i32,
    function: impl Fn(&Context<'_>) -> Outcome + Send + 'static,
) -> Result<()> {
    connection.create_scalar_function(name, arguments, PURE, move |context| {
        if (0..context.len()).any(|index| context.get_raw(index) == ValueRef::Null) {
            return Ok(Stored::Null);
        }
        function(context).map_err(SqlError::into_sqlite)
    })
}

fn integer(context: &Context<'_>, index: usize) -> i64 {
    match context.get_raw(index) {
        ValueRef::Integer(value) => value,
        ValueRef::Real(value) => value as i64,
        _ => 0,
    }
}

fn real(context: &Context<'_>, index: usize) -> f64 {
    match context.get_raw(index) {
        ValueRef::Integer(value) => value as f64,
        ValueRef::Real(value) => value,
        _ => 0.0,
    }
}

fn text<'a>(context: &'a Context<'_>, index: usize) -> &'a str {
    match context.get_raw(index) {
        ValueRef::Text(bytes) => std::str::from_utf8(bytes).unwrap_or(""),
        _ => "",
    }
}

fn blob<'a>(context: &'a Context<'_>, index: usize) -> &'a [u8] {
    match context.get_raw(index) {
        ValueRef::Blob(bytes) => bytes,
        _ => &[],
    }
}

/// The name of an object in lower case with its database and schema; a temporary one by itself.
fn object_path(name: &str, database: &str) -> String {
    let parts: Vec<String> =
        name.split('.').map(|part| part.trim_matches(['[', ']', '"', ' ']).to_lowercase()).collect();
    let or = |part: &String, otherwise: &str| if part.is_empty() { otherwise.to_owned() } else { part.clone() };
    match parts.as_slice() {
        [.., last] if last.starts_with('#') => last.clone(),
        [last] => format!("{database}.dbo.{last}"),
        [schema, last] => format!("{database}.{}.{last}", or(schema, "dbo")),
        [database_given, schema, last] => format!("{}.{}.{last}", or(database_given, database), or(schema, "dbo")),
        _ => String::new(),
    }
}

fn conversions(connection: &Connection) -> Result<()> {
    strict(connection, "cv", 4, |context| converted(context, integer(context, 3), Reason::Cast))?;
    strict(connection, "try_cv", 4, |context| {
        Ok(converted(context, integer(context, 3), Reason::Cast).unwrap_or(Stored::Null))
    })?;
    strict(connection, "cv_store", 4, |context| {
        converted(context, 0, Reason::Store).map_err(|error| named_truncation(error, context))
    })?;
    strict(connection, "object_path", 2, |context| Ok(Stored::Text(object_path(text(context, 0), text(context, 1)))))?;
    strict(connection, "row_count", 1, |context| match integer(context, 0) {
        rows if rows < 0 => Err(SqlError::new(
            1060,
            15,
            1,
            "The number of rows provided for a TOP or FETCH clauses row count parameter must be an integer.",
        )),
        rows => Ok(Stored::Integer(rows)),
    })?;
    strict(connection, "instant", 1, |context| Ok(Stored::Integer(utc_ticks(blob(context, 0)))))?;
    strict(connection, "data_length", 2, |context| {
        let type_ = type_of_code(integer(context, 1));
        Ok(Stored::Integer(data_length(context, type_)))
    })?;
    strict(connection, "recursion", 2, |context| {
        let (depth, most) = (integer(context, 0), integer(context, 1));
        if most > 0 && depth > most {
            let text = format!(
                "The statement terminated. The maximum recursion {most} has been exhausted before statement completion."
            );
            return Err(SqlError::new(530, 16, 1, text));
        }
        Ok(Stored::Integer(depth))
    })?;
    connection.create_scalar_function("only", 2, PURE, |context| {
        if context.get::<i64>(0)? > 1 {
            let text = "Subquery returned more than 1 value. This is not permitted when the subquery follows =, !=, <, <= , >, >= or when the subquery is used as an expression.";
            return Err(SqlError::new(512, 16, 1, text).into_sqlite());
        }
        super::storage::copied(context.get_raw(1))
    })
}

fn converted(context: &Context<'_>, style: i64, reason: Reason) -> Outcome {
    let from = type_of_code(integer(context, 1));
    let to = type_of_code(integer(context, 2));
    let value = decoded(context.get_raw(0), from);
    let style = i32::try_from(style).unwrap_or(0);
    convert(value, from, to, style, reason).map(|value| owned(&value))
}

/// Error 2628 names the table, the column and the start of the value.
fn named_truncation(error: SqlError, context: &Context<'_>) -> SqlError {
    if error.number != 2628 {
        return error;
    }
    let (table, column) = text(context, 3).split_once('|').unwrap_or(("", ""));
    let to = type_of_code(integer(context, 2));
    let kept: String = text(context, 0).chars().take(usize::from(to.text_length().unwrap_or(0))).collect();
    let text = format!(
        "String or binary data would be truncated in table '{table}', column '{column}'. Truncated value: '{kept}'."
    );
    SqlError { text, ..error }
}

fn data_length(context: &Context<'_>, type_: Type) -> i64 {
    let stored = context.get_raw(0);
    let length = match (stored, type_) {
        (ValueRef::Text(_), type_) => {
            let text = text(context, 0);
            if type_.is_national() { text.encode_utf16().count() * 2 } else { text.chars().count() }
        }
        (ValueRef::Blob(bytes), Type::Binary(..) | Type::Image) => bytes.len(),
        (_, type_) => usize::from(fixed_length(type_)),
    };
    i64::try_from(length).unwrap_or(i64::MAX)
}

fn fixed_length(type_: Type) -> u8 {
    match type_ {
        Type::Bit | Type::TinyInt => 1,
        Type::SmallInt => 2,
        Type::Int | Type::Real | Type::SmallMoney | Type::SmallDateTime | Type::Null => 4,
        Type::Date => 3,
        Type::Guid => 16,
        Type::Decimal(precision, _) => super::types::decimal_bytes(precision),
        Type::Time(scale) => 3 + u8::from(scale > 2) + u8::from(scale > 4),
        Type::DateTime2(scale) => 6 + u8::from(scale > 2) + u8::from(scale > 4),
        Type::DateTimeOffset(scale) => 8 + u8::from(scale > 2) + u8::from(scale > 4),
        _ => 8,
    }
}

/// Case-insensitive, and blanks at the end do not count.
pub(crate) fn compare_text(a: &str, b: &str) -> Ordering {
    let (a, b) = (a.trim_end_matches(' '), b.trim_end_matches(' '));
    if a.is_ascii() && b.is_ascii() {
        return a.bytes().map(|byte| byte.to_ascii_lowercase()).cmp(b.bytes().map(|byte| byte.to_ascii_lowercase()));
    }
    a.chars().flat_map(char::to_lowercase).cmp(b.chars().flat_map(char::to_lowercase))
}

/// A decoded argument of a type given as a code in the next argument.
fn typed(context: &Context<'_>, index: usize) -> (Value, Type) {
    let type_ = type_of_code(integer(context, index + 1));
    (decoded(context.get_raw(index), type_), type_)
}
