//! Which columns a name may mean.

use super::super::ast::Name;
use super::super::error::SqlError;
use super::super::types::Type;
use super::{Binder, Bound};

/// A column that can be named.
#[derive(Debug, Clone)]
pub(super) struct ScopeColumn {
    pub(super) name: String,
    pub(super) sql: String,
    pub(super) type_: Type,
    pub(super) nullable: bool,
    pub(super) identity: bool,
}

/// A table, view, CTE or derived table in FROM.
#[derive(Debug, Clone)]
pub(super) struct ScopeTable {
    pub(super) name: String,
    pub(super) columns: Vec<ScopeColumn>,
}

/// The tables of one SELECT, and its grouping.
#[derive(Debug, Clone, Default)]
pub(super) struct Scope {
    pub(super) tables: Vec<ScopeTable>,
    /// SQLite texts of the GROUP BY expressions, once the SELECT is known to be grouped.
    pub(super) grouped: Option<Vec<String>>,
    /// Inside an aggregate's argument any column may stand.
    pub(super) in_aggregate: bool,
}

/// A common table expression in scope.
#[derive(Debug, Clone)]
pub(super) struct CommonTableEntry {
    pub(super) name: String,
    pub(super) sql_name: String,
    pub(super) columns: Vec<ScopeColumn>,
    /// While its recursive part is bound: aliases that read it.
    pub(super) recursive_aliases: Option<Vec<String>>,
}

impl Scope {
    fn find(&self, name: &Name) -> Result<Option<&ScopeColumn>, SqlError> {
        let column = name.last();
        let table = name.0.len().checked_sub(2).and_then(|index| name.0.get(index));
        let mut found = None;
        for candidate in &self.tables {
            if table.is_some_and(|table| !candidate.name.eq_ignore_ascii_case(table)) {
                continue;
            }
            for one in candidate.columns.iter().filter(|one| one.name.eq_ignore_ascii_case(column)) {
                if found.is_some() {
                    let text = format!("Ambiguous column name '{column}'.");
                    return Err(SqlError::new(209, 16, 1, text));
                }
                found = Some(one);
            }
        }
        Ok(found)
    }
}

impl Binder<'_> {
    pub(super) fn column(&self, name: &Name) -> Result<Bound, SqlError> {
        for scope in self.scopes.iter().rev() {
            let Some(column) = scope.find(name)? else { continue };
            if let Some(grouped) = &scope.grouped
                && !scope.in_aggregate
                && !grouped.contains(&column.sql)
            {
                let text = format!(
                    "Column '{}' is invalid in the select list because it is not contained in either an aggregate function or the GROUP BY clause.",
                    name.text()
                );
                return Err(SqlError::new(8120, 16, 1, text));
            }
            let mut bound = Bound::new(column.sql.clone(), column.type_, column.nullable);
            bound.identity = column.identity;
            return Ok(bound);
        }
        if name.0.len() > 1 {
            let text = format!("The multi-part identifier \"{}\" could not be bound.", name.text());
            return Err(SqlError::new(4104, 16, 1, text));
        }
        Err(SqlError::invalid_column(name.last()))
    }

    pub(super) fn scope(&mut self) -> &mut Scope {
        if self.scopes.is_empty() {
            self.scopes.push(Scope::default());
        }
        let last = self.scopes.len() - 1;
        self.scopes.get_mut(last).expect("a scope was just made sure of")
    }

    /// Runs `bind` inside a new scope.
    pub(super) fn scoped<T>(&mut self, bind: impl FnOnce(&mut Self) -> Result<T, SqlError>) -> Result<T, SqlError> {
        self.scopes.push(Scope::default());
        let bound = bind(self);
        self.scopes.pop();
        bound
    }
}
