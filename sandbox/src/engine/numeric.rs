//! Exact decimals: 38 digits as one i128 and a scale.

use super::error::SqlError;

/// 10 to this power, if it fits.
pub(crate) fn power(exponent: u8) -> Option<i128> {
    10_i128.checked_pow(u32::from(exponent))
}

/// The largest absolute value of a precision.
fn limit(precision: u8) -> i128 {
    power(precision.min(38)).map_or(i128::MAX, |power| power - 1)
}

pub(crate) fn overflow() -> SqlError {
    SqlError::new(8115, 16, 8, "Arithmetic overflow error converting numeric to data type numeric.")
}

/// Moves the point from one scale to another, rounding half away from zero.
pub(crate) fn rescale(unscaled: i128, from: u8, to: u8) -> Option<i128> {
    if to >= from {
        return unscaled.checked_mul(power(to - from)?);
    }
    let divisor = power(from - to)?;
    let quotient = unscaled / divisor;
    let remainder = unscaled % divisor;
    if remainder.unsigned_abs() * 2 >= divisor.unsigned_abs() {
        return quotient.checked_add(unscaled.signum());
    }
    Some(quotient)
}

/// Rescales and checks the precision.
pub(crate) fn fit(unscaled: i128, from: u8, precision: u8, scale: u8) -> Result<i128, SqlError> {
    let moved = rescale(unscaled, from, scale).ok_or_else(overflow)?;
    if moved.unsigned_abs() > limit(precision).unsigned_abs() { Err(overflow()) } else { Ok(moved) }
}

/// `a / b` with `scale` digits, cut off as SQL Server does.
pub(crate) fn divide(a: (i128, u8), b: (i128, u8), scale: u8) -> Result<i128, SqlError> {
    if b.0 == 0 {
        return Err(SqlError::divide_by_zero());
    }
    let divisor = b.0.unsigned_abs();
    let dividend = a.0.unsigned_abs();
    let mut quotient = dividend / divisor;
    let mut remainder = dividend % divisor;
    // a / b = (a.0 / b.0) · 10^(b.1 − a.1): so many more digits give the wanted scale.
    let digits = i16::from(scale) + i16::from(b.1) - i16::from(a.1);
    for _ in 0..digits.max(0) {
        remainder = remainder.checked_mul(10).ok_or_else(overflow)?;
        quotient = quotient.checked_mul(10).and_then(|q| q.checked_add(remainder / divisor)).ok_or_else(overflow)?;
        remainder %= divisor;
    }
    for _ in digits..0 {
        quotient /= 10;
    }
    let quotient = i128::try_from(quotient).map_err(|_| overflow())?;
    Ok(if (a.0 < 0) == (b.0 < 0) { quotient } else { -quotient })
}

/// Parses `-12.5`; the scale is the digits after the point.
pub(crate) fn parse(text: &str) -> Option<(i128, u8)> {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    if whole.is_empty() && fraction.is_empty() {
        return None;
    }
    let mut unscaled = 0_i128;
    for digit in whole.chars().chain(fraction.chars()) {
        let digit = digit.to_digit(10)?;
        unscaled = unscaled.checked_mul(10)?.checked_add(i128::from(digit))?;
    }
    if unscaled > limit(38) {
        return None;
    }
    let scale = u8::try_from(fraction.len()).ok().filter(|scale| *scale <= 38)?;
    Some((if negative { -unscaled } else { unscaled }, scale))
}

/// Writes a decimal with all digits of its scale.
pub(crate) fn format(unscaled: i128, scale: u8) -> String {
    let sign = if unscaled < 0 { "-" } else { "" };
    let digits = unscaled.unsigned_abs().to_string();
    if scale == 0 {
        return format!("{sign}{digits}");
    }
    let width = usize::from(scale) + 1;
    let padded = format!("{digits:0>width$}");
    let (whole, fraction) = padded.split_at(padded.len() - usize::from(scale));
    format!("{sign}{whole}.{fraction}")
}

/// The nearest decimal of a float at this scale.
pub(crate) fn from_float(value: f64, scale: u8) -> Option<i128> {
    if !value.is_finite() || value.abs() >= 1e38 {
        return None;
    }
    // Through text: exact digits of the shortest representation, as SQL Server rounds.
    let text = format!("{value:.0$}", usize::from(scale));
    parse(&text).and_then(|(unscaled, written)| rescale(unscaled, written, scale))
}

pub(crate) fn to_float(unscaled: i128, scale: u8) -> f64 {
    unscaled as f64 / 10_f64.powi(i32::from(scale))
}
