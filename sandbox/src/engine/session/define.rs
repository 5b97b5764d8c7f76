//! Definitions: tables, indexes, procedures, databases; TRUNCATE and SELECT INTO.

mod shape;

use std::sync::{Arc, PoisonError};

use shape::{column_of, column_sql, index_names, key_columns, key_sql, sqlite_literal};

use super::super::ast::{Branch, ColumnDefinition, Name, Parameter, Query, StatementKind, TableDefinition};
use super::super::bind::{Binder, Names};
use super::super::catalog::{
    Catalog, Database, Key, KeyKind, Procedure, Resolved, Role, Table, object_key, quoted, resolve, storage_name,
};
use super::super::error::SqlError;
use super::super::instance::define;
use super::super::replication::{Definition, Record};
use super::super::sink::Sink;
use super::statement::{bind, reach_of};
use super::transaction::Reach;
use super::{Failure, Frame, Session};

impl Session {
    pub(super) fn run_definition(
        &mut self,
        kind: &StatementKind,
        frame: &Frame,
        sink: &mut dyn Sink,
    ) -> Result<(), Failure> {
        self.begin_implicitly(sink)?;
        match kind {
            StatementKind::CreateTable { name, definition } => self.create_table(name, definition),
            StatementKind::AlterTableAdd { name, definition } => self.add_columns(name, definition, frame),
            StatementKind::AlterTableDrop { name, column } => self.drop_column(name, column),
            StatementKind::DropTable { names, if_exists } => {
                names.iter().try_for_each(|name| self.drop_table(name, *if_exists))
            }
            StatementKind::CreateIndex { unique, name, table, columns } => {
                self.create_index(*unique, name, table, columns)
            }
            StatementKind::DropIndex { name, table, if_exists } => self.drop_index(name, table, *if_exists),
            StatementKind::CreateProcedure { name, parameters, body, replace, alter } => {
                self.create_procedure(name, parameters, body, *replace, *alter)
            }
            StatementKind::DropProcedure { names, if_exists } => {
                names.iter().try_for_each(|name| self.drop_procedure(name, *if_exists))
            }
            StatementKind::CreateType { name, definition } => self.create_type(name, definition),
            StatementKind::DropType { name, if_exists } => self.drop_type(name, *if_exists),
            StatementKind::CreateDatabase(name) => self.create_database(name),
            StatementKind::DropDatabase { name, if_exists } => self.drop_database(name, *if_exists),
            StatementKind::Truncate(name) => self.truncate(name),
            _ => Err(SqlError::unsupported("this statement").into()),
        }
    }

    /// Runs SQLite statements and makes the change in the transaction's catalog and its redo record.
    pub(super) fn define(
        &mut self,
        database: &str,
        statements: Vec<String>,
        change: Definition,
    ) -> Result<(), Failure> {
        self.check_database(database)?;
        self.writing(Reach::Stored, |session| {
            let rows = session.with_lease(|lease| {
                // Rows changed before the definition must be redone before it.
                let rows = lease.changes.lock().unwrap_or_else(PoisonError::into_inner).take(&lease.connection)?;
                for statement in &statements {
                    lease.connection.execute_batch(statement)?;
                }
                Ok(rows)
            })?;
            let mut catalog = Catalog::clone(&session.catalog());
            catalog.version = session.instance.next_version();
            if let Definition::Table(table) = &change {
                // The counter of the table itself, not a copy's.
                if let Some(database) = catalog.database_mut(database) {
                    database.tables.insert(object_key(&table.schema, &table.name), Arc::clone(table));
                }
            } else {
                define(&mut catalog, database, &change);
            }
            let replicated = catalog.database(database).is_some_and(|one| one.role == Role::Primary);
            if let Some(transaction) = &mut session.transaction {
                transaction.catalog = Some(Arc::new(catalog));
                transaction.records.extend(rows.map(Record::Rows));
                if replicated {
                    transaction.records.push(Record::Define { database: database.to_owned(), statements, change });
                }
            }
            Ok(())
        })
    }

    pub(super) fn resolved(&self, name: &Name) -> Result<Resolved, SqlError> {
        let resolved = resolve(name, &self.database)?;
        let catalog = self.catalog();
        let Some(database) = catalog.database(&resolved.database) else {
            let text = format!(
                "Database '{}' does not exist. Make sure that the name is entered correctly.",
                resolved.database
            );
            return Err(SqlError::new(911, 16, 1, text));
        };
        if !resolved.schema.eq_ignore_ascii_case("dbo") {
            let text = format!(
                "The specified schema name \"{}\" either does not exist or you do not have permission to use it.",
                resolved.schema
            );
            return Err(SqlError::new(2760, 16, 1, text));
        }
        Ok(Resolved { database: database.name.clone(), ..resolved })
    }

    fn create_table(&mut self, name: &Name, definition: &TableDefinition) -> Result<(), Failure> {
        let taken = || {
            let text = format!("There is already an object named '{}' in the database.", name.last());
            SqlError::new(2714, 16, 6, text)
        };
        if name.is_temporary() {
            if name.last().starts_with("##") {
                return Err(SqlError::unsupported("global temporary tables").into());
            }
            if self.temporary.contains_key(&name.last().to_lowercase()) {
                return Err(taken().into());
            }
            let table = self.make_temporary(name.last(), name.last(), definition)?;
            self.temporary.insert(name.last().to_lowercase(), table);
            return Ok(());
        }
        let resolved = self.resolved(name)?;
        if self.catalog().table(&resolved).is_some() || self.catalog().procedure(&resolved).is_some() {
            return Err(taken().into());
        }
        let stored = storage_name(&resolved.database, &resolved.schema, &resolved.name);
        let table = self.new_table(&resolved.database, &resolved.name, quoted(&stored), definition)?;
        let sql = self.table_sql(&table, definition)?;
        self.define(&resolved.database, vec![sql], Definition::Table(Arc::new(table)))
    }

    /// A table of the session alone, in SQLite's temporary database.
    fn make_temporary(
        &mut self,
        name: &str,
        stored: &str,
        definition: &TableDefinition,
    ) -> Result<Arc<Table>, Failure> {
        let table = self.new_table("", name, format!("temp.{}", quoted(stored)), definition)?;
        let sql = self.table_sql(&table, definition)?;
        self.writing(Reach::Temporary, |session| {
            session.with_lease(|lease| {
                // A table variable of an earlier run of the same batch may have left its table.
                lease.connection.execute_batch(&format!("DROP TABLE IF EXISTS {}; {sql}", table.storage))?;
                Ok(())
            })
        })?;
        Ok(Arc::new(table))
    }

    pub(super) fn declare_table(
        &mut self,
        name: &str,
        definition: &TableDefinition,
        frame: &mut Frame,
    ) -> Result<(), Failure> {
        self.table_variables += 1;
        let stored = format!("{name}.{}", self.table_variables);
        let table = self.make_temporary(name, &stored, definition)?;
        frame.tables.insert(name.to_lowercase(), table);
        Ok(())
    }

    /// Drops the table variables of a batch or procedure that ends.
    pub(super) fn leave(&self, frame: &Frame) {
        if frame.tables.is_empty() {
            return;
        }
        let Some(lease) = &self.lease else { return };
        // A caller's table variable is the caller's to drop.
        for table in frame.tables.values().filter(|table| !table.is_borrowed) {
            // What a rollback has already undone need not be dropped.
            let _ = lease.connection.execute_batch(&format!("DROP TABLE IF EXISTS {}", table.storage));
        }
    }

    /// Drops the session's temporary tables, at reset and at the end.
    pub(super) fn drop_temporary(&mut self) {
        let tables = std::mem::take(&mut self.temporary);
        let Some(lease) = &self.lease else { return };
        for table in tables.values() {
            let _ = lease.connection.execute_batch(&format!("DROP TABLE IF EXISTS {}", table.storage));
        }
    }

    fn add_columns(&mut self, name: &Name, definition: &TableDefinition, frame: &Frame) -> Result<(), Failure> {
        let table = self.find_table(name)?;
        let mut changed = Table::clone(&table);
        let mut statements = Vec::new();
        for definition in &definition.columns {
            if definition.identity.is_some() {
                return Err(SqlError::unsupported("adding an identity column").into());
            }
            if changed.column(&definition.name).is_some() {
                let text = format!(
                    "Column names in each table must be unique. Column name '{}' in table '{}' is specified more than once.",
                    definition.name, table.name
                );
                return Err(SqlError::new(2705, 16, 4, text).into());
            }
            let column = column_of(definition);
            // NOT NULL wants a default, which existing rows get now; a NULL column leaves them NULL.
            let mut sql = format!("ALTER TABLE {} ADD COLUMN {}", table.storage, column_sql(&column));
            match &definition.default {
                Some(default) if !column.nullable => {
                    let value = self.evaluate(default, None, frame, Some(column.type_))?;
                    sql.push_str(&format!(" DEFAULT {}", sqlite_literal(&value)));
                }
                None if !column.nullable => {
                    let text = "ALTER TABLE only allows columns to be added that can contain nulls, or have a DEFAULT definition specified.";
                    return Err(SqlError::new(4901, 16, 1, text).into());
                }
                _ => {}
            }
            statements.push(sql);
            changed.columns.push(column);
        }
        self.change_table(&table, changed, statements)
    }

    fn drop_column(&mut self, name: &Name, column: &str) -> Result<(), Failure> {
        let table = self.find_table(name)?;
        let Some((at, found)) = table.column(column) else {
            let text = format!(
                "ALTER TABLE DROP COLUMN failed because column '{column}' does not exist in table '{}'.",
                table.name
            );
            return Err(SqlError::new(4924, 16, 1, text).into());
        };
        let is_key = table.keys.iter().any(|key| key.columns.contains(&at));
        if is_key || table.identity.as_ref().is_some_and(|identity| identity.column >= at) {
            return Err(SqlError::unsupported("dropping a column of a key, or one before the identity column").into());
        }
        let statements = vec![format!("ALTER TABLE {} DROP COLUMN {}", table.storage, quoted(&found.name))];
        let mut changed = Table::clone(&table);
        changed.columns.remove(at);
        for place in changed.keys.iter_mut().flat_map(|key| &mut key.columns).filter(|place| **place > at) {
            *place -= 1;
        }
        self.change_table(&table, changed, statements)
    }

    /// Changes a table's definition, wherever it lives.
    fn change_table(&mut self, table: &Table, changed: Table, statements: Vec<String>) -> Result<(), Failure> {
        if !table.is_temporary() {
            return self.define(&table.database.clone(), statements, Definition::Table(Arc::new(changed)));
        }
        self.run_temporary(&statements)?;
        self.temporary.insert(table.name.to_lowercase(), Arc::new(changed));
        Ok(())
    }

    fn run_temporary(&mut self, statements: &[String]) -> Result<(), Failure> {
        self.writing(Reach::Temporary, |session| {
            session.with_lease(|lease| {
                for statement in statements {
                    lease.connection.execute_batch(statement)?;
                }
                Ok(())
            })
        })
    }

    fn drop_table(&mut self, name: &Name, if_exists: bool) -> Result<(), Failure> {
        let table = match self.find_table(name) {
            Ok(table) => table,
            Err(_) if if_exists => return Ok(()),
            Err(_) => {
                let text = format!(
                    "Cannot drop the table '{}', because it does not exist or you do not have permission.",
                    name.text()
                );
                return Err(SqlError::new(3701, 11, 5, text).into());
            }
        };
        let statements = vec![format!("DROP TABLE {}", table.storage)];
        if table.is_temporary() {
            self.run_temporary(&statements)?;
            self.temporary.remove(&table.name.to_lowercase());
            return Ok(());
        }
        self.define(&table.database, statements, Definition::DropTable(object_key(&table.schema, &table.name)))
    }

    fn create_index(&mut self, unique: bool, name: &str, table: &Name, columns: &[String]) -> Result<(), Failure> {
        let table = self.find_table(table)?;
        if table.keys.iter().any(|key| key.name.eq_ignore_ascii_case(name)) {
            let text = format!(
                "The operation failed because an index or statistics with name '{name}' already exists on table '{}'.",
                table.name
            );
            return Err(SqlError::new(1913, 16, 1, text).into());
        }
        let columns = key_columns(&table, columns)?;
        let kind = if unique { KeyKind::UniqueIndex } else { KeyKind::Index };
        let word = if unique { "UNIQUE " } else { "" };
        let (index, on) = index_names(&table, name);
        let statements = vec![format!("CREATE {word}INDEX {index} ON {on} ({})", key_sql(&table, &columns))];
        let mut changed = Table::clone(&table);
        changed.keys.push(Key { name: name.to_owned(), kind, columns });
        self.change_table(&table, changed, statements)
    }

    fn drop_index(&mut self, name: &str, table: &Name, if_exists: bool) -> Result<(), Failure> {
        let table = self.find_table(table)?;
        let is_index = |key: &&Key| {
            key.name.eq_ignore_ascii_case(name) && matches!(key.kind, KeyKind::Index | KeyKind::UniqueIndex)
        };
        let Some(key) = table.keys.iter().find(is_index) else {
            if if_exists {
                return Ok(());
            }
            let text = format!(
                "Cannot drop the index '{}.{name}', because it does not exist or you do not have permission.",
                table.name
            );
            return Err(SqlError::new(3701, 11, 6, text).into());
        };
        let statements = vec![format!("DROP INDEX {}", index_names(&table, &key.name).0)];
        let mut changed = Table::clone(&table);
        changed.keys.retain(|other| other != key);
        self.change_table(&table, changed, statements)
    }

    fn create_procedure(
        &mut self,
        name: &Name,
        parameters: &[Parameter],
        body: &str,
        replace: bool,
        alter: bool,
    ) -> Result<(), Failure> {
        if name.is_temporary() {
            return Err(SqlError::unsupported("temporary procedures").into());
        }
        let resolved = self.resolved(name)?;
        let catalog = self.catalog();
        let known = catalog.procedure(&resolved);
        if known.is_some() && !replace && !alter {
            let text = format!("There is already an object named '{}' in the database.", name.last());
            return Err(SqlError::new(2714, 16, 3, text).into());
        }
        if known.is_none() && alter {
            return Err(SqlError::invalid_object(&name.text()).into());
        }
        let procedure = Procedure {
            id: known.map_or_else(|| catalog.next_object_id(), |known| known.id),
            schema: resolved.schema,
            name: resolved.name,
            parameters: parameters.to_vec(),
            body: body.to_owned(),
        };
        self.define(&resolved.database, Vec::new(), Definition::Procedure(Arc::new(procedure)))
    }

    fn drop_procedure(&mut self, name: &Name, if_exists: bool) -> Result<(), Failure> {
        let resolved = self.resolved(name)?;
        if self.catalog().procedure(&resolved).is_none() {
            if if_exists {
                return Ok(());
            }
            let text = format!(
                "Cannot drop the procedure '{}', because it does not exist or you do not have permission.",
                name.text()
            );
            return Err(SqlError::new(3701, 11, 5, text).into());
        }
        let key = object_key(&resolved.schema, &resolved.name);
        self.define(&resolved.database, Vec::new(), Definition::DropProcedure(key))
    }

    fn create_database(&self, name: &str) -> Result<(), Failure> {
        if self.depth() > 0 {
            let text = "CREATE DATABASE statement not allowed within multi-statement transaction.";
            return Err(SqlError::new(226, 16, 5, text).into());
        }
        if self.catalog().database(name).is_some() {
            let text = format!("Database '{name}' already exists. Choose a different database name.");
            return Err(SqlError::new(1801, 16, 3, text).into());
        }
        self.instance.add_database(name, Role::Standalone);
        Ok(())
    }

    fn drop_database(&mut self, name: &str, if_exists: bool) -> Result<(), Failure> {
        let catalog = self.catalog();
        let Some(database) = catalog.database(name) else {
            if if_exists {
                return Ok(());
            }
            let text =
                format!("Cannot drop the database '{name}', because it does not exist or you do not have permission.");
            return Err(SqlError::new(3701, 11, 1, text).into());
        };
        if database.id <= 4 || database.role != Role::Standalone {
            return Err(SqlError::unsupported(format!("dropping the database {name}")).into());
        }
        let Database { name, tables, .. } = database.clone();
        let statements: Vec<String> = tables.values().map(|table| format!("DROP TABLE {}", table.storage)).collect();
        self.writing(Reach::Stored, |session| {
            session.with_lease(|lease| {
                statements
                    .iter()
                    .try_for_each(|statement| lease.connection.execute_batch(statement))
                    .map_err(Failure::from)
            })
        })?;
        self.instance.remove_database(&name);
        Ok(())
    }

    fn truncate(&mut self, name: &Name) -> Result<(), Failure> {
        let table = self.find_table(name)?;
        self.check_writable(&table)?;
        self.writing(reach_of(&table), |session| {
            session.with_lease(|lease| {
                lease.connection.execute(&format!("DELETE FROM {} WHERE true", table.storage), [])?;
                Ok(())
            })
        })?;
        if let Some(identity) = &table.identity {
            identity.restart();
        }
        Ok(())
    }

    pub(super) fn select_into(
        &mut self,
        query: &Query,
        into: &Name,
        frame: &Frame,
        sink: &mut dyn Sink,
    ) -> Result<(), Failure> {
        let mut plain = query.clone();
        if let Branch::Select(select) = &mut plain.body.first {
            select.into = None;
        }
        let catalog = self.catalog();
        let names = Names {
            catalog: &catalog,
            database: &self.database,
            temporary: &self.temporary,
            table_variables: &frame.tables,
            variables: &frame.types,
            identity_insert: None,
            undeclared: None,
        };
        let plan = Binder::new(&names).query_plan(&plain)?;
        let mut definition = TableDefinition::default();
        for (column, type_) in plan.columns.iter().zip(&plan.types) {
            if column.name.is_empty() {
                let text = "An object or column name is missing or empty. For SELECT INTO statements, verify each column has a name.";
                return Err(SqlError::new(1038, 15, 5, text).into());
            }
            definition.columns.push(ColumnDefinition {
                name: column.name.clone(),
                type_: *type_,
                nullable: Some(column.nullable),
                identity: column.identity.then_some((1, 1)),
                default: None,
                default_text: String::new(),
            });
        }
        self.begin_implicitly(sink)?;
        let inputs = self.inputs(&plan, frame);
        let reach = if into.is_temporary() { Reach::Temporary } else { Reach::Stored };
        let rows = self.writing(reach, |session| {
            session.create_table(into, &definition)?;
            let table = session.find_table(into)?;
            session.with_lease(|lease| {
                let sql = format!("INSERT INTO {} {}", table.storage, plan.sql);
                let mut statement = lease.connection.prepare(&sql)?;
                bind(&mut statement, &inputs)?;
                let rows = statement.raw_execute()? as u64;
                if let Some(identity) = &table.identity
                    && let Some(column) = table.columns.get(identity.column)
                {
                    let sql = format!("SELECT max({}) FROM {}", quoted(&column.name), table.storage);
                    let last: Option<i64> = lease.connection.query_row(&sql, [], |row| row.get(0))?;
                    last.into_iter().for_each(|last| identity.seen(last));
                }
                Ok(rows)
            })
        })?;
        self.ended(super::run::SELECT, rows, sink)
    }
}
