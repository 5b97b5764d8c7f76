//! String functions. Positions and lengths count UTF-16 units, as SQL Server's do.

use rusqlite::functions::FunctionFlags;
use rusqlite::types::{Value as Stored, ValueRef};
use rusqlite::{Connection, Result};

use super::super::error::SqlError;
use super::{Outcome, PURE, blob, integer, real, strict, text};

/// Characters REPLICATE and its like may produce, so that one statement cannot eat the machine's memory.
const MAX_CHARACTERS: usize = 64 << 20;

pub(super) fn register(connection: &Connection) -> Result<()> {
    strict(connection, "len_tsql", 1, |context| {
        let units = text(context, 0).trim_end_matches(' ').encode_utf16().count();
        Ok(Stored::Integer(i64::try_from(units).unwrap_or(i64::MAX)))
    })?;
    strict(connection, "text_fn", 2, |context| Ok(Stored::Text(text_function(text(context, 0), text(context, 1)))))?;
    strict(connection, "substr_tsql", 3, |context| {
        let value: Vec<u16> = text(context, 0).encode_utf16().collect();
        let range = part(value.len(), integer(context, 1), integer(context, 2))?;
        Ok(Stored::Text(String::from_utf16_lossy(value.get(range).unwrap_or(&[]))))
    })?;
    strict(connection, "substr_binary", 3, |context| {
        let value = blob(context, 0);
        let range = part(value.len(), integer(context, 1), integer(context, 2))?;
        Ok(Stored::Blob(value.get(range).unwrap_or(&[]).to_vec()))
    })?;
    strict(connection, "side_tsql", 3, |context| side(text(context, 0), text(context, 1), integer(context, 2)))?;
    strict(connection, "replace_tsql", 3, |context| {
        replaced(text(context, 0), text(context, 1), text(context, 2)).map(Stored::Text)
    })?;
    strict(connection, "stuff_tsql", 4, |context| {
        let value: Vec<u16> = text(context, 0).encode_utf16().collect();
        let (start, length) = (integer(context, 1), integer(context, 2));
        let from = usize::try_from(start - 1).ok().filter(|from| *from < value.len() && length >= 0);
        let Some(from) = from else { return Ok(Stored::Null) };
        let to = from.saturating_add(usize::try_from(length).unwrap_or(0)).min(value.len());
        let head = String::from_utf16_lossy(value.get(..from).unwrap_or(&[]));
        let tail = String::from_utf16_lossy(value.get(to..).unwrap_or(&[]));
        Ok(Stored::Text(format!("{head}{}{tail}", text(context, 3))))
    })?;
    strict(connection, "replicate_tsql", 3, |context| {
        let value = text(context, 0);
        let Ok(times) = usize::try_from(integer(context, 1)) else { return Ok(Stored::Null) };
        let most = usize::try_from(integer(context, 2)).unwrap_or(0).min(MAX_CHARACTERS);
        let length = value.chars().count().saturating_mul(times).min(most);
        Ok(Stored::Text(value.chars().cycle().take(length).collect()))
    })?;
    strict(connection, "char_index", 3, |context| {
        Ok(Stored::Integer(char_index(text(context, 0), text(context, 1), integer(context, 2))))
    })?;
    strict(connection, "like_tsql", 3, |context| {
        let escape = text(context, 2).chars().next();
        Ok(Stored::Integer(i64::from(like(text(context, 0), text(context, 1), escape))))
    })?;
    strict(connection, "pat_index", 2, |context| {
        Ok(Stored::Integer(pattern_index(text(context, 0), text(context, 1))))
    })?;
    register_makers(connection)
}

fn register_makers(connection: &Connection) -> Result<()> {
    strict(connection, "code_of", 2, |context| {
        let first = text(context, 1).encode_utf16().next();
        Ok(first.map_or(Stored::Null, |unit| Stored::Integer(i64::from(unit))))
    })?;
    strict(connection, "char_of", 2, |context| {
        let most = if text(context, 0) == "CHAR" { 255 } else { 65_535 };
        let code = u32::try_from(integer(context, 1)).ok().filter(|code| *code <= most);
        Ok(code.and_then(char::from_u32).map_or(Stored::Null, |c| Stored::Text(c.to_string())))
    })?;
    strict(connection, "str_tsql", 3, |context| {
        Ok(Stored::Text(str_function(real(context, 0), integer(context, 1), integer(context, 2))))
    })?;
    strict(connection, "binary_join", 2, |context| Ok(Stored::Blob([blob(context, 0), blob(context, 1)].concat())))?;
    connection.create_scalar_function("concat_tsql", -1, PURE, |context| {
        let parts: Vec<&str> = (0..context.len()).map(|index| text(context, index)).collect();
        Ok(parts.concat())
    })?;
    connection.create_scalar_function("concat_ws_tsql", -1, PURE, |context| {
        let present = (1..context.len()).filter(|index| context.get_raw(*index) != ValueRef::Null);
        let parts: Vec<&str> = present.map(|index| text(context, index)).collect();
        Ok(parts.join(text(context, 0)))
    })?;
    connection
        .create_scalar_function("newid", 0, FunctionFlags::SQLITE_UTF8, |_| Ok(Stored::Blob(random_guid().to_vec())))?;
    connection.create_scalar_function("rand", 0, FunctionFlags::SQLITE_UTF8, |_| {
        let random = u64::from_be_bytes(random_guid().first_chunk().copied().unwrap_or_default());
        Ok((random >> 11) as f64 / (1_u64 << 53) as f64)
    })
}

/// 16 bytes nobody can have seen before: the standard hasher's random keys over a counter.
fn random_guid() -> [u8; 16] {
    use std::hash::{BuildHasher, RandomState};
    let mut bytes = [0; 16];
    for half in bytes.chunks_mut(8) {
        half.copy_from_slice(&RandomState::new().hash_one(std::time::Instant::now()).to_be_bytes());
    }
    bytes
}

/// The range SUBSTRING means: positions before 1 eat into the length.
fn part(total: usize, start: i64, length: i64) -> std::result::Result<std::ops::Range<usize>, SqlError> {
    if length < 0 {
        let text = "Invalid length parameter passed to the substring function.";
        return Err(SqlError::new(537, 16, 3, text));
    }
    let end = start.saturating_add(length).saturating_sub(1);
    let from = usize::try_from(start.saturating_sub(1)).unwrap_or(0).min(total);
    let to = usize::try_from(end).unwrap_or(0).min(total);
    Ok(from..to.max(from))
}

fn text_function(name: &str, value: &str) -> String {
    match name {
        "UPPER" => value.to_uppercase(),
        "LOWER" => value.to_lowercase(),
        "LTRIM" => value.trim_start_matches(' ').to_owned(),
        "RTRIM" => value.trim_end_matches(' ').to_owned(),
        "TRIM" => value.trim_matches(' ').to_owned(),
        "QUOTENAME" => format!("[{}]", value.replace(']', "]]")),
        _ => value.chars().rev().collect(),
    }
}

fn side(name: &str, value: &str, length: i64) -> Outcome {
    let Ok(length) = usize::try_from(length) else {
        let text = format!("Invalid length parameter passed to the {} function.", name.to_lowercase());
        return Err(SqlError::new(536, 16, 2, text));
    };
    let units: Vec<u16> = value.encode_utf16().collect();
    let kept = length.min(units.len());
    let range = if name == "LEFT" { 0..kept } else { units.len() - kept..units.len() };
    Ok(Stored::Text(String::from_utf16_lossy(units.get(range).unwrap_or(&[]))))
}

/// Lower case, one character for one, so that positions stay.
fn folded(value: &str) -> Vec<char> {
    value.chars().map(|c| c.to_lowercase().next().unwrap_or(c)).collect()
}

fn find(value: &[char], needle: &[char], from: usize) -> Option<usize> {
    if needle.is_empty() || needle.len() > value.len() {
        return None;
    }
    let rest = value.get(from..)?;
    rest.windows(needle.len()).position(|window| window == needle).map(|at| at + from)
}

fn replaced(value: &str, from: &str, to: &str) -> std::result::Result<String, SqlError> {
    let (folded_value, needle) = (folded(value), folded(from));
    let original: Vec<char> = value.chars().collect();
    let mut result = String::with_capacity(value.len());
    let mut at = 0;
    while let Some(found) = find(&folded_value, &needle, at) {
        result.extend(original.get(at..found).unwrap_or(&[]));
        result.push_str(to);
        if result.len() > MAX_CHARACTERS {
            return Err(SqlError::unsupported("a string this long"));
        }
        at = found + needle.len();
    }
    result.extend(original.get(at..).unwrap_or(&[]));
    Ok(result)
}

fn char_index(needle: &str, value: &str, start: i64) -> i64 {
    let from = usize::try_from(start.saturating_sub(1)).unwrap_or(0);
    let (value, needle) = (folded(value), folded(needle));
    let units = |count: usize| value.iter().take(count).map(|c| c.len_utf16()).sum::<usize>();
    // Skip whole characters until the starting unit is reached.
    let skipped = (0..=value.len()).find(|count| units(*count) >= from).unwrap_or(value.len());
    find(&value, &needle, skipped).map_or(0, |at| i64::try_from(units(at) + 1).unwrap_or(i64::MAX))
}

/// An element of a LIKE pattern.
enum Element {
    Any,
    One,
    Character(char),
    Set { negated: bool, ranges: Vec<(char, char)> },
}

fn pattern_elements(pattern: &str, escape: Option<char>) -> Vec<Element> {
    let pattern = folded(pattern);
    let mut elements = Vec::with_capacity(pattern.len());
    let mut rest = pattern.as_slice();
    while let [first, tail @ ..] = rest {
        rest = tail;
        let element = match (*first, rest) {
            (c, [next, after @ ..]) if escape == Some(c) => {
                rest = after;
                Element::Character(*next)
            }
            ('%', _) => Element::Any,
            ('_', _) => Element::One,
            ('[', inner) => match set(inner) {
                Some((element, after)) => {
                    rest = after;
                    element
                }
                None => Element::Character('['),
            },
            (c, _) => Element::Character(c),
        };
        elements.push(element);
    }
    elements
}

fn set(inner: &[char]) -> Option<(Element, &[char])> {
    let (negated, inner) = match inner {
        ['^', rest @ ..] => (true, rest),
        rest => (false, rest),
    };
    // `[]]` holds a bracket: the first place never ends the set.
    let end = inner.iter().skip(1).position(|c| *c == ']')? + 1;
    let (mut members, rest) = (inner.get(..end)?, inner.get(end + 1..)?);
    let mut ranges = Vec::new();
    while let [first, tail @ ..] = members {
        match tail {
            ['-', last, after @ ..] => {
                ranges.push((*first, *last));
                members = after;
            }
            _ => {
                ranges.push((*first, *first));
                members = tail;
            }
        }
    }
    Some((Element::Set { negated, ranges }, rest))
}

fn like(value: &str, pattern: &str, escape: Option<char>) -> bool {
    let elements = pattern_elements(pattern, escape);
    let value = folded(value);
    // Blanks at the end of the value do not keep it from matching a pattern without them.
    matches(&value, &elements) || {
        let kept = value.iter().rposition(|c| *c != ' ').map_or(0, |at| at + 1);
        kept < value.len() && matches(value.get(..kept).unwrap_or(&[]), &elements)
    }
}

/// Greedy with one point to come back to: linear in value times pattern.
fn matches(value: &[char], elements: &[Element]) -> bool {
    let (mut at, mut element) = (0, 0);
    let mut back: Option<(usize, usize)> = None;
    loop {
        match (elements.get(element), value.get(at)) {
            (Some(Element::Any), _) => {
                back = Some((element + 1, at));
                element += 1;
                continue;
            }
            (None, None) => return true,
            (Some(wanted), Some(c)) if accepts(wanted, *c) => {
                element += 1;
                at += 1;
                continue;
            }
            _ => {}
        }
        match back {
            Some((after, from)) if from < value.len() => {
                back = Some((after, from + 1));
                element = after;
                at = from + 1;
            }
            _ => return false,
        }
    }
}

fn accepts(element: &Element, c: char) -> bool {
    match element {
        Element::Any | Element::One => true,
        Element::Character(wanted) => *wanted == c,
        Element::Set { negated, ranges } => ranges.iter().any(|(low, high)| (*low..=*high).contains(&c)) != *negated,
    }
}

fn pattern_index(pattern: &str, value: &str) -> i64 {
    let elements = pattern_elements(pattern, None);
    let value = folded(value);
    let (anchored, elements) = match elements.as_slice() {
        [Element::Any, rest @ ..] => (false, rest),
        all => (true, all),
    };
    let last = if anchored { 0 } else { value.len() };
    let found = (0..=last).find(|from| matches(value.get(*from..).unwrap_or(&[]), elements));
    found.map_or(0, |at| i64::try_from(at + 1).unwrap_or(i64::MAX))
}

fn str_function(value: f64, length: i64, digits: i64) -> String {
    let length = usize::try_from(length).unwrap_or(0).min(8000);
    let digits = usize::try_from(digits).unwrap_or(0).min(16);
    let text = format!("{value:.digits$}");
    if text.len() > length {
        let whole = format!("{value:.0}");
        return if whole.len() > length { "*".repeat(length) } else { text.chars().take(length).collect() };
    }
    format!("{text:>length$}")
}
