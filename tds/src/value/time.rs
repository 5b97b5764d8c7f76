//! date, time, datetime2 and datetimeoffset ([MS-TDS] 2.2.5.5.1.8): little-endian counts whose width follows the scale.

use super::Value;
use crate::DecodeError;
use crate::read::Reader;

/// Units of 100 ns in a day.
const DAY: u64 = 864_000_000_000;
/// 9999-12-31, the last day there is.
const LAST_DATE: u32 = 3_652_058;
/// Bytes of a date.
pub(super) const DATE_BYTES: u8 = 3;

/// Bytes a time takes at a scale of 0 to 7.
pub(super) fn time_bytes(scale: u8) -> u8 {
    match scale {
        0..=2 => 3,
        3..=4 => 4,
        _ => 5,
    }
}

/// How many units of 100 ns one unit of the scale is.
pub(super) fn unit(scale: u8) -> u64 {
    10u64.saturating_pow(u32::from(7u8.saturating_sub(scale)))
}

fn bad(what: &'static str, value: u64) -> DecodeError {
    DecodeError::BadValue { what, value }
}

fn exact(bytes: &[u8], want: u8) -> Result<Reader<'_>, DecodeError> {
    if bytes.len() == usize::from(want) {
        return Ok(Reader::new(bytes));
    }
    Err(bad("date or time length", bytes.len() as u64))
}

fn read_date(reader: &mut Reader<'_>) -> Result<u32, DecodeError> {
    let [a, b, c] = reader.array("date")?;
    match u32::from_le_bytes([a, b, c, 0]) {
        days if days <= LAST_DATE => Ok(days),
        days => Err(bad("date", u64::from(days))),
    }
}

fn read_time(reader: &mut Reader<'_>, scale: u8) -> Result<u64, DecodeError> {
    if scale > 7 {
        return Err(bad("time scale", u64::from(scale)));
    }
    let mut wide = [0u8; 8];
    for (to, from) in wide.iter_mut().zip(reader.take(usize::from(time_bytes(scale)), "time")?) {
        *to = *from;
    }
    let count = u64::from_le_bytes(wide);
    match count.saturating_mul(unit(scale)) {
        ticks if ticks < DAY => Ok(ticks),
        _ => Err(bad("time", count)),
    }
}

/// Decodes a date.
pub(super) fn decode_date(bytes: &[u8]) -> Result<Value, DecodeError> {
    read_date(&mut exact(bytes, DATE_BYTES)?).map(Value::Date)
}

/// Decodes a time.
pub(super) fn decode_time(bytes: &[u8], scale: u8) -> Result<Value, DecodeError> {
    read_time(&mut exact(bytes, time_bytes(scale))?, scale).map(Value::Time)
}

/// Decodes a datetime2.
pub(super) fn decode_datetime2(bytes: &[u8], scale: u8) -> Result<Value, DecodeError> {
    let mut reader = exact(bytes, time_bytes(scale).saturating_add(DATE_BYTES))?;
    let ticks = read_time(&mut reader, scale)?;
    Ok(Value::DateTime2(read_date(&mut reader)?, ticks))
}

/// Decodes a datetimeoffset.
pub(super) fn decode_datetimeoffset(bytes: &[u8], scale: u8) -> Result<Value, DecodeError> {
    let mut reader = exact(bytes, time_bytes(scale).saturating_add(DATE_BYTES).saturating_add(2))?;
    let ticks = read_time(&mut reader, scale)?;
    let days = read_date(&mut reader)?;
    let offset = reader.array("offset").map(i16::from_le_bytes)?;
    if !(-840..=840).contains(&offset) {
        return Err(bad("offset", u64::from(offset.unsigned_abs())));
    }
    Ok(Value::DateTimeOffset(days, ticks, offset))
}

/// The `count` low bytes of a date.
pub(super) fn put_date(out: &mut impl bytes::BufMut, days: u32) {
    out.put_uint_le(u64::from(days), usize::from(DATE_BYTES));
}

/// A time at a scale; what the scale cannot hold is cut.
pub(super) fn put_time(out: &mut impl bytes::BufMut, ticks: u64, scale: u8) {
    let count = ticks.checked_div(unit(scale)).unwrap_or(0);
    out.put_uint_le(count, usize::from(time_bytes(scale)));
}

/// Whether this is a day and a time of day that exist.
pub(super) fn is_valid(days: u32, ticks: u64) -> bool {
    days <= LAST_DATE && ticks < DAY
}
