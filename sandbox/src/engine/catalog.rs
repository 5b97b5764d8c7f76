//! What exists: databases, tables, columns, procedures. An immutable picture; a change makes a new one.

pub(crate) mod views;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use super::ast::{Expr, Name, Parameter, TableDefinition};
use super::error::SqlError;
use super::types::Type;
use views::sessions::Sessions;

/// The role a database has on its instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Role {
    /// Not replicated: lives here only.
    Standalone,
    /// Takes writes and ships them.
    Primary,
    /// Receives them and refuses writes.
    Secondary,
}

/// A column of a table.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Column {
    pub(crate) name: String,
    pub(crate) type_: Type,
    pub(crate) nullable: bool,
    pub(crate) default: Option<Expr>,
    pub(crate) default_text: String,
}

/// A PRIMARY KEY, UNIQUE constraint or index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Key {
    pub(crate) name: String,
    pub(crate) kind: KeyKind,
    pub(crate) columns: Vec<usize>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum KeyKind {
    Primary,
    Unique,
    UniqueIndex,
    Index,
}

/// The identity property: which column, and the counter that no rollback turns back.
#[derive(Debug)]
pub(crate) struct Identity {
    pub(crate) column: usize,
    pub(crate) seed: i64,
    pub(crate) increment: i64,
    last: Mutex<Option<i64>>,
}

impl Identity {
    pub(crate) fn new(column: usize, seed: i64, increment: i64) -> Self {
        Self { column, seed, increment, last: Mutex::new(None) }
    }

    /// The next value, never given twice.
    pub(crate) fn next(&self) -> i64 {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let next = last.map_or(self.seed, |last| last.saturating_add(self.increment));
        *last = Some(next);
        next
    }

    /// A value given explicitly, or seen on the primary: the counter never falls behind it.
    pub(crate) fn seen(&self, value: i64) {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let ahead = last.is_none_or(|last| if self.increment < 0 { value < last } else { value > last });
        if ahead {
            *last = Some(value);
        }
    }

    pub(crate) fn last(&self) -> Option<i64> {
        *self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn restart(&self) {
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

/// A table, in a database or temporary.
#[derive(Debug, Clone)]
pub(crate) struct Table {
    pub(crate) id: i32,
    /// Empty for temporary tables and table variables.
    pub(crate) database: String,
    pub(crate) schema: String,
    pub(crate) name: String,
    /// How SQLite names it, quoted and with its schema.
    pub(crate) storage: String,
    pub(crate) columns: Vec<Column>,
    pub(crate) keys: Vec<Key>,
    pub(crate) identity: Option<Arc<Identity>>,
    /// Whether it is a table-valued parameter, which may only be read.
    pub(crate) read_only: bool,
    /// Whether it is a parameter that is a table variable of the caller.
    pub(crate) is_borrowed: bool,
}

impl Table {
    pub(crate) fn is_temporary(&self) -> bool {
        self.database.is_empty()
    }

    pub(crate) fn column(&self, name: &str) -> Option<(usize, &Column)> {
        self.columns.iter().enumerate().find(|(_, column)| column.name.eq_ignore_ascii_case(name))
    }
}

/// A stored procedure.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Procedure {
    pub(crate) id: i32,
    pub(crate) schema: String,
    pub(crate) name: String,
    pub(crate) parameters: Vec<Parameter>,
    pub(crate) body: String,
}

/// A table type.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct TableType {
    pub(crate) id: i32,
    pub(crate) schema: String,
    pub(crate) name: String,
    pub(crate) definition: TableDefinition,
}

/// A database. Keys are `schema.name` in lower case.
#[derive(Debug, Clone)]
pub(crate) struct Database {
    pub(crate) id: i32,
    pub(crate) name: String,
    pub(crate) role: Role,
    pub(crate) tables: BTreeMap<String, Arc<Table>>,
    pub(crate) procedures: BTreeMap<String, Arc<Procedure>>,
    pub(crate) types: BTreeMap<String, Arc<TableType>>,
}

/// All databases of an instance. `version` changes with every change and is part of the key of cached plans.
#[derive(Debug, Clone)]
pub(crate) struct Catalog {
    pub(crate) version: u64,
    pub(crate) databases: Vec<Database>,
    /// Who is logged in, the same list in every picture.
    pub(crate) sessions: Sessions,
}

pub(crate) fn object_key(schema: &str, name: &str) -> String {
    format!("{}.{}", schema.to_lowercase(), name.to_lowercase())
}

pub(crate) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// How SQLite names a table of a database: one file holds all databases of an instance.
pub(crate) fn storage_name(database: &str, schema: &str, name: &str) -> String {
    format!("{database}.{schema}.{name}")
}

/// A name with its defaults filled in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Resolved {
    pub(crate) database: String,
    pub(crate) schema: String,
    pub(crate) name: String,
}

/// Fills in the current database and the schema dbo.
pub(crate) fn resolve(name: &Name, database: &str) -> Result<Resolved, SqlError> {
    let part = |text: &String, otherwise: &str| if text.is_empty() { otherwise.to_owned() } else { text.clone() };
    Ok(match name.0.as_slice() {
        [name] => Resolved { database: database.to_owned(), schema: "dbo".into(), name: name.clone() },
        [schema, name] => Resolved { database: database.to_owned(), schema: part(schema, "dbo"), name: name.clone() },
        [database_name, schema, name] => {
            Resolved { database: part(database_name, database), schema: part(schema, "dbo"), name: name.clone() }
        }
        _ => return Err(SqlError::unsupported("names of four parts")),
    })
}

impl Catalog {
    pub(crate) fn database(&self, name: &str) -> Option<&Database> {
        self.databases.iter().find(|database| database.name.eq_ignore_ascii_case(name))
    }

    pub(crate) fn database_mut(&mut self, name: &str) -> Option<&mut Database> {
        self.databases.iter_mut().find(|database| database.name.eq_ignore_ascii_case(name))
    }

    pub(crate) fn table(&self, name: &Resolved) -> Option<&Arc<Table>> {
        self.database(&name.database)?.tables.get(&object_key(&name.schema, &name.name))
    }

    pub(crate) fn procedure(&self, name: &Resolved) -> Option<&Arc<Procedure>> {
        self.database(&name.database)?.procedures.get(&object_key(&name.schema, &name.name))
    }

    pub(crate) fn table_type(&self, name: &Resolved) -> Option<&Arc<TableType>> {
        self.database(&name.database)?.types.get(&object_key(&name.schema, &name.name))
    }

    /// The next object id: distinct within the instance, as OBJECT_ID needs.
    pub(crate) fn next_object_id(&self) -> i32 {
        let tables = self.databases.iter().flat_map(|database| database.tables.values().map(|table| table.id));
        let procedures = self.databases.iter().flat_map(|database| database.procedures.values().map(|one| one.id));
        let types = self.databases.iter().flat_map(|database| database.types.values().map(|one| one.id));
        tables.chain(procedures).chain(types).max().unwrap_or(885_578_150).saturating_add(16)
    }
}
