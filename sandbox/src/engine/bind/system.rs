//! What a statement may ask of the session, the server and the clock. Filled in when it runs.

use super::super::types::{CharKind, Type};

/// A value of the session, the server or the clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum System {
    Version,
    ServerName,
    ServiceName,
    Spid,
    TranCount,
    Identity,
    ScopeIdentity,
    RowCount,
    Error,
    Options,
    Language,
    LanguageId,
    MaxPrecision,
    MicrosoftVersion,
    LockTimeout,
    DateFirst,
    TextSize,
    NestLevel,
    FetchStatus,
    MaxConnections,
    DatabaseName,
    Login,
    User,
    ApplicationName,
    HostName,
    XactState,
    ErrorNumber,
    ErrorMessage,
    ErrorSeverity,
    ErrorState,
    ErrorLine,
    ErrorProcedure,
    /// The clock as datetime.
    Now,
    /// The clock as datetime2(7).
    PreciseNow,
    /// The clock as datetimeoffset(7).
    OffsetNow,
    TransactionId,
}

impl System {
    /// `@@name`, without the `@@`, and its type.
    pub(crate) fn variable(name: &str) -> Option<(Self, Type)> {
        Some(match name.to_ascii_uppercase().as_str() {
            "VERSION" => (Self::Version, Type::nvarchar(300)),
            "SERVERNAME" => (Self::ServerName, Type::SYSNAME),
            "SERVICENAME" => (Self::ServiceName, Type::SYSNAME),
            "SPID" => (Self::Spid, Type::SmallInt),
            "TRANCOUNT" => (Self::TranCount, Type::Int),
            "IDENTITY" => (Self::Identity, Type::Decimal(38, 0)),
            "ROWCOUNT" => (Self::RowCount, Type::Int),
            "ERROR" => (Self::Error, Type::Int),
            "OPTIONS" => (Self::Options, Type::Int),
            "LANGUAGE" => (Self::Language, Type::SYSNAME),
            "LANGID" => (Self::LanguageId, Type::SmallInt),
            "MAX_PRECISION" => (Self::MaxPrecision, Type::TinyInt),
            "MICROSOFTVERSION" => (Self::MicrosoftVersion, Type::Int),
            "LOCK_TIMEOUT" => (Self::LockTimeout, Type::Int),
            "DATEFIRST" => (Self::DateFirst, Type::TinyInt),
            "TEXTSIZE" => (Self::TextSize, Type::Int),
            "NESTLEVEL" => (Self::NestLevel, Type::Int),
            "FETCH_STATUS" => (Self::FetchStatus, Type::Int),
            "MAX_CONNECTIONS" => (Self::MaxConnections, Type::Int),
            _ => return None,
        })
    }

    /// A function without arguments, and its type.
    pub(super) fn function(name: &str) -> Option<(Self, Type)> {
        Some(match name {
            "SCOPE_IDENTITY" => (Self::ScopeIdentity, Type::Decimal(38, 0)),
            "ROWCOUNT_BIG" => (Self::RowCount, Type::BigInt),
            "SUSER_NAME" | "SUSER_SNAME" | "ORIGINAL_LOGIN" | "SYSTEM_USER" => (Self::Login, Type::SYSNAME),
            "USER_NAME" | "USER" | "CURRENT_USER" | "SESSION_USER" => (Self::User, Type::SYSNAME),
            "APP_NAME" | "PROGRAM_NAME" => (Self::ApplicationName, Type::SYSNAME),
            "HOST_NAME" => (Self::HostName, Type::SYSNAME),
            "XACT_STATE" => (Self::XactState, Type::SmallInt),
            "ERROR_NUMBER" => (Self::ErrorNumber, Type::Int),
            "ERROR_MESSAGE" => (Self::ErrorMessage, Type::Text(CharKind::NVarChar, Some(4000))),
            "ERROR_SEVERITY" => (Self::ErrorSeverity, Type::Int),
            "ERROR_STATE" => (Self::ErrorState, Type::Int),
            "ERROR_LINE" => (Self::ErrorLine, Type::Int),
            "ERROR_PROCEDURE" => (Self::ErrorProcedure, Type::SYSNAME),
            "GETDATE" | "CURRENT_TIMESTAMP" | "GETUTCDATE" | "NOW" => (Self::Now, Type::DateTime),
            "SYSDATETIME" | "SYSUTCDATETIME" => (Self::PreciseNow, Type::DateTime2(7)),
            "SYSDATETIMEOFFSET" => (Self::OffsetNow, Type::DateTimeOffset(7)),
            "CURRENT_TRANSACTION_ID" => (Self::TransactionId, Type::BigInt),
            _ => return None,
        })
    }
}
