//! DONE, DONEPROC and DONEINPROC ([MS-TDS] 2.2.7.6–2.2.7.8).

use super::id;
use crate::DecodeError;
use crate::read::Reader;
use bytes::BufMut;

/// What ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum DoneKind {
    /// A statement of a batch.
    Done = id::DONE,
    /// A procedure.
    DoneProc = id::DONE_PROC,
    /// A statement inside a procedure.
    DoneInProc = id::DONE_IN_PROC,
}

impl DoneKind {
    /// The kind this token byte names.
    pub fn from_byte(byte: u8) -> Option<Self> {
        match byte {
            id::DONE => Some(Self::Done),
            id::DONE_PROC => Some(Self::DoneProc),
            id::DONE_IN_PROC => Some(Self::DoneInProc),
            _ => None,
        }
    }
}

/// The status bits of a DONE.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct DoneStatus(pub u16);

impl DoneStatus {
    /// The last of its response.
    pub const FINAL: Self = Self(0);
    /// More follows in this response.
    pub const MORE: Self = Self(0x01);
    /// The statement ended in an error.
    pub const ERROR: Self = Self(0x02);
    /// A transaction is in progress; servers do not set it reliably.
    pub const IN_TRANSACTION: Self = Self(0x04);
    /// The row count is valid.
    pub const COUNT: Self = Self(0x10);
    /// Acknowledges an attention.
    pub const ATTENTION: Self = Self(0x20);
    /// One call of several in a message ended.
    pub const RPC_IN_BATCH: Self = Self(0x80);
    /// The server gave up; the client must not believe what it got.
    pub const SERVER_ERROR: Self = Self(0x100);

    /// Whether every bit of `other` is set.
    pub fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Both sets of bits.
    #[must_use]
    pub fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

/// The end of something, with its row count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Done {
    /// What ended.
    pub kind: DoneKind,
    /// Status bits.
    pub status: DoneStatus,
    /// `CurCmd`: the kind of statement, such as 0xC1 for SELECT.
    pub command: u16,
    /// Rows returned or changed; means something only with [`DoneStatus::COUNT`].
    pub rows: u64,
}

impl Done {
    /// Bytes of the token, its byte included.
    pub const BYTES: usize = 13;

    /// The DONE that acknowledges an attention.
    pub const ATTENTION: Self = Self { kind: DoneKind::Done, status: DoneStatus::ATTENTION, command: 0, rows: 0 };

    /// Reads what follows the token byte.
    ///
    /// # Errors
    /// Too few bytes.
    pub fn decode(kind: DoneKind, reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            kind,
            status: DoneStatus(reader.u16("DONE status")?),
            command: reader.u16("DONE command")?,
            rows: reader.u64("DONE row count")?,
        })
    }

    /// Appends the token.
    pub fn encode(&self, out: &mut impl BufMut) {
        out.put_u8(self.kind as u8);
        out.put_u16_le(self.status.0);
        out.put_u16_le(self.command);
        out.put_u64_le(self.rows);
    }
}
