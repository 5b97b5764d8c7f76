//! The engine as a client sees it: SQL in, a transcript out.

mod catalog;
mod cursors;
mod errors;
mod language;
mod parameters;
mod replication;
mod tables;
mod totality;
mod transactions;
mod types;

use super::front::{Call, CallParameter, Engine, EngineSession, LoginOptions};
use super::sink::{Column, Environment, Message, ReturnValue, Sink, StatementEnd, Stop};
use super::{Pair, PairOptions};
use tds::value::Value;

/// Writes down what a session says, one line each.
#[derive(Default)]
struct Transcript {
    lines: Vec<String>,
    columns: Vec<Column>,
}

fn shown(value: &Value) -> String {
    match value {
        Value::Null => "NULL".into(),
        Value::Bit(value) => u8::from(*value).to_string(),
        Value::TinyInt(value) => value.to_string(),
        Value::SmallInt(value) => value.to_string(),
        Value::Int(value) => value.to_string(),
        Value::BigInt(value) => value.to_string(),
        Value::Real(value) => value.to_string(),
        Value::Float(value) => value.to_string(),
        Value::Decimal { unscaled, scale } => super::numeric::format(*unscaled, *scale),
        Value::Money(value) => super::numeric::format(i128::from(*value), 4),
        Value::Text(text) => text.clone(),
        Value::Binary(bytes) => bytes.iter().map(|byte| format!("{byte:02X}")).collect(),
        other => format!("{other:?}"),
    }
}

impl Sink for Transcript {
    fn columns(&mut self, columns: &[Column]) -> Result<(), Stop> {
        self.columns = columns.to_vec();
        Ok(())
    }

    fn row(&mut self, values: &[Value]) -> Result<(), Stop> {
        self.lines.push(values.iter().map(shown).collect::<Vec<_>>().join("|"));
        Ok(())
    }

    fn message(&mut self, message: Message) -> Result<(), Stop> {
        self.lines.push(format!("{}: {}", message.number, message.text));
        Ok(())
    }

    fn environment(&mut self, change: Environment) -> Result<(), Stop> {
        self.lines.push(match change {
            Environment::Begin(_) => "begin".into(),
            Environment::Commit(_) => "commit".into(),
            Environment::Rollback(_) => "rollback".into(),
            Environment::Database(new, _) => format!("database {new}"),
            Environment::Language(new, _) => format!("language {new}"),
        });
        Ok(())
    }

    fn end(&mut self, end: StatementEnd) -> Result<(), Stop> {
        if let Some(rows) = end.rows {
            self.lines.push(format!("({rows})"));
        }
        Ok(())
    }

    fn return_value(&mut self, value: ReturnValue) -> Result<(), Stop> {
        self.lines.push(format!("out {} {}={}", value.ordinal, value.name, shown(&value.value)));
        Ok(())
    }

    fn return_status(&mut self, status: i32) -> Result<(), Stop> {
        self.lines.push(format!("status {status}"));
        Ok(())
    }

    fn stopped(&self) -> bool {
        false
    }
}

fn pair() -> Pair {
    Pair::start(PairOptions::default()).expect("a pair starts")
}

fn login(engine: &dyn Engine) -> Box<dyn EngineSession> {
    let options = LoginOptions { odbc: true, session_id: 51, ..LoginOptions::default() };
    engine.login("app", "App_User_1", Some("SalesDB"), options).expect("the login is known")
}

fn transcript(session: &mut dyn EngineSession, sql: &str) -> Vec<String> {
    let mut transcript = Transcript::default();
    session.batch(sql, &mut transcript).expect("nobody stops it");
    transcript.lines
}

fn called(session: &mut dyn EngineSession, procedure: &str, parameters: Vec<CallParameter>) -> Vec<String> {
    let mut transcript = Transcript::default();
    session.call(Call { procedure: procedure.into(), parameters }, &mut transcript).expect("nobody stops it");
    transcript.lines
}

/// Runs a batch in a fresh pair's primary and compares everything it says.
#[track_caller]
fn check(sql: &str, expected: &[&str]) {
    let pair = pair();
    let mut session = login(pair.onprem());
    assert_eq!(transcript(session.as_mut(), sql), expected, "{sql}");
}

/// Checks many scalar expressions in one session: `SELECT expression` gives the text.
#[track_caller]
fn check_scalars(cases: &[(&str, &str)]) {
    let pair = pair();
    let mut session = login(pair.onprem());
    let failures: Vec<String> = cases
        .iter()
        .filter_map(|(expression, expected)| {
            let lines = transcript(session.as_mut(), &format!("SELECT {expression}"));
            let found = lines.first().cloned().unwrap_or_default();
            (found != *expected).then(|| format!("{expression}: expected {expected}, found {found}"))
        })
        .collect();
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}
