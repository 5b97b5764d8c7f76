//! Date functions.

use rusqlite::types::Value as Stored;
use rusqlite::{Connection, Result};
use tds::value::Value;

use super::super::calendar::{
    self, Moment, TICKS_PER_DAY, TICKS_PER_HOUR, TICKS_PER_MINUTE, TICKS_PER_SECOND, civil, days_in_month, days_of,
};
use super::super::error::SqlError;
use super::super::storage::owned;
use super::super::types::Type;
use super::{Outcome, integer, strict, text, type_of_code, typed};

pub(super) fn register(connection: &Connection) -> Result<()> {
    strict(connection, "date_add", 4, |context| {
        let (value, type_) = typed(context, 2);
        add(text(context, 0), integer(context, 1), &value, type_)
    })?;
    strict(connection, "date_diff", 6, |context| {
        let (from, _) = typed(context, 1);
        let (to, _) = typed(context, 3);
        difference(text(context, 0), &from, &to, type_of_code(integer(context, 5)))
    })?;
    strict(connection, "date_part", 3, |context| {
        let (value, _) = typed(context, 1);
        part(text(context, 0), &value).map(Stored::Integer)
    })?;
    strict(connection, "date_name", 3, |context| {
        let (value, _) = typed(context, 1);
        name(text(context, 0), &value).map(Stored::Text)
    })?;
    strict(connection, "end_of_month", 3, |context| {
        let (value, _) = typed(context, 0);
        let moment = moment(&value)?.plus_months(integer(context, 2)).ok_or_else(out_of_range)?;
        let (year, month, _) = civil(moment.days);
        let last = Moment::date(year, month, days_in_month(year, month)).ok_or_else(out_of_range)?;
        last.to_value(Type::Date).map(|value| owned(&value))
    })?;
    strict(connection, "date_from_parts", 3, |context| {
        let date = Moment::date(integer(context, 0), integer(context, 1), integer(context, 2));
        let text = "Cannot construct data type date, some of the arguments have values which are not valid.";
        let date = date.ok_or_else(|| SqlError::new(289, 16, 1, text))?;
        date.to_value(Type::Date).map(|value| owned(&value))
    })?;
    strict(connection, "is_date", 1, |context| {
        let parsed = calendar::parse(text(context, 0)).filter(|_| !text(context, 0).trim().is_empty());
        Ok(Stored::Integer(i64::from(parsed.is_some_and(|moment| moment.to_value(Type::DateTime).is_ok()))))
    })
}

fn moment(value: &Value) -> std::result::Result<Moment, SqlError> {
    Moment::of(value).ok_or_else(|| SqlError::unsupported("a date function of this value"))
}

fn out_of_range() -> SqlError {
    SqlError::new(517, 16, 1, "Adding a value to a 'datetime' column caused an overflow.")
}

/// 100 ns in a part of fixed length; nanoseconds come in hundreds.
fn ticks_of(part: &str) -> Option<i64> {
    Some(match part {
        "week" => 7 * TICKS_PER_DAY,
        "day" | "dayofyear" | "weekday" => TICKS_PER_DAY,
        "hour" => TICKS_PER_HOUR,
        "minute" => TICKS_PER_MINUTE,
        "second" => TICKS_PER_SECOND,
        "millisecond" => 10_000,
        "microsecond" => 10,
        _ => return None,
    })
}

fn add(part: &str, count: i64, value: &Value, type_: Type) -> Outcome {
    if i32::try_from(count).is_err() {
        return Err(SqlError::overflow("int"));
    }
    let start = moment(value)?;
    let moved = match part {
        "year" => start.plus_months(count.saturating_mul(12)),
        "quarter" => start.plus_months(count.saturating_mul(3)),
        "month" => start.plus_months(count),
        "nanosecond" => Some(start.plus_ticks(count / 100)),
        _ => ticks_of(part).and_then(|ticks| ticks.checked_mul(count)).map(|ticks| start.plus_ticks(ticks)),
    };
    let moved = moved.ok_or_else(out_of_range)?;
    moved.to_value(type_).map(|value| owned(&value)).map_err(|_| out_of_range())
}

fn difference(part: &str, from: &Value, to: &Value, type_: Type) -> Outcome {
    let (from, to) = (moment(from)?, moment(to)?);
    let (year1, month1, _) = civil(from.days);
    let (year2, month2, _) = civil(to.days);
    // Boundaries crossed, not time passed.
    let boundaries = |ticks: i64| {
        let of = |moment: Moment| {
            (i128::from(moment.days) * i128::from(TICKS_PER_DAY) + i128::from(moment.ticks))
                .div_euclid(i128::from(ticks))
        };
        of(to) - of(from)
    };
    let count = match part {
        "year" => i128::from(year2 - year1),
        "quarter" => i128::from((year2 - year1) * 4 + (month2 - 1) / 3 - (month1 - 1) / 3),
        "month" => i128::from((year2 - year1) * 12 + month2 - month1),
        // Weeks begin on Sunday whatever DATEFIRST says; 0001-01-01 was a Monday.
        "week" => i128::from((to.days + 1).div_euclid(7) - (from.days + 1).div_euclid(7)),
        "nanosecond" => boundaries(1) * 100,
        other => match ticks_of(other) {
            Some(ticks) => boundaries(ticks),
            None => return Err(SqlError::unsupported(format!("DATEDIFF of {other}"))),
        },
    };
    let fits = if type_ == Type::Int { i32::try_from(count).is_ok() } else { i64::try_from(count).is_ok() };
    if !fits {
        let text = "The datediff function resulted in an overflow. The number of dateparts separating two date/time instances is too large. Try to use datediff with a less precise datepart.";
        return Err(SqlError::new(535, 16, 0, text));
    }
    Ok(Stored::Integer(i64::try_from(count).unwrap_or(0)))
}

fn part(part: &str, value: &Value) -> std::result::Result<i64, SqlError> {
    let moment = moment(value)?;
    let (year, month, day) = civil(moment.days);
    let day_of_year = moment.days - days_of(year, 1, 1) + 1;
    // With DATEFIRST 7 Sunday is day 1; 0001-01-01 was a Monday.
    let weekday = (moment.days + 1).rem_euclid(7) + 1;
    let fraction = moment.ticks % TICKS_PER_SECOND;
    Ok(match part {
        "year" => year,
        "quarter" => (month - 1) / 3 + 1,
        "month" => month,
        "dayofyear" => day_of_year,
        "day" => day,
        "week" => {
            let first = (days_of(year, 1, 1) + 1).rem_euclid(7);
            (day_of_year - 1 + first) / 7 + 1
        }
        "iso_week" => {
            let thursday = moment.days - moment.days.rem_euclid(7) + 3;
            let (iso_year, _, _) = civil(thursday);
            (thursday - days_of(iso_year, 1, 1)) / 7 + 1
        }
        "weekday" => weekday,
        "hour" => moment.ticks / TICKS_PER_HOUR,
        "minute" => moment.ticks / TICKS_PER_MINUTE % 60,
        "second" => moment.ticks / TICKS_PER_SECOND % 60,
        "millisecond" => match value {
            Value::DateTime(..) => (fraction + 5_000) / 10_000,
            _ => fraction / 10_000,
        },
        "microsecond" => fraction / 10,
        _ => fraction * 100,
    })
}

fn name(wanted: &str, value: &Value) -> std::result::Result<String, SqlError> {
    const MONTHS: [&str; 12] = [
        "January",
        "February",
        "March",
        "April",
        "May",
        "June",
        "July",
        "August",
        "September",
        "October",
        "November",
        "December",
    ];
    const DAYS: [&str; 7] = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];
    let number = part(wanted, value)?;
    let index = usize::try_from(number - 1).unwrap_or(0);
    let named = match wanted {
        "month" => MONTHS.get(index),
        "weekday" => DAYS.get(index),
        _ => None,
    };
    Ok(named.map_or_else(|| number.to_string(), |name| (*name).to_owned()))
}
