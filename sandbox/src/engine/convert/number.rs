//! Conversions to numbers.

use tds::value::Value;

use super::super::calendar::{EPOCH_1900, Moment, TICKS_PER_DAY};
use super::super::error::SqlError;
use super::super::numeric;
use super::super::types::Type;
use super::not_allowed;

/// A number in transit, without loss.
enum Number {
    Exact(i128, u8),
    Float(f64),
}

pub(super) fn convert(value: &Value, from: Type, to: Type) -> Result<Value, SqlError> {
    let number = match value {
        Value::Text(text) => match parse(text, from, to)? {
            Some(number) => number,
            None => return Ok(Value::Bit(text.trim().eq_ignore_ascii_case("true"))),
        },
        other => number_of(other, from, to)?,
    };
    match to {
        Type::Float | Type::Real => {
            let float = match number {
                Number::Float(float) => float,
                Number::Exact(unscaled, scale) => numeric::to_float(unscaled, scale),
            };
            if to == Type::Float {
                return Ok(Value::Float(float));
            }
            let narrow = float as f32;
            if narrow.is_finite() || !float.is_finite() {
                Ok(Value::Real(narrow))
            } else {
                Err(SqlError::overflow("real"))
            }
        }
        Type::Bit => Ok(Value::Bit(match number {
            Number::Exact(unscaled, _) => unscaled != 0,
            Number::Float(float) => float != 0.0,
        })),
        Type::Decimal(precision, scale) => {
            let failed = || overflow(from, to);
            let unscaled = match number {
                Number::Exact(unscaled, written) => {
                    numeric::fit(unscaled, written, precision, scale).map_err(|_| failed())?
                }
                Number::Float(float) => {
                    let unscaled = numeric::from_float(float, scale).ok_or_else(failed)?;
                    numeric::fit(unscaled, scale, precision, scale).map_err(|_| failed())?
                }
            };
            Ok(Value::Decimal { unscaled, scale })
        }
        Type::Money | Type::SmallMoney => {
            let unscaled = match number {
                Number::Exact(unscaled, scale) => numeric::rescale(unscaled, scale, 4),
                Number::Float(float) => numeric::from_float(float, 4),
            };
            let money = unscaled.and_then(|unscaled| i64::try_from(unscaled).ok()).ok_or_else(|| overflow(from, to))?;
            if to == Type::SmallMoney && i32::try_from(money).is_err() {
                return Err(overflow(from, to));
            }
            Ok(Value::Money(money))
        }
        _ => integer(number, value, from, to),
    }
}

fn integer(number: Number, value: &Value, from: Type, to: Type) -> Result<Value, SqlError> {
    let whole = match number {
        // Money rounds where decimals are cut off.
        Number::Exact(unscaled, scale) if from.is_money() => numeric::rescale(unscaled, scale, 0),
        Number::Exact(unscaled, scale) => numeric::power(scale).map(|power| unscaled / power),
        Number::Float(float) if float.abs() < 1e19 => Some(float.trunc() as i128),
        Number::Float(_) => None,
    };
    let converted = whole.and_then(|whole| match to {
        Type::TinyInt => u8::try_from(whole).ok().map(Value::TinyInt),
        Type::SmallInt => i16::try_from(whole).ok().map(Value::SmallInt),
        Type::Int => i32::try_from(whole).ok().map(Value::Int),
        _ => i64::try_from(whole).ok().map(Value::BigInt),
    });
    converted.ok_or_else(|| match (value, whole) {
        (Value::Text(text), _) => {
            let (name, kind) = (from.name(), to.name());
            let number = if matches!(to, Type::TinyInt | Type::SmallInt) { 244 } else { 248 };
            let kind = match to {
                Type::TinyInt => "INT1",
                Type::SmallInt => "INT2",
                Type::BigInt => {
                    return SqlError::new(
                        8115,
                        16,
                        2,
                        format!("Arithmetic overflow error converting expression to data type {kind}."),
                    );
                }
                _ => "int",
            };
            let text = format!("The conversion of the {name} value '{text}' overflowed an {kind} column.");
            SqlError::new(number, 16, 1, text)
        }
        (_, Some(whole)) if matches!(to, Type::TinyInt | Type::SmallInt) && from.is_integer() => {
            let text = format!("Arithmetic overflow error for data type {}, value = {whole}.", to.name());
            SqlError::new(220, 16, 1, text)
        }
        _ => overflow(from, to),
    })
}

fn overflow(from: Type, to: Type) -> SqlError {
    let source = if from.is_integer() || from == Type::Null { "expression" } else { from.message_name() };
    let text = format!("Arithmetic overflow error converting {source} to data type {}.", to.message_name());
    SqlError::new(8115, 16, 2, text)
}

fn number_of(value: &Value, from: Type, to: Type) -> Result<Number, SqlError> {
    Ok(match value {
        Value::Bit(value) => Number::Exact(i128::from(*value), 0),
        Value::TinyInt(value) => Number::Exact(i128::from(*value), 0),
        Value::SmallInt(value) => Number::Exact(i128::from(*value), 0),
        Value::Int(value) => Number::Exact(i128::from(*value), 0),
        Value::BigInt(value) => Number::Exact(i128::from(*value), 0),
        Value::Money(value) => Number::Exact(i128::from(*value), 4),
        Value::Decimal { unscaled, scale } => Number::Exact(*unscaled, *scale),
        Value::Real(value) => Number::Float(f64::from(*value)),
        Value::Float(value) => Number::Float(*value),
        Value::Binary(bytes) if to.is_integer() => {
            let width = if to == Type::BigInt { 8 } else { 4 };
            let bytes = bytes.get(bytes.len().saturating_sub(width)..).unwrap_or(bytes);
            let number = bytes.iter().fold(0_u64, |number, byte| (number << 8) | u64::from(*byte));
            let number = number.cast_signed();
            Number::Exact(if width == 4 { i128::from(number as u32 as i32) } else { i128::from(number) }, 0)
        }
        Value::DateTime(..) | Value::SmallDateTime(..) => {
            let moment = Moment::of(value).ok_or_else(|| not_allowed(from, to))?;
            let days = (moment.days - EPOCH_1900) as f64 + moment.ticks as f64 / TICKS_PER_DAY as f64;
            // To an integer SQL Server rounds a datetime, elsewhere it keeps the fraction.
            Number::Float(if to.is_integer() { days.round() } else { days })
        }
        _ => return Err(not_allowed(from, to)),
    })
}

/// `None` for the words true and false, which only bit takes.
fn parse(text: &str, from: Type, to: Type) -> Result<Option<Number>, SqlError> {
    let trimmed = text.trim();
    if to == Type::Bit && ["true", "false"].iter().any(|word| trimmed.eq_ignore_ascii_case(word)) {
        return Ok(None);
    }
    let parsed = match to {
        Type::Float | Type::Real if trimmed.is_empty() => Some(Number::Float(0.0)),
        Type::Float | Type::Real => {
            let plain =
                trimmed.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b'+' | b'-' | b'.' | b'e' | b'E'));
            trimmed.parse::<f64>().ok().filter(|float| plain && float.is_finite()).map(Number::Float)
        }
        Type::Decimal(..) => decimal(trimmed),
        Type::Money | Type::SmallMoney => {
            let plain = trimmed.replace([',', '$'], "");
            if plain.is_empty() { Some(Number::Exact(0, 0)) } else { decimal(&plain) }
        }
        _ if trimmed.is_empty() => Some(Number::Exact(0, 0)),
        _ => decimal(trimmed).filter(|_| !trimmed.contains('.')),
    };
    parsed.map(Some).ok_or_else(|| failed(text, from, to))
}

fn decimal(text: &str) -> Option<Number> {
    numeric::parse(text).map(|(unscaled, scale)| Number::Exact(unscaled, scale))
}

fn failed(text: &str, from: Type, to: Type) -> SqlError {
    let (name, kind) = (from.name(), to.message_name());
    match to {
        Type::Decimal(..) | Type::Float | Type::Real | Type::BigInt => {
            SqlError::new(8114, 16, 5, format!("Error converting data type {name} to {kind}."))
        }
        Type::Money | Type::SmallMoney => {
            SqlError::new(235, 16, 0, "Cannot convert a char value to money. The char value has incorrect syntax.")
        }
        _ => {
            let text = format!("Conversion failed when converting the {name} value '{text}' to data type {kind}.");
            SqlError::new(245, 16, 1, text)
        }
    }
}
