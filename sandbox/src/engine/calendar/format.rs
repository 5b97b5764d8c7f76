//! A moment to text, in the styles of CONVERT.

use super::super::error::SqlError;
use super::super::types::Type;
use super::{Moment, TICKS_PER_HOUR, TICKS_PER_MINUTE, TICKS_PER_SECOND, civil};

const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

struct Parts {
    year: i64,
    month: i64,
    day: i64,
    hour: i64,
    minute: i64,
    second: i64,
    ticks: i64,
}

/// As CONVERT writes a value of type `from` in `style`.
pub(crate) fn format(moment: Moment, from: Type, style: i32) -> Result<String, SqlError> {
    let (year, month, day) = civil(moment.days);
    let ticks = moment.ticks;
    let parts = Parts {
        year,
        month,
        day,
        hour: ticks / TICKS_PER_HOUR,
        minute: ticks / TICKS_PER_MINUTE % 60,
        second: ticks / TICKS_PER_SECOND % 60,
        ticks: ticks % TICKS_PER_SECOND,
    };
    let old = matches!(from, Type::DateTime | Type::SmallDateTime);
    let style = if style == 0 && !old { 121 } else { style };
    let date = |text: String| if matches!(from, Type::Time(_)) { Err(unknown(style)) } else { Ok(text) };
    let Parts { year, month, day, .. } = parts;
    let short = year.rem_euclid(100);
    Ok(match style {
        0 | 100 | 9 | 109 => with_month_name(&parts, from, style),
        1 => date(format!("{month:02}/{day:02}/{short:02}"))?,
        101 => date(format!("{month:02}/{day:02}/{year:04}"))?,
        2 => date(format!("{short:02}.{month:02}.{day:02}"))?,
        102 => date(format!("{year:04}.{month:02}.{day:02}"))?,
        3 => date(format!("{day:02}/{month:02}/{short:02}"))?,
        103 => date(format!("{day:02}/{month:02}/{year:04}"))?,
        4 => date(format!("{day:02}.{month:02}.{short:02}"))?,
        104 => date(format!("{day:02}.{month:02}.{year:04}"))?,
        5 => date(format!("{day:02}-{month:02}-{short:02}"))?,
        105 => date(format!("{day:02}-{month:02}-{year:04}"))?,
        106 => date(format!("{day:02} {} {year:04}", name(month)))?,
        107 => date(format!("{} {day:02}, {year:04}", name(month)))?,
        8 | 24 | 108 => format!("{:02}:{:02}:{:02}", parts.hour, parts.minute, parts.second),
        10 => date(format!("{month:02}-{day:02}-{short:02}"))?,
        110 => date(format!("{month:02}-{day:02}-{year:04}"))?,
        11 => date(format!("{short:02}/{month:02}/{day:02}"))?,
        111 => date(format!("{year:04}/{month:02}/{day:02}"))?,
        12 => date(format!("{short:02}{month:02}{day:02}"))?,
        112 => date(format!("{year:04}{month:02}{day:02}"))?,
        14 | 114 => format!("{}:{}", clock(&parts), fraction(&parts, from)),
        20 | 120 => joined(&parts, from, ' ', &clock(&parts), moment),
        21 | 121 | 25 => joined(&parts, from, ' ', &precise(&parts, from), moment),
        23 => date(format!("{year:04}-{month:02}-{day:02}"))?,
        126 | 127 => joined(&parts, from, 'T', &trimmed(&parts, from), moment),
        _ => return Err(unknown(style)),
    })
}

fn unknown(style: i32) -> SqlError {
    let text =
        format!("{style} is not a valid style number when converting from a date or time to a character string.");
    SqlError::new(281, 16, 1, text)
}

fn name(month: i64) -> &'static str {
    usize::try_from(month - 1).ok().and_then(|index| MONTHS.get(index)).copied().unwrap_or("")
}

fn clock(parts: &Parts) -> String {
    format!("{:02}:{:02}:{:02}", parts.hour, parts.minute, parts.second)
}

/// The fraction with as many digits as the type has.
fn fraction(parts: &Parts, from: Type) -> String {
    match from {
        Type::DateTime => format!("{:03}", (parts.ticks + 5_000) / 10_000),
        Type::SmallDateTime => "000".to_owned(),
        Type::Time(scale) | Type::DateTime2(scale) | Type::DateTimeOffset(scale) => {
            let digits = format!("{:07}", parts.ticks);
            digits.get(..usize::from(scale)).unwrap_or("").to_owned()
        }
        _ => String::new(),
    }
}

fn precise(parts: &Parts, from: Type) -> String {
    let fraction = fraction(parts, from);
    if fraction.is_empty() { clock(parts) } else { format!("{}.{fraction}", clock(parts)) }
}

/// ISO 8601 leaves out a fraction that is zero.
fn trimmed(parts: &Parts, from: Type) -> String {
    if parts.ticks == 0 { clock(parts) } else { precise(parts, from) }
}

fn joined(parts: &Parts, from: Type, between: char, time: &str, moment: Moment) -> String {
    let date = format!("{:04}-{:02}-{:02}", parts.year, parts.month, parts.day);
    match from {
        Type::Date => date,
        Type::Time(_) => time.to_owned(),
        Type::DateTimeOffset(_) => {
            let sign = if moment.offset < 0 { '-' } else { '+' };
            let minutes = moment.offset.unsigned_abs();
            let blank = if between == ' ' { " " } else { "" };
            format!("{date}{between}{time}{blank}{sign}{:02}:{:02}", minutes / 60, minutes % 60)
        }
        _ => format!("{date}{between}{time}"),
    }
}

fn with_month_name(parts: &Parts, from: Type, style: i32) -> String {
    let half = if parts.hour < 12 { "AM" } else { "PM" };
    let hour = if parts.hour % 12 == 0 { 12 } else { parts.hour % 12 };
    let date = format!("{} {:>2} {:04}", name(parts.month), parts.day, parts.year);
    let long = matches!(style, 9 | 109);
    let time = if long {
        format!("{hour:>2}:{:02}:{:02}:{}{half}", parts.minute, parts.second, fraction(parts, from))
    } else {
        format!("{hour:>2}:{:02}{half}", parts.minute)
    };
    match from {
        Type::Date => date,
        Type::Time(_) => time.trim_start().to_owned(),
        _ => format!("{date} {time}"),
    }
}
