//! EXEC and remote calls: dynamic text, system procedures, the user's procedures.

use std::sync::Arc;

use tds::value::Value;

use super::super::ast::{Execute, Expr, Name, Parameter, Statement};
use super::super::catalog::{Procedure, resolve};
use super::super::convert::{Reason, convert};
use super::super::error::SqlError;
use super::super::front::Call;
use super::super::procedures::{self, Given, GivenTable};
use super::super::sink::{ReturnValue, Sink, StatementEnd, Stop};
use super::super::types::Type;
use super::run::{Flow, Unwind};
use super::{Failure, Frame, Session};

/// Levels of procedures and dynamic text.
const MAX_NESTING: u32 = 32;
const EXECUTE: u16 = 0xE0;

/// What a call leaves behind.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    pub(crate) status: i32,
    /// New values of output parameters, by their place in the call.
    pub(crate) outputs: Vec<(usize, Type, Value)>,
}

impl Session {
    /// A call from the client.
    pub(super) fn run_call(&mut self, call: Call, sink: &mut dyn Sink) -> Result<(), Stop> {
        let mut given = Vec::with_capacity(call.parameters.len());
        for parameter in &call.parameters {
            let Some(type_) = Type::from_type_info(&parameter.type_info) else {
                return self.refuse(&SqlError::unsupported("the type of this parameter"), sink);
            };
            given.push(Given {
                name: parameter.name.clone(),
                type_,
                value: if parameter.default { None } else { Some(parameter.value.clone()) },
                output: parameter.output,
                table: parameter.table.clone().map(|table| GivenTable::Rows(Arc::new(table))),
            });
        }
        let parts: Vec<String> =
            call.procedure.split('.').map(|part| part.trim_matches(['[', ']', '"']).to_owned()).collect();
        let outcome = match self.invoke(&Name(parts), &given, 1, sink) {
            Ok(outcome) => outcome,
            Err(Unwind::Stop) => return Err(Stop),
            Err(Unwind::Batch) => return sink.return_status(-6),
            Err(Unwind::Raise(error)) => {
                self.refuse(&error, sink)?;
                return sink.return_status(-6);
            }
        };
        sink.return_status(outcome.status)?;
        for (place, type_, value) in outcome.outputs {
            let name = call.parameters.get(place).map_or("", |parameter| parameter.name.as_str()).to_owned();
            let ordinal = u16::try_from(place).unwrap_or(u16::MAX);
            sink.return_value(ReturnValue { ordinal, name, type_info: type_.type_info(true), value })?;
        }
        Ok(())
    }

    /// EXEC in a batch.
    pub(super) fn run_execute(
        &mut self,
        execute: &Execute,
        statement: &Statement,
        frame: &mut Frame,
        sink: &mut dyn Sink,
    ) -> Result<Flow, Unwind> {
        if self.options.no_execute || self.options.format_only {
            return Ok(Flow::Next);
        }
        let done = match execute {
            Execute::Text(parts) => match self.dynamic_text(parts, frame) {
                Ok(text) => self.run_text(&text, &[], &[], String::new(), frame.level + 1, sink).map(|_| ()),
                Err(failure) => return self.failed(failure, statement, frame, sink),
            },
            Execute::Procedure { status, name, arguments } => {
                let mut given = Vec::with_capacity(arguments.len());
                for argument in arguments {
                    let table = match &argument.value {
                        Expr::Variable(name) => frame.tables.get(&name.to_lowercase()).cloned(),
                        _ => None,
                    };
                    let one = match argument.value {
                        Expr::Default => Ok((None, Type::Null)),
                        _ if table.is_some() => Ok((Some(Value::Null), Type::Null)),
                        _ => self.evaluate_typed(&argument.value, frame).map(|(value, type_)| (Some(value), type_)),
                    };
                    match one {
                        Ok((value, type_)) => given.push(Given {
                            name: argument.name.clone().unwrap_or_default(),
                            type_,
                            value,
                            output: argument.output,
                            table: table.map(GivenTable::Variable),
                        }),
                        Err(failure) => return self.failed(failure, statement, frame, sink),
                    }
                }
                self.invoke(name, &given, frame.level + 1, sink).map(|outcome| {
                    for (place, type_, value) in outcome.outputs {
                        if let Some(Expr::Variable(variable)) = arguments.get(place).map(|argument| &argument.value) {
                            store(frame, variable, value, type_);
                        }
                    }
                    if let Some(variable) = status {
                        store(frame, variable, Value::Int(outcome.status), Type::Int);
                    }
                })
            }
        };
        match done {
            Ok(()) => {
                sink.end(StatementEnd { command: EXECUTE, rows: None, failed: false })?;
                Ok(Flow::Next)
            }
            // An error before the procedure ran is this statement's; one inside went its way already.
            Err(Unwind::Raise(error)) => self.failed(Failure::Sql(error), statement, frame, sink),
            Err(other) => Err(other),
        }
    }

    fn dynamic_text(&mut self, parts: &[Expr], frame: &Frame) -> Result<String, Failure> {
        let mut text = String::new();
        for part in parts {
            if let Value::Text(more) = self.evaluate(part, None, frame, Some(Type::NVARCHAR_MAX))? {
                text.push_str(&more);
            }
        }
        Ok(text)
    }

    /// Runs a procedure by name.
    pub(crate) fn invoke(
        &mut self,
        name: &Name,
        given: &[Given],
        level: u32,
        sink: &mut dyn Sink,
    ) -> Result<Outcome, Unwind> {
        if let Some(outcome) = procedures::call(self, name, given, level, sink) {
            return outcome;
        }
        let catalog = self.catalog();
        let found = resolve(name, &self.database).ok().and_then(|resolved| catalog.procedure(&resolved).cloned());
        let Some(procedure) = found else {
            let text = format!("Could not find stored procedure '{}'.", name.text());
            return Err(Unwind::Raise(SqlError::new(2812, 16, 62, text)));
        };
        self.run_procedure(&procedure, given, level, sink)
    }

    fn run_procedure(
        &mut self,
        procedure: &Arc<Procedure>,
        given: &[Given],
        level: u32,
        sink: &mut dyn Sink,
    ) -> Result<Outcome, Unwind> {
        let arguments = matched(&procedure.parameters, given, &procedure.name).map_err(Unwind::Raise)?;
        self.run_text(&procedure.body, &procedure.parameters, &arguments, procedure.name.clone(), level, sink)
    }

    /// Runs a text in a frame of its own; SET options and USE end with it.
    pub(crate) fn run_text(
        &mut self,
        text: &str,
        parameters: &[Parameter],
        arguments: &[Argument],
        procedure: String,
        level: u32,
        sink: &mut dyn Sink,
    ) -> Result<Outcome, Unwind> {
        if level > MAX_NESTING {
            let text = "Maximum stored procedure, function, trigger, or view nesting level exceeded (limit 32).";
            return Err(Unwind::Raise(SqlError::new(217, 16, 1, text)));
        }
        let declared = parameters.iter().map(|parameter| format!("{} {:?};", parameter.name, parameter.type_));
        let code = self.code(text, &declared.collect::<String>()).map_err(Unwind::Raise)?;
        let mut frame = Frame::new(code, procedure, level);
        for (parameter, argument) in parameters.iter().zip(arguments) {
            if let Some(type_name) = &parameter.table {
                self.give_table(&parameter.name, type_name, argument.table.as_ref(), &mut frame)?;
                continue;
            }
            let (value, from) = match (&argument.value, &parameter.default) {
                (Some(value), _) => (value.clone(), argument.type_),
                (None, Some(default)) => match self.evaluate_typed(default, &frame) {
                    Ok(value) => value,
                    Err(Failure::Stop) => return Err(Unwind::Stop),
                    Err(Failure::Sql(error)) => return Err(Unwind::Raise(error)),
                },
                (None, None) => (Value::Null, Type::Null),
            };
            frame.set(&parameter.name, parameter.type_, value, from).map_err(Unwind::Raise)?;
        }
        let (options, database) = (self.options.clone(), self.database.clone());
        let ran = self.run_frame(&mut frame, sink);
        self.leave(&frame);
        let isolation_stays = level == 1 && frame.procedure.is_empty();
        let isolation = std::mem::replace(&mut self.options, options).isolation;
        if isolation_stays {
            self.options.isolation = isolation;
        }
        if self.database != database {
            self.change_database(&database, sink).map_err(|failure| match failure {
                Failure::Stop => Unwind::Stop,
                Failure::Sql(error) => Unwind::Raise(error),
            })?;
        }
        let status = match ran? {
            Flow::Return(status) => status,
            _ => 0,
        };
        let mut outcome = Outcome { status, outputs: Vec::new() };
        for (parameter, argument) in parameters.iter().zip(arguments) {
            if parameter.output && argument.output {
                let value = frame.values.get(&parameter.name.to_lowercase()).cloned().unwrap_or(Value::Null);
                outcome.outputs.push((argument.place, parameter.type_, value));
            }
        }
        Ok(outcome)
    }
}

/// A parameter's value in a call.
#[derive(Debug, Clone)]
pub(crate) struct Argument {
    /// `None` asks for the default.
    pub(crate) value: Option<Value>,
    pub(crate) type_: Type,
    pub(crate) output: bool,
    /// Its place among what the caller gave.
    pub(crate) place: usize,
    /// A table, instead of a value.
    pub(crate) table: Option<GivenTable>,
}

fn store(frame: &mut Frame, variable: &str, value: Value, from: Type) {
    let key = variable.to_lowercase();
    if let Some(type_) = frame.types.get(&key).copied()
        && let Ok(value) = convert(value, from, type_, 0, Reason::Cast)
    {
        frame.values.insert(key, value);
    }
}

/// Brings given parameters, by name or by place, into the order of the declared ones.
pub(crate) fn matched(parameters: &[Parameter], given: &[Given], procedure: &str) -> Result<Vec<Argument>, SqlError> {
    let mut arguments: Vec<Option<Argument>> = vec![None; parameters.len()];
    for (place, one) in given.iter().enumerate() {
        let at = if one.name.is_empty() {
            place
        } else {
            let named = parameters.iter().position(|parameter| parameter.name.eq_ignore_ascii_case(&one.name));
            named.ok_or_else(|| {
                let text = format!("{} is not a parameter for procedure {procedure}.", one.name);
                SqlError::new(8145, 16, 2, text)
            })?
        };
        let Some(slot) = arguments.get_mut(at) else {
            let text = format!("Procedure or function {procedure} has too many arguments specified.");
            return Err(SqlError::new(8144, 16, 2, text));
        };
        let table = one.table.clone();
        *slot = Some(Argument { value: one.value.clone(), type_: one.type_, output: one.output, place, table });
    }
    let mut complete = Vec::with_capacity(arguments.len());
    for (argument, parameter) in arguments.into_iter().zip(parameters) {
        match argument {
            Some(argument) if parameter.table.is_none() && argument.table.is_some() => {
                let text = format!("Operand type clash: table type is incompatible with {}", parameter.type_.name());
                return Err(SqlError::new(206, 16, 2, text));
            }
            Some(argument) if argument.value.is_some() || parameter.default.is_some() || parameter.table.is_some() => {
                complete.push(argument);
            }
            // A table that is not given is empty.
            None if parameter.default.is_some() || parameter.table.is_some() => {
                complete.push(Argument {
                    value: None,
                    type_: Type::Null,
                    output: false,
                    place: usize::MAX,
                    table: None,
                });
            }
            _ => {
                let text = format!(
                    "Procedure or function '{procedure}' expects parameter '{}', which was not supplied.",
                    parameter.name
                );
                return Err(SqlError::new(201, 16, 4, text));
            }
        }
    }
    Ok(complete)
}
