//! How values lie in SQLite: so that SQLite's own comparison orders them as SQL Server does.
//!
//! Integers, money and most dates are integers; decimals are 16 bytes big-endian with the sign bit flipped (one column,
//! one scale); uniqueidentifiers are permuted into SQL Server's order; strings carry the collation `tsql`.

use rusqlite::types::{ToSqlOutput, Value as Stored, ValueRef};
use rusqlite::{Result, ToSql};
use tds::value::Value;

use super::calendar::{TICKS_PER_DAY, TICKS_PER_MINUTE};
use super::types::Type;

/// SQL Server's order of a uniqueidentifier's bytes, most significant first.
const GUID_ORDER: [usize; 16] = [10, 11, 12, 13, 14, 15, 8, 9, 6, 7, 4, 5, 0, 1, 2, 3];
const SIGN: u128 = 1 << 127;
/// Units of 1/300 s in a day.
const DATETIME_UNITS: i64 = 25_920_000;

pub(crate) fn decimal_to_bytes(unscaled: i128) -> [u8; 16] {
    (unscaled.cast_unsigned() ^ SIGN).to_be_bytes()
}

pub(crate) fn decimal_from_bytes(bytes: &[u8]) -> i128 {
    let bytes: [u8; 16] = bytes.try_into().unwrap_or([0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    (u128::from_be_bytes(bytes) ^ SIGN).cast_signed()
}

/// A value on its way into SQLite, already of the type it is stored as.
pub(crate) fn encode(value: &Value) -> ToSqlOutput<'_> {
    let integer = |value: i64| ToSqlOutput::Owned(Stored::Integer(value));
    match value {
        Value::Null => ToSqlOutput::Owned(Stored::Null),
        Value::Bit(value) => integer(i64::from(*value)),
        Value::TinyInt(value) => integer(i64::from(*value)),
        Value::SmallInt(value) => integer(i64::from(*value)),
        Value::Int(value) => integer(i64::from(*value)),
        Value::BigInt(value) | Value::Money(value) => integer(*value),
        Value::Real(value) => ToSqlOutput::Owned(Stored::Real(f64::from(*value))),
        Value::Float(value) => ToSqlOutput::Owned(Stored::Real(*value)),
        Value::Decimal { unscaled, .. } => ToSqlOutput::Owned(Stored::Blob(decimal_to_bytes(*unscaled).to_vec())),
        Value::Text(text) => ToSqlOutput::Borrowed(ValueRef::Text(text.as_bytes())),
        Value::Binary(bytes) => ToSqlOutput::Borrowed(ValueRef::Blob(bytes)),
        Value::Guid(bytes) => {
            let ordered = GUID_ORDER.iter().filter_map(|index| bytes.get(*index)).copied().collect();
            ToSqlOutput::Owned(Stored::Blob(ordered))
        }
        Value::Date(days) => integer(i64::from(*days)),
        Value::Time(ticks) => integer(ticks.cast_signed()),
        Value::SmallDateTime(days, minutes) => integer(i64::from(*days) * 1440 + i64::from(*minutes)),
        Value::DateTime(days, units) => integer(i64::from(*days) * DATETIME_UNITS + i64::from(*units)),
        Value::DateTime2(days, ticks) => integer(total_ticks(*days, *ticks)),
        Value::DateTimeOffset(days, ticks, offset) => {
            let mut bytes = total_ticks(*days, *ticks).to_be_bytes().to_vec();
            bytes.extend_from_slice(&offset.to_be_bytes());
            ToSqlOutput::Owned(Stored::Blob(bytes))
        }
    }
}

fn total_ticks(days: u32, ticks: u64) -> i64 {
    i64::from(days) * TICKS_PER_DAY + ticks.cast_signed()
}

/// A value out of SQLite, where the binder knows its type. Reuses the memory `into` holds.
pub(crate) fn decode(stored: ValueRef<'_>, type_: Type, into: &mut Value) {
    if let (ValueRef::Text(bytes), Value::Text(text)) = (stored, &mut *into) {
        text.clear();
        text.push_str(&String::from_utf8_lossy(bytes));
        return;
    }
    *into = decoded(stored, type_);
}

/// As [`decode`], into a new value. Narrowing is safe: the binder checked ranges where values are made.
pub(crate) fn decoded(stored: ValueRef<'_>, type_: Type) -> Value {
    match stored {
        ValueRef::Null => Value::Null,
        ValueRef::Integer(value) => integer(value, type_),
        ValueRef::Real(value) if type_ == Type::Real => Value::Real(value as f32),
        ValueRef::Real(value) => Value::Float(value),
        ValueRef::Text(bytes) => Value::Text(String::from_utf8_lossy(bytes).into_owned()),
        ValueRef::Blob(bytes) => blob(bytes, type_),
    }
}

fn integer(value: i64, type_: Type) -> Value {
    match type_ {
        Type::Bit => Value::Bit(value != 0),
        Type::TinyInt => Value::TinyInt(u8::try_from(value).unwrap_or(u8::MAX)),
        Type::SmallInt => Value::SmallInt(i16::try_from(value).unwrap_or(i16::MAX)),
        Type::BigInt => Value::BigInt(value),
        Type::Money | Type::SmallMoney => Value::Money(value),
        Type::Real => Value::Real(value as f32),
        Type::Float => Value::Float(value as f64),
        Type::Date => Value::Date(u32::try_from(value).unwrap_or(0)),
        Type::Time(_) => Value::Time(value.cast_unsigned()),
        Type::SmallDateTime => Value::SmallDateTime(
            u16::try_from(value.div_euclid(1440)).unwrap_or(0),
            u16::try_from(value.rem_euclid(1440)).unwrap_or(0),
        ),
        Type::DateTime => Value::DateTime(
            i32::try_from(value.div_euclid(DATETIME_UNITS)).unwrap_or(0),
            u32::try_from(value.rem_euclid(DATETIME_UNITS)).unwrap_or(0),
        ),
        Type::DateTime2(_) => {
            let (days, ticks) = split_ticks(value);
            Value::DateTime2(days, ticks)
        }
        _ => Value::Int(i32::try_from(value).unwrap_or(i32::MAX)),
    }
}

fn split_ticks(value: i64) -> (u32, u64) {
    let days = u32::try_from(value.div_euclid(TICKS_PER_DAY)).unwrap_or(0);
    (days, value.rem_euclid(TICKS_PER_DAY).cast_unsigned())
}

fn blob(bytes: &[u8], type_: Type) -> Value {
    match type_ {
        Type::Decimal(_, scale) => Value::Decimal { unscaled: decimal_from_bytes(bytes), scale },
        Type::Guid => {
            let mut wire = [0; 16];
            for (byte, index) in bytes.iter().zip(GUID_ORDER) {
                if let Some(place) = wire.get_mut(index) {
                    *place = *byte;
                }
            }
            Value::Guid(wire)
        }
        Type::DateTimeOffset(_) => {
            let (days, ticks) = split_ticks(utc_ticks(bytes));
            let offset = bytes.get(8..10).and_then(|bytes| bytes.try_into().ok()).map_or(0, i16::from_be_bytes);
            Value::DateTimeOffset(days, ticks, offset)
        }
        _ => Value::Binary(bytes::Bytes::copy_from_slice(bytes)),
    }
}

/// The instant of a stored datetimeoffset, which is what two of them are compared by.
pub(crate) fn utc_ticks(bytes: &[u8]) -> i64 {
    bytes.get(..8).and_then(|bytes| bytes.try_into().ok()).map_or(0, i64::from_be_bytes)
}

/// A [`Value`] as a SQLite parameter or function result.
pub(crate) struct Bound<'a>(pub(crate) &'a Value);

impl ToSql for Bound<'_> {
    fn to_sql(&self) -> Result<ToSqlOutput<'_>> {
        Ok(encode(self.0))
    }
}

/// A function's result.
pub(crate) fn owned(value: &Value) -> Stored {
    match encode(value) {
        ToSqlOutput::Owned(stored) => stored,
        ToSqlOutput::Borrowed(reference) => copied(reference).unwrap_or(Stored::Null),
        _ => Stored::Null,
    }
}

/// A stored value by itself.
pub(crate) fn copied(stored: ValueRef<'_>) -> Result<Stored> {
    stored.try_into().map_err(|error: rusqlite::types::FromSqlError| rusqlite::Error::UserFunctionError(error.into()))
}

/// Minutes east of UTC as ticks.
pub(crate) fn offset_ticks(minutes: i16) -> i64 {
    i64::from(minutes) * TICKS_PER_MINUTE
}
