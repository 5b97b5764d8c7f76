//! Conversions to strings and uniqueidentifiers.

use tds::value::Value;

use super::super::calendar::{self, Moment};
use super::super::error::SqlError;
use super::super::numeric;
use super::super::types::Type;
use super::{Reason, not_allowed};

pub(super) fn from_value(value: &Value, from: Type, to: Type, style: i32) -> Result<String, SqlError> {
    Ok(match value {
        Value::Null => String::new(),
        Value::Bit(value) => u8::from(*value).to_string(),
        Value::TinyInt(value) => value.to_string(),
        Value::SmallInt(value) => value.to_string(),
        Value::Int(value) => value.to_string(),
        Value::BigInt(value) => value.to_string(),
        Value::Decimal { unscaled, scale } => numeric::format(*unscaled, *scale),
        Value::Money(value) => money(*value, style),
        Value::Real(value) => float(f64::from(*value), style, true),
        Value::Float(value) => float(*value, style, false),
        Value::Text(text) => text.clone(),
        Value::Binary(bytes) => from_bytes(bytes, to, style),
        Value::Guid(bytes) => format_guid(bytes),
        other => {
            let moment = Moment::of(other).ok_or_else(|| not_allowed(from, to))?;
            calendar::format(moment, from, style)?
        }
    })
}

fn money(value: i64, style: i32) -> String {
    if style == 2 || style == 126 {
        return numeric::format(i128::from(value), 4);
    }
    let cents = numeric::rescale(i128::from(value), 4, 2).unwrap_or(0);
    let plain = numeric::format(cents, 2);
    if style != 1 {
        return plain;
    }
    let (whole, fraction) = plain.split_once('.').unwrap_or((plain.as_str(), "00"));
    let (sign, digits) = whole.strip_prefix('-').map_or(("", whole), |digits| ("-", digits));
    let mut grouped = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index) % 3 == 0 {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    format!("{sign}{grouped}.{fraction}")
}

/// Style 0: six significant digits, an exponent of three digits where needed; 1, 2: eight and sixteen, always with one;
/// 3: as many as it takes.
fn float(value: f64, style: i32, single: bool) -> String {
    let digits = match style {
        1 => 8,
        2 => 16,
        3 => {
            if single {
                9
            } else {
                17
            }
        }
        _ => 6,
    };
    if value == 0.0 && style == 0 {
        return "0".to_owned();
    }
    let scientific = format!("{value:.0$e}", digits - 1);
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((scientific.as_str(), "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if style == 0 && (-5..6).contains(&exponent) {
        let decimals = usize::try_from(5 - exponent).unwrap_or(0);
        let fixed = format!("{value:.decimals$}");
        return if fixed.contains('.') { fixed.trim_end_matches('0').trim_end_matches('.').to_owned() } else { fixed };
    }
    let mantissa = if style == 0 { mantissa.trim_end_matches('0').trim_end_matches('.') } else { mantissa };
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{mantissa}e{sign}{:03}", exponent.abs())
}

fn from_bytes(bytes: &[u8], to: Type, style: i32) -> String {
    match style {
        1 => format!("0x{}", hex(bytes)),
        2 => hex(bytes),
        _ if to.is_national() => {
            let units: Vec<u16> = bytes
                .chunks(2)
                .map(|pair| pair.iter().rev().fold(0_u16, |unit, byte| (unit << 8) | u16::from(*byte)))
                .collect();
            String::from_utf16_lossy(&units)
        }
        _ => bytes.iter().map(|byte| from_code_page(*byte)).collect(),
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02X}")).collect()
}

/// Windows-1252 from 0x80 to 0x9F; the five holes map to themselves.
const CODE_PAGE: &str = "€\u{81}‚ƒ„…†‡ˆ‰Š‹Œ\u{8d}Ž\u{8f}\u{90}‘’“”•–—˜™š›œ\u{9d}žŸ";

fn from_code_page(byte: u8) -> char {
    match byte {
        0x80..=0x9F => CODE_PAGE.chars().nth(usize::from(byte - 0x80)).unwrap_or('?'),
        other => char::from(other),
    }
}

pub(super) fn to_code_page(c: char) -> Option<u8> {
    match u32::from(c) {
        code @ (0..=0x7F | 0xA0..=0xFF) => u8::try_from(code).ok(),
        _ => CODE_PAGE.chars().position(|known| known == c).and_then(|at| u8::try_from(at + 0x80).ok()),
    }
}

/// Units a string is measured in: UTF-16 for national strings, bytes of the code page otherwise.
fn width(c: char, national: bool) -> usize {
    if national { c.len_utf16() } else { 1 }
}

/// Makes a string fit its type: cut or refused, padded, and without characters the code page lacks.
pub(super) fn fit(mut text: String, to: Type, from: Type, reason: Reason) -> Result<String, SqlError> {
    let national = to.is_national();
    if !national && !text.is_ascii() {
        text = text.chars().map(|c| if to_code_page(c).is_some() { c } else { '?' }).collect();
    }
    let Type::Text(kind, Some(length)) = to else { return Ok(text) };
    let length = usize::from(length);
    let mut used = 0;
    let mut cut = None;
    for (at, c) in text.char_indices() {
        used += width(c, national);
        if used > length {
            cut = Some(at);
            break;
        }
    }
    if let Some(at) = cut {
        if !from.is_text() && !from.is_temporal() && !from.is_binary() {
            return too_short(from, to);
        }
        let lost_blanks_only = text.get(at..).is_some_and(|lost| lost.bytes().all(|byte| byte == b' '));
        if reason == Reason::Store && !lost_blanks_only {
            return Err(SqlError::new(2628, 16, 1, "String or binary data would be truncated."));
        }
        text.truncate(at);
    } else if kind.is_fixed() {
        text.extend(std::iter::repeat_n(' ', length - used));
    }
    Ok(text)
}

/// A number that does not fit its string: an asterisk for the integer types in varchar, an error otherwise.
fn too_short(from: Type, to: Type) -> Result<String, SqlError> {
    match from {
        Type::TinyInt | Type::SmallInt | Type::Int if !to.is_national() => Ok("*".to_owned()),
        Type::Guid => {
            Err(SqlError::new(8170, 16, 2, "Insufficient result space to convert uniqueidentifier value to char."))
        }
        _ => {
            let (source, kind) = (if from.is_integer() { "expression" } else { from.message_name() }, to.name());
            Err(SqlError::new(
                8115,
                16,
                2,
                format!("Arithmetic overflow error converting {source} to data type {kind}."),
            ))
        }
    }
}

pub(crate) fn format_guid(bytes: &[u8; 16]) -> String {
    let [a, b, c, d, e, f, g, h, rest @ ..] = bytes;
    let tail = hex(rest);
    let (node, clock) = (tail.get(4..).unwrap_or(""), tail.get(..4).unwrap_or(""));
    format!("{}-{}-{}-{clock}-{node}", hex(&[*d, *c, *b, *a]), hex(&[*f, *e]), hex(&[*h, *g]))
}

pub(super) fn to_guid(value: &Value, from: Type) -> Result<Value, SqlError> {
    match value {
        Value::Guid(_) => Ok(value.clone()),
        Value::Binary(bytes) => {
            let mut guid = [0; 16];
            for (place, byte) in guid.iter_mut().zip(bytes.iter()) {
                *place = *byte;
            }
            Ok(Value::Guid(guid))
        }
        Value::Text(text) => parse_guid(text).map(Value::Guid).ok_or_else(|| {
            let text = "Conversion failed when converting from a character string to uniqueidentifier.";
            SqlError::new(8169, 16, 2, text)
        }),
        _ => Err(not_allowed(from, Type::Guid)),
    }
}

fn parse_guid(text: &str) -> Option<[u8; 16]> {
    let text = text.trim();
    let text = text.strip_prefix('{').map_or(text, |inner| inner.strip_suffix('}').unwrap_or(inner));
    // Anything after 36 characters is ignored.
    let text = text.get(..36)?;
    let dashes = [8, 13, 18, 23].iter().all(|at| text.as_bytes().get(*at) == Some(&b'-'));
    let digits: Vec<u8> = text.chars().filter_map(|c| c.to_digit(16)).map(|digit| digit as u8).collect();
    if !dashes || digits.len() != 32 {
        return None;
    }
    let bytes: Vec<u8> =
        digits.chunks_exact(2).map(|pair| pair.iter().fold(0, |byte, nibble| (byte << 4) | nibble)).collect();
    let [a, b, c, d, e, f, g, h, rest @ ..] = bytes.as_slice() else { return None };
    let mut guid = Vec::from([*d, *c, *b, *a, *f, *e, *h, *g]);
    guid.extend_from_slice(rest);
    guid.try_into().ok()
}
