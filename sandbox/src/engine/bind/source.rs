//! FROM: tables, views, derived tables, series and joins.

use super::super::ast::{Expr, Join, Name, Query, Source};
use super::super::catalog::{Table, quoted, resolve, views};
use super::super::error::SqlError;
use super::super::types::Type;
use super::coerce::common_type;
use super::query::named_columns;
use super::scope::{ScopeColumn, ScopeTable};
use super::{Binder, Bound};
use std::sync::Arc;

impl Binder<'_> {
    /// FROM with its leading blank, or nothing; its tables join the current scope.
    pub(super) fn from(&mut self, sources: &[Source]) -> Result<String, SqlError> {
        if sources.is_empty() {
            return Ok(String::new());
        }
        let mut parts = Vec::with_capacity(sources.len());
        for source in sources {
            parts.push(self.source(source)?);
        }
        Ok(format!(" FROM {}", parts.join(" CROSS JOIN ")))
    }

    fn source(&mut self, source: &Source) -> Result<String, SqlError> {
        match source {
            Source::Table { name, alias } => self.named_source(name, alias.as_deref()),
            Source::Variable { name, alias } => {
                let table = self.table_variable(name)?;
                self.cacheable = false;
                Ok(self.base_table(&table, alias.as_deref().unwrap_or(name)))
            }
            Source::Derived { query, alias, columns } => self.derived(query, alias, columns),
            Source::Series { arguments, alias } => self.series(arguments, alias.as_deref()),
            Source::Join { kind, left, right, on } => {
                let left = self.source(left)?;
                let right = match right.as_ref() {
                    join @ Source::Join { .. } => format!("({})", self.source(join)?),
                    other => self.source(other)?,
                };
                let word = match kind {
                    Join::Inner => "JOIN",
                    Join::Left => "LEFT JOIN",
                    Join::Right => "RIGHT JOIN",
                    Join::Full => "FULL JOIN",
                    Join::Cross => "CROSS JOIN",
                };
                if matches!(kind, Join::Left | Join::Right | Join::Full) {
                    // Any column of the outer side may be NULL now; columns of both sides are treated so.
                    for column in self.scope().tables.iter_mut().flat_map(|table| &mut table.columns) {
                        column.nullable = true;
                    }
                }
                let on = match on {
                    Some(on) => format!(" ON {}", self.predicate(on)?),
                    None => String::new(),
                };
                Ok(format!("{left} {word} {right}{on}"))
            }
        }
    }

    fn named_source(&mut self, name: &Name, alias: Option<&str>) -> Result<String, SqlError> {
        let exposed = alias.unwrap_or_else(|| name.last()).to_owned();
        if name.0.len() == 1
            && let Some(entry) = self.common.iter().rposition(|entry| entry.name.eq_ignore_ascii_case(name.last()))
        {
            return Ok(self.common_source(entry, exposed));
        }
        if let Some(view) = views::view(self.names.catalog, self.names.database, name) {
            let sql_alias = self.alias();
            self.cacheable = false;
            let columns = view.columns.iter().enumerate().map(|(index, (name, type_))| ScopeColumn {
                name: (*name).to_owned(),
                sql: format!("{sql_alias}.column{}", index + 1),
                type_: *type_,
                nullable: true,
                identity: false,
            });
            let columns = columns.collect();
            self.scope().tables.push(ScopeTable { name: exposed, columns });
            return Ok(format!("({}) AS {sql_alias}", view.sql));
        }
        let table = self.table(name)?;
        Ok(self.base_table(&table, &exposed))
    }

    fn common_source(&mut self, entry: usize, exposed: String) -> String {
        let alias = self.alias();
        let Some(entry) = self.common.get_mut(entry) else { return String::new() };
        if let Some(aliases) = &mut entry.recursive_aliases {
            aliases.push(alias.clone());
        }
        let mut columns = entry.columns.clone();
        for column in &mut columns {
            column.sql = format!("{alias}.{}", column.sql);
        }
        let sql = format!("{} AS {alias}", entry.sql_name);
        self.scope().tables.push(ScopeTable { name: exposed, columns });
        sql
    }

    /// A base table or temporary table by name.
    pub(super) fn table(&mut self, name: &Name) -> Result<Arc<Table>, SqlError> {
        if name.is_temporary() {
            self.cacheable = false;
            let found = self.names.temporary.get(&name.last().to_lowercase());
            return found.cloned().ok_or_else(|| SqlError::invalid_object(&name.text()));
        }
        let resolved = resolve(name, self.names.database)?;
        self.reads_tables = true;
        self.names.catalog.table(&resolved).cloned().ok_or_else(|| SqlError::invalid_object(&name.text()))
    }

    pub(super) fn table_variable(&mut self, name: &str) -> Result<Arc<Table>, SqlError> {
        self.cacheable = false;
        self.names
            .table_variables
            .get(&name.to_lowercase())
            .cloned()
            .ok_or_else(|| SqlError::new(1087, 15, 2, format!("Must declare the table variable \"{name}\".")))
    }

    /// Puts a table into scope under a fresh SQLite alias.
    pub(super) fn base_table(&mut self, table: &Table, exposed: &str) -> String {
        let alias = self.alias();
        self.expose(table, exposed, &alias);
        format!("{} AS {alias}", table.storage)
    }

    pub(super) fn expose(&mut self, table: &Table, exposed: &str, alias: &str) {
        let identity = table.identity.as_ref().map(|identity| identity.column);
        let columns = table.columns.iter().enumerate().map(|(index, column)| ScopeColumn {
            name: column.name.clone(),
            sql: if alias.is_empty() { quoted(&column.name) } else { format!("{alias}.{}", quoted(&column.name)) },
            type_: column.type_,
            nullable: column.nullable,
            identity: identity == Some(index),
        });
        let columns = columns.collect();
        self.scope().tables.push(ScopeTable { name: exposed.to_owned(), columns });
    }

    fn derived(&mut self, query: &Query, alias: &str, names: &[String]) -> Result<String, SqlError> {
        // A derived table does not see its neighbours in FROM, only what encloses the SELECT.
        let current = self.scopes.pop();
        let bound = self.query(query);
        self.scopes.extend(current);
        let bound = bound?;
        let mut columns = named_columns(names, bound.columns(), alias)?;
        let sql_alias = self.alias();
        for column in &mut columns {
            column.sql = format!("{sql_alias}.{}", column.sql);
        }
        self.scope().tables.push(ScopeTable { name: alias.to_owned(), columns });
        Ok(format!("({}) AS {sql_alias}", bound.render(true)))
    }

    /// GENERATE_SERIES(start, stop [, step]).
    fn series(&mut self, arguments: &[Expr], alias: Option<&str>) -> Result<String, SqlError> {
        let (start, stop, step) = match arguments {
            [start, stop] => (start, stop, None),
            [start, stop, step] => (start, stop, Some(step)),
            _ => return Err(SqlError::new(174, 15, 1, "The GENERATE_SERIES function requires 2 to 3 argument(s).")),
        };
        let start = self.expression(start)?;
        let stop = self.expression(stop)?;
        let type_ = common_type(start.type_, stop.type_);
        if !type_.is_integer() || type_ == Type::Bit {
            return Err(SqlError::unsupported("GENERATE_SERIES of anything but integers"));
        }
        let step = match step {
            Some(step) => {
                let step = self.expression(step)?;
                self.implicit(step, type_)?
            }
            None => Bound::new(format!("CASE WHEN {} > {} THEN -1 ELSE 1 END", start.sql, stop.sql), type_, false),
        };
        let (inner, outer) = (self.alias(), self.alias());
        let (start, stop, step) = (start.sql, stop.sql, step.sql);
        // The step is tested first, so that a step of zero ends at once.
        let sql = format!(
            "(WITH RECURSIVE {inner}(value, stop, step) AS (SELECT {start}, {stop}, {step} WHERE series_step({step}) > 0 AND {start} <= {stop} OR {step} < 0 AND {start} >= {stop} \
             UNION ALL SELECT value + step, stop, step FROM {inner} WHERE CASE WHEN step > 0 THEN value + step <= stop ELSE value + step >= stop END) \
             SELECT value FROM {inner}) AS {outer}"
        );
        let column = ScopeColumn {
            name: "value".into(),
            sql: format!("{outer}.value"),
            type_,
            nullable: false,
            identity: false,
        };
        let name = alias.unwrap_or("GENERATE_SERIES").to_owned();
        self.scope().tables.push(ScopeTable { name, columns: vec![column] });
        Ok(sql)
    }
}
