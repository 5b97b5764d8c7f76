//! An engine that obeys a few words instead of SQL, so that these tests are about TDS alone.
//!
//! A batch is a list of words, one statement each: `one` gives a row with the number 1, `spid`, `transactions` and `bulk`
//! (rows stored so far) a row with that number, `next` a row with the call's last parameter plus one, `long` a row with
//! [`LONG_CHARACTERS`], `name` one with the server's name, `many` gives [`MANY_ROWS`], `fail` fails, and `wait` waits until it is stopped.

use crate::engine::front::{Call, CallParameter, Engine, EngineSession, Interrupt, LoginOptions};
use crate::engine::sink::{Column, Environment, Message, ReturnValue, Sink, StatementEnd, Stop};
use crate::{DATABASE, LOGIN, PASSWORD};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use tds::request::TransactionRequest;
use tds::types::{ByteLenType, CharType, Collation, Length, TypeInfo};
use tds::value::Value;

pub(super) const LONG_CHARACTERS: usize = 100_000;
pub(super) const MANY_ROWS: i64 = 50_000;
/// The descriptor of every transaction.
pub(super) const DESCRIPTOR: u64 = 0x0102_0304_0506_0708;

#[derive(Debug)]
pub(super) struct FakeEngine(pub(super) &'static str);

struct FakeSession {
    name: &'static str,
    id: u16,
    descriptor: u64,
    wake: Receiver<()>,
    alarm: Arc<Alarm>,
    last: Value,
    bulk_rows: i64,
}

struct Alarm(SyncSender<()>);

impl Interrupt for Alarm {
    fn interrupt(&self) {
        let _ = self.0.try_send(());
    }
}

fn error(number: i32, text: &str) -> Message {
    Message { number, state: 1, class: 16, text: text.to_owned(), procedure: String::new(), line: 1 }
}

impl Engine for FakeEngine {
    fn name(&self) -> &str {
        self.0
    }

    fn login(
        &self,
        user: &str,
        password: &str,
        database: Option<&str>,
        options: LoginOptions,
    ) -> Result<Box<dyn EngineSession>, Message> {
        if (user, password) != (LOGIN, PASSWORD) {
            return Err(error(18456, &format!("Login failed for user '{user}'.")));
        }
        if database.is_some_and(|database| database != DATABASE) {
            return Err(error(4060, "Cannot open database."));
        }
        let (alarm, wake) = sync_channel(1);
        let (id, alarm) = (options.session_id, Arc::new(Alarm(alarm)));
        Ok(Box::new(FakeSession { name: self.0, id, descriptor: 0, wake, alarm, last: Value::Null, bulk_rows: 0 }))
    }
}

const BIG_INT: TypeInfo = TypeInfo::ByteLen(ByteLenType::IntN, 8);
const LONG_TEXT: TypeInfo = TypeInfo::Char(CharType::BigVarChar, Length::Max, Collation([9, 4, 0xD0, 0, 0x34]));

fn result(sink: &mut dyn Sink, type_info: TypeInfo, rows: impl Iterator<Item = Value>) -> Result<(), Stop> {
    sink.columns(&[Column { name: "n".to_owned(), type_info, nullable: true, identity: false, hidden: false }])?;
    let mut count = 0;
    for value in rows {
        sink.row(&[value])?;
        count += 1;
    }
    sink.end(StatementEnd { command: 0xC1, rows: Some(count), failed: false })
}

impl FakeSession {
    fn statement(&self, word: &str, sink: &mut dyn Sink) -> Result<(), Stop> {
        let number = match word {
            "one" => 1,
            "spid" => i64::from(self.id),
            "transactions" => i64::from(self.descriptor != 0),
            "bulk" => self.bulk_rows,
            "next" => match self.last {
                Value::BigInt(number) => number + 1,
                _ => panic!("no number to add one to"),
            },
            "long" => {
                return result(sink, LONG_TEXT, std::iter::once(Value::Text("x".repeat(LONG_CHARACTERS))));
            }
            "name" => return result(sink, LONG_TEXT, std::iter::once(Value::Text(self.name.to_owned()))),
            "many" => return result(sink, BIG_INT, (0..MANY_ROWS).map(Value::BigInt)),
            "fail" => {
                sink.message(error(8134, "Divide by zero error encountered."))?;
                return sink.end(StatementEnd { command: 0xC1, rows: None, failed: true });
            }
            "wait" => {
                while !sink.stopped() {
                    self.wake.recv().expect("the session holds the other end");
                }
                // As XACT_ABORT does it.
                let _ = sink.environment(Environment::Rollback(DESCRIPTOR));
                return Err(Stop);
            }
            other => panic!("{other} is no word of the fake engine"),
        };
        result(sink, BIG_INT, std::iter::once(Value::BigInt(number)))
    }
}

impl EngineSession for FakeSession {
    fn database(&self) -> &str {
        DATABASE
    }

    fn descriptor(&self) -> u64 {
        self.descriptor
    }

    fn interrupt(&self) -> Arc<dyn Interrupt> {
        Arc::clone(&self.alarm) as Arc<dyn Interrupt>
    }

    fn batch(&mut self, sql: &str, sink: &mut dyn Sink) -> Result<(), Stop> {
        sql.split_whitespace().try_for_each(|word| self.statement(word, sink))
    }

    fn call(&mut self, call: Call, sink: &mut dyn Sink) -> Result<(), Stop> {
        assert_eq!(call.procedure, "sp_executesql");
        let mut values = call.parameters.iter().map(|parameter| parameter.value.clone());
        let Some(Value::Text(sql)) = values.next() else { panic!("sp_executesql without a statement") };
        self.last = values.last().unwrap_or(Value::Null);
        self.batch(&sql, sink)?;
        sink.return_status(0)?;
        for (ordinal, parameter) in call.parameters.into_iter().enumerate().filter(|(_, parameter)| parameter.output) {
            let CallParameter { name, type_info, value, .. } = parameter;
            let ordinal = u16::try_from(ordinal).expect("few parameters");
            sink.return_value(ReturnValue { ordinal, name, type_info, value })?;
        }
        Ok(())
    }

    fn transaction(&mut self, request: TransactionRequest, sink: &mut dyn Sink) -> Result<(), Stop> {
        let change = match request {
            TransactionRequest::Begin(_) => {
                self.descriptor = DESCRIPTOR;
                Environment::Begin(DESCRIPTOR)
            }
            TransactionRequest::Commit { .. } => Environment::Commit(std::mem::take(&mut self.descriptor)),
            TransactionRequest::Rollback { .. } => Environment::Rollback(std::mem::take(&mut self.descriptor)),
            other => panic!("the fake engine has no {other:?}"),
        };
        sink.environment(change)?;
        sink.end(StatementEnd { command: 0xD4, rows: None, failed: false })
    }

    fn reset(&mut self, keep_transaction: bool) {
        if !keep_transaction {
            self.descriptor = 0;
        }
    }

    fn begin_bulk(&mut self, columns: &[tds::token::Column]) -> Result<(), Message> {
        if columns.len() == 1 {
            Ok(())
        } else {
            Err(error(213, "Column name or number of supplied values does not match."))
        }
    }

    fn bulk_row(&mut self, values: &[Value]) -> Result<(), Message> {
        if values == [Value::Int(-1)] {
            return Err(error(547, "The row conflicts with a constraint."));
        }
        self.bulk_rows += 1;
        Ok(())
    }

    fn end_bulk(&mut self, sink: &mut dyn Sink) -> Result<(), Stop> {
        let rows = u64::try_from(self.bulk_rows).ok();
        sink.end(StatementEnd { command: 0xF0, rows, failed: false })
    }

    fn abort_bulk(&mut self) {
        self.bulk_rows = 0;
    }
}
