//! Date functions.

use super::super::ast::Expr;
use super::super::error::SqlError;
use super::super::types::{CharKind, Type};
use super::coerce::type_code;
use super::{Binder, Bound};

/// Functions whose first argument is a date part, not an expression.
pub(super) fn takes_part(name: &str) -> bool {
    matches!(name, "DATEADD" | "DATEDIFF" | "DATEDIFF_BIG" | "DATEPART" | "DATENAME" | "DATETRUNC")
}

/// The full name of a date part.
fn part_name(part: Option<&Expr>) -> Result<&'static str, SqlError> {
    let word = match part {
        Some(Expr::Column(name)) if name.0.len() == 1 => name.last().to_ascii_lowercase(),
        _ => String::new(),
    };
    Ok(match word.as_str() {
        "year" | "yy" | "yyyy" => "year",
        "quarter" | "qq" | "q" => "quarter",
        "month" | "mm" | "m" => "month",
        "dayofyear" | "dy" | "y" => "dayofyear",
        "day" | "dd" | "d" => "day",
        "week" | "wk" | "ww" => "week",
        "weekday" | "dw" | "w" => "weekday",
        "hour" | "hh" => "hour",
        "minute" | "mi" | "n" => "minute",
        "second" | "ss" | "s" => "second",
        "millisecond" | "ms" => "millisecond",
        "microsecond" | "mcs" => "microsecond",
        "nanosecond" | "ns" => "nanosecond",
        "iso_week" | "isowk" | "isoww" => "iso_week",
        other => {
            let text = format!("'{other}' is not a recognized datepart option.");
            return Err(SqlError::new(155, 15, 1, text));
        }
    })
}

impl Binder<'_> {
    pub(super) fn date_function(
        &self,
        name: &str,
        part: Option<&Expr>,
        arguments: &[Bound],
    ) -> Result<Option<Bound>, SqlError> {
        Ok(Some(match (name, arguments) {
            ("DATEADD", [count, date]) => {
                let part = part_name(part)?;
                let count = self.implicit(count.clone(), Type::BigInt)?;
                let date = self.moment(date)?;
                let code = type_code(date.type_);
                Bound::new(format!("date_add('{part}',{},{},{code})", count.sql, date.sql), date.type_, true)
            }
            ("DATEDIFF" | "DATEDIFF_BIG", [from, to]) => {
                let part = part_name(part)?;
                let (from, to) = (self.moment(from)?, self.moment(to)?);
                let type_ = if name == "DATEDIFF" { Type::Int } else { Type::BigInt };
                let (a, b) = (type_code(from.type_), type_code(to.type_));
                let sql = format!("date_diff('{part}',{},{a},{},{b},{})", from.sql, to.sql, type_code(type_));
                Bound::new(sql, type_, true)
            }
            ("DATEPART", [date]) => self.part_of(part_name(part)?, date)?,
            ("YEAR" | "MONTH" | "DAY", [date]) => {
                let part = name.to_ascii_lowercase();
                self.part_of(&part, date)?
            }
            ("DATENAME", [date]) => {
                let part = part_name(part)?;
                let date = self.moment(date)?;
                let sql = format!("date_name('{part}',{},{})", date.sql, type_code(date.type_));
                Bound::new(sql, Type::Text(CharKind::NVarChar, Some(30)), true)
            }
            ("EOMONTH", [date, rest @ ..]) if rest.len() <= 1 => {
                let date = self.moment(date)?;
                let months = match rest.first() {
                    Some(months) => self.implicit(months.clone(), Type::BigInt)?.sql,
                    None => "0".to_owned(),
                };
                Bound::new(format!("end_of_month({},{},{months})", date.sql, type_code(date.type_)), Type::Date, true)
            }
            ("DATEFROMPARTS", [year, month, day]) => {
                let mut parts = Vec::with_capacity(3);
                for part in [year, month, day] {
                    parts.push(self.implicit(part.clone(), Type::BigInt)?.sql);
                }
                Bound::new(format!("date_from_parts({})", parts.join(",")), Type::Date, true)
            }
            ("ISDATE", [value]) => {
                let value = self.implicit(value.clone(), Type::nvarchar(4000))?;
                Bound::new(format!("is_date({})", value.sql), Type::Int, false)
            }
            ("DATETRUNC" | "DATEPARTS" | "SWITCHOFFSET" | "TODATETIMEOFFSET" | "DATETIMEFROMPARTS", _) => {
                return Err(SqlError::unsupported(name));
            }
            _ => return Ok(None),
        }))
    }

    fn part_of(&self, part: &str, date: &Bound) -> Result<Bound, SqlError> {
        let date = self.moment(date)?;
        Ok(Bound::new(format!("date_part('{part}',{},{})", date.sql, type_code(date.type_)), Type::Int, true))
    }

    /// A temporal value; strings and numbers become datetime.
    fn moment(&self, value: &Bound) -> Result<Bound, SqlError> {
        if value.type_.is_temporal() {
            return Ok(value.clone());
        }
        let to = if value.type_.is_text() { Type::DateTime2(7) } else { Type::DateTime };
        let mut bound = self.implicit(value.clone(), to)?;
        if value.type_.is_text() {
            bound = super::coerce::converted(bound, Type::DateTime, 0, false, None);
        }
        Ok(bound)
    }
}
