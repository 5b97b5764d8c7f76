//! What a client asks: ALL_HEADERS, the head of any request as its packets arrive, and transaction manager requests.

pub mod head;
pub mod headers;
mod statement;
#[cfg(test)]
mod tests;
pub mod transaction;

pub use head::{Head, HeadReader, Procedure, RequestHead};
pub use headers::{AllHeaders, QueryNotification, TraceActivity, TransactionDescriptor};
pub use statement::Statement;
pub use transaction::{Begin, IsolationLevel, TransactionRequest};

use crate::text;

/// The procedures a client can call by number ([MS-TDS] 2.2.6.6).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u16)]
pub enum ProcId {
    /// sp_cursor.
    Cursor = 1,
    /// sp_cursoropen.
    CursorOpen = 2,
    /// sp_cursorprepare.
    CursorPrepare = 3,
    /// sp_cursorexecute.
    CursorExecute = 4,
    /// sp_cursorprepexec.
    CursorPrepExec = 5,
    /// sp_cursorunprepare.
    CursorUnprepare = 6,
    /// sp_cursorfetch.
    CursorFetch = 7,
    /// sp_cursoroption.
    CursorOption = 8,
    /// sp_cursorclose.
    CursorClose = 9,
    /// sp_executesql.
    ExecuteSql = 10,
    /// sp_prepare.
    Prepare = 11,
    /// sp_execute.
    Execute = 12,
    /// sp_prepexec.
    PrepExec = 13,
    /// sp_prepexecrpc.
    PrepExecRpc = 14,
    /// sp_unprepare.
    Unprepare = 15,
}

impl ProcId {
    /// All of them, in the order of their numbers, with their names.
    pub const ALL: [(Self, &'static str); 15] = [
        (Self::Cursor, "sp_cursor"),
        (Self::CursorOpen, "sp_cursoropen"),
        (Self::CursorPrepare, "sp_cursorprepare"),
        (Self::CursorExecute, "sp_cursorexecute"),
        (Self::CursorPrepExec, "sp_cursorprepexec"),
        (Self::CursorUnprepare, "sp_cursorunprepare"),
        (Self::CursorFetch, "sp_cursorfetch"),
        (Self::CursorOption, "sp_cursoroption"),
        (Self::CursorClose, "sp_cursorclose"),
        (Self::ExecuteSql, "sp_executesql"),
        (Self::Prepare, "sp_prepare"),
        (Self::Execute, "sp_execute"),
        (Self::PrepExec, "sp_prepexec"),
        (Self::PrepExecRpc, "sp_prepexecrpc"),
        (Self::Unprepare, "sp_unprepare"),
    ];

    /// The procedure with this number.
    pub fn from_number(number: u16) -> Option<Self> {
        Self::ALL.iter().map(|(id, _)| *id).find(|id| *id as u16 == number)
    }

    /// The procedure a name means, bare or in schema `sys`, in any case and with or without brackets.
    ///
    /// A name in another schema or database may mean a procedure of the user's own and is none of these.
    pub fn from_name(name: &str) -> Option<Self> {
        let bare =
            |part: &str| part.strip_prefix('[').and_then(|part| part.strip_suffix(']')).unwrap_or(part).to_owned();
        let name = match name.split_once('.') {
            Some((schema, name)) if bare(schema).eq_ignore_ascii_case("sys") => bare(name),
            Some(_) => return None,
            None => bare(name),
        };
        Self::ALL.iter().find(|(_, known)| name.eq_ignore_ascii_case(known)).map(|(id, _)| *id)
    }

    /// Its name without a schema.
    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|(id, _)| *id == self).map_or("", |(_, name)| name)
    }

    /// Which parameter, from 0, holds the text of the statement it runs or prepares.
    pub fn statement_parameter(self) -> Option<usize> {
        match self {
            Self::ExecuteSql => Some(0),
            Self::CursorOpen => Some(1),
            Self::CursorPrepare | Self::Prepare | Self::PrepExec => Some(2),
            Self::CursorPrepExec => Some(3),
            _ => None,
        }
    }
}

/// Decodes a text counted in bytes (`B_VARBYTE` holding UTF-16).
fn byte_counted(reader: &mut crate::read::Reader<'_>, what: &'static str) -> Result<String, crate::DecodeError> {
    text::decode(reader.b_varbyte(what)?, what)
}
