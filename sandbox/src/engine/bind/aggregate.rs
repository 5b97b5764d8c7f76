//! Aggregates: which calls are, and what they give.

use super::super::ast::{Call, Expr, SelectItem};
use super::super::error::SqlError;
use super::super::types::{CharKind, Type};
use super::coerce::type_code;
use super::expression::invalid_operand;
use super::predicate::comparable;
use super::query::order_term;
use super::{Binder, Bound};

const AGGREGATES: [&str; 11] =
    ["COUNT", "COUNT_BIG", "SUM", "AVG", "MIN", "MAX", "STRING_AGG", "STDEV", "STDEVP", "VAR", "VARP"];

pub(super) fn is_aggregate(call: &Call) -> bool {
    call.name.0.len() == 1 && AGGREGATES.iter().any(|name| call.name.last().eq_ignore_ascii_case(name))
}

/// Whether `test` holds for an expression or any part of it outside subqueries.
pub(super) fn any(value: &Expr, test: &dyn Fn(&Expr) -> bool) -> bool {
    if test(value) {
        return true;
    }
    let each = |values: &[Expr]| values.iter().any(|value| any(value, test));
    match value {
        Expr::Negate(a) | Expr::BitNot(a) | Expr::Collate(a, _) | Expr::Not(a) => any(a, test),
        Expr::Arithmetic(_, a, b) | Expr::Compare(_, a, b) => any(a, test) || any(b, test),
        Expr::And(all) | Expr::Or(all) => each(all),
        Expr::IsNull { value, .. } | Expr::InQuery { value, .. } | Expr::CompareQuery { value, .. } => any(value, test),
        Expr::Cast { value, .. } => any(value, test),
        Expr::Between { value, low, high, .. } => any(value, test) || any(low, test) || any(high, test),
        Expr::InList { value, list, .. } => any(value, test) || each(list),
        Expr::Like { value, pattern, .. } => any(value, test) || any(pattern, test),
        Expr::Case { operand, branches, otherwise } => {
            operand.as_ref().is_some_and(|operand| any(operand, test))
                || branches.iter().any(|(when, then)| any(when, test) || any(then, test))
                || otherwise.as_ref().is_some_and(|otherwise| any(otherwise, test))
        }
        Expr::Call(call) => each(&call.arguments),
        _ => false,
    }
}

pub(super) fn has_aggregate(value: &Expr) -> bool {
    any(value, &|expr| matches!(expr, Expr::Call(call) if is_aggregate(call) && call.over.is_none()))
}

pub(super) fn predicate_has_aggregate(predicate: &Expr) -> bool {
    has_aggregate(predicate)
}

pub(super) fn item_has_aggregate(item: &SelectItem) -> bool {
    match item {
        SelectItem::Star(_) => false,
        SelectItem::Value { value, .. } | SelectItem::Assign { value, .. } => has_aggregate(value),
    }
}

impl Binder<'_> {
    pub(super) fn aggregate(&mut self, call: &Call) -> Result<Bound, SqlError> {
        if call.over.is_some() {
            return self.windowed_aggregate(call);
        }
        let outer = std::mem::replace(&mut self.scope().in_aggregate, true);
        let bound = self.aggregate_inner(call);
        self.scope().in_aggregate = outer;
        bound
    }

    fn aggregate_inner(&mut self, call: &Call) -> Result<Bound, SqlError> {
        let name = call.name.last().to_ascii_uppercase();
        if name == "STRING_AGG" {
            return self.string_agg(call);
        }
        if call.star {
            return count(&name, "count(*)");
        }
        let [argument] = call.arguments.as_slice() else {
            let text = format!("The {} function requires 1 argument(s).", name.to_lowercase());
            return Err(SqlError::new(174, 15, 1, text));
        };
        if has_aggregate(argument) {
            let text = "Cannot perform an aggregate function on an expression containing an aggregate or a subquery.";
            return Err(SqlError::new(130, 15, 1, text));
        }
        let argument = self.expression(argument)?;
        let distinct = if call.distinct { "DISTINCT " } else { "" };
        let collation = if argument.type_.is_text() { " COLLATE tsql" } else { "" };
        let inner = format!("{distinct}{}{collation}", argument.sql);
        match name.as_str() {
            "COUNT" | "COUNT_BIG" => count(&name, &format!("count({distinct}{}{collation})", comparable(&argument))),
            "MIN" | "MAX" => {
                if matches!(argument.type_, Type::Bit | Type::LongText | Type::LongNText | Type::Image | Type::Xml) {
                    return Err(invalid_operand(argument.type_, &name.to_lowercase()));
                }
                Ok(Bound::new(format!("{}({inner})", name.to_lowercase()), argument.type_, true))
            }
            "SUM" => sum(&argument, &inner),
            "AVG" => average(&argument, &inner),
            _ => {
                if !argument.type_.is_number() || argument.type_ == Type::Bit {
                    return Err(invalid_operand(argument.type_, &name.to_lowercase()));
                }
                let argument = self.implicit(argument, Type::Float)?;
                Ok(Bound::new(format!("{}({distinct}{})", name.to_lowercase(), argument.sql), Type::Float, true))
            }
        }
    }

    fn string_agg(&mut self, call: &Call) -> Result<Bound, SqlError> {
        let [value, separator] = call.arguments.as_slice() else {
            return Err(SqlError::new(174, 15, 1, "The string_agg function requires 2 argument(s)."));
        };
        let value = self.expression(value)?;
        let national = value.type_.is_national() || !value.type_.is_text();
        let kind = if national { CharKind::NVarChar } else { CharKind::VarChar };
        let value = self.implicit(value, Type::Text(kind, None))?;
        let separator = self.expression(separator)?;
        let separator = self.implicit(separator, Type::Text(kind, None))?;
        let mut order = String::new();
        if !call.within.is_empty() {
            let mut terms = Vec::new();
            for item in &call.within {
                let value = self.expression(&item.value)?;
                terms.push(order_term(&value, item.descending));
            }
            order = format!(" ORDER BY {}", terms.join(","));
        }
        let length = if kind == CharKind::NVarChar { 4000 } else { 8000 };
        let sql = format!("group_concat({},{}{order})", value.sql, separator.sql);
        Ok(Bound::new(sql, Type::Text(kind, Some(length)), true))
    }

    /// `COUNT(*) OVER (…)` and the like; only those SQLite itself can slide.
    fn windowed_aggregate(&mut self, call: &Call) -> Result<Bound, SqlError> {
        let name = call.name.last().to_ascii_uppercase();
        let over = call.over.clone().unwrap_or_default();
        let window = self.window(&over)?;
        if call.star {
            return count(&name, &format!("count(*) OVER {window}"));
        }
        let [argument] = call.arguments.as_slice() else { return Err(SqlError::syntax(&name)) };
        let argument = self.expression(argument)?;
        let sql = &argument.sql;
        match (name.as_str(), argument.type_) {
            ("COUNT" | "COUNT_BIG", _) => count(&name, &format!("count({sql}) OVER {window}")),
            ("MIN" | "MAX", type_) if type_.is_number() || type_.is_temporal() => {
                Ok(Bound::new(format!("{}({sql}) OVER {window}", name.to_lowercase()), type_, true))
            }
            ("SUM", type_) if type_.is_integer() && type_ != Type::Bit => {
                let type_ = if type_ == Type::BigInt { Type::BigInt } else { Type::Int };
                Ok(Bound::new(format!("in_range(sum({sql}) OVER {window},{})", type_code(type_)), type_, true))
            }
            ("SUM", Type::Float | Type::Real) => Ok(Bound::new(format!("sum({sql}) OVER {window}"), Type::Float, true)),
            ("SUM", Type::Money) => Ok(Bound::new(format!("sum({sql}) OVER {window}"), Type::Money, true)),
            _ => Err(SqlError::unsupported(format!("{name} OVER for the type {}", argument.type_.name()))),
        }
    }

    pub(super) fn window(&mut self, over: &super::super::ast::Over) -> Result<String, SqlError> {
        let mut parts = Vec::new();
        if !over.partition.is_empty() {
            let mut terms = Vec::new();
            for value in &over.partition {
                let value = self.expression(value)?;
                terms.push(order_term(&value, false));
            }
            parts.push(format!("PARTITION BY {}", terms.join(",")));
        }
        if !over.order.is_empty() {
            let mut terms = Vec::new();
            for item in &over.order {
                let value = self.expression(&item.value)?;
                terms.push(order_term(&value, item.descending));
            }
            parts.push(format!("ORDER BY {}", terms.join(",")));
        }
        Ok(format!("({})", parts.join(" ")))
    }
}

fn count(name: &str, sql: &str) -> Result<Bound, SqlError> {
    if name == "COUNT_BIG" {
        return Ok(Bound::new(sql, Type::BigInt, true));
    }
    if name != "COUNT" {
        return Err(SqlError::syntax("*"));
    }
    Ok(Bound::new(format!("in_range({sql},{})", type_code(Type::Int)), Type::Int, true))
}

fn sum(argument: &Bound, inner: &str) -> Result<Bound, SqlError> {
    Ok(match argument.type_ {
        Type::TinyInt | Type::SmallInt | Type::Int => {
            Bound::new(format!("in_range(sum({inner}),{})", type_code(Type::Int)), Type::Int, true)
        }
        Type::BigInt => Bound::new(format!("sum({inner})"), Type::BigInt, true),
        Type::Money | Type::SmallMoney => Bound::new(format!("sum({inner})"), Type::Money, true),
        Type::Float | Type::Real => Bound::new(format!("sum({inner})"), Type::Float, true),
        Type::Decimal(_, scale) => Bound::new(format!("dec_sum({inner})"), Type::Decimal(38, scale), true),
        other => return Err(invalid_operand(other, "sum")),
    })
}

fn average(argument: &Bound, inner: &str) -> Result<Bound, SqlError> {
    Ok(match argument.type_ {
        Type::TinyInt | Type::SmallInt | Type::Int => Bound::new(format!("int_avg({inner})"), Type::Int, true),
        Type::BigInt => Bound::new(format!("int_avg({inner})"), Type::BigInt, true),
        Type::Money | Type::SmallMoney => Bound::new(format!("int_avg({inner})"), Type::Money, true),
        Type::Float | Type::Real => Bound::new(format!("avg({inner})"), Type::Float, true),
        Type::Decimal(_, scale) => {
            let wide = scale.max(6);
            Bound::new(format!("dec_avg{}({inner})", wide - scale), Type::Decimal(38, wide), true)
        }
        other => return Err(invalid_operand(other, "avg")),
    })
}
