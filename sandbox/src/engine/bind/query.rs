//! Queries: set operators, common table expressions, order and limits.

use super::super::ast::{Body, Branch, CommonTable, Expr, Name, OrderItem, Query, SelectItem, SetOperator};
use super::super::error::SqlError;
use super::super::sink::Column;
use super::super::types::Type;
use super::coerce::common_type;
use super::predicate::comparable;
use super::scope::{CommonTableEntry, ScopeColumn};
use super::{Binder, Bound};

/// A column of a query's result.
#[derive(Debug, Clone)]
pub(super) struct OutColumn {
    pub(super) name: String,
    pub(super) value: Bound,
}

impl std::ops::Deref for OutColumn {
    type Target = Bound;

    fn deref(&self) -> &Bound {
        &self.value
    }
}

/// One SELECT, its items still apart so that they can be converted to a common type.
#[derive(Debug, Clone, Default)]
pub(super) struct BoundSelect {
    pub(super) distinct: bool,
    pub(super) items: Vec<OutColumn>,
    /// FROM to HAVING.
    pub(super) tail: String,
    /// ORDER BY and LIMIT of its own.
    pub(super) limit: String,
    /// `SELECT` without FROM, or an aggregate without GROUP BY: exactly one row.
    pub(super) single_row: bool,
    /// Order terms, bound in the SELECT's scope.
    pub(super) order: Vec<String>,
}

/// A query, bound.
#[derive(Debug, Clone)]
pub(super) struct BoundQuery {
    with: String,
    branches: Vec<(Option<SetOperator>, BoundSelect)>,
    order: String,
    limit: String,
}

impl BoundQuery {
    pub(super) fn columns(&self) -> &[OutColumn] {
        self.branches.first().map_or(&[], |(_, select)| select.items.as_slice())
    }

    pub(super) fn is_single_row(&self) -> bool {
        self.branches.len() == 1
            && (self.branches.first().is_some_and(|(_, select)| select.single_row)
                || self.limit.contains("LIMIT 1 ")
                || self.branches.first().is_some_and(|(_, select)| select.limit.contains("LIMIT 1 ")))
    }

    /// Names and types as the client sees them.
    pub(super) fn client_columns(&self) -> (Vec<Column>, Vec<Type>) {
        let columns = self.columns().iter().map(|column| Column {
            name: column.name.clone(),
            type_info: column.type_.type_info(column.nullable),
            nullable: column.nullable,
            identity: column.identity,
            hidden: false,
        });
        (columns.collect(), self.columns().iter().map(|column| column.type_).collect())
    }

    /// As SQLite text; with `named`, the columns are called c0, c1, ….
    pub(super) fn render(&self, named: bool) -> String {
        let mut sql = self.with.clone();
        for (operator, select) in &self.branches {
            sql.push_str(match operator {
                None => "",
                Some(SetOperator::Union) => " UNION ",
                Some(SetOperator::UnionAll) => " UNION ALL ",
                Some(SetOperator::Except) => " EXCEPT ",
                Some(SetOperator::Intersect) => " INTERSECT ",
            });
            let body = select.render(named);
            // A SELECT with a LIMIT of its own may only stand in a compound as a subquery.
            if self.branches.len() > 1 && !select.limit.is_empty() {
                sql.push_str(&format!("SELECT * FROM ({body})"));
            } else {
                sql.push_str(&body);
            }
        }
        sql.push_str(&self.order);
        sql.push_str(&self.limit);
        sql
    }
}

impl BoundSelect {
    fn render(&self, named: bool) -> String {
        let mut sql = String::from(if self.distinct { "SELECT DISTINCT " } else { "SELECT " });
        for (index, item) in self.items.iter().enumerate() {
            if index > 0 {
                sql.push(',');
            }
            sql.push_str(&item.sql);
            if item.type_.is_text() {
                sql.push_str(" COLLATE tsql");
            }
            if named {
                sql.push_str(&format!(" AS c{index}"));
            }
        }
        sql.push_str(&self.tail);
        sql.push_str(&self.limit);
        sql
    }
}

impl Binder<'_> {
    pub(super) fn query(&mut self, query: &Query) -> Result<BoundQuery, SqlError> {
        let known = self.common.len();
        if let Some(max_recursion) = query.max_recursion {
            self.max_recursion = max_recursion;
        }
        let bound = self.query_with_common(query);
        self.common.truncate(known);
        bound
    }

    fn query_with_common(&mut self, query: &Query) -> Result<BoundQuery, SqlError> {
        let with = self.common_tables(&query.with)?;
        let mut branches = Vec::with_capacity(1 + query.body.rest.len());
        let alone = query.body.rest.is_empty();
        let order: &[OrderItem] = if alone { &query.order } else { &[] };
        branches.push((None, self.branch(&query.body.first, order)?));
        for (operator, branch) in &query.body.rest {
            branches.push((Some(*operator), self.branch(branch, &[])?));
        }
        self.unify_branches(&mut branches)?;
        let mut bound = BoundQuery { with, branches, order: String::new(), limit: String::new() };
        let terms = match alone {
            true => bound.branches.first_mut().map(|(_, select)| std::mem::take(&mut select.order)).unwrap_or_default(),
            false => compound_order(&query.order, bound.columns(), Some(&query.body.first))?,
        };
        let limit = self.limit(query)?;
        if !terms.is_empty() {
            bound.order = format!(" ORDER BY {}", terms.join(","));
        }
        bound.limit = limit;
        // TOP belongs to its SELECT but follows the order of the query.
        if alone && let Some((_, select)) = bound.branches.first_mut() {
            let top = std::mem::take(&mut select.limit);
            if !top.is_empty() {
                bound.limit = top;
            }
        }
        Ok(bound)
    }

    fn limit(&mut self, query: &Query) -> Result<String, SqlError> {
        let Some(offset) = &query.offset else { return Ok(String::new()) };
        let offset = self.expression(offset)?;
        let offset = self.implicit(offset, Type::BigInt)?;
        let fetch = match &query.fetch {
            None => "-1".to_owned(),
            Some(fetch) => {
                let fetch = self.expression(fetch)?;
                row_count(&self.implicit(fetch, Type::BigInt)?.sql)
            }
        };
        Ok(format!(" LIMIT {fetch} OFFSET {}", row_count(&offset.sql)))
    }

    fn unify_branches(&self, branches: &mut [(Option<SetOperator>, BoundSelect)]) -> Result<(), SqlError> {
        if branches.len() < 2 {
            return Ok(());
        }
        let width = branches.first().map_or(0, |(_, select)| select.items.len());
        if branches.iter().any(|(_, select)| select.items.len() != width) {
            let text = "All queries combined using a UNION, INTERSECT or EXCEPT operator must have an equal number of expressions in their target lists.";
            return Err(SqlError::new(205, 16, 1, text));
        }
        for index in 0..width {
            let items = || branches.iter().filter_map(|(_, select)| select.items.get(index));
            let type_ = items().fold(Type::Null, |type_, item| common_type(type_, item.type_));
            let nullable = items().any(|item| item.nullable);
            for (_, select) in branches.iter_mut() {
                if let Some(item) = select.items.get_mut(index) {
                    let value = self.implicit(item.value.clone(), type_)?;
                    item.value = Bound { nullable, ..value };
                }
            }
        }
        Ok(())
    }

    fn branch(&mut self, branch: &Branch, order: &[OrderItem]) -> Result<BoundSelect, SqlError> {
        match branch {
            Branch::Select(select) => self.scoped(|binder| binder.select(select, order)),
            Branch::Nested(query) => {
                let inner = self.query(query)?;
                let items = inner.columns().iter().enumerate().map(|(index, column)| {
                    let value = Bound { sql: format!("c{index}"), ..column.value.clone() };
                    OutColumn { name: column.name.clone(), value }
                });
                let items = items.collect();
                let order = compound_order(order, inner.columns(), None)?;
                let tail = format!(" FROM ({})", inner.render(true));
                Ok(BoundSelect { items, tail, order, ..BoundSelect::default() })
            }
            Branch::Values(rows) => self.values(rows),
        }
    }

    /// `VALUES (…), (…)` as a derived table.
    fn values(&mut self, rows: &[Vec<Expr>]) -> Result<BoundSelect, SqlError> {
        let mut bound: Vec<Vec<Bound>> = Vec::with_capacity(rows.len());
        for row in rows {
            let row: Result<Vec<_>, _> = row.iter().map(|value| self.expression(value)).collect();
            bound.push(row?);
        }
        let width = bound.first().map_or(0, Vec::len);
        if bound.iter().any(|row| row.len() != width) {
            let text = "All rows of a VALUES list must have the same number of expressions.";
            return Err(SqlError::new(10709, 16, 1, text));
        }
        let mut items = Vec::with_capacity(width);
        for index in 0..width {
            let column = || bound.iter().filter_map(|row| row.get(index));
            let type_ = column().fold(Type::Null, |type_, value| common_type(type_, value.type_));
            let nullable = column().any(|value| value.nullable);
            let value = Bound::new(format!("column{}", index + 1), type_, nullable);
            items.push(OutColumn { name: String::new(), value });
        }
        let mut texts = Vec::with_capacity(bound.len());
        for row in bound {
            let mut cells = Vec::with_capacity(width);
            for (value, item) in row.into_iter().zip(&items) {
                cells.push(self.implicit(value, item.type_)?.sql);
            }
            texts.push(format!("({})", cells.join(",")));
        }
        let tail = format!(" FROM (VALUES {})", texts.join(","));
        Ok(BoundSelect { items, tail, ..BoundSelect::default() })
    }

    pub(super) fn common_tables(&mut self, tables: &[CommonTable]) -> Result<String, SqlError> {
        if tables.is_empty() {
            return Ok(String::new());
        }
        let mut parts = Vec::with_capacity(tables.len());
        for table in tables {
            let alias = self.alias();
            let sql_name = format!("w{alias}");
            let sql = if refers_to(&table.query.body, &table.name) {
                self.recursive_common_table(table, &sql_name)?
            } else {
                let bound = self.query(&table.query)?;
                let columns = named_columns(&table.columns, bound.columns(), &table.name)?;
                self.common.push(CommonTableEntry {
                    name: table.name.clone(),
                    sql_name: sql_name.clone(),
                    columns,
                    recursive_aliases: None,
                });
                bound.render(true)
            };
            parts.push(format!("{sql_name} AS ({sql})"));
        }
        Ok(format!("WITH RECURSIVE {} ", parts.join(", ")))
    }

    /// The anchor gives the types; a hidden column counts the depth, so that MAXRECURSION ends it.
    fn recursive_common_table(&mut self, table: &CommonTable, sql_name: &str) -> Result<String, SqlError> {
        let body = &table.query.body;
        let anchor = self.branch(&body.first, &[])?;
        let width = anchor.items.len();
        let columns = named_columns(&table.columns, &anchor.items, &table.name)?;
        let depth_column = Bound::new("0", Type::Int, false);
        let with_depth = |mut select: BoundSelect, depth: Bound| {
            select.items.push(OutColumn { name: String::new(), value: depth });
            select
        };
        let types: Vec<Type> = anchor.items.iter().map(|item| item.type_).collect();
        let mut branches = vec![(None, with_depth(anchor, depth_column))];
        self.common.push(CommonTableEntry {
            name: table.name.clone(),
            sql_name: sql_name.to_owned(),
            columns,
            recursive_aliases: Some(Vec::new()),
        });
        let entry = self.common.len() - 1;
        for (operator, branch) in &body.rest {
            if *operator != SetOperator::UnionAll {
                return Err(SqlError::unsupported("recursive common table expressions without UNION ALL"));
            }
            let mut select = self.branch(branch, &[])?;
            if select.items.len() != width {
                let text = "All queries combined using a UNION, INTERSECT or EXCEPT operator must have an equal number of expressions in their target lists.";
                return Err(SqlError::new(205, 16, 1, text));
            }
            for (item, type_) in select.items.iter_mut().zip(&types) {
                item.value = self.implicit(item.value.clone(), *type_)?;
            }
            let aliases = self.common.get_mut(entry).and_then(|entry| entry.recursive_aliases.as_mut());
            let alias = aliases.and_then(Vec::pop);
            let depth = match alias {
                Some(alias) => format!("recursion({alias}.c{width}+1,{})", self.max_recursion),
                None => "0".to_owned(),
            };
            branches.push((Some(SetOperator::UnionAll), with_depth(select, Bound::new(depth, Type::Int, false))));
        }
        if let Some(entry) = self.common.get_mut(entry) {
            entry.recursive_aliases = None;
        }
        let query = BoundQuery { with: String::new(), branches, order: String::new(), limit: String::new() };
        Ok(query.render(true))
    }
}

/// Columns of a derived table: c0, c1, … under the names given or their own.
pub(super) fn named_columns(
    names: &[String],
    columns: &[OutColumn],
    table: &str,
) -> Result<Vec<ScopeColumn>, SqlError> {
    if !names.is_empty() && names.len() != columns.len() {
        let text = format!(
            "'{table}' has {} columns than were specified in the column list.",
            if columns.len() > names.len() { "more" } else { "fewer" }
        );
        return Err(SqlError::new(if columns.len() > names.len() { 8159 } else { 8158 }, 16, 1, text));
    }
    let mut named: Vec<ScopeColumn> = Vec::with_capacity(columns.len());
    for (index, column) in columns.iter().enumerate() {
        let name = names.get(index).unwrap_or(&column.name).clone();
        if name.is_empty() {
            let text = format!("No column name was specified for column {} of '{table}'.", index + 1);
            return Err(SqlError::new(8155, 16, 2, text));
        }
        if named.iter().any(|other| other.name.eq_ignore_ascii_case(&name)) {
            let text = format!("The column '{name}' was specified multiple times for '{table}'.");
            return Err(SqlError::new(8156, 16, 1, text));
        }
        named.push(ScopeColumn {
            name,
            sql: format!("c{index}"),
            type_: column.type_,
            nullable: column.nullable,
            identity: column.identity,
        });
    }
    Ok(named)
}

/// ORDER BY of a compound: positions and names of the result, and columns as its first SELECT names them.
fn compound_order(order: &[OrderItem], columns: &[OutColumn], first: Option<&Branch>) -> Result<Vec<String>, SqlError> {
    let selected = |name: &Name| {
        let Some(Branch::Select(select)) = first else { return None };
        let is = |item: &SelectItem| matches!(item, SelectItem::Value { value: Expr::Column(other), .. } if other.text().eq_ignore_ascii_case(&name.text()));
        let stars = select.items.iter().any(|item| matches!(item, SelectItem::Star(_)));
        select.items.iter().position(is).filter(|_| !stars)
    };
    let mut terms = Vec::with_capacity(order.len());
    for item in order {
        let position = match &item.value {
            Expr::Integer(digits) => digits.parse::<usize>().ok().and_then(|position| position.checked_sub(1)),
            Expr::Column(name) if name.0.len() == 1 => {
                columns.iter().position(|column| column.name.eq_ignore_ascii_case(name.last()))
            }
            Expr::Column(name) => selected(name),
            _ => None,
        };
        let Some((position, _)) = position.and_then(|position| columns.get(position).map(|column| (position, column)))
        else {
            let text = "ORDER BY items must appear in the select list if the statement contains a UNION, INTERSECT or EXCEPT operator.";
            return Err(SqlError::new(104, 16, 1, text));
        };
        terms.push(format!("{}{}", position + 1, if item.descending { " DESC" } else { "" }));
    }
    Ok(terms)
}

/// A count of rows, which SQLite would take for "all" if it were negative.
pub(super) fn row_count(sql: &str) -> String {
    if sql.bytes().all(|byte| byte.is_ascii_digit()) { sql.to_owned() } else { format!("row_count({sql})") }
}

pub(super) fn order_term(value: &Bound, descending: bool) -> String {
    let collation = if value.type_.is_text() { " COLLATE tsql" } else { "" };
    format!("{}{collation}{}", comparable(value), if descending { " DESC" } else { "" })
}

/// Whether any branch reads a table of this name.
fn refers_to(body: &Body, name: &str) -> bool {
    use super::super::ast::Source;
    fn in_source(source: &Source, name: &str) -> bool {
        match source {
            Source::Table { name: table, .. } => table.0.len() == 1 && table.last().eq_ignore_ascii_case(name),
            Source::Derived { query, .. } => refers_to(&query.body, name),
            Source::Join { left, right, .. } => in_source(left, name) || in_source(right, name),
            Source::Variable { .. } | Source::Series { .. } => false,
        }
    }
    let in_branch = |branch: &Branch| match branch {
        Branch::Select(select) => select.from.iter().any(|source| in_source(source, name)),
        Branch::Nested(query) => refers_to(&query.body, name),
        Branch::Values(_) => false,
    };
    in_branch(&body.first) || body.rest.iter().any(|(_, branch)| in_branch(branch))
}
