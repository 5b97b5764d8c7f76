//! Text to a moment: ISO 8601, the numeric forms and the forms with month names that SQL Server takes in us_english.

use super::{Moment, TICKS_PER_HOUR, TICKS_PER_MINUTE, TICKS_PER_SECOND};

const MONTHS: [&str; 12] = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];

/// Parses a date, a time, or both. Without a date it is 1900-01-01.
pub(crate) fn parse(text: &str) -> Option<Moment> {
    let text = text.trim();
    if text.is_empty() {
        return Moment::date(1900, 1, 1);
    }
    if text.len() > 64 || !text.is_ascii() {
        return None;
    }
    let (text, offset) = split_offset(text)?;
    let (date, time) = split_time(text);
    let mut moment = if date.is_empty() { Moment::date(1900, 1, 1)? } else { parse_date(date)? };
    moment.ticks = if time.is_empty() { 0 } else { parse_time(time)? };
    Some(moment.with_offset(offset))
}

/// Cuts `Z`, `+02:00` or ` -05:30` off a text that has a time.
fn split_offset(text: &str) -> Option<(&str, i16)> {
    if !text.contains(':') {
        return Some((text, 0));
    }
    if let Some(rest) = text.strip_suffix(['Z', 'z']) {
        return Some((rest, 0));
    }
    let colon = text.find(':')?;
    let Some(sign) = text.rfind(['+', '-']).filter(|at| *at > colon) else { return Some((text, 0)) };
    let (hours, minutes) = text.get(sign + 1..)?.split_once(':')?;
    let (hours, minutes): (i16, i16) = (hours.parse().ok()?, minutes.parse().ok()?);
    if hours > 14 || minutes > 59 {
        return None;
    }
    let total = hours * 60 + minutes;
    let total = if text.get(sign..)?.starts_with('-') { -total } else { total };
    Some((text.get(..sign)?.trim_end(), total))
}

fn split_time(text: &str) -> (&str, &str) {
    let bytes = text.as_bytes();
    let is_iso = bytes.get(10).is_some_and(|byte| matches!(byte, b'T' | b't'))
        || bytes.get(8).is_some_and(|b| matches!(b, b'T' | b't'));
    if is_iso && let Some((date, time)) = text.split_once(['T', 't']) {
        return (date, time);
    }
    let Some(colon) = text.find(':') else {
        return (text, "");
    };
    match text.get(..colon).and_then(|before| before.rfind(' ')) {
        Some(space) => (text.get(..space).unwrap_or("").trim(), text.get(space..).unwrap_or("").trim()),
        None => ("", text),
    }
}

fn parse_date(text: &str) -> Option<Moment> {
    if text.bytes().all(|byte| byte.is_ascii_digit()) {
        let number = |from, to| text.get(from..to)?.parse::<i64>().ok();
        return match text.len() {
            8 => Moment::date(number(0, 4)?, number(4, 6)?, number(6, 8)?),
            6 => Moment::date(full_year(number(0, 2)?), number(2, 4)?, number(4, 6)?),
            4 => Moment::date(number(0, 4)?, 1, 1),
            _ => None,
        };
    }
    if text.bytes().any(|byte| byte.is_ascii_alphabetic()) {
        return named_date(text);
    }
    let parts: Vec<&str> = text.split(['-', '/', '.']).map(str::trim).collect();
    let [first, second, third] = parts.as_slice() else { return None };
    let number = |text: &str| text.parse::<i64>().ok();
    if first.len() == 4 {
        return Moment::date(number(first)?, number(second)?, number(third)?);
    }
    let year = number(third)?;
    let year = if third.len() <= 2 { full_year(year) } else { year };
    Moment::date(year, number(first)?, number(second)?)
}

/// `Jan 2 2024`, `2 January 2024`, `January 2, 2024`.
fn named_date(text: &str) -> Option<Moment> {
    let mut month = None;
    let mut numbers = Vec::new();
    for word in text.split([' ', ',', '-', '/']).filter(|word| !word.is_empty()) {
        if word.bytes().all(|byte| byte.is_ascii_digit()) {
            numbers.push(word);
        } else {
            let short = word.get(..3)?.to_ascii_lowercase();
            month = Some(i64::try_from(MONTHS.iter().position(|name| *name == short)?).ok()? + 1);
        }
    }
    let (day, year) = match numbers.as_slice() {
        [first, second] if first.len() == 4 => (second, first),
        [first, second] => (first, second),
        _ => return None,
    };
    let number: i64 = year.parse().ok()?;
    let number = if year.len() <= 2 { full_year(number) } else { number };
    Moment::date(number, month?, day.parse().ok()?)
}

/// Two digits mean 1950 to 2049, as the server's default cutoff has it.
fn full_year(year: i64) -> i64 {
    match year {
        0..=49 => year + 2000,
        50..=99 => year + 1900,
        _ => year,
    }
}

fn parse_time(text: &str) -> Option<i64> {
    let lower = text.to_ascii_lowercase();
    let (digits, afternoon) = if let Some(rest) = lower.strip_suffix("am") {
        (rest.trim_end(), Some(false))
    } else if let Some(rest) = lower.strip_suffix("pm") {
        (rest.trim_end(), Some(true))
    } else {
        (lower.as_str(), None)
    };
    let mut parts = digits.splitn(3, ':');
    let mut hours: i64 = parts.next()?.trim().parse().ok()?;
    let minutes: i64 = parts.next()?.parse().ok()?;
    let (seconds, fraction) = match parts.next() {
        None => (0, 0),
        Some(rest) => {
            let (seconds, digits) = rest.split_once(['.', ':']).unwrap_or((rest, ""));
            (seconds.parse().ok()?, parse_fraction(digits)?)
        }
    };
    if let Some(afternoon) = afternoon {
        if !(1..=12).contains(&hours) {
            return None;
        }
        hours = hours % 12 + if afternoon { 12 } else { 0 };
    }
    let valid = (0..24).contains(&hours) && (0..60).contains(&minutes) && (0..60).contains(&seconds);
    valid.then(|| hours * TICKS_PER_HOUR + minutes * TICKS_PER_MINUTE + seconds * TICKS_PER_SECOND + fraction)
}

fn parse_fraction(digits: &str) -> Option<i64> {
    if digits.is_empty() {
        return Some(0);
    }
    if digits.len() > 9 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let padded = format!("{digits:0<7}");
    padded.get(..7)?.parse().ok()
}
