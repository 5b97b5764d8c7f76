//! Binds T-SQL syntax to what exists, gives every expression its type, and writes the SQLite statement that does it.

mod aggregate;
mod call;
mod coerce;
mod dates;
mod dml;
mod expression;
mod objects;
mod operators;
mod predicate;
mod query;
mod scope;
mod select;
mod source;
mod strings;
mod system;

use coerce::common_type;
pub(crate) use coerce::type_of_code;
pub(crate) use system::System;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::Arc;

use super::ast::{Expr, Name, Query};
use super::catalog::{Catalog, Table};
use super::error::SqlError;
use super::sink::Column;
use super::types::Type;
use scope::{CommonTableEntry, Scope};

/// What a parameter of the SQLite statement is filled with at each execution.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Input {
    /// A variable, by its name in lower case.
    Variable(String),
    /// Something of the session or the clock.
    System(System),
}

/// An expression that is bound: SQLite text and type.
#[derive(Debug, Clone)]
pub(crate) struct Bound {
    pub(crate) sql: String,
    pub(crate) type_: Type,
    pub(crate) nullable: bool,
    pub(crate) identity: bool,
}

impl Bound {
    pub(crate) fn new(sql: impl Into<String>, type_: Type, nullable: bool) -> Self {
        Self { sql: sql.into(), type_, nullable, identity: false }
    }
}

/// Where names are looked up.
pub(crate) struct Names<'a> {
    pub(crate) catalog: &'a Catalog,
    pub(crate) database: &'a str,
    /// Temporary tables of the session, by lower-case name.
    pub(crate) temporary: &'a BTreeMap<String, Arc<Table>>,
    /// Table variables in scope, by lower-case name.
    pub(crate) table_variables: &'a BTreeMap<String, Arc<Table>>,
    /// Types of scalar variables, by lower-case name.
    pub(crate) variables: &'a BTreeMap<String, Type>,
    /// Table whose identity column takes explicit values.
    pub(crate) identity_insert: Option<i32>,
    /// Where set, unknown variables are allowed, and what they are converted to is noted here.
    pub(crate) undeclared: Option<&'a RefCell<BTreeMap<String, Option<Type>>>>,
}

/// What a plan does besides reading.
#[derive(Debug, Clone)]
pub(crate) enum Action {
    /// Rows go to the client.
    Read,
    /// The last row's values go into these variables.
    Assign(Vec<String>),
    /// A table is changed; rows, if any, are OUTPUT.
    Write { table: Arc<Table>, output_into: Option<Box<Plan>> },
}

/// A statement ready to run.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    pub(crate) sql: String,
    pub(crate) inputs: Vec<Input>,
    pub(crate) columns: Vec<Column>,
    pub(crate) types: Vec<Type>,
    pub(crate) action: Action,
    /// Whether it depends on nothing but text, catalog and declared types.
    pub(crate) cacheable: bool,
    /// Whether it reads a table, which begins a transaction under IMPLICIT_TRANSACTIONS.
    pub(crate) reads_tables: bool,
}

/// Binds one statement.
pub(crate) struct Binder<'a> {
    names: &'a Names<'a>,
    inputs: Vec<Input>,
    scopes: Vec<Scope>,
    common: Vec<CommonTableEntry>,
    aliases: usize,
    cacheable: bool,
    reads_tables: bool,
    max_recursion: u32,
}

impl<'a> Binder<'a> {
    pub(crate) fn new(names: &'a Names<'a>) -> Self {
        Self {
            names,
            inputs: Vec::new(),
            scopes: Vec::new(),
            common: Vec::new(),
            aliases: 0,
            cacheable: true,
            reads_tables: false,
            max_recursion: 100,
        }
    }

    /// A query whose rows go to the client or into variables.
    pub(crate) fn query_plan(mut self, query: &Query) -> Result<Plan, SqlError> {
        if let Some(assigned) = select::assigned_variables(query)? {
            return self.assignment_plan(query, assigned);
        }
        let bound = self.query(query)?;
        let (columns, types) = bound.client_columns();
        let sql = bound.render(false);
        Ok(self.finish(sql, columns, types, Action::Read))
    }

    /// A scalar, converted to `to` if given: for SET, PRINT, RETURN and arguments.
    pub(crate) fn scalar_plan(mut self, value: &Expr, to: Option<Type>) -> Result<Plan, SqlError> {
        let bound = self.expression(value)?;
        let bound = match to {
            Some(to) => self.implicit(bound, to)?,
            None => bound,
        };
        let sql = format!("SELECT {}", bound.sql);
        Ok(self.finish(sql, Vec::new(), vec![bound.type_], Action::Read))
    }

    /// A predicate: 1, 0 or NULL.
    pub(crate) fn predicate_plan(mut self, predicate: &Expr) -> Result<Plan, SqlError> {
        let sql = self.predicate(predicate)?;
        Ok(self.finish(format!("SELECT {sql}"), Vec::new(), vec![Type::Int], Action::Read))
    }

    fn finish(self, sql: String, columns: Vec<Column>, types: Vec<Type>, action: Action) -> Plan {
        let Self { inputs, cacheable, reads_tables, .. } = self;
        Plan { sql, inputs, columns, types, action, cacheable, reads_tables }
    }

    /// The SQLite parameter for an input; equal inputs share one.
    fn input(&mut self, input: Input) -> String {
        let known = self.inputs.iter().position(|existing| *existing == input);
        let index = known.unwrap_or_else(|| {
            self.inputs.push(input);
            self.inputs.len() - 1
        });
        format!("?{}", index + 1)
    }

    fn alias(&mut self) -> String {
        self.aliases += 1;
        format!("t{}", self.aliases)
    }
}
