//! Scalar expressions.

use super::super::ast::{Expr, Query};
use super::super::error::SqlError;
use super::super::numeric;
use super::super::storage::decimal_to_bytes;
use super::super::types::{CharKind, Type};
use super::coerce::{common_type, converted, literal};
use super::{Binder, Bound, Input, System};

impl Binder<'_> {
    pub(super) fn expression(&mut self, value: &Expr) -> Result<Bound, SqlError> {
        if let Some(grouped) = self.grouping_match(value)? {
            return Ok(grouped);
        }
        match value {
            Expr::Null => Ok(Bound::new("NULL", Type::Null, true)),
            Expr::Default => Err(SqlError::new(156, 15, 1, "Incorrect syntax near the keyword 'DEFAULT'.")),
            Expr::Integer(digits) => integer_literal(digits),
            Expr::Decimal(digits) => decimal_literal(digits),
            Expr::Float(value) => Ok(Bound::new(format!("{value:e}"), Type::Float, false)),
            Expr::Money(digits) => {
                let parsed = numeric::parse(digits).and_then(|(unscaled, scale)| numeric::rescale(unscaled, scale, 4));
                let money =
                    parsed.and_then(|money| i64::try_from(money).ok()).ok_or_else(|| SqlError::overflow("money"))?;
                Ok(Bound::new(money.to_string(), Type::Money, false))
            }
            Expr::String { value, national } => Ok(string_literal(value, *national)),
            Expr::Binary(bytes) => {
                let digits: String = bytes.iter().map(|byte| format!("{byte:02X}")).collect();
                let length =
                    u16::try_from(bytes.len()).ok().filter(|length| *length <= 8000).map(|length| length.max(1));
                Ok(Bound::new(format!("X'{digits}'"), Type::Binary(false, length), false))
            }
            Expr::Variable(name) => self.variable(name),
            Expr::Column(name) => self.column(name),
            Expr::Negate(inner) => self.negate(inner),
            Expr::BitNot(inner) => {
                let inner = self.expression(inner)?;
                if !inner.type_.is_integer() {
                    return Err(invalid_operand(inner.type_, "'~'"));
                }
                let sql = match inner.type_ {
                    Type::Bit => format!("(1-{})", inner.sql),
                    Type::TinyInt => format!("(255-{})", inner.sql),
                    _ => format!("(~{})", inner.sql),
                };
                Ok(Bound::new(sql, inner.type_, inner.nullable))
            }
            Expr::Arithmetic(operator, left, right) => {
                let left = self.expression(left)?;
                let right = self.expression(right)?;
                self.arithmetic(*operator, left, right)
            }
            Expr::Collate(inner, _) => {
                let inner = self.expression(inner)?;
                if inner.type_.is_text() {
                    Ok(inner)
                } else {
                    Err(SqlError::new(
                        447,
                        16,
                        0,
                        format!("Expression type {} is invalid for COLLATE clause.", inner.type_.name()),
                    ))
                }
            }
            Expr::Subquery(query) => self.scalar_subquery(query),
            Expr::Case { operand, branches, otherwise } => {
                self.case(operand.as_deref(), branches, otherwise.as_deref())
            }
            Expr::Cast { value, to, style, attempt } => self.cast(value, *to, style.as_deref(), *attempt),
            Expr::Call(call) => self.call(call),
            _ => Err(SqlError::syntax("predicate")),
        }
    }

    fn variable(&mut self, name: &str) -> Result<Bound, SqlError> {
        if let Some(system) = name.strip_prefix("@@") {
            let Some((system, type_)) = System::variable(system) else {
                return Err(SqlError::undeclared(name));
            };
            let sql = self.input(Input::System(system));
            return Ok(Bound::new(sql, type_, false));
        }
        let key = name.to_lowercase();
        let type_ = match (self.names.variables.get(&key), self.names.undeclared) {
            (Some(type_), _) => *type_,
            (None, Some(undeclared)) => {
                undeclared.borrow_mut().entry(key.clone()).or_default();
                Type::Null
            }
            (None, None) => return Err(SqlError::undeclared(name)),
        };
        let sql = self.input(Input::Variable(key));
        Ok(Bound::new(sql, type_, true))
    }

    /// In a grouped SELECT an expression that is itself grouped by may stand as it is.
    fn grouping_match(&mut self, value: &Expr) -> Result<Option<Bound>, SqlError> {
        let plain =
            matches!(value, Expr::Column(_) | Expr::Integer(_) | Expr::String { .. } | Expr::Null | Expr::Variable(_));
        let scope = self.scope();
        if plain || scope.in_aggregate {
            return Ok(None);
        }
        let Some(grouped) = scope.grouped.take() else { return Ok(None) };
        let probe = self.expression(value);
        let matches = probe.as_ref().is_ok_and(|bound| grouped.contains(&bound.sql));
        self.scope().grouped = Some(grouped);
        if matches { probe.map(Some) } else { Ok(None) }
    }

    fn negate(&mut self, inner: &Expr) -> Result<Bound, SqlError> {
        let inner = self.expression(inner)?;
        let zero = match inner.type_ {
            Type::Decimal(..) => return Ok(Bound { sql: format!("dec_negate({})", inner.sql), ..inner }),
            Type::Float | Type::Real => return Ok(Bound { sql: format!("(-{})", inner.sql), ..inner }),
            Type::TinyInt | Type::Bit | Type::Null => Bound::new("0", Type::SmallInt, false),
            Type::SmallInt | Type::Int | Type::BigInt | Type::Money | Type::SmallMoney => {
                Bound::new("0", inner.type_, false)
            }
            other => return Err(invalid_operand(other, "minus")),
        };
        self.arithmetic(super::super::ast::Operator::Subtract, zero, inner)
    }

    fn scalar_subquery(&mut self, query: &Query) -> Result<Bound, SqlError> {
        let bound = self.query(query)?;
        let [column] = bound.columns() else {
            let text = "Only one expression can be specified in the select list when the subquery is not introduced with EXISTS.";
            return Err(SqlError::new(116, 16, 1, text));
        };
        let type_ = column.type_;
        // SQLite would take the first of several rows; SQL Server refuses. `only` raises 512 at the second.
        let sql = if bound.is_single_row() {
            format!("({})", bound.render(true))
        } else {
            format!(
                "(SELECT only(count(*), max(CASE WHEN n = 1 THEN c0 END)) FROM (SELECT row_number() OVER () AS n, c0 FROM ({})))",
                bound.render(true)
            )
        };
        Ok(Bound::new(sql, type_, true))
    }

    fn case(
        &mut self,
        operand: Option<&Expr>,
        branches: &[(Expr, Expr)],
        otherwise: Option<&Expr>,
    ) -> Result<Bound, SqlError> {
        let mut conditions = Vec::with_capacity(branches.len());
        let mut results = Vec::with_capacity(branches.len() + 1);
        for (when, then) in branches {
            let condition = match operand {
                Some(operand) => {
                    let (left, right) = (self.expression(operand)?, self.expression(when)?);
                    self.comparison("=", left, right)?
                }
                None => self.predicate(when)?,
            };
            conditions.push(condition);
            results.push(self.expression(then)?);
        }
        let otherwise = match otherwise {
            Some(otherwise) => self.expression(otherwise)?,
            None => Bound::new("NULL", Type::Null, true),
        };
        results.push(otherwise);
        let type_ = results.iter().fold(Type::Null, |type_, result| common_type(type_, result.type_));
        let nullable = results.iter().any(|result| result.nullable);
        let mut sql = String::from("(CASE");
        let last = results.pop().ok_or_else(|| SqlError::syntax("CASE"))?;
        for (condition, result) in conditions.iter().zip(results) {
            let result = self.implicit(result, type_)?;
            sql.push_str(&format!(" WHEN {condition} THEN {}", result.sql));
        }
        let last = self.implicit(last, type_)?;
        sql.push_str(&format!(" ELSE {} END)", last.sql));
        Ok(Bound::new(sql, type_, nullable))
    }

    fn cast(&mut self, value: &Expr, to: Type, style: Option<&Expr>, attempt: bool) -> Result<Bound, SqlError> {
        let value = self.expression(value)?;
        let style = match style {
            None => 0,
            Some(Expr::Integer(digits)) => digits.parse().map_err(|_| SqlError::syntax(digits))?,
            Some(_) => return Err(SqlError::unsupported("a style of CONVERT that is not a literal")),
        };
        self.note_undeclared(&value, to);
        Ok(converted(value, to, style, attempt, None))
    }
}

pub(super) fn string_literal(value: &str, national: bool) -> Bound {
    let (kind, most) = if national { (CharKind::NVarChar, 4000) } else { (CharKind::VarChar, 8000) };
    let units = value.encode_utf16().count();
    let length = u16::try_from(units).ok().filter(|length| *length <= most).map(|length| length.max(1));
    Bound::new(literal(value), Type::Text(kind, length), false)
}

fn integer_literal(digits: &str) -> Result<Bound, SqlError> {
    if let Ok(value) = digits.parse::<i32>() {
        return Ok(Bound::new(value.to_string(), Type::Int, false));
    }
    decimal_literal(digits)
}

pub(super) fn decimal_literal(digits: &str) -> Result<Bound, SqlError> {
    let too_large = || {
        let text =
            format!("The number '{digits}' is out of the range for numeric representation (maximum precision 38).");
        SqlError::new(1007, 15, 1, text)
    };
    let (unscaled, scale) = numeric::parse(digits).ok_or_else(too_large)?;
    let shown = unscaled.unsigned_abs().to_string().len();
    let precision = u8::try_from(shown).unwrap_or(38).max(scale).max(1);
    let bytes: String = decimal_to_bytes(unscaled).iter().map(|byte| format!("{byte:02X}")).collect();
    Ok(Bound::new(format!("X'{bytes}'"), Type::Decimal(precision, scale), false))
}

pub(super) fn invalid_operand(type_: Type, operator: &str) -> SqlError {
    let text = format!("Operand data type {} is invalid for {operator} operator.", type_.message_name());
    SqlError::new(8117, 16, 1, text)
}
