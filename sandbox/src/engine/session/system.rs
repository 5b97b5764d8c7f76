//! The values behind `@@names` and functions without arguments.

use tds::value::Value;

use super::super::bind::System;
use super::super::calendar::Moment;
use super::super::types::Type;
use super::{Frame, Session};

/// What `@@VERSION` says: clients parse the first line, people read the rest.
const VERSION: &str = "Microsoft SQL Server 2022 (RTM) - 16.0.1000.6 (X64) \n\tOct  8 2022 05:58:25 \n\tsandbox simulation, not a real server\n\tDeveloper Edition (64-bit) on Linux <X64>";

impl Session {
    pub(crate) fn system_value(&self, system: System, frame: &Frame) -> Value {
        let text = |text: &str| Value::Text(text.to_owned());
        let identity = |value: Option<i64>| match value {
            Some(value) => Value::Decimal { unscaled: i128::from(value), scale: 0 },
            None => Value::Null,
        };
        let now = |to: Type| Moment::now().to_value(to).unwrap_or(Value::Null);
        let error = frame.errors.last();
        match system {
            System::Version => text(VERSION),
            System::ServerName => text(&self.instance.shared.options.name),
            System::ServiceName => text("MSSQLSERVER"),
            System::Spid => Value::SmallInt(self.login_options.session_id.cast_signed()),
            System::TranCount => Value::Int(i32::try_from(self.depth()).unwrap_or(i32::MAX)),
            System::Identity => identity(self.identity),
            System::ScopeIdentity => identity(frame.identity),
            System::RowCount => Value::BigInt(self.row_count),
            System::Error => Value::Int(self.error),
            System::Options => Value::Int(self.options.bits()),
            System::Language => text(&self.options.language),
            System::LanguageId => Value::SmallInt(0),
            System::MaxPrecision => Value::TinyInt(38),
            System::MicrosoftVersion => Value::Int(0x1000_03E8),
            System::LockTimeout => Value::Int(self.options.lock_timeout_ms),
            System::DateFirst => Value::TinyInt(self.options.date_first),
            System::TextSize => Value::Int(self.options.text_size),
            System::NestLevel => Value::Int(i32::try_from(frame.level).unwrap_or(0)),
            System::FetchStatus => Value::Int(-1),
            System::MaxConnections => Value::Int(32_767),
            System::DatabaseName => text(&self.database),
            System::Login => text(&self.login),
            System::User => text("dbo"),
            System::ApplicationName => text(&self.login_options.application_name),
            System::HostName => text(&self.login_options.host_name),
            System::XactState => Value::SmallInt(match (self.depth(), self.is_doomed()) {
                (0, _) => 0,
                (_, true) => -1,
                (_, false) => 1,
            }),
            System::ErrorNumber => error.map_or(Value::Null, |error| Value::Int(error.number)),
            System::ErrorMessage => error.map_or(Value::Null, |error| text(&error.text)),
            System::ErrorSeverity => error.map_or(Value::Null, |error| Value::Int(i32::from(error.class))),
            System::ErrorState => error.map_or(Value::Null, |error| Value::Int(i32::from(error.state))),
            System::ErrorLine => error.map_or(Value::Null, |error| Value::Int(i32::try_from(error.line).unwrap_or(1))),
            System::ErrorProcedure => match frame.procedure.as_str() {
                "" => Value::Null,
                name => error.map_or(Value::Null, |_| text(name)),
            },
            System::Now => now(Type::DateTime),
            System::PreciseNow => now(Type::DateTime2(7)),
            System::OffsetNow => now(Type::DateTimeOffset(7)),
            System::TransactionId => {
                Value::BigInt(self.transaction.as_ref().map_or(0, |open| open.descriptor().cast_signed()))
            }
        }
    }
}
