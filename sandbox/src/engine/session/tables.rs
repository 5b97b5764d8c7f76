//! Table types and table-valued parameters.

use std::sync::Arc;

use tds::rpc::TableValue;

use super::super::ast::{Name, TableDefinition};
use super::super::catalog::{Table, TableType, object_key, quoted, resolve};
use super::super::convert::{Reason, convert};
use super::super::error::SqlError;
use super::super::procedures::GivenTable;
use super::super::replication::Definition;
use super::super::types::Type;
use super::run::Unwind;
use super::statement::{bind, named};
use super::transaction::Reach;
use super::{Failure, Frame, Session};

impl Session {
    pub(super) fn table_type(&self, name: &Name) -> Result<Arc<TableType>, SqlError> {
        let found = resolve(name, &self.database).ok().and_then(|name| self.catalog().table_type(&name).cloned());
        found.ok_or_else(|| {
            let text = format!("Column, parameter, or variable: Cannot find data type {}.", name.text());
            SqlError::new(2715, 16, 6, text)
        })
    }

    pub(super) fn create_type(&mut self, name: &Name, definition: &TableDefinition) -> Result<(), Failure> {
        let resolved = self.resolved(name)?;
        let catalog = self.catalog();
        if catalog.table_type(&resolved).is_some() {
            let text =
                format!("The type '{}' already exists, or you do not have permission to create it.", name.text());
            return Err(SqlError::new(219, 16, 1, text).into());
        }
        let (id, schema) = (catalog.next_object_id(), resolved.schema);
        let type_ = TableType { id, schema, name: resolved.name, definition: definition.clone() };
        self.define(&resolved.database, Vec::new(), Definition::Type(Arc::new(type_)))
    }

    pub(super) fn drop_type(&mut self, name: &Name, if_exists: bool) -> Result<(), Failure> {
        let resolved = self.resolved(name)?;
        if self.catalog().table_type(&resolved).is_none() {
            if if_exists {
                return Ok(());
            }
            let text = format!(
                "Cannot drop the type '{}', because it does not exist or you do not have permission.",
                name.text()
            );
            return Err(SqlError::new(3701, 11, 5, text).into());
        }
        let key = object_key(&resolved.schema, &resolved.name);
        self.define(&resolved.database, Vec::new(), Definition::DropType(key))
    }

    /// Makes a READONLY parameter of the table that was given, or of an empty one.
    pub(super) fn give_table(
        &mut self,
        name: &str,
        type_name: &Name,
        given: Option<&GivenTable>,
        frame: &mut Frame,
    ) -> Result<(), Unwind> {
        self.make_parameter(name, type_name, given, frame).map_err(|failure| match failure {
            Failure::Stop => Unwind::Stop,
            Failure::Sql(error) => Unwind::Raise(error),
        })
    }

    fn make_parameter(
        &mut self,
        name: &str,
        type_name: &Name,
        given: Option<&GivenTable>,
        frame: &mut Frame,
    ) -> Result<(), Failure> {
        let type_ = self.table_type(type_name)?;
        let key = name.to_lowercase();
        if let Some(GivenTable::Variable(table)) = given {
            let shape = |table: &Table| table.columns.iter().map(|column| column.type_).collect::<Vec<_>>();
            let wanted: Vec<Type> = type_.definition.columns.iter().map(|column| column.type_).collect();
            if shape(table) != wanted {
                let text = format!("Operand type clash: table is incompatible with {}", type_.name);
                return Err(SqlError::new(206, 16, 2, text).into());
            }
            let borrowed = Table { read_only: true, is_borrowed: true, ..Table::clone(table) };
            frame.tables.insert(key, Arc::new(borrowed));
            return Ok(());
        }
        self.declare_table(name, &type_.definition, frame)?;
        let Some(table) = frame.tables.get(&key).cloned() else { return Ok(()) };
        if let Some(GivenTable::Rows(rows)) = given {
            self.fill(&table, rows, &type_)?;
        }
        frame.tables.insert(key, Arc::new(Table { read_only: true, ..Table::clone(&table) }));
        Ok(())
    }

    /// Stores the rows a client gave for a table.
    fn fill(&mut self, table: &Arc<Table>, given: &TableValue, type_: &TableType) -> Result<(), Failure> {
        if given.columns.is_empty() {
            return Ok(());
        }
        if given.columns.len() != table.columns.len() {
            let text = format!(
                "Trying to pass a table-valued parameter with {} column(s) where the corresponding user-defined table type requires {} column(s).",
                given.columns.len(),
                table.columns.len()
            );
            return Err(SqlError::new(500, 16, 1, text).into());
        }
        let columns = sent_columns(table, given, type_)?;
        let names: Vec<String> = columns.iter().map(|(name, ..)| quoted(name)).collect();
        let places: Vec<String> = (1..=columns.len()).map(|at| format!("?{at}")).collect();
        let sql = format!("INSERT INTO {} ({}) VALUES ({})", table.storage, names.join(","), places.join(","));
        self.writing(Reach::Temporary, |session| {
            session.with_lease(|lease| {
                let mut statement = lease.connection.prepare(&sql)?;
                for row in &given.rows {
                    let mut values = Vec::with_capacity(columns.len());
                    for ((_, from, to), value) in columns.iter().zip(row) {
                        values.push(convert(value.clone(), *from, *to, 0, Reason::Store)?);
                    }
                    bind(&mut statement, &values)?;
                    statement.raw_execute()?;
                }
                Ok(())
            })
        })
        .map_err(|failure| named(failure, table))
    }
}

/// The columns whose values come, in the order in which they come: name, type on the wire, type in the table.
fn sent_columns(table: &Table, given: &TableValue, type_: &TableType) -> Result<Vec<(String, Type, Type)>, SqlError> {
    let order = match given.ordering.as_slice() {
        [] => (0..given.columns.len()).collect(),
        ordering => ordering.iter().map(|&number| usize::from(number).saturating_sub(1)).collect::<Vec<_>>(),
    };
    let mut columns = Vec::with_capacity(order.len());
    for (sent, at) in given.columns.iter().zip(order) {
        let Some(column) = table.columns.get(at) else {
            return Err(SqlError::unsupported("a table-valued parameter with columns in this order"));
        };
        if sent.is_default() {
            if column.default.is_some() || table.identity.is_some() {
                return Err(SqlError::unsupported(format!("defaults in the table type {}", type_.name)));
            }
            continue;
        }
        let Some(from) = Type::from_type_info(&sent.type_info) else {
            return Err(SqlError::unsupported("the type of a column of this table-valued parameter"));
        };
        columns.push((column.name.clone(), from, column.type_));
    }
    Ok(columns)
}
