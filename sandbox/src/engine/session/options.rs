//! SET options: all that clients send are accepted, those that change an answer are obeyed.

use super::super::ast::{Expr, OptionValue};
use super::super::error::SqlError;
use super::super::front::LoginOptions;
use super::super::sink::{Environment, Sink};
use super::{Failure, Frame, Session};
use tds::value::Value;

/// The options of a session.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Options {
    pub(crate) no_count: bool,
    pub(crate) xact_abort: bool,
    pub(crate) implicit_transactions: bool,
    pub(crate) quoted_identifiers: bool,
    pub(crate) format_only: bool,
    pub(crate) no_execute: bool,
    pub(crate) parse_only: bool,
    /// Rows a SELECT returns at most, 0 for all.
    pub(crate) row_limit: u64,
    /// Milliseconds, -1 for ever.
    pub(crate) lock_timeout_ms: i32,
    pub(crate) text_size: i32,
    pub(crate) date_first: u8,
    pub(crate) language: String,
    /// How `@@OPTIONS` and the catalog name it.
    pub(crate) isolation: String,
    /// Object id of the table that takes explicit identity values.
    pub(crate) identity_insert: Option<i32>,
    /// `@@OPTIONS`: those not kept above.
    bits: i32,
}

/// Bits of `@@OPTIONS` by option name.
const BITS: [(&str, i32); 9] = [
    ("CURSOR_CLOSE_ON_COMMIT", 4),
    ("ANSI_WARNINGS", 8),
    ("ANSI_PADDING", 16),
    ("ANSI_NULLS", 32),
    ("ARITHABORT", 64),
    ("ARITHIGNORE", 128),
    ("ANSI_NULL_DFLT_ON", 1024),
    ("ANSI_NULL_DFLT_OFF", 2048),
    ("CONCAT_NULL_YIELDS_NULL", 4096),
];

/// Options without any effect on an answer here.
const ACCEPTED: [&str; 14] = [
    "NUMERIC_ROUNDABORT",
    "FORCEPLAN",
    "DEADLOCK_PRIORITY",
    "QUERY_GOVERNOR_COST_LIMIT",
    "CONTEXT_INFO",
    "DATEFORMAT",
    "STATISTICS IO",
    "STATISTICS TIME",
    "STATISTICS PROFILE",
    "STATISTICS XML",
    "ANSI_DEFAULTS",
    "FIPS_FLAGGER",
    "REMOTE_PROC_TRANSACTIONS",
    "OFFSETS",
];

impl Options {
    /// As they are after login; ODBC and its kin get the ANSI ones.
    pub(crate) fn at_login(login: &LoginOptions) -> Self {
        Self {
            no_count: false,
            xact_abort: false,
            implicit_transactions: false,
            quoted_identifiers: true,
            format_only: false,
            no_execute: false,
            parse_only: false,
            row_limit: 0,
            lock_timeout_ms: -1,
            text_size: if login.odbc { i32::MAX } else { 4096 },
            date_first: 7,
            language: "us_english".into(),
            isolation: "READ COMMITTED".into(),
            identity_insert: None,
            bits: if login.odbc { 8 | 16 | 32 | 1024 | 4096 } else { 0 },
        }
    }

    /// A reset restores all but the isolation level, as SQL Server outside Azure does.
    pub(crate) fn after_reset(login: &LoginOptions, before: &Self) -> Self {
        Self { isolation: before.isolation.clone(), ..Self::at_login(login) }
    }

    /// `@@OPTIONS`.
    pub(crate) fn bits(&self) -> i32 {
        let flag = |is: bool, bit: i32| if is { bit } else { 0 };
        self.bits
            | flag(self.implicit_transactions, 2)
            | flag(self.quoted_identifiers, 256)
            | flag(self.no_count, 512)
            | flag(self.xact_abort, 16384)
    }
}

impl Session {
    pub(super) fn set_option(
        &mut self,
        names: &[String],
        value: &OptionValue,
        frame: &Frame,
        sink: &mut dyn Sink,
    ) -> Result<(), Failure> {
        for name in names {
            self.set_one(name, value, frame, sink)?;
        }
        Ok(())
    }

    fn set_one(&mut self, name: &str, value: &OptionValue, frame: &Frame, sink: &mut dyn Sink) -> Result<(), Failure> {
        let switch = || match value {
            OptionValue::Switch(on) => Ok(*on),
            _ => Err(SqlError::syntax(name)),
        };
        if let Some(table) = name.strip_prefix("IDENTITY_INSERT ") {
            return self.set_identity_insert(table, switch()?);
        }
        match name {
            "NOCOUNT" => self.options.no_count = switch()?,
            "XACT_ABORT" => self.options.xact_abort = switch()?,
            "IMPLICIT_TRANSACTIONS" => self.options.implicit_transactions = switch()?,
            "QUOTED_IDENTIFIER" => self.options.quoted_identifiers = switch()?,
            "FMTONLY" => self.options.format_only = switch()?,
            "NOEXEC" => self.options.no_execute = switch()?,
            "PARSEONLY" => self.options.parse_only = switch()?,
            "ROWCOUNT" => self.options.row_limit = u64::try_from(self.number(value, frame)?).unwrap_or(0),
            "LOCK_TIMEOUT" => self.options.lock_timeout_ms = i32::try_from(self.number(value, frame)?).unwrap_or(-1),
            "TEXTSIZE" => {
                let size = i32::try_from(self.number(value, frame)?).unwrap_or(i32::MAX);
                self.options.text_size = if size == 0 { 4096 } else { size };
            }
            "DATEFIRST" => {
                let first = self.number(value, frame)?;
                if first != 7 {
                    return Err(SqlError::unsupported("SET DATEFIRST other than 7").into());
                }
            }
            "DATEFORMAT" => {
                let is_default = matches!(value, OptionValue::Word(word) if word.eq_ignore_ascii_case("mdy"));
                if !is_default {
                    return Err(SqlError::unsupported("SET DATEFORMAT other than mdy").into());
                }
            }
            "LANGUAGE" => self.set_language(value, sink)?,
            "ISOLATION" => {
                if let OptionValue::Word(level) = value {
                    self.options.isolation = level.clone();
                    self.show(true);
                }
            }
            "ANSI_DEFAULTS" => {
                let on = switch()?;
                self.options.quoted_identifiers = on;
                self.options.implicit_transactions = on;
            }
            _ => self.set_bit(name, value)?,
        }
        Ok(())
    }

    fn set_bit(&mut self, name: &str, value: &OptionValue) -> Result<(), Failure> {
        let off = *value == OptionValue::Switch(false);
        if let Some((_, bit)) = BITS.iter().find(|(known, _)| *known == name) {
            // Comparisons with NULL and concatenations would answer otherwise.
            if off && matches!(name, "ANSI_NULLS" | "CONCAT_NULL_YIELDS_NULL") {
                return Err(SqlError::unsupported(format!("SET {name} OFF")).into());
            }
            self.options.bits = if off { self.options.bits & !bit } else { self.options.bits | bit };
            return Ok(());
        }
        if ACCEPTED.contains(&name) {
            return Ok(());
        }
        if name.starts_with("SHOWPLAN") {
            return if off { Ok(()) } else { Err(SqlError::unsupported("SHOWPLAN").into()) };
        }
        Err(SqlError::new(195, 15, 5, format!("'{name}' is not a recognized SET option.")).into())
    }

    fn number(&self, value: &OptionValue, frame: &Frame) -> Result<i64, Failure> {
        let OptionValue::Value(value) = value else { return Err(SqlError::syntax("SET").into()) };
        let literal = match value {
            Expr::Integer(digits) => digits.parse().ok(),
            Expr::Variable(name) => match frame.values.get(&name.to_lowercase()) {
                Some(Value::Int(value)) => Some(i64::from(*value)),
                Some(Value::BigInt(value)) => Some(*value),
                Some(Value::SmallInt(value)) => Some(i64::from(*value)),
                _ => None,
            },
            _ => None,
        };
        literal.ok_or_else(|| SqlError::syntax("SET").into())
    }

    fn set_language(&mut self, value: &OptionValue, sink: &mut dyn Sink) -> Result<(), Failure> {
        let word = match value {
            OptionValue::Word(word) => word.clone(),
            OptionValue::Value(Expr::String { value, .. }) => value.clone(),
            _ => return Err(SqlError::syntax("LANGUAGE").into()),
        };
        if !word.eq_ignore_ascii_case("us_english") && !word.eq_ignore_ascii_case("english") {
            return Err(SqlError::unsupported(format!("the language {word}")).into());
        }
        let before = std::mem::replace(&mut self.options.language, "us_english".into());
        sink.environment(Environment::Language("us_english".into(), before))?;
        let text = "Changed language setting to us_english.";
        sink.message(SqlError::new(5703, 0, 1, text).message(""))?;
        Ok(())
    }

    fn set_identity_insert(&mut self, table: &str, on: bool) -> Result<(), Failure> {
        let name = super::super::ast::Name(table.split('.').map(str::to_owned).collect());
        let found = self.find_table(&name)?;
        if found.identity.is_none() {
            let text = format!("Table '{table}' does not have the identity property. Cannot perform SET operation.");
            return Err(SqlError::new(8106, 16, 1, text).into());
        }
        if on && self.options.identity_insert.is_some_and(|id| id != found.id) {
            let text = format!(
                "IDENTITY_INSERT is already ON for another table. Cannot perform SET operation for table '{table}'."
            );
            return Err(SqlError::new(8107, 16, 1, text).into());
        }
        self.options.identity_insert = on.then_some(found.id);
        Ok(())
    }
}
