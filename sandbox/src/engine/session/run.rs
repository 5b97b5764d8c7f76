//! Runs statements in order: control flow, TRY and CATCH, and what an error ends.

use std::collections::BTreeMap;
use std::sync::Arc;

use tds::value::Value;

use super::super::ast::{Declaration, Expr, Statement, StatementKind};
use super::super::convert::{Reason, convert};
use super::super::error::SqlError;
use super::super::instance::{Code, CodeKey};
use super::super::sink::{Environment, Sink, StatementEnd, Stop};
use super::super::types::Type;
use super::{Failure, Frame, Session};

/// What follows a statement that ended well.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Flow {
    Next,
    Break,
    Continue,
    Return(i32),
}

/// What follows one that did not.
#[derive(Debug)]
pub(crate) enum Unwind {
    Stop,
    /// The batch is over; the client has been told why.
    Batch,
    /// Looks for a CATCH.
    Raise(SqlError),
}

impl From<Stop> for Unwind {
    fn from(_: Stop) -> Self {
        Self::Stop
    }
}

/// CurCmd values of statements without one of their own.
pub(super) const SELECT: u16 = 0xC1;
const SET: u16 = 0xB9;
const BEGIN: u16 = 0xD4;
const COMMIT: u16 = 0xD5;
const ROLLBACK: u16 = 0xD2;
const SAVE: u16 = 0xD6;

impl Session {
    /// A batch from the client.
    pub(super) fn run_batch(&mut self, sql: &str, sink: &mut dyn Sink) -> Result<(), Stop> {
        let code = match self.code(sql, "") {
            Ok(code) => code,
            Err(error) => return self.refuse(&error, sink),
        };
        let mut frame = Frame::new(code, String::new(), 0);
        let outcome = self.run_frame(&mut frame, sink);
        self.leave(&frame);
        match outcome {
            Ok(_) | Err(Unwind::Batch) => Ok(()),
            Err(Unwind::Stop) => Err(Stop),
            Err(Unwind::Raise(error)) => self.refuse(&error, sink),
        }
    }

    /// Reports an error that kept a batch from running at all.
    pub(super) fn refuse(&mut self, error: &SqlError, sink: &mut dyn Sink) -> Result<(), Stop> {
        self.error = error.number;
        sink.message(error.message(""))?;
        sink.end(StatementEnd { command: SELECT, rows: None, failed: true })
    }

    /// The parsed form of a text under the session's present settings.
    pub(crate) fn code(&self, sql: &str, parameters: &str) -> Result<Arc<Code>, SqlError> {
        self.instance.code(CodeKey {
            text: sql.to_owned(),
            parameters: parameters.to_owned(),
            database: self.database.clone(),
            catalog: self.catalog().version,
            quoted_identifiers: self.options.quoted_identifiers,
        })
    }

    pub(super) fn run_frame(&mut self, frame: &mut Frame, sink: &mut dyn Sink) -> Result<Flow, Unwind> {
        if self.options.parse_only && !switches_on(&frame.code.batch.statements, "PARSEONLY") {
            return Ok(Flow::Next);
        }
        let code = Arc::clone(&frame.code);
        // Variables are known in the whole batch, wherever they are declared; a table variable from its statement on.
        declare_all(&code.batch.statements, frame);
        self.run_all(&code.batch.statements, frame, sink)
    }

    fn run_all(&mut self, statements: &[Statement], frame: &mut Frame, sink: &mut dyn Sink) -> Result<Flow, Unwind> {
        for statement in statements {
            match self.run(statement, frame, sink)? {
                Flow::Next => {}
                other => return Ok(other),
            }
        }
        Ok(Flow::Next)
    }

    fn run(&mut self, statement: &Statement, frame: &mut Frame, sink: &mut dyn Sink) -> Result<Flow, Unwind> {
        if self.interrupter.is_raised() || sink.stopped() {
            return Err(Unwind::Stop);
        }
        match &statement.kind {
            StatementKind::Block(body) => self.run_all(body, frame, sink),
            StatementKind::If { condition, then, otherwise } => {
                let holds = match self.condition(condition, statement.slot, frame) {
                    Ok(holds) => holds,
                    Err(failure) => return self.failed(failure, statement, frame, sink),
                };
                match (holds, otherwise) {
                    (true, _) => self.run(then, frame, sink),
                    (false, Some(otherwise)) => self.run(otherwise, frame, sink),
                    (false, None) => Ok(Flow::Next),
                }
            }
            StatementKind::While { condition, body } => self.run_while(condition, body, statement, frame, sink),
            StatementKind::Try { body, catch } => self.run_try(body, catch, frame, sink),
            StatementKind::Break => Ok(Flow::Break),
            StatementKind::Continue => Ok(Flow::Continue),
            StatementKind::Return(value) => {
                let status = match value {
                    None => Ok(0),
                    Some(value) => self.integer(value, statement.slot, frame),
                };
                match status {
                    Ok(status) => Ok(Flow::Return(status)),
                    Err(failure) => self.failed(failure, statement, frame, sink),
                }
            }
            StatementKind::Execute(execute) => self.run_execute(execute, statement, frame, sink),
            _ => match self.run_simple(statement, frame, sink) {
                Ok(()) => Ok(Flow::Next),
                Err(failure) => self.failed(failure, statement, frame, sink),
            },
        }
    }

    fn run_while(
        &mut self,
        condition: &Expr,
        body: &Statement,
        statement: &Statement,
        frame: &mut Frame,
        sink: &mut dyn Sink,
    ) -> Result<Flow, Unwind> {
        loop {
            if self.interrupter.is_raised() || sink.stopped() {
                return Err(Unwind::Stop);
            }
            match self.condition(condition, statement.slot, frame) {
                Ok(true) => {}
                Ok(false) => return Ok(Flow::Next),
                Err(failure) => return self.failed(failure, statement, frame, sink),
            }
            match self.run(body, frame, sink)? {
                Flow::Break => return Ok(Flow::Next),
                Flow::Return(status) => return Ok(Flow::Return(status)),
                Flow::Next | Flow::Continue => {}
            }
        }
    }

    fn run_try(
        &mut self,
        body: &[Statement],
        catch: &[Statement],
        frame: &mut Frame,
        sink: &mut dyn Sink,
    ) -> Result<Flow, Unwind> {
        self.try_depth += 1;
        let tried = self.run_all(body, frame, sink);
        self.try_depth = self.try_depth.saturating_sub(1);
        match tried {
            Err(Unwind::Raise(error)) => {
                frame.errors.push(error);
                let caught = self.run_all(catch, frame, sink);
                frame.errors.pop();
                self.error = 0;
                caught
            }
            other => other,
        }
    }

    /// What an error of a statement ends: itself, the batch, the transaction; or it is raised to a CATCH.
    pub(super) fn failed(
        &mut self,
        failure: Failure,
        statement: &Statement,
        frame: &Frame,
        sink: &mut dyn Sink,
    ) -> Result<Flow, Unwind> {
        let Failure::Sql(error) = failure else { return Err(Unwind::Stop) };
        let error = error.at_line(statement.line);
        self.error = error.number;
        self.row_count = 0;
        self.report_lost_work(sink)?;
        let thrown = std::mem::take(&mut self.thrown);
        let aborts = thrown
            || self.options.xact_abort && !error.is_compile_time() && error.number < 50_000
            || error.ends_batch();
        if self.try_depth > 0 && error.class < 20 {
            if self.depth() > 0 && (self.options.xact_abort || error.dooms()) {
                self.doom();
            }
            if error.number == 1205 {
                self.rollback_all(sink)?;
            }
            return Err(Unwind::Raise(error));
        }
        sink.message(error.message(&frame.procedure))?;
        if matches!(error.number, 2627 | 2601 | 515 | 547 | 2628 | 8134 | 8115 | 220) {
            let note = SqlError::new(3621, 0, 0, "The statement has been terminated.").at_line(error.line);
            sink.message(note.message(&frame.procedure))?;
        }
        sink.end(StatementEnd { command: command_of(&statement.kind), rows: None, failed: true })?;
        if !aborts {
            return Ok(Flow::Next);
        }
        if self.options.xact_abort || error.dooms() {
            self.rollback_all(sink)?;
        }
        Err(Unwind::Batch)
    }

    fn run_simple(&mut self, statement: &Statement, frame: &mut Frame, sink: &mut dyn Sink) -> Result<(), Failure> {
        let slot = statement.slot;
        match &statement.kind {
            StatementKind::SetOption { names, value } => return self.set_option(names, value, frame, sink),
            _ if self.options.no_execute => return Ok(()),
            _ => {}
        }
        let command = command_of(&statement.kind);
        match &statement.kind {
            StatementKind::Query(query) => return self.run_query(query, slot, frame, sink),
            StatementKind::Insert(insert) => return self.run_insert(insert, slot, frame, sink),
            StatementKind::Update(update) => return self.run_update(update, slot, frame, sink),
            StatementKind::Delete(delete) => return self.run_delete(delete, slot, frame, sink),
            _ if self.options.format_only => return Ok(()),
            StatementKind::Declare(declarations) => return self.run_declare(declarations, frame),
            StatementKind::SetVariable { name, operator, value } => {
                let value = match operator {
                    None => value.clone(),
                    Some(operator) => {
                        Expr::Arithmetic(*operator, Box::new(Expr::Variable(name.clone())), Box::new(value.clone()))
                    }
                };
                self.assign(name, &value, slot, frame)?;
                self.error = 0;
                return Ok(());
            }
            StatementKind::Print(value) => return self.print(value, slot, frame, sink),
            StatementKind::RaisError { message, severity, state, arguments } => {
                return self.raise_error(message, severity, state, arguments, frame, sink);
            }
            StatementKind::Throw(parts) => return self.throw(parts.as_ref(), frame),
            StatementKind::WaitFor { time, value } => {
                self.wait_for(*time, value, slot, frame)?;
            }
            StatementKind::Use(name) => self.change_database(name, sink)?,
            StatementKind::Begin { .. } => self.begin(sink)?,
            StatementKind::Commit => self.commit(sink)?,
            StatementKind::Rollback { name } => {
                let had_tables =
                    !frame.tables.is_empty() && self.transaction.as_ref().is_some_and(|open| open.is_open());
                self.rollback(name.as_deref(), sink)?;
                if had_tables {
                    // SQLite undoes table variables with everything else, SQL Server does not: so they are gone.
                    frame.tables.clear();
                }
            }
            StatementKind::Save { name } => self.save(name)?,
            StatementKind::InsertBulk { target, columns } => self.announce_load(target, columns)?,
            StatementKind::Nothing => {}
            _ => self.run_definition(&statement.kind, frame, sink)?,
        }
        self.error = 0;
        sink.end(StatementEnd { command, rows: None, failed: false })?;
        Ok(())
    }

    fn run_declare(&mut self, declarations: &[Declaration], frame: &mut Frame) -> Result<(), Failure> {
        for declaration in declarations {
            match declaration {
                Declaration::Scalar { name, value: Some(value), .. } => {
                    let converted =
                        self.evaluate(value, None, frame, frame.types.get(&name.to_lowercase()).copied())?;
                    frame.values.insert(name.to_lowercase(), converted);
                }
                Declaration::Scalar { .. } => {}
                Declaration::Table { name, definition } => self.declare_table(name, definition, frame)?,
                Declaration::TableType { name, type_name } => {
                    let type_ = self.table_type(type_name)?;
                    self.declare_table(name, &type_.definition, frame)?;
                }
            }
        }
        Ok(())
    }

    pub(super) fn assign(&mut self, name: &str, value: &Expr, slot: usize, frame: &mut Frame) -> Result<(), Failure> {
        let key = name.to_lowercase();
        let Some(type_) = frame.types.get(&key).copied() else { return Err(SqlError::undeclared(name).into()) };
        let value = self.evaluate(value, Some(slot), frame, Some(type_))?;
        frame.values.insert(key, value);
        Ok(())
    }

    pub(super) fn change_database(&mut self, name: &str, sink: &mut dyn Sink) -> Result<(), Failure> {
        let catalog = self.catalog();
        let Some(found) = catalog.database(name) else {
            let text = format!("Database '{name}' does not exist. Make sure that the name is entered correctly.");
            return Err(SqlError::new(911, 16, 1, text).into());
        };
        let before = std::mem::replace(&mut self.database, found.name.clone());
        sink.environment(Environment::Database(found.name.clone(), before))?;
        let text = format!("Changed database context to '{}'.", found.name);
        sink.message(SqlError::new(5701, 0, 2, text).message(""))?;
        Ok(())
    }

    fn integer(&mut self, value: &Expr, slot: usize, frame: &Frame) -> Result<i32, Failure> {
        match self.evaluate(value, Some(slot), frame, Some(Type::Int))? {
            Value::Int(value) => Ok(value),
            _ => Ok(0),
        }
    }
}

impl Frame {
    pub(crate) fn new(code: Arc<Code>, procedure: String, level: u32) -> Self {
        Self {
            types: BTreeMap::new(),
            values: BTreeMap::new(),
            tables: BTreeMap::new(),
            procedure,
            identity: None,
            errors: Vec::new(),
            code,
            level,
        }
    }

    /// Declares a variable and gives it a value of its type.
    pub(crate) fn set(&mut self, name: &str, type_: Type, value: Value, from: Type) -> Result<(), SqlError> {
        let key = name.to_lowercase();
        let value = convert(value, from, type_, 0, Reason::Cast)?;
        self.types.insert(key.clone(), type_);
        self.values.insert(key, value);
        Ok(())
    }
}

/// Whether the batch itself sets an option, so that SET … OFF works while it is on.
fn switches_on(statements: &[Statement], option: &str) -> bool {
    statements.iter().any(|statement| {
        matches!(&statement.kind, StatementKind::SetOption { names, .. } if names.iter().any(|name| name == option))
    })
}

fn declare_all(statements: &[Statement], frame: &mut Frame) {
    for statement in statements {
        match &statement.kind {
            StatementKind::Declare(declarations) => {
                for declaration in declarations {
                    if let Declaration::Scalar { name, type_, .. } = declaration {
                        let key = name.to_lowercase();
                        frame.types.insert(key.clone(), *type_);
                        frame.values.entry(key).or_insert(Value::Null);
                    }
                }
            }
            StatementKind::Block(body) => declare_all(body, frame),
            StatementKind::Try { body, catch } => {
                declare_all(body, frame);
                declare_all(catch, frame);
            }
            StatementKind::If { then, otherwise, .. } => {
                declare_all(std::slice::from_ref(then), frame);
                if let Some(otherwise) = otherwise {
                    declare_all(std::slice::from_ref(otherwise), frame);
                }
            }
            StatementKind::While { body, .. } => declare_all(std::slice::from_ref(body), frame),
            _ => {}
        }
    }
}

/// The CurCmd a statement's DONE carries.
pub(super) fn command_of(kind: &StatementKind) -> u16 {
    match kind {
        StatementKind::Query(_) => SELECT,
        StatementKind::Insert(_) | StatementKind::InsertBulk { .. } => 0xC3,
        StatementKind::Delete(_) => 0xC4,
        StatementKind::Update(_) => 0xC5,
        StatementKind::CreateTable { .. } => 0xC6,
        StatementKind::DropTable { .. } => 0xC7,
        StatementKind::AlterTableAdd { .. } | StatementKind::AlterTableDrop { .. } => 0xD8,
        StatementKind::CreateIndex { .. } => 0xC8,
        StatementKind::DropIndex { .. } => 0xCA,
        StatementKind::CreateProcedure { .. } => 0xDE,
        StatementKind::DropProcedure { .. } => 0xDF,
        StatementKind::Execute(_) => 0xE0,
        StatementKind::Begin { .. } => BEGIN,
        StatementKind::Commit => COMMIT,
        StatementKind::Rollback { .. } => ROLLBACK,
        StatementKind::Save { .. } => SAVE,
        _ => SET,
    }
}
