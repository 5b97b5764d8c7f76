//! Conversions between types: CAST, CONVERT, assignment and the implicit ones are one function.

mod binary;
mod number;
mod text;

use tds::value::Value;

use super::calendar::{self, Moment};
use super::error::SqlError;
use super::types::Type;

/// Why a value is converted, which decides about truncation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reason {
    /// CAST, CONVERT, variables and parameters: too long a string is cut.
    Cast,
    /// Into a column: too long a string is an error.
    Store,
}

/// Converts `value` of type `from` to type `to` in a style of CONVERT (0 without one).
pub(crate) fn convert(value: Value, from: Type, to: Type, style: i32, reason: Reason) -> Result<Value, SqlError> {
    if value == Value::Null {
        return Ok(Value::Null);
    }
    match to {
        Type::Null => Ok(value),
        Type::Text(..) | Type::LongText | Type::LongNText | Type::Xml => {
            let text = text::from_value(&value, from, to, style)?;
            text::fit(text, to, from, reason).map(Value::Text)
        }
        Type::Binary(..) | Type::Image => binary::from_value(&value, from, to, style, reason),
        Type::Guid => text::to_guid(&value, from),
        Type::Bit
        | Type::TinyInt
        | Type::SmallInt
        | Type::Int
        | Type::BigInt
        | Type::Decimal(..)
        | Type::Money
        | Type::SmallMoney
        | Type::Real
        | Type::Float => number::convert(&value, from, to),
        Type::Date
        | Type::Time(_)
        | Type::SmallDateTime
        | Type::DateTime
        | Type::DateTime2(_)
        | Type::DateTimeOffset(_) => to_temporal(&value, from, to),
    }
}

fn to_temporal(value: &Value, from: Type, to: Type) -> Result<Value, SqlError> {
    let moment = match value {
        Value::Text(text) => {
            let failed = || {
                let text = "Conversion failed when converting date and/or time from character string.";
                SqlError::new(241, 16, 1, text)
            };
            calendar::parse(text).ok_or_else(failed)?
        }
        other => match Moment::of(other) {
            Some(moment) => moment,
            None => from_days(other, from, to)?,
        },
    };
    if matches!(to, Type::Date) && matches!(from, Type::Time(_)) {
        return Err(not_allowed(from, to));
    }
    moment.to_value(to)
}

/// Numbers convert to the old types only, as days since 1900.
fn from_days(value: &Value, from: Type, to: Type) -> Result<Moment, SqlError> {
    if !matches!(to, Type::DateTime | Type::SmallDateTime) || !from.is_number() {
        return Err(not_allowed(from, to));
    }
    let Value::Float(days) = number::convert(value, from, Type::Float)? else { return Err(not_allowed(from, to)) };
    if !days.is_finite() || days.abs() > 4_000_000.0 {
        return Err(SqlError::overflow(to.name()));
    }
    let whole = days.floor();
    let ticks = ((days - whole) * calendar::TICKS_PER_DAY as f64).round() as i64;
    Ok(Moment { days: calendar::EPOCH_1900 + whole as i64, ticks: 0, offset: 0 }.plus_ticks(ticks))
}

pub(crate) fn not_allowed(from: Type, to: Type) -> SqlError {
    let text = format!("Explicit conversion from data type {} to {} is not allowed.", from.name(), to.name());
    SqlError::new(529, 16, 2, text)
}

/// Whether a value of `from` is stored exactly as one of `to`, so that nothing need be done.
pub(crate) fn is_same_form(from: Type, to: Type) -> bool {
    let wider = |from: Option<u16>, to: Option<u16>| match (from, to) {
        (_, None) => true,
        (Some(from), Some(to)) => from <= to,
        (None, Some(_)) => false,
    };
    match (from, to) {
        _ if from == to => true,
        (Type::Null, _) => true,
        (Type::TinyInt, Type::SmallInt | Type::Int | Type::BigInt)
        | (Type::Bit, Type::TinyInt | Type::SmallInt | Type::Int | Type::BigInt) => true,
        (Type::SmallInt, Type::Int | Type::BigInt) | (Type::Int, Type::BigInt) => true,
        (Type::SmallMoney, Type::Money) | (Type::Real, Type::Float) => true,
        (Type::Decimal(precision, scale), Type::Decimal(wide, same)) => scale == same && precision <= wide,
        (Type::Text(kind, from), Type::Text(wide, to)) => {
            !wide.is_fixed() && wider(from, to) && (wide.is_national() || !kind.is_national())
        }
        (Type::Text(kind, _), Type::LongText) => !kind.is_national(),
        (Type::Text(..) | Type::LongText, Type::LongNText)
        | (Type::LongText | Type::LongNText, Type::Text(super::types::CharKind::NVarChar, None)) => true,
        (Type::Binary(_, from), Type::Binary(false, to)) => wider(from, to),
        (Type::Binary(..), Type::Image) | (Type::Image, Type::Binary(false, None)) => true,
        (Type::Time(from), Type::Time(to)) | (Type::DateTime2(from), Type::DateTime2(to)) => from <= to,
        (Type::DateTimeOffset(from), Type::DateTimeOffset(to)) => from <= to,
        _ => false,
    }
}
