//! One SELECT.

use super::super::ast::{Branch, Expr, OrderItem, Query, Select, SelectItem};
use super::super::error::SqlError;
use super::super::types::Type;
use super::query::{BoundSelect, OutColumn, order_term};
use super::{Action, Binder, Bound, Plan};

impl Binder<'_> {
    pub(super) fn select(&mut self, select: &Select, order: &[OrderItem]) -> Result<BoundSelect, SqlError> {
        let mut tail = self.from(&select.from)?;
        if let Some(filter) = &select.filter {
            if super::aggregate::predicate_has_aggregate(filter) {
                let text = "An aggregate may not appear in the WHERE clause unless it is in a subquery contained in a HAVING clause or a select list, and the column being aggregated is an outer reference.";
                return Err(SqlError::new(147, 15, 1, text));
            }
            tail.push_str(&format!(" WHERE {}", self.predicate(filter)?));
        }
        let grouping = self.grouping(select, order, &mut tail)?;
        let mut bound = BoundSelect { distinct: select.distinct, ..BoundSelect::default() };
        for item in &select.items {
            self.select_item(item, &mut bound.items)?;
        }
        if let Some(having) = &select.having {
            tail.push_str(&format!(" HAVING {}", self.predicate(having)?));
        }
        bound.single_row = select.from.is_empty() || (grouping && select.group.is_empty());
        bound.tail = tail;
        for item in order {
            let term = self.order_item(item, &bound.items)?;
            bound.order.push(term);
        }
        if let Some(top) = &select.top {
            let top = self.expression(top)?;
            let top = self.implicit(top, Type::BigInt)?;
            bound.limit = format!(" LIMIT {} ", super::query::row_count(&top.sql));
        }
        Ok(bound)
    }

    /// GROUP BY; says whether the SELECT is an aggregation.
    fn grouping(&mut self, select: &Select, order: &[OrderItem], tail: &mut String) -> Result<bool, SqlError> {
        let mut grouped = Vec::with_capacity(select.group.len());
        for value in &select.group {
            grouped.push(self.expression(value)?);
        }
        if !grouped.is_empty() {
            let terms: Vec<String> = grouped
                .iter()
                .map(
                    |value| {
                        if value.type_.is_text() { format!("{} COLLATE tsql", value.sql) } else { value.sql.clone() }
                    },
                )
                .collect();
            tail.push_str(&format!(" GROUP BY {}", terms.join(",")));
        }
        let in_items = select.items.iter().any(super::aggregate::item_has_aggregate);
        let in_order = order.iter().any(|item| super::aggregate::has_aggregate(&item.value));
        let is_grouped = !grouped.is_empty() || in_items || in_order || select.having.is_some();
        if is_grouped {
            self.scope().grouped = Some(grouped.into_iter().map(|value| value.sql).collect());
            // SQLite wants a GROUP BY before HAVING; a constant groups everything as none does.
            if select.group.is_empty() && select.having.is_some() && !in_items {
                return Err(SqlError::unsupported("HAVING without GROUP BY or an aggregate in the select list"));
            }
        }
        Ok(is_grouped)
    }

    pub(super) fn select_item(&mut self, item: &SelectItem, items: &mut Vec<OutColumn>) -> Result<(), SqlError> {
        match item {
            SelectItem::Star(prefix) => {
                let columns: Vec<_> = self
                    .scope()
                    .tables
                    .iter()
                    .filter(|table| prefix.as_ref().is_none_or(|prefix| table.name.eq_ignore_ascii_case(prefix.last())))
                    .flat_map(|table| table.columns.iter().map(|column| (table.name.clone(), column.name.clone())))
                    .collect();
                if columns.is_empty() {
                    return Err(match prefix {
                        Some(prefix) => {
                            let text = format!(
                                "The column prefix '{}' does not match with a table name or alias name used in the query.",
                                prefix.text()
                            );
                            SqlError::new(107, 15, 1, text)
                        }
                        None => SqlError::new(263, 16, 1, "Must specify table to select from."),
                    });
                }
                for (table, name) in columns {
                    let value = self.column(&super::super::ast::Name(vec![table, name.clone()]))?;
                    items.push(OutColumn { name, value });
                }
                Ok(())
            }
            SelectItem::Value { value, alias } => {
                let bound = self.expression(value)?;
                let name = match (alias, value) {
                    (Some(alias), _) => alias.clone(),
                    // SQL Server answers with the name as the table has it, not as the query wrote it.
                    (None, Expr::Column(name)) => self.declared_name(name),
                    _ => String::new(),
                };
                items.push(OutColumn { name, value: bound });
                Ok(())
            }
            SelectItem::Assign { .. } => Err(SqlError::new(
                141,
                15,
                1,
                "A SELECT statement that assigns a value to a variable must not be combined with data-retrieval operations.",
            )),
        }
    }

    fn declared_name(&self, name: &super::super::ast::Name) -> String {
        let columns = self.scopes.iter().rev().flat_map(|scope| &scope.tables).flat_map(|table| &table.columns);
        let mut named = columns.filter(|column| column.name.eq_ignore_ascii_case(name.last()));
        named.next().map_or_else(|| name.last().to_owned(), |column| column.name.clone())
    }

    fn order_item(&mut self, item: &OrderItem, items: &[OutColumn]) -> Result<String, SqlError> {
        if let Expr::Integer(digits) = &item.value {
            let position = digits.parse::<usize>().ok().and_then(|position| position.checked_sub(1));
            let Some(column) = position.and_then(|position| items.get(position)) else {
                let text = format!(
                    "The ORDER BY position number {digits} is out of range of the number of items in the select list."
                );
                return Err(SqlError::new(108, 15, 1, text));
            };
            return Ok(order_term(&column.value, item.descending));
        }
        if let Expr::Column(name) = &item.value
            && name.0.len() == 1
            && let Some(column) = items.iter().find(|column| column.name.eq_ignore_ascii_case(name.last()))
        {
            return Ok(order_term(&column.value, item.descending));
        }
        let value = self.expression(&item.value)?;
        Ok(order_term(&value, item.descending))
    }

    /// `SELECT @a = x, @b = y FROM …`.
    pub(super) fn assignment_plan(mut self, query: &Query, variables: Vec<String>) -> Result<Plan, SqlError> {
        let plain = rewritten(query)?;
        if reads_assigned(query, &variables) {
            return Err(SqlError::unsupported("SELECT that builds up a variable row by row"));
        }
        let bound = self.query(&plain)?;
        let mut select = bound.columns().to_vec();
        let mut items = Vec::with_capacity(select.len());
        for ((index, column), variable) in select.drain(..).enumerate().zip(&variables) {
            let type_ = *self.names.variables.get(variable).ok_or_else(|| SqlError::undeclared(variable))?;
            let value = Bound { sql: format!("c{index}"), ..column.value };
            items.push(self.implicit(value, type_)?);
        }
        let texts: Vec<&str> = items.iter().map(|item| item.sql.as_str()).collect();
        let sql = format!("SELECT {} FROM ({})", texts.join(","), bound.render(true));
        let types = items.iter().map(|item| item.type_).collect();
        Ok(self.finish(sql, Vec::new(), types, Action::Assign(variables)))
    }
}

/// The variables a SELECT assigns, in lower case; `None` if it returns rows.
pub(super) fn assigned_variables(query: &Query) -> Result<Option<Vec<String>>, SqlError> {
    let Branch::Select(select) = &query.body.first else { return Ok(None) };
    let mut variables = Vec::new();
    for item in &select.items {
        if let SelectItem::Assign { variable, .. } = item {
            variables.push(variable.to_lowercase());
        }
    }
    if variables.is_empty() {
        return Ok(None);
    }
    if variables.len() != select.items.len() || !query.body.rest.is_empty() {
        let text = "A SELECT statement that assigns a value to a variable must not be combined with data-retrieval operations.";
        return Err(SqlError::new(141, 15, 1, text));
    }
    Ok(Some(variables))
}

/// The same query with the assigned values as ordinary items.
fn rewritten(query: &Query) -> Result<Query, SqlError> {
    let mut plain = query.clone();
    let Branch::Select(select) = &mut plain.body.first else { return Err(SqlError::syntax("SELECT")) };
    for item in &mut select.items {
        if let SelectItem::Assign { variable, operator, value } = item {
            let value = match operator {
                None => value.clone(),
                Some(operator) => {
                    let current = Expr::Variable(variable.clone());
                    Expr::Arithmetic(*operator, Box::new(current), Box::new(value.clone()))
                }
            };
            *item = SelectItem::Value { value, alias: None };
        }
    }
    Ok(plain)
}

/// Whether a value over rows reads a variable the same SELECT assigns: its outcome would depend on the order of rows.
fn reads_assigned(query: &Query, variables: &[String]) -> bool {
    let Branch::Select(select) = &query.body.first else { return false };
    if select.from.is_empty() && variables.len() == 1 {
        return false;
    }
    select.items.iter().any(|item| match item {
        SelectItem::Assign { operator: Some(_), .. } => true,
        SelectItem::Assign { value, .. } => super::aggregate::any(
            value,
            &|expr| matches!(expr, Expr::Variable(name) if variables.contains(&name.to_lowercase())),
        ),
        _ => false,
    })
}
