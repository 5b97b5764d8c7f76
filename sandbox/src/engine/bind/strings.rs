//! String functions.

use super::super::error::SqlError;
use super::super::types::{CharKind, Type};
use super::call::open_text;
use super::{Binder, Bound};

impl Binder<'_> {
    pub(super) fn string_function(&self, name: &str, arguments: &[Bound]) -> Result<Option<Bound>, SqlError> {
        Ok(Some(match (name, arguments) {
            ("LEN", [value]) => {
                let value = self.text(value)?;
                Bound::new(format!("len_tsql({})", value.sql), Type::Int, true)
            }
            ("UPPER" | "LOWER" | "LTRIM" | "RTRIM" | "TRIM" | "REVERSE", [value]) => {
                let value = self.text(value)?;
                let type_ = varying(value.type_);
                Bound::new(format!("text_fn('{name}',{})", value.sql), type_, value.nullable)
            }
            ("SUBSTRING", [value, start, length]) if value.type_.is_binary() => {
                let (start, length) = (self.number(start)?, self.number(length)?);
                Bound::new(
                    format!("substr_binary({},{start},{length})", value.sql),
                    Type::Binary(false, value.type_.text_length()),
                    true,
                )
            }
            ("SUBSTRING", [value, start, length]) => {
                let value = self.text(value)?;
                let (start, length) = (self.number(start)?, self.number(length)?);
                Bound::new(format!("substr_tsql({},{start},{length})", value.sql), varying(value.type_), true)
            }
            ("LEFT" | "RIGHT", [value, length]) => {
                let value = self.text(value)?;
                let length = self.number(length)?;
                Bound::new(format!("side_tsql('{name}',{},{length})", value.sql), varying(value.type_), true)
            }
            ("REPLACE", [value, from, to]) => {
                let (value, from, to) = (self.text(value)?, self.text(from)?, self.text(to)?);
                let national = value.type_.is_national() || from.type_.is_national() || to.type_.is_national();
                Bound::new(
                    format!("replace_tsql({},{},{})", value.sql, from.sql, to.sql),
                    widest(&value, national),
                    true,
                )
            }
            ("STUFF", [value, start, length, with]) => {
                let (value, with) = (self.text(value)?, self.text(with)?);
                let (start, length) = (self.number(start)?, self.number(length)?);
                let type_ = widest(&value, value.type_.is_national() || with.type_.is_national());
                Bound::new(format!("stuff_tsql({},{start},{length},{})", value.sql, with.sql), type_, true)
            }
            _ => return self.string_making_function(name, arguments),
        }))
    }

    /// Those that make strings out of other things, or look into them.
    fn string_making_function(&self, name: &str, arguments: &[Bound]) -> Result<Option<Bound>, SqlError> {
        Ok(Some(match (name, arguments) {
            ("REPLICATE", [value, times]) => {
                let value = self.text(value)?;
                let times = self.number(times)?;
                // What is not (max) gives at most 8000 bytes.
                let most = match value.type_.text_length() {
                    None => 1 << 30,
                    Some(_) if value.type_.is_national() => 4000,
                    Some(_) => 8000,
                };
                Bound::new(
                    format!("replicate_tsql({},{times},{most})", value.sql),
                    widest(&value, value.type_.is_national()),
                    true,
                )
            }
            ("SPACE", [times]) => {
                let times = self.number(times)?;
                Bound::new(format!("replicate_tsql(' ',{times},8000)"), Type::varchar(8000), true)
            }
            ("CHARINDEX", [needle, value]) => self.char_index(needle, value, "1")?,
            ("CHARINDEX", [needle, value, start]) => {
                let start = self.number(start)?;
                self.char_index(needle, value, &start)?
            }
            ("PATINDEX", [pattern, value]) => {
                let (pattern, value) = (self.text(pattern)?, self.text(value)?);
                Bound::new(format!("pat_index({},{})", pattern.sql, value.sql), Type::Int, true)
            }
            ("CONCAT", [_, _, ..]) => self.concat(arguments, None)?,
            ("CONCAT_WS", [separator, values @ ..]) if values.len() > 1 => self.concat(values, Some(separator))?,
            ("ASCII" | "UNICODE", [value]) => {
                let value = self.text(value)?;
                Bound::new(format!("code_of('{name}',{})", value.sql), Type::Int, true)
            }
            ("CHAR", [code]) => {
                let code = self.number(code)?;
                Bound::new(format!("char_of('CHAR',{code})"), Type::Text(CharKind::Char, Some(1)), true)
            }
            ("NCHAR", [code]) => {
                let code = self.number(code)?;
                Bound::new(format!("char_of('NCHAR',{code})"), Type::Text(CharKind::NChar, Some(1)), true)
            }
            ("QUOTENAME", [value]) => {
                let value = self.text(value)?;
                Bound::new(format!("text_fn('QUOTENAME',{})", value.sql), Type::nvarchar(258), true)
            }
            ("STR", [value, rest @ ..]) if rest.len() <= 2 => {
                let value = self.implicit(value.clone(), Type::Float)?;
                let length = rest.first().map_or_else(|| Ok("10".to_owned()), |length| self.number(length))?;
                let digits = rest.get(1).map_or_else(|| Ok("0".to_owned()), |digits| self.number(digits))?;
                Bound::new(format!("str_tsql({},{length},{digits})", value.sql), Type::varchar(8000), true)
            }
            ("FORMAT" | "TRANSLATE" | "SOUNDEX" | "DIFFERENCE" | "STRING_ESCAPE", _) => {
                return Err(SqlError::unsupported(name));
            }
            _ => return Ok(None),
        }))
    }

    fn text(&self, value: &Bound) -> Result<Bound, SqlError> {
        if value.type_.is_text() {
            return Ok(value.clone());
        }
        self.implicit(value.clone(), Type::varchar(8000))
    }

    fn number(&self, value: &Bound) -> Result<String, SqlError> {
        Ok(self.implicit(value.clone(), Type::BigInt)?.sql)
    }

    fn char_index(&self, needle: &Bound, value: &Bound, start: &str) -> Result<Bound, SqlError> {
        let (needle, value) = (self.text(needle)?, self.text(value)?);
        let type_ = if value.type_.text_length().is_none() { Type::BigInt } else { Type::Int };
        Ok(Bound::new(format!("char_index({},{},{start})", needle.sql, value.sql), type_, true))
    }

    fn concat(&self, values: &[Bound], separator: Option<&Bound>) -> Result<Bound, SqlError> {
        let national = values.iter().chain(separator).any(|value| value.type_.is_national());
        let to = open_text(national);
        let mut length = Some(0_u16);
        let mut texts = Vec::with_capacity(values.len());
        for value in values {
            length = match (length, value.type_.text_length()) {
                (Some(sum), Some(more)) => Some(sum.saturating_add(more)),
                _ => None,
            };
            texts.push(self.implicit(value.clone(), to)?.sql);
        }
        let kind = if national { CharKind::NVarChar } else { CharKind::VarChar };
        let most = if national { 4000 } else { 8000 };
        let mut call = format!("concat_tsql({})", texts.join(","));
        if let Some(separator) = separator {
            let separator = self.implicit(separator.clone(), to)?;
            call = format!("concat_ws_tsql({},{})", separator.sql, texts.join(","));
            length = length.map(|_| most);
        }
        Ok(Bound::new(call, Type::Text(kind, length.map(|length| length.clamp(1, most))), false))
    }
}

/// The type of a part of a string: as long, but of varying length.
fn varying(type_: Type) -> Type {
    match type_ {
        Type::Text(kind, length) => {
            Type::Text(if kind.is_national() { CharKind::NVarChar } else { CharKind::VarChar }, length)
        }
        Type::LongText => open_text(false),
        Type::LongNText | Type::Xml => open_text(true),
        other => other,
    }
}

/// A result that may grow: as wide as the kind can be.
fn widest(value: &Bound, national: bool) -> Type {
    match value.type_.text_length() {
        None => open_text(national),
        Some(_) if national => Type::nvarchar(4000),
        Some(_) => Type::varchar(8000),
    }
}
