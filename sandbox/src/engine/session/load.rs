//! Bulk loads: rows go into their table one by one, in one transaction.

use std::sync::{Arc, PoisonError};

use tds::value::Value;

use super::super::ast::Name;
use super::super::catalog::{Table, quoted};
use super::super::convert::{Reason, convert};
use super::super::error::SqlError;
use super::super::sink::{Sink, StatementEnd, Stop};
use super::super::types::Type;
use super::statement::{bind, named, reach_of};
use super::{Failure, Session};

const BULK_INSERT: u16 = 0xF0;

/// A load that was announced, and then begun.
#[derive(Debug)]
pub(super) struct Load {
    table: Arc<Table>,
    columns: Vec<usize>,
    /// Types on the wire, once the rows' description has come.
    types: Vec<Type>,
    sql: String,
    rows: u64,
    /// Whether the load's transaction is its own.
    own: bool,
}

impl Session {
    /// `INSERT BULK`: what the rows to come are for.
    pub(super) fn announce_load(&mut self, target: &Name, names: &[String]) -> Result<(), Failure> {
        let table = self.find_table(target)?;
        self.check_writable(&table)?;
        let mut columns = Vec::with_capacity(names.len());
        for name in names {
            let Some((at, _)) = table.column(name) else { return Err(SqlError::invalid_column(name).into()) };
            columns.push(at);
        }
        if names.is_empty() {
            columns = (0..table.columns.len()).collect();
        }
        let sql = String::new();
        self.load = Some(Load { table, columns, types: Vec::new(), sql, rows: 0, own: false });
        Ok(())
    }

    pub(super) fn begin_load(&mut self, types: &[Type]) -> Result<(), Failure> {
        let Some(mut load) = self.load.take() else {
            return Err(SqlError::new(4002, 16, 1, "A bulk load must be announced by INSERT BULK.").into());
        };
        if types.len() != load.columns.len() {
            return Err(SqlError::new(
                4804,
                16,
                1,
                "The bulk load has another number of columns than INSERT BULK named.",
            )
            .into());
        }
        load.types = types.to_vec();
        let identity = load.table.identity.as_ref().map(|identity| identity.column);
        let mut names = Vec::new();
        let mut values = Vec::new();
        for (at, column) in load.table.columns.iter().enumerate() {
            match load.columns.iter().position(|given| *given == at) {
                Some(place) => {
                    let value = format!("?{}", place + 1);
                    values.push(if identity == Some(at) { format!("seen_identity({value})") } else { value });
                }
                None if identity == Some(at) => values.push("next_identity()".to_owned()),
                None if column.default.is_some() => {
                    return Err(SqlError::unsupported("bulk loads that leave out a column with a default").into());
                }
                None => continue,
            }
            names.push(quoted(&column.name));
        }
        load.sql = format!("INSERT INTO {} ({}) VALUES ({})", load.table.storage, names.join(","), values.join(","));
        load.own = self.transaction.is_none();
        let (table, own) = (Arc::clone(&load.table), load.own);
        self.load = Some(load);
        self.interrupter.clear();
        let began = self.open_load(&table, own);
        if began.is_err() {
            self.abort_load();
        }
        began
    }

    fn open_load(&mut self, table: &Arc<Table>, own: bool) -> Result<(), Failure> {
        if own {
            self.transaction = Some(super::Transaction::default());
        }
        self.writing(reach_of(table), |session| {
            session.count_identity(table);
            let identity = table.identity.clone();
            session.with_lease(|lease| {
                lease.identity.lock().unwrap_or_else(PoisonError::into_inner).current = identity;
                Ok(())
            })
        })
    }

    pub(super) fn load_row(&mut self, values: &[Value]) -> Result<(), Failure> {
        let Some(mut load) = self.load.take() else {
            return Err(SqlError::new(4002, 16, 1, "A bulk load must be announced by INSERT BULK.").into());
        };
        let stored = self.store_row(&load, values);
        load.rows += u64::from(stored.is_ok());
        self.load = Some(load);
        stored
    }

    fn store_row(&mut self, load: &Load, values: &[Value]) -> Result<(), Failure> {
        let mut converted = Vec::with_capacity(values.len());
        for ((value, from), at) in values.iter().zip(&load.types).zip(&load.columns) {
            let Some(column) = load.table.columns.get(*at) else { continue };
            converted.push(convert(value.clone(), *from, column.type_, 0, Reason::Store)?);
        }
        self.with_lease(|lease| {
            let mut statement = lease.connection.prepare_cached(&load.sql)?;
            bind(&mut statement, &converted)?;
            statement.raw_execute()?;
            Ok(())
        })
        .map_err(|failure| named(failure, &load.table))
    }

    pub(super) fn end_load(&mut self, sink: &mut dyn Sink) -> Result<(), Stop> {
        // A load without rows has not even begun.
        let Some(load) = self.load.take() else {
            return sink.end(StatementEnd { command: BULK_INSERT, rows: Some(0), failed: false });
        };
        let committed = if load.own { self.commit_work() } else { Ok(()) };
        match committed {
            Ok(()) => {
                self.row_count = i64::try_from(load.rows).unwrap_or(i64::MAX);
                sink.end(StatementEnd { command: BULK_INSERT, rows: Some(load.rows), failed: false })
            }
            Err(error) => {
                sink.message(error.message(""))?;
                sink.end(StatementEnd { command: BULK_INSERT, rows: None, failed: true })
            }
        }
    }

    pub(super) fn abort_load(&mut self) {
        if self.load.take().is_some_and(|load| load.own && !load.types.is_empty()) {
            self.rollback_silently();
        }
    }
}
