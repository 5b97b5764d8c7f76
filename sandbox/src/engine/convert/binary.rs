//! Conversions to binary.

use tds::value::Value;

use super::super::error::SqlError;
use super::super::types::Type;
use super::text::to_code_page;
use super::{Reason, not_allowed};

pub(super) fn from_value(value: &Value, from: Type, to: Type, style: i32, reason: Reason) -> Result<Value, SqlError> {
    let mut is_number = true;
    let bytes: Vec<u8> = match value {
        Value::Binary(bytes) => {
            is_number = false;
            bytes.to_vec()
        }
        Value::Text(text) => {
            is_number = false;
            from_text(text, from, style)?
        }
        Value::Guid(bytes) => {
            is_number = false;
            bytes.to_vec()
        }
        Value::Bit(value) => vec![u8::from(*value)],
        Value::TinyInt(value) => vec![*value],
        Value::SmallInt(value) => value.to_be_bytes().to_vec(),
        Value::Int(value) => value.to_be_bytes().to_vec(),
        Value::BigInt(value) => value.to_be_bytes().to_vec(),
        Value::Money(value) => value.to_be_bytes().to_vec(),
        Value::Float(value) => value.to_be_bytes().to_vec(),
        Value::Real(value) => value.to_be_bytes().to_vec(),
        _ => return Err(not_allowed(from, to)),
    };
    fit(bytes, to, is_number, reason).map(|bytes| Value::Binary(bytes.into()))
}

fn from_text(text: &str, from: Type, style: i32) -> Result<Vec<u8>, SqlError> {
    if style == 0 {
        return Ok(match from.is_national() {
            true => text.encode_utf16().flat_map(u16::to_le_bytes).collect(),
            false => text.chars().map(|c| to_code_page(c).unwrap_or(b'?')).collect(),
        });
    }
    let digits = if style == 1 { text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) } else { Some(text) };
    let nibbles: Option<Vec<u8>> = digits
        .map(str::trim_end)
        .and_then(|digits| digits.chars().map(|c| c.to_digit(16).map(|digit| digit as u8)).collect());
    match nibbles {
        Some(nibbles) if nibbles.len() % 2 == 0 => {
            Ok(nibbles.chunks_exact(2).map(|pair| pair.iter().fold(0, |byte, nibble| (byte << 4) | nibble)).collect())
        }
        _ => Err(SqlError::new(8114, 16, 5, format!("Error converting data type {} to varbinary.", from.name()))),
    }
}

/// Numbers lose and gain bytes on the left, everything else on the right.
fn fit(mut bytes: Vec<u8>, to: Type, is_number: bool, reason: Reason) -> Result<Vec<u8>, SqlError> {
    let Type::Binary(fixed, Some(length)) = to else { return Ok(bytes) };
    let length = usize::from(length);
    if bytes.len() > length {
        if reason == Reason::Store && !is_number {
            return Err(SqlError::new(2628, 16, 1, "String or binary data would be truncated."));
        }
        let lost = bytes.len() - length;
        if is_number {
            bytes.drain(..lost);
        } else {
            bytes.truncate(length);
        }
    } else if fixed {
        let missing = length - bytes.len();
        if is_number {
            bytes.splice(..0, std::iter::repeat_n(0, missing));
        } else {
            bytes.resize(length, 0);
        }
    }
    Ok(bytes)
}
