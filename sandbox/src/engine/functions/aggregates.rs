//! Aggregates SQLite lacks: exact decimals, truncating integer averages, deviations.

use rusqlite::functions::{Aggregate, Context};
use rusqlite::types::{Value as Stored, ValueRef};
use rusqlite::{Connection, Result};

use super::super::error::SqlError;
use super::super::numeric;
use super::super::storage::{decimal_from_bytes, decimal_to_bytes};
use super::{PURE, blob, integer, real};

pub(super) fn register(connection: &Connection) -> Result<()> {
    connection.create_aggregate_function("dec_sum", 1, PURE, DecimalSum { average_digits: None })?;
    for (digits, name) in
        ["dec_avg0", "dec_avg1", "dec_avg2", "dec_avg3", "dec_avg4", "dec_avg5", "dec_avg6"].into_iter().enumerate()
    {
        let average_digits = u8::try_from(digits).ok();
        connection.create_aggregate_function(name, 1, PURE, DecimalSum { average_digits })?;
    }
    connection.create_aggregate_function("int_avg", 1, PURE, IntegerAverage)?;
    for (name, kind) in [
        ("stdev", Spread { root: true, population: false }),
        ("stdevp", Spread { root: true, population: true }),
        ("var", Spread { root: false, population: false }),
        ("varp", Spread { root: false, population: true }),
    ] {
        connection.create_aggregate_function(name, 1, PURE, kind)?;
    }
    Ok(())
}

/// A running sum and how many values it has; `None` once it overflowed.
struct Sum {
    total: Option<i128>,
    count: i128,
}

struct DecimalSum {
    /// For an average: digits to add after the point.
    average_digits: Option<u8>,
}

impl Aggregate<Sum, Stored> for DecimalSum {
    fn init(&self, _: &mut Context<'_>) -> Result<Sum> {
        Ok(Sum { total: Some(0), count: 0 })
    }

    fn step(&self, context: &mut Context<'_>, sum: &mut Sum) -> Result<()> {
        if context.get_raw(0) != ValueRef::Null {
            sum.total = sum.total.and_then(|total| total.checked_add(decimal_from_bytes(blob(context, 0))));
            sum.count += 1;
        }
        Ok(())
    }

    fn finalize(&self, _: &mut Context<'_>, sum: Option<Sum>) -> Result<Stored> {
        let Some(sum) = sum.filter(|sum| sum.count > 0) else { return Ok(Stored::Null) };
        let total = sum.total.ok_or_else(|| numeric::overflow().into_sqlite())?;
        let value = match self.average_digits {
            None => numeric::fit(total, 0, 38, 0),
            Some(digits) => numeric::divide((total, 0), (sum.count, 0), digits),
        };
        let value = value.map_err(SqlError::into_sqlite)?;
        Ok(Stored::Blob(decimal_to_bytes(value).to_vec()))
    }
}

struct IntegerAverage;

impl Aggregate<(i128, i128), Stored> for IntegerAverage {
    fn init(&self, _: &mut Context<'_>) -> Result<(i128, i128)> {
        Ok((0, 0))
    }

    fn step(&self, context: &mut Context<'_>, (total, count): &mut (i128, i128)) -> Result<()> {
        if context.get_raw(0) != ValueRef::Null {
            *total += i128::from(integer(context, 0));
            *count += 1;
        }
        Ok(())
    }

    fn finalize(&self, _: &mut Context<'_>, state: Option<(i128, i128)>) -> Result<Stored> {
        let average = state.and_then(|(total, count)| total.checked_div(count));
        Ok(average.map_or(Stored::Null, |average| Stored::Integer(i64::try_from(average).unwrap_or(i64::MAX))))
    }
}

/// Standard deviation or variance, by Welford's method.
struct Spread {
    root: bool,
    population: bool,
}

#[derive(Default)]
struct Moments {
    count: f64,
    mean: f64,
    squares: f64,
}

impl Aggregate<Moments, Stored> for Spread {
    fn init(&self, _: &mut Context<'_>) -> Result<Moments> {
        Ok(Moments::default())
    }

    fn step(&self, context: &mut Context<'_>, moments: &mut Moments) -> Result<()> {
        if context.get_raw(0) != ValueRef::Null {
            let value = real(context, 0);
            moments.count += 1.0;
            let before = value - moments.mean;
            moments.mean += before / moments.count;
            moments.squares += before * (value - moments.mean);
        }
        Ok(())
    }

    fn finalize(&self, _: &mut Context<'_>, moments: Option<Moments>) -> Result<Stored> {
        let Some(moments) = moments else { return Ok(Stored::Null) };
        let divisor = if self.population { moments.count } else { moments.count - 1.0 };
        if divisor <= 0.0 {
            return Ok(Stored::Null);
        }
        let variance = moments.squares / divisor;
        Ok(Stored::Real(if self.root { variance.sqrt() } else { variance }))
    }
}
