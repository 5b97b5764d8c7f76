//! Queries and changes: binding, running, and sending rows.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError};

use rusqlite::Connection;
use tds::value::Value;

use super::super::ast::{Delete, Expr, Insert, InsertSource, Name, Query, StatementKind, Update};
use super::super::bind::{Action, Binder, Input, Names, Plan};
use super::super::catalog::{Role, Table, resolve};
use super::super::connection::Lease;
use super::super::error::SqlError;
use super::super::sink::{Sink, StatementEnd};
use super::super::storage::{Bound, decode, decoded};
use super::super::types::Type;
use super::run::SELECT;
use super::transaction::Reach;
use super::{Failure, Frame, Session};

const INSERT: u16 = 0xC3;
const DELETE: u16 = 0xC4;
const UPDATE: u16 = 0xC5;
/// Rows between looks whether the client cancelled.
const LOOK_ROWS: u64 = 64;

impl Session {
    /// The plan in a slot, bound now if it is not there.
    fn plan(
        &self,
        slot: Option<usize>,
        frame: &Frame,
        bind: impl FnOnce(Binder<'_>) -> Result<Plan, SqlError>,
    ) -> Result<Arc<Plan>, SqlError> {
        let usable = self.options.identity_insert.is_none();
        let catalog = self.catalog();
        let place = slot.filter(|_| usable).and_then(|slot| frame.code.plans.get(slot));
        if let Some((version, plan)) = place.and_then(|place| place.get())
            && *version == catalog.version
        {
            return Ok(Arc::clone(plan));
        }
        let names = Names {
            catalog: &catalog,
            database: &self.database,
            temporary: &self.temporary,
            table_variables: &frame.tables,
            variables: &frame.types,
            identity_insert: self.options.identity_insert,
            undeclared: None,
        };
        let plan = Arc::new(bind(Binder::new(&names))?);
        if plan.cacheable
            && let Some(place) = place
        {
            // Another session may have been first; its plan is the same.
            let _ = place.set((catalog.version, Arc::clone(&plan)));
        }
        Ok(plan)
    }

    /// The types that the variables a statement does not declare would best have, by lower-case name.
    pub(crate) fn suggested_types(
        &self,
        statement: &StatementKind,
        frame: &Frame,
    ) -> Result<BTreeMap<String, Option<Type>>, SqlError> {
        let catalog = self.catalog();
        let undeclared = RefCell::new(BTreeMap::new());
        let names = Names {
            catalog: &catalog,
            database: &self.database,
            temporary: &self.temporary,
            table_variables: &frame.tables,
            variables: &frame.types,
            identity_insert: None,
            undeclared: Some(&undeclared),
        };
        let binder = Binder::new(&names);
        match statement {
            StatementKind::Query(query) => binder.query_plan(query).map(drop),
            StatementKind::Insert(insert) => binder.insert_plan(insert).map(drop),
            StatementKind::Update(update) => binder.update_plan(update).map(drop),
            StatementKind::Delete(delete) => binder.delete_plan(delete).map(drop),
            _ => Err(SqlError::unsupported("describing the parameters of this statement")),
        }?;
        Ok(undeclared.into_inner())
    }

    /// The columns of a text's first result, had it these parameters; `None` if its first statement returns none.
    pub(crate) fn described(
        &self,
        sql: &str,
        parameters: &[super::super::ast::Parameter],
    ) -> Result<Option<Vec<super::super::sink::Column>>, SqlError> {
        let code = self.code(sql, "")?;
        let mut frame = Frame::new(Arc::clone(&code), String::new(), 1);
        for parameter in parameters {
            frame.types.insert(parameter.name.to_lowercase(), parameter.type_);
        }
        for statement in &code.batch.statements {
            let plan = match &statement.kind {
                StatementKind::Query(query) => self.plan(None, &frame, |binder| binder.query_plan(query))?,
                StatementKind::Insert(insert) => self.plan(None, &frame, |binder| binder.insert_plan(insert))?,
                StatementKind::Update(update) => self.plan(None, &frame, |binder| binder.update_plan(update))?,
                StatementKind::Delete(delete) => self.plan(None, &frame, |binder| binder.delete_plan(delete))?,
                _ => continue,
            };
            if !plan.columns.is_empty() {
                return Ok(Some(plan.columns.clone()));
            }
        }
        Ok(None)
    }

    pub(crate) fn inputs(&self, plan: &Plan, frame: &Frame) -> Vec<Value> {
        let value = |input: &Input| match input {
            Input::Variable(name) => frame.values.get(name).cloned().unwrap_or(Value::Null),
            Input::System(system) => self.system_value(*system, frame),
        };
        plan.inputs.iter().map(value).collect()
    }

    /// A scalar, converted to `to` if given.
    pub(crate) fn evaluate(
        &mut self,
        value: &Expr,
        slot: Option<usize>,
        frame: &Frame,
        to: Option<Type>,
    ) -> Result<Value, Failure> {
        let plan = self.plan(slot, frame, |binder| binder.scalar_plan(value, to))?;
        self.single(&plan, frame)
    }

    /// A scalar and the type it has by itself.
    pub(crate) fn evaluate_typed(&mut self, value: &Expr, frame: &Frame) -> Result<(Value, Type), Failure> {
        let plan = self.plan(None, frame, |binder| binder.scalar_plan(value, None))?;
        let type_ = plan.types.first().copied().unwrap_or(Type::Null);
        Ok((self.single(&plan, frame)?, type_))
    }

    pub(super) fn condition(&mut self, condition: &Expr, slot: usize, frame: &Frame) -> Result<bool, Failure> {
        let plan = self.plan(Some(slot), frame, |binder| binder.predicate_plan(condition))?;
        Ok(matches!(self.single(&plan, frame)?, Value::Int(1)))
    }

    fn single(&mut self, plan: &Plan, frame: &Frame) -> Result<Value, Failure> {
        let inputs = self.inputs(plan, frame);
        let type_ = plan.types.first().copied().unwrap_or(Type::Null);
        self.with_lease(|lease| {
            let mut statement = lease.connection.prepare_cached(&plan.sql)?;
            bind(&mut statement, &inputs)?;
            let mut rows = statement.raw_query();
            match rows.next()? {
                Some(row) => Ok(decoded(row.get_ref(0)?, type_)),
                None => Ok(Value::Null),
            }
        })
    }

    pub(super) fn with_lease<T>(&mut self, work: impl FnOnce(&Lease) -> Result<T, Failure>) -> Result<T, Failure> {
        let lease = self.take_lease()?;
        let done = work(&lease);
        self.lease = Some(lease);
        done
    }

    pub(super) fn run_query(
        &mut self,
        query: &Query,
        slot: usize,
        frame: &mut Frame,
        sink: &mut dyn Sink,
    ) -> Result<(), Failure> {
        if let super::super::ast::Branch::Select(select) = &query.body.first
            && let Some(into) = &select.into
        {
            return self.select_into(query, into, frame, sink);
        }
        let plan = self.plan(Some(slot), frame, |binder| binder.query_plan(query))?;
        if plan.reads_tables {
            self.begin_implicitly(sink)?;
        }
        match &plan.action {
            Action::Assign(variables) => self.run_assignment(&plan, variables, frame, sink),
            _ => self.run_select(&plan, frame, sink),
        }
    }

    fn run_select(&mut self, plan: &Plan, frame: &Frame, sink: &mut dyn Sink) -> Result<(), Failure> {
        let inputs = self.inputs(plan, frame);
        let format_only = self.options.format_only;
        let limit = match self.options.row_limit {
            0 => u64::MAX,
            limit => limit,
        };
        let rows = self.with_lease(|lease| {
            // Prepared before the client hears of columns: an error comes instead of a result, not inside it.
            let mut statement = lease.connection.prepare_cached(&plan.sql)?;
            bind(&mut statement, &inputs)?;
            sink.columns(&plan.columns)?;
            if format_only {
                return Ok(0);
            }
            send_rows(&mut statement, &plan.types, limit, sink)
        })?;
        self.ended(SELECT, rows, sink)
    }

    fn run_assignment(
        &mut self,
        plan: &Plan,
        variables: &[String],
        frame: &mut Frame,
        sink: &mut dyn Sink,
    ) -> Result<(), Failure> {
        let inputs = self.inputs(plan, frame);
        let (rows, last) = self.with_lease(|lease| {
            let mut statement = lease.connection.prepare_cached(&plan.sql)?;
            bind(&mut statement, &inputs)?;
            let mut found = statement.raw_query();
            let (mut rows, mut last) = (0_u64, None);
            while let Some(row) = found.next()? {
                rows += 1;
                let values: Result<Vec<_>, rusqlite::Error> =
                    plan.types.iter().enumerate().map(|(at, type_)| Ok(decoded(row.get_ref(at)?, *type_))).collect();
                last = Some(values?);
            }
            Ok((rows, last))
        })?;
        for (name, value) in variables.iter().zip(last.into_iter().flatten()) {
            frame.values.insert(name.clone(), value);
        }
        self.ended(SELECT, rows, sink)
    }

    /// Ends a statement that counts rows.
    pub(super) fn ended(&mut self, command: u16, rows: u64, sink: &mut dyn Sink) -> Result<(), Failure> {
        self.row_count = i64::try_from(rows).unwrap_or(i64::MAX);
        self.error = 0;
        let rows = (!self.options.no_count).then_some(rows);
        sink.end(StatementEnd { command, rows, failed: false })?;
        Ok(())
    }

    pub(super) fn run_insert(
        &mut self,
        insert: &Insert,
        slot: usize,
        frame: &mut Frame,
        sink: &mut dyn Sink,
    ) -> Result<(), Failure> {
        if let InsertSource::Execute(_) = insert.source {
            return Err(SqlError::unsupported("INSERT … EXEC").into());
        }
        let plan = self.plan(Some(slot), frame, |binder| binder.insert_plan(insert))?;
        self.run_change(&plan, INSERT, frame, sink)
    }

    pub(super) fn run_update(
        &mut self,
        update: &Update,
        slot: usize,
        frame: &mut Frame,
        sink: &mut dyn Sink,
    ) -> Result<(), Failure> {
        let plan = self.plan(Some(slot), frame, |binder| binder.update_plan(update))?;
        self.run_change(&plan, UPDATE, frame, sink)
    }

    pub(super) fn run_delete(
        &mut self,
        delete: &Delete,
        slot: usize,
        frame: &mut Frame,
        sink: &mut dyn Sink,
    ) -> Result<(), Failure> {
        let plan = self.plan(Some(slot), frame, |binder| binder.delete_plan(delete))?;
        self.run_change(&plan, DELETE, frame, sink)
    }

    fn run_change(&mut self, plan: &Plan, command: u16, frame: &mut Frame, sink: &mut dyn Sink) -> Result<(), Failure> {
        let Action::Write { table, output_into } = &plan.action else { return Ok(()) };
        if self.options.format_only {
            if !plan.columns.is_empty() && output_into.is_none() {
                sink.columns(&plan.columns)?;
                return self.ended(command, 0, sink);
            }
            return Ok(());
        }
        if self.options.row_limit > 0 {
            return Err(SqlError::unsupported("SET ROWCOUNT with a statement that changes rows").into());
        }
        self.check_writable(table)?;
        self.begin_implicitly(sink)?;
        let inputs = self.inputs(plan, frame);
        let reach = reach_of(table);
        let (rows, identity) = self
            .writing(reach, |session| {
                session.count_identity(table);
                session.with_lease(|lease| change(lease, plan, &inputs, sink))
            })
            .map_err(|failure| named(failure, table))?;
        if command == INSERT && table.identity.is_some() && identity.is_some() {
            self.identity = identity;
            frame.identity = identity;
        }
        self.ended(command, rows, sink)
    }

    /// A table whose identity counter may move: the secondary must learn how far.
    pub(super) fn count_identity(&mut self, table: &Arc<Table>) {
        if table.identity.is_some()
            && let Some(transaction) = &mut self.transaction
            && !transaction.counted.iter().any(|known| Arc::ptr_eq(known, table))
        {
            transaction.counted.push(Arc::clone(table));
        }
    }

    /// 3906 for a table of a database that is a secondary here.
    pub(crate) fn check_writable(&self, table: &Table) -> Result<(), SqlError> {
        if table.is_temporary() { Ok(()) } else { self.check_database(&table.database) }
    }

    pub(crate) fn check_database(&self, database: &str) -> Result<(), SqlError> {
        match self.instance.catalog().database(database) {
            Some(found) if found.role == Role::Secondary => Err(SqlError::read_only(&found.name)),
            _ => Ok(()),
        }
    }

    /// A table by name, temporary ones included.
    pub(crate) fn find_table(&self, name: &Name) -> Result<Arc<Table>, SqlError> {
        if name.is_temporary() {
            let found = self.temporary.get(&name.last().to_lowercase());
            return found.cloned().ok_or_else(|| SqlError::invalid_object(&name.text()));
        }
        let resolved = resolve(name, &self.database)?;
        self.catalog().table(&resolved).cloned().ok_or_else(|| SqlError::invalid_object(&name.text()))
    }
}

pub(super) fn reach_of(table: &Table) -> Reach {
    if table.is_temporary() { Reach::Temporary } else { Reach::Stored }
}

pub(crate) fn bind(statement: &mut rusqlite::Statement<'_>, inputs: &[Value]) -> Result<(), Failure> {
    for (index, value) in inputs.iter().enumerate() {
        statement.raw_bind_parameter(index + 1, Bound(value))?;
    }
    Ok(())
}

/// Sends rows until there are no more, reusing one row's memory.
pub(super) fn send_rows(
    statement: &mut rusqlite::Statement<'_>,
    types: &[Type],
    limit: u64,
    sink: &mut dyn Sink,
) -> Result<u64, Failure> {
    let mut values = vec![Value::Null; types.len()];
    let mut found = statement.raw_query();
    let mut rows = 0_u64;
    while rows < limit {
        let Some(row) = found.next()? else { break };
        for (index, (value, type_)) in values.iter_mut().zip(types).enumerate() {
            decode(row.get_ref(index)?, *type_, value);
        }
        sink.row(&values)?;
        rows += 1;
        if rows.is_multiple_of(LOOK_ROWS) && sink.stopped() {
            return Err(Failure::Stop);
        }
    }
    Ok(rows)
}

/// Runs a change; OUTPUT rows go to the client or into their table.
fn change(lease: &Lease, plan: &Plan, inputs: &[Value], sink: &mut dyn Sink) -> Result<(u64, Option<i64>), Failure> {
    let Action::Write { table, output_into } = &plan.action else { return Ok((0, None)) };
    {
        let mut identity = lease.identity.lock().unwrap_or_else(PoisonError::into_inner);
        identity.current = table.identity.clone();
        identity.last = None;
    }
    let mut statement = lease.connection.prepare_cached(&plan.sql)?;
    bind(&mut statement, inputs)?;
    let rows = if plan.types.is_empty() {
        statement.raw_execute()? as u64
    } else if let Some(into) = output_into {
        output_into_table(&lease.connection, &mut statement, plan, into)?
    } else {
        let mut values = vec![Value::Null; plan.types.len()];
        let mut found = statement.raw_query();
        let mut rows = 0;
        // The first row comes when all are changed: an error comes before the columns.
        let mut next = found.next()?;
        sink.columns(&plan.columns)?;
        while let Some(row) = next {
            for (index, (value, type_)) in values.iter_mut().zip(&plan.types).enumerate() {
                decode(row.get_ref(index)?, *type_, value);
            }
            sink.row(&values)?;
            rows += 1;
            next = found.next()?;
        }
        rows
    };
    let identity = lease.identity.lock().unwrap_or_else(PoisonError::into_inner).last;
    Ok((rows, identity))
}

fn output_into_table(
    connection: &Connection,
    statement: &mut rusqlite::Statement<'_>,
    plan: &Plan,
    into: &Plan,
) -> Result<u64, Failure> {
    let mut insert = connection.prepare_cached(&into.sql)?;
    let mut found = statement.raw_query();
    let mut rows = 0;
    while let Some(row) = found.next()? {
        let values: Result<Vec<_>, rusqlite::Error> =
            plan.types.iter().enumerate().map(|(at, type_)| Ok(decoded(row.get_ref(at)?, *type_))).collect();
        bind(&mut insert, &values?)?;
        insert.raw_execute()?;
        rows += 1;
    }
    Ok(rows)
}

/// SQLite names the columns of a broken key; SQL Server names the key.
pub(super) fn named(failure: Failure, table: &Table) -> Failure {
    let Failure::Sql(mut error) = failure else { return failure };
    if error.number == 2627
        && let Some((columns, object)) = error.text.clone().split_once('\u{2}')
    {
        let broken: Vec<&str> = columns.split(", ").map(|column| column.rsplit('.').next().unwrap_or(column)).collect();
        let names = |key: &super::super::catalog::Key| -> Vec<&str> {
            key.columns.iter().filter_map(|at| table.columns.get(*at)).map(|column| column.name.as_str()).collect()
        };
        let object = if table.is_temporary() { format!("dbo.{}", table.name) } else { object.to_owned() };
        let key = table.keys.iter().find(|key| names(key) == broken);
        let name = key.map_or("", |key| key.name.as_str());
        error.text = match key.map(|key| key.kind) {
            Some(super::super::catalog::KeyKind::UniqueIndex) => {
                error.number = 2601;
                format!("Cannot insert duplicate key row in object '{object}' with unique index '{name}'.")
            }
            Some(super::super::catalog::KeyKind::Primary) => {
                format!(
                    "Violation of PRIMARY KEY constraint '{name}'. Cannot insert duplicate key in object '{object}'."
                )
            }
            _ => format!(
                "Violation of UNIQUE KEY constraint '{name}'. Cannot insert duplicate key in object '{object}'."
            ),
        };
    }
    Failure::Sql(error)
}
