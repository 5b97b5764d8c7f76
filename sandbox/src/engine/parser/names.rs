//! Identifiers, object names and type names.

use super::super::ast::Name;
use super::super::error::SqlError;
use super::super::lexer::Kind;
use super::super::types::{CharKind, Type};
use super::{Parser, is_reserved};

/// Parts of the longest name: server, database, schema, object.
const MAX_PARTS: usize = 4;

impl Parser<'_> {
    pub(super) fn is_identifier(&self) -> bool {
        self.is_identifier_at(0)
    }

    pub(super) fn is_identifier_at(&self, ahead: usize) -> bool {
        let token = self.peek_at(ahead);
        match token.kind {
            Kind::Quoted => true,
            Kind::Word => !is_reserved(&token.text),
            _ => false,
        }
    }

    pub(super) fn identifier(&mut self) -> Result<String, SqlError> {
        if !self.is_identifier() {
            return Err(self.unexpected());
        }
        let token = self.next();
        if token.text.chars().count() > 128 {
            let start: String = token.text.chars().take(128).collect();
            let text = format!("The identifier that starts with '{start}' is too long. Maximum length is 128.");
            return Err(SqlError::new(103, 15, 4, text).at_line(token.line));
        }
        Ok(token.text)
    }

    /// `a`, `a.b`, `db..t`, `a.b.c.d`.
    pub(super) fn name(&mut self) -> Result<Name, SqlError> {
        let mut parts = vec![self.identifier()?];
        while self.is_symbol(".") && (self.is_identifier_at(1) || self.is_symbol_at(1, ".") || self.is_any_word_at(1)) {
            self.next();
            if self.is_symbol(".") {
                parts.push(String::new());
            } else {
                parts.push(self.next().text);
            }
            if parts.len() > MAX_PARTS {
                let text = "The object name contains more than the maximum number of prefixes. The maximum is 3.";
                return Err(SqlError::new(117, 15, 1, text));
            }
        }
        Ok(Name(parts))
    }

    fn is_any_word_at(&self, ahead: usize) -> bool {
        matches!(self.peek_at(ahead).kind, Kind::Word | Kind::Quoted)
    }

    pub(super) fn variable(&mut self) -> Result<String, SqlError> {
        if self.peek().kind != Kind::Variable || self.peek().text.starts_with("@@") {
            return Err(self.unexpected());
        }
        Ok(self.next().text)
    }

    pub(super) fn integer(&mut self) -> Result<i64, SqlError> {
        let negative = self.accept_symbol("-");
        if self.peek().kind != Kind::Integer {
            return Err(self.unexpected());
        }
        let value: i64 = self.peek().text.parse().map_err(|_| self.unexpected())?;
        self.next();
        Ok(if negative { value.saturating_neg() } else { value })
    }

    pub(super) fn type_name(&mut self) -> Result<Type, SqlError> {
        let line = self.line();
        let name = self.name()?;
        let mut word = name.last().to_ascii_lowercase();
        // The two-word names of the standard.
        if matches!(word.as_str(), "char" | "character" | "nchar" | "binary") && self.accept("VARYING") {
            word = if word == "nchar" {
                "nvarchar"
            } else if word == "binary" {
                "varbinary"
            } else {
                "varchar"
            }
            .into();
        }
        if word == "double" {
            self.expect("PRECISION")?;
            return Ok(Type::Float);
        }
        if word == "national" {
            if !self.accept("CHAR") && !self.accept("CHARACTER") {
                return Err(self.unexpected());
            }
            word = if self.accept("VARYING") { "nvarchar" } else { "nchar" }.into();
        }
        let arguments = self.type_arguments()?;
        named_type(&word, &arguments).ok_or_else(|| {
            let text = format!("Column, parameter, or variable: Cannot find data type {}.", name.text());
            SqlError::new(2715, 16, 6, text).at_line(line)
        })?
    }

    /// The name of a table type: any that is no system type's.
    pub(super) fn table_type(&mut self) -> Option<Name> {
        let start = self.at;
        if let Ok(name) = self.name()
            && !["double", "national"].iter().any(|word| name.last().eq_ignore_ascii_case(word))
            && named_type(&name.last().to_ascii_lowercase(), &[]).is_none()
        {
            return Some(name);
        }
        self.at = start;
        None
    }

    fn type_arguments(&mut self) -> Result<Vec<Option<u32>>, SqlError> {
        if !self.is_symbol("(") {
            return Ok(Vec::new());
        }
        self.parenthesised(|parser| {
            if parser.accept("MAX") {
                return Ok(None);
            }
            let value = parser.integer()?;
            u32::try_from(value).map(Some).map_err(|_| parser.unexpected())
        })
    }
}

/// The type of this name, `None` if there is none; an inner error for a length or precision out of range.
fn named_type(word: &str, arguments: &[Option<u32>]) -> Option<Result<Type, SqlError>> {
    let first = arguments.first().copied();
    let scale = || scale_argument(first);
    Some(match word {
        "bit" => Ok(Type::Bit),
        "tinyint" => Ok(Type::TinyInt),
        "smallint" => Ok(Type::SmallInt),
        "int" | "integer" => Ok(Type::Int),
        "bigint" => Ok(Type::BigInt),
        "decimal" | "numeric" | "dec" => decimal_type(arguments),
        "money" => Ok(Type::Money),
        "smallmoney" => Ok(Type::SmallMoney),
        "real" => Ok(Type::Real),
        "float" => Ok(if matches!(first, Some(Some(1..=24))) { Type::Real } else { Type::Float }),
        "char" | "character" => length(first, 8000, word).map(|n| Type::Text(CharKind::Char, n)),
        "varchar" => length(first, 8000, word).map(|n| Type::Text(CharKind::VarChar, n)),
        "nchar" => length(first, 4000, word).map(|n| Type::Text(CharKind::NChar, n)),
        "nvarchar" => length(first, 4000, word).map(|n| Type::Text(CharKind::NVarChar, n)),
        "sysname" => Ok(Type::SYSNAME),
        "text" => Ok(Type::LongText),
        "ntext" => Ok(Type::LongNText),
        "xml" => Ok(Type::Xml),
        "binary" => length(first, 8000, word).map(|n| Type::Binary(true, n)),
        "varbinary" => length(first, 8000, word).map(|n| Type::Binary(false, n)),
        "image" => Ok(Type::Image),
        "uniqueidentifier" => Ok(Type::Guid),
        "date" => Ok(Type::Date),
        "time" => scale().map(Type::Time),
        "smalldatetime" => Ok(Type::SmallDateTime),
        "datetime" => Ok(Type::DateTime),
        "datetime2" => scale().map(Type::DateTime2),
        "datetimeoffset" => scale().map(Type::DateTimeOffset),
        "sql_variant" | "timestamp" | "rowversion" | "geography" | "geometry" | "hierarchyid" | "json" | "vector" => {
            Err(SqlError::unsupported(format!("the data type {word}")))
        }
        _ => return None,
    })
}

fn length(argument: Option<Option<u32>>, most: u16, name: &str) -> Result<Option<u16>, SqlError> {
    match argument {
        None => Ok(Some(1)),
        Some(None) if name.contains("var") => Ok(None),
        Some(Some(length)) if length >= 1 && length <= u32::from(most) => Ok(u16::try_from(length).ok()),
        Some(length) => {
            let length = length.map_or_else(|| "max".to_owned(), |length| length.to_string());
            let text = format!("The size ({length}) given to the type '{name}' exceeds the maximum allowed ({most}).");
            Err(SqlError::new(131, 15, 2, text))
        }
    }
}

fn scale_argument(argument: Option<Option<u32>>) -> Result<u8, SqlError> {
    match argument {
        None => Ok(7),
        Some(Some(scale @ 0..=7)) => Ok(u8::try_from(scale).unwrap_or(7)),
        Some(_) => Err(SqlError::new(1002, 15, 1, "Line 1: Specified scale is invalid.")),
    }
}

fn decimal_type(arguments: &[Option<u32>]) -> Result<Type, SqlError> {
    let number = |index: usize, otherwise: u32| arguments.get(index).map_or(otherwise, |value| value.unwrap_or(99));
    let (precision, scale) = (number(0, 18), number(1, 0));
    if !(1..=38).contains(&precision) {
        let text = format!("The size ({precision}) given to the type 'decimal' exceeds the maximum allowed (38).");
        return Err(SqlError::new(131, 15, 2, text));
    }
    if scale > precision {
        let text = "The scale must be less than or equal to the precision.";
        return Err(SqlError::new(192, 15, 1, text));
    }
    let narrow = |value: u32| u8::try_from(value).unwrap_or(38);
    Ok(Type::Decimal(narrow(precision), narrow(scale)))
}
