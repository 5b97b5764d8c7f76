//! Arithmetic with SQL Server's overflow and division errors.

use rusqlite::types::{Value as Stored, ValueRef};
use rusqlite::{Connection, Result};

use super::super::error::SqlError;
use super::super::numeric;
use super::super::storage::{decimal_from_bytes, decimal_to_bytes};
use super::super::types::Type;
use super::{Outcome, blob, integer, real, strict, text, type_of_code, typed};
use tds::value::Value;

pub(super) fn register(connection: &Connection) -> Result<()> {
    strict(connection, "in_range", 2, |context| in_range(integer(context, 0), type_of_code(integer(context, 1))))?;
    for (name, operation) in [
        ("big_add", i64::checked_add as fn(i64, i64) -> Option<i64>),
        ("big_subtract", i64::checked_sub),
        ("big_multiply", i64::checked_mul),
    ] {
        strict(connection, name, 2, move |context| {
            let value = operation(integer(context, 0), integer(context, 1));
            value.map(Stored::Integer).ok_or_else(|| SqlError::overflow("bigint"))
        })?;
    }
    strict(connection, "int_divide", 3, |context| {
        let (a, b) = (integer(context, 0), integer(context, 1));
        if b == 0 {
            return Err(SqlError::divide_by_zero());
        }
        let quotient = a.checked_div(b).ok_or_else(|| SqlError::overflow("bigint"))?;
        in_range(quotient, type_of_code(integer(context, 2)))
    })?;
    strict(connection, "int_modulo", 2, |context| {
        let (a, b) = (integer(context, 0), integer(context, 1));
        if b == 0 { Err(SqlError::divide_by_zero()) } else { Ok(Stored::Integer(a.wrapping_rem(b))) }
    })?;
    strict(connection, "float_op", 3, |context| float(text(context, 0), real(context, 1), real(context, 2)))?;
    strict(connection, "money_op", 3, |context| money(text(context, 0), integer(context, 1), integer(context, 2)))?;
    strict(connection, "dec_negate", 1, |context| Ok(decimal(-decimal_from_bytes(blob(context, 0)))))?;
    strict(connection, "dec_op", 7, |context| {
        let scale = |index| u8::try_from(integer(context, index)).unwrap_or(0);
        let a = (decimal_from_bytes(blob(context, 1)), scale(2));
        let b = (decimal_from_bytes(blob(context, 3)), scale(4));
        decimal_op(text(context, 0), a, b, scale(5), scale(6))
    })?;
    strict(connection, "float_fn", 2, |context| float_function(text(context, 0), real(context, 1)))?;
    strict(connection, "number_fn", 5, |context| {
        let (value, type_) = typed(context, 1);
        number_function(text(context, 0), value, type_, integer(context, 3), integer(context, 4) != 0)
    })?;
    strict(connection, "series_step", 1, |context| match integer(context, 0) {
        0 => Err(SqlError::new(4199, 16, 1, "Argument value 0 is invalid for argument 3 of generate_series function.")),
        step => Ok(Stored::Integer(step)),
    })?;
    connection.create_scalar_function("is_numeric", 2, super::PURE, |context| {
        let type_ = type_of_code(integer(context, 1));
        Ok(match context.get_raw(0) {
            ValueRef::Null => 0,
            _ if type_.is_number() => 1,
            ValueRef::Text(_) => {
                let plain = text(context, 0).trim().replace([',', '$'], "");
                i64::from(!plain.is_empty() && (plain.parse::<f64>().is_ok_and(f64::is_finite)))
            }
            _ => 0,
        })
    })?;
    connection.create_scalar_function("pi", 0, super::PURE, |_| Ok(std::f64::consts::PI))
}

fn decimal(unscaled: i128) -> Stored {
    Stored::Blob(decimal_to_bytes(unscaled).to_vec())
}

fn in_range(value: i64, type_: Type) -> Outcome {
    let fits = match type_ {
        Type::Bit => (0..=1).contains(&value),
        Type::TinyInt => u8::try_from(value).is_ok(),
        Type::SmallInt => i16::try_from(value).is_ok(),
        Type::Int => i32::try_from(value).is_ok(),
        // 1753-01-01 to 9999-12-31 in units of 1/300 s around 1900.
        Type::DateTime => (-53_690 * 25_920_000..=2_958_463 * 25_920_000 + 25_919_999).contains(&value),
        _ => true,
    };
    if fits { Ok(Stored::Integer(value)) } else { Err(SqlError::overflow(type_.name())) }
}

fn float(operator: &str, a: f64, b: f64) -> Outcome {
    let value = match operator {
        "+" => a + b,
        "-" => a - b,
        "*" => a * b,
        "^" => a.powf(b),
        _ if b == 0.0 => return Err(SqlError::divide_by_zero()),
        _ => a / b,
    };
    if value.is_finite() { Ok(Stored::Real(value)) } else { Err(SqlError::overflow("float")) }
}

fn money(operator: &str, a: i64, b: i64) -> Outcome {
    let (wide_a, wide_b) = (i128::from(a), i128::from(b));
    let value = match operator {
        "+" => Some(wide_a + wide_b),
        "-" => Some(wide_a - wide_b),
        "*" => numeric::rescale(wide_a * wide_b, 8, 4),
        "/" if b != 0 => Some(wide_a * 10_000 / wide_b),
        "%" if b != 0 => Some(wide_a % wide_b),
        _ => return Err(SqlError::divide_by_zero()),
    };
    let value = value.and_then(|value| i64::try_from(value).ok());
    value.map(Stored::Integer).ok_or_else(|| SqlError::overflow("money"))
}

fn decimal_op(operator: &str, a: (i128, u8), b: (i128, u8), precision: u8, scale: u8) -> Outcome {
    let same = a.1.max(b.1);
    let aligned = || Some((numeric::rescale(a.0, a.1, same)?, numeric::rescale(b.0, b.1, same)?));
    let (unscaled, at) = match operator {
        "+" => (aligned().and_then(|(a, b)| a.checked_add(b)).ok_or_else(numeric::overflow)?, same),
        "-" => (aligned().and_then(|(a, b)| a.checked_sub(b)).ok_or_else(numeric::overflow)?, same),
        "*" => (a.0.checked_mul(b.0).ok_or_else(numeric::overflow)?, a.1 + b.1),
        "/" => (numeric::divide(a, b, scale)?, scale),
        _ => {
            let (a, b) = aligned().ok_or_else(numeric::overflow)?;
            if b == 0 {
                return Err(SqlError::divide_by_zero());
            }
            (a % b, same)
        }
    };
    numeric::fit(unscaled, at, precision, scale).map(decimal)
}

fn float_function(name: &str, value: f64) -> Outcome {
    let result = match name {
        "SQRT" => value.sqrt(),
        "EXP" => value.exp(),
        "LOG" => value.ln(),
        "LOG10" => value.log10(),
        "SIN" => value.sin(),
        "COS" => value.cos(),
        "TAN" => value.tan(),
        "ATAN" => value.atan(),
        "SQUARE" => value * value,
        "RADIANS" => value.to_radians(),
        _ => value.to_degrees(),
    };
    if result.is_finite() {
        return Ok(Stored::Real(result));
    }
    Err(SqlError::new(3623, 16, 1, "An invalid floating point operation occurred."))
}

/// ABS, SIGN, CEILING, FLOOR and ROUND of each kind of number.
fn number_function(name: &str, value: Value, type_: Type, digits: i64, cut: bool) -> Outcome {
    match value {
        Value::Real(value) => float_rounded(name, f64::from(value), digits, cut),
        Value::Float(value) => float_rounded(name, value, digits, cut),
        Value::Decimal { unscaled, scale } => {
            let whole_scale = matches!(name, "CEILING" | "FLOOR");
            let rounded = exact(name, unscaled, scale, digits, cut).ok_or_else(numeric::overflow)?;
            let Type::Decimal(precision, _) = type_ else { return Err(numeric::overflow()) };
            let to = if whole_scale { 0 } else { scale };
            let moved = numeric::rescale(rounded, scale, to).ok_or_else(numeric::overflow)?;
            numeric::fit(moved, to, precision, to).map(decimal)
        }
        Value::Money(value) => {
            let rounded = exact(name, i128::from(value), 4, digits, cut).and_then(|value| i64::try_from(value).ok());
            rounded.map(Stored::Integer).ok_or_else(|| SqlError::overflow("money"))
        }
        other => {
            let whole = match other {
                Value::Bit(value) => i64::from(value),
                Value::TinyInt(value) => i64::from(value),
                Value::SmallInt(value) => i64::from(value),
                Value::Int(value) => i64::from(value),
                Value::BigInt(value) => value,
                _ => return Ok(Stored::Null),
            };
            let type_ = if type_ == Type::BigInt { Type::BigInt } else { Type::Int };
            let rounded = exact(name, i128::from(whole), 0, digits, cut).and_then(|value| i64::try_from(value).ok());
            in_range(rounded.ok_or_else(|| SqlError::overflow(type_.name()))?, type_)
        }
    }
}

fn exact(name: &str, unscaled: i128, scale: u8, digits: i64, cut: bool) -> Option<i128> {
    let unit = numeric::power(scale)?;
    Some(match name {
        "ABS" => unscaled.checked_abs()?,
        "SIGN" => unscaled.signum().checked_mul(unit)?,
        "CEILING" => unscaled.checked_add(unit - 1)?.div_euclid(unit).checked_mul(unit)?,
        "FLOOR" => unscaled.div_euclid(unit).checked_mul(unit)?,
        _ => {
            let dropped = i64::from(scale) - digits;
            if dropped <= 0 {
                return Some(unscaled);
            }
            let Some(power) = u8::try_from(dropped).ok().and_then(numeric::power) else { return Some(0) };
            let kept = if cut { unscaled / power } else { numeric::rescale(unscaled, u8::try_from(dropped).ok()?, 0)? };
            kept.checked_mul(power)?
        }
    })
}

fn float_rounded(name: &str, value: f64, digits: i64, cut: bool) -> Outcome {
    let result = match name {
        "ABS" => value.abs(),
        "SIGN" => {
            if value == 0.0 {
                0.0
            } else {
                value.signum()
            }
        }
        "CEILING" => value.ceil(),
        "FLOOR" => value.floor(),
        _ => {
            let unit = 10_f64.powi(i32::try_from(digits.clamp(-300, 300)).unwrap_or(0));
            let scaled = value * unit;
            if scaled.is_finite() { (if cut { scaled.trunc() } else { scaled.round() }) / unit } else { value }
        }
    };
    Ok(Stored::Real(result))
}
