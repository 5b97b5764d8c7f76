//! The shape of a table: from its definition to the catalog, and to SQLite.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::super::Session;
use crate::engine::ast::{ColumnDefinition, Constraint, TableDefinition};
use crate::engine::bind::{Binder, Names};
use crate::engine::catalog::{Column, Identity, Key, KeyKind, Table, quoted};
use crate::engine::error::SqlError;
use crate::engine::storage::owned;

impl Session {
    pub(super) fn new_table(
        &self,
        database: &str,
        name: &str,
        storage: String,
        definition: &TableDefinition,
    ) -> Result<Table, SqlError> {
        let mut columns: Vec<Column> = Vec::with_capacity(definition.columns.len());
        for column in &definition.columns {
            if columns.iter().any(|other| other.name.eq_ignore_ascii_case(&column.name)) {
                let text = format!(
                    "Column names in each table must be unique. Column name '{}' in table '{name}' is specified more than once.",
                    column.name
                );
                return Err(SqlError::new(2705, 16, 3, text));
            }
            columns.push(column_of(column));
        }
        let identity = definition.columns.iter().enumerate().find_map(|(at, column)| {
            column.identity.map(|(seed, increment)| Arc::new(Identity::new(at, seed, increment)))
        });
        let mut table = Table {
            id: self.catalog().next_object_id(),
            database: database.to_owned(),
            schema: "dbo".into(),
            name: name.to_owned(),
            storage,
            columns,
            keys: Vec::new(),
            identity,
            read_only: false,
            is_borrowed: false,
        };
        for constraint in &definition.constraints {
            if let Constraint::Key { name: given, primary, columns } = constraint {
                let indexes = key_columns(&table, columns)?;
                let kind = if *primary { KeyKind::Primary } else { KeyKind::Unique };
                let prefix = if *primary { "PK" } else { "UQ" };
                let key_name =
                    given.clone().unwrap_or_else(|| format!("{prefix}__{name}__{:08X}", table.id.unsigned_abs()));
                if *primary {
                    for at in &indexes {
                        if let Some(column) = table.columns.get_mut(*at) {
                            column.nullable = false;
                        }
                    }
                }
                table.keys.push(Key { name: key_name, kind, columns: indexes });
            }
        }
        Ok(table)
    }

    pub(super) fn table_sql(&self, table: &Table, definition: &TableDefinition) -> Result<String, SqlError> {
        let mut parts: Vec<String> = table.columns.iter().map(column_sql).collect();
        for key in &table.keys {
            parts.push(format!("UNIQUE ({})", key_sql(table, &key.columns)));
        }
        for (at, constraint) in definition.constraints.iter().enumerate() {
            if let Constraint::Check { name, predicate } = constraint {
                let name = name.clone().unwrap_or_else(|| format!("CK__{}__{at}", table.name));
                let catalog = self.catalog();
                let empty = BTreeMap::new();
                let names = Names {
                    catalog: &catalog,
                    database: &self.database,
                    temporary: &empty,
                    table_variables: &empty,
                    variables: &BTreeMap::new(),
                    identity_insert: None,
                    undeclared: None,
                };
                let check = Binder::new(&names).check(table, predicate)?;
                parts.push(format!("CONSTRAINT {} CHECK ({check})", quoted(&name)));
            }
        }
        Ok(format!("CREATE TABLE {} ({})", table.storage, parts.join(",")))
    }
}

pub(super) fn column_of(definition: &ColumnDefinition) -> Column {
    Column {
        name: definition.name.clone(),
        type_: definition.type_,
        nullable: definition.nullable.unwrap_or(true),
        default: definition.default.clone(),
        default_text: definition.default_text.clone(),
    }
}

/// A column without a SQLite type, so that SQLite converts nothing by itself.
pub(super) fn column_sql(column: &Column) -> String {
    let not_null = if column.nullable { "" } else { " NOT NULL" };
    let collation = if column.type_.is_text() { " COLLATE tsql" } else { "" };
    format!("{}{not_null}{collation}", quoted(&column.name))
}

pub(super) fn key_columns(table: &Table, names: &[String]) -> Result<Vec<usize>, SqlError> {
    let place = |name: &String| {
        table.column(name).map(|(at, _)| at).ok_or_else(|| {
            let text = format!("Column name '{name}' does not exist in the target table or view.");
            SqlError::new(1911, 16, 1, text)
        })
    };
    names.iter().map(place).collect()
}

pub(super) fn key_sql(table: &Table, columns: &[usize]) -> String {
    let names = columns.iter().filter_map(|at| table.columns.get(*at)).map(|column| quoted(&column.name));
    names.collect::<Vec<_>>().join(",")
}

/// SQLite's names of an index and of its table; index names are unique in the whole file there.
pub(super) fn index_names(table: &Table, index: &str) -> (String, String) {
    let stored = format!("{}.{}.{}.{index}", table.database, table.schema, table.name);
    if table.is_temporary() {
        return (format!("temp.{}", quoted(&stored)), table.storage.trim_start_matches("temp.").to_owned());
    }
    (quoted(&stored), table.storage.clone())
}

pub(super) fn sqlite_literal(value: &tds::value::Value) -> String {
    use rusqlite::types::Value as Stored;
    match owned(value) {
        Stored::Null => "NULL".into(),
        Stored::Integer(value) => value.to_string(),
        Stored::Real(value) => format!("{value:e}"),
        Stored::Text(text) => format!("'{}'", text.replace('\'', "''")),
        Stored::Blob(bytes) => format!("X'{}'", bytes.iter().map(|byte| format!("{byte:02X}")).collect::<String>()),
    }
}
