//! Predicates, as SQLite expressions that are 1, 0 or NULL.

use super::super::ast::{Comparison, Expr, Query};
use super::super::error::SqlError;
use super::super::types::Type;
use super::coerce::common_type;
use super::{Binder, Bound};

impl Binder<'_> {
    pub(super) fn predicate(&mut self, predicate: &Expr) -> Result<String, SqlError> {
        match predicate {
            Expr::And(all) => self.joined(all, " AND "),
            Expr::Or(all) => self.joined(all, " OR "),
            Expr::Not(inner) => Ok(format!("(NOT {})", self.predicate(inner)?)),
            Expr::Compare(comparison, left, right) => {
                let left = self.expression(left)?;
                let right = self.expression(right)?;
                self.comparison(comparison.sql(), left, right)
            }
            Expr::CompareQuery { comparison, all, value, query } => self.quantified(*comparison, *all, value, query),
            Expr::IsNull { value, negated } => {
                let value = self.expression(value)?;
                Ok(format!("({} IS {}NULL)", value.sql, if *negated { "NOT " } else { "" }))
            }
            Expr::Between { value, low, high, negated } => {
                let above = {
                    let (value, low) = (self.expression(value)?, self.expression(low)?);
                    self.comparison(">=", value, low)?
                };
                let (value, high) = (self.expression(value)?, self.expression(high)?);
                let below = self.comparison("<=", value, high)?;
                Ok(format!("({}({above} AND {below}))", not(*negated)))
            }
            Expr::InList { value, list, negated } => self.in_list(value, list, *negated),
            Expr::InQuery { value, query, negated } => {
                let value = self.expression(value)?;
                let (value, column, sql) = self.against_query(value, query)?;
                let negation = if *negated { "NOT " } else { "" };
                Ok(format!("({value} {negation}IN (SELECT {column} FROM ({sql})))"))
            }
            Expr::Like { value, pattern, escape, negated } => {
                let value = self.as_text(value)?;
                let pattern = self.as_text(pattern)?;
                let escape = match escape {
                    Some(escape) => self.as_text(escape)?,
                    None => "''".to_owned(),
                };
                Ok(format!("({}like_tsql({value},{pattern},{escape}))", not(*negated)))
            }
            Expr::Exists(query) => {
                let query = self.query(query)?;
                Ok(format!("EXISTS ({})", query.render(true)))
            }
            _ => {
                let text = "An expression of non-boolean type specified in a context where a condition is expected.";
                Err(SqlError::new(4145, 15, 1, text))
            }
        }
    }

    fn joined(&mut self, all: &[Expr], by: &str) -> Result<String, SqlError> {
        let parts: Result<Vec<_>, _> = all.iter().map(|one| self.predicate(one)).collect();
        Ok(format!("({})", parts?.join(by)))
    }

    fn as_text(&mut self, value: &Expr) -> Result<String, SqlError> {
        let value = self.expression(value)?;
        if value.type_.is_text() {
            return Ok(value.sql);
        }
        Ok(self.implicit(value, Type::nvarchar(4000))?.sql)
    }

    pub(super) fn comparison(&self, operator: &str, left: Bound, right: Bound) -> Result<String, SqlError> {
        let (left, right) = self.unified(left, right)?;
        for side in [&left, &right] {
            if matches!(side.type_, Type::LongText | Type::LongNText | Type::Image | Type::Xml) {
                let text = format!(
                    "The data types {} and {} are incompatible in the {operator} operator.",
                    left.type_.name(),
                    right.type_.name()
                );
                return Err(SqlError::new(402, 16, 1, text));
            }
        }
        let (a, b) = (comparable(&left), comparable(&right));
        let collation = if left.type_.is_text() || right.type_.is_text() { " COLLATE tsql" } else { "" };
        Ok(format!("({a} {operator} {b}{collation})"))
    }

    fn in_list(&mut self, value: &Expr, list: &[Expr], negated: bool) -> Result<String, SqlError> {
        let value = self.expression(value)?;
        let items: Result<Vec<_>, _> = list.iter().map(|item| self.expression(item)).collect();
        let items = items?;
        let type_ = items.iter().fold(value.type_, |type_, item| common_type(type_, item.type_));
        let value = self.implicit(value, type_)?;
        let collation = if type_.is_text() { " COLLATE tsql" } else { "" };
        let mut sqls = Vec::with_capacity(items.len());
        for item in items {
            sqls.push(comparable(&self.implicit(item, type_)?));
        }
        let negation = if negated { "NOT " } else { "" };
        Ok(format!("(({}{collation}) {negation}IN ({}))", comparable(&value), sqls.join(",")))
    }

    /// A value and a query's only column, both in the form that compares.
    fn against_query(&mut self, value: Bound, query: &Query) -> Result<(String, String, String), SqlError> {
        let query = self.query(query)?;
        let [column] = query.columns() else {
            let text = "Only one expression can be specified in the select list when the subquery is not introduced with EXISTS.";
            return Err(SqlError::new(116, 16, 1, text));
        };
        let column = Bound::new("c0", column.type_, true);
        let (value, column) = self.unified(value, column)?;
        let collation = if value.type_.is_text() { " COLLATE tsql" } else { "" };
        Ok((format!("({}{collation})", comparable(&value)), comparable(&column), query.render(true)))
    }

    fn quantified(
        &mut self,
        comparison: Comparison,
        all: bool,
        value: &Expr,
        query: &Query,
    ) -> Result<String, SqlError> {
        let value = self.expression(value)?;
        let (value, column, sql) = self.against_query(value, query)?;
        let operator = comparison.sql();
        // `min` over 1, 0 is ALL, `max` is ANY; a NULL among them makes the rest unknown unless already decided.
        let outcome = format!("SELECT ({value} {operator} {column}) AS o FROM ({sql})");
        Ok(match all {
            true => format!(
                "(SELECT CASE WHEN sum(o = 0) > 0 THEN 0 WHEN sum(o IS NULL) > 0 THEN NULL ELSE 1 END FROM ({outcome}))"
            ),
            false => format!(
                "(SELECT CASE WHEN sum(o = 1) > 0 THEN 1 WHEN sum(o IS NULL) > 0 THEN NULL ELSE 0 END FROM ({outcome}))"
            ),
        })
    }
}

fn not(negated: bool) -> &'static str {
    if negated { "NOT " } else { "" }
}

/// A datetimeoffset is compared and ordered by its instant, everything else as it is stored.
pub(super) fn comparable(bound: &Bound) -> String {
    match bound.type_ {
        Type::DateTimeOffset(_) => format!("instant({})", bound.sql),
        _ => bound.sql.clone(),
    }
}
