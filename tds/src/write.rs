//! Rows and the small tokens without a struct of their own, appended to a buffer ([MS-TDS] 2.2.7).
//!
//! The other tokens encode themselves: see [`token`](crate::token).

use crate::token::{Column, id};
use crate::types::Form;
use crate::value::{EncodeError, Value};
use bytes::{BufMut, BytesMut};

/// Appends a ROW, or nothing if a value does not fit its column.
///
/// # Errors
/// A value that does not fit its column, or another number of values than columns.
pub fn row(out: &mut BytesMut, columns: &[Column], values: &[Value]) -> Result<(), EncodeError> {
    check_count(columns, values)?;
    let start = out.len();
    out.put_u8(id::ROW);
    for (column, value) in columns.iter().zip(values) {
        value.encode(&column.type_info, Form::Column, out).inspect_err(|_| out.truncate(start))?;
    }
    Ok(())
}

/// Appends an NBCROW: a bitmap of the NULLs, then the other values. Smaller than a ROW when NULLs are many.
///
/// # Errors
/// As [`row`].
pub fn nbc_row(out: &mut BytesMut, columns: &[Column], values: &[Value]) -> Result<(), EncodeError> {
    check_count(columns, values)?;
    let start = out.len();
    out.put_u8(id::NBC_ROW);
    for eight in values.chunks(8) {
        let bit = |(index, value): (usize, &Value)| u8::from(matches!(value, Value::Null)) << index;
        out.put_u8(eight.iter().enumerate().map(bit).fold(0, |bits, bit| bits | bit));
    }
    for (column, value) in columns.iter().zip(values).filter(|(_, value)| !matches!(value, Value::Null)) {
        value.encode(&column.type_info, Form::Column, out).inspect_err(|_| out.truncate(start))?;
    }
    Ok(())
}

fn check_count(columns: &[Column], values: &[Value]) -> Result<(), EncodeError> {
    if columns.len() == values.len() {
        return Ok(());
    }
    Err(EncodeError::WrongCount { want: columns.len(), have: values.len() })
}

/// Appends a RETURNSTATUS: what a procedure returned.
pub fn return_status(out: &mut BytesMut, status: i32) {
    out.put_u8(id::RETURN_STATUS);
    out.put_i32_le(status);
}

/// Appends an ORDER: the columns a result is sorted by, from 1; at most 32,767 of them.
pub fn order(out: &mut BytesMut, columns: &[u16]) {
    let columns = columns.get(..columns.len().min(usize::from(u16::MAX) / 2)).unwrap_or_default();
    out.put_u8(id::ORDER);
    out.put_u16_le(u16::try_from(columns.len().saturating_mul(2)).unwrap_or(u16::MAX));
    columns.iter().for_each(|column| out.put_u16_le(*column));
}

/// Appends an SSPI token of at most 65,535 bytes.
pub fn sspi(out: &mut BytesMut, blob: &[u8]) {
    let count = u16::try_from(blob.len()).unwrap_or(u16::MAX);
    out.put_u8(id::SSPI);
    out.put_u16_le(count);
    out.put_slice(blob.get(..usize::from(count)).unwrap_or_default());
}
