//! Transaction manager requests ([MS-TDS] 2.2.6.9), both ways, without the ALL_HEADERS in front of them.

use super::byte_counted;
use crate::{DecodeError, read::Reader, text};
use bytes::{BufMut, Bytes};

/// How far a transaction is isolated. Given at BEGIN it stays the session's level afterwards.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum IsolationLevel {
    /// The session's own.
    Unchanged = 0,
    /// READ UNCOMMITTED.
    ReadUncommitted = 1,
    /// READ COMMITTED.
    ReadCommitted = 2,
    /// REPEATABLE READ.
    RepeatableRead = 3,
    /// SERIALIZABLE.
    Serializable = 4,
    /// SNAPSHOT.
    Snapshot = 5,
}

/// A transaction to begin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Begin {
    /// Its isolation.
    pub isolation: IsolationLevel,
    /// Its name, empty for none.
    pub name: String,
}

/// A request to the transaction manager.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TransactionRequest {
    /// TM_GET_DTC_ADDRESS: where is the distributed transaction coordinator?
    DtcAddress,
    /// TM_PROPAGATE_XACT: join the distributed transaction with this cookie, or leave it if the cookie is empty.
    Propagate(Bytes),
    /// TM_BEGIN_XACT.
    Begin(Begin),
    /// TM_PROMOTE_XACT: make the local transaction a distributed one.
    Promote,
    /// TM_COMMIT_XACT, and what to begin right after it.
    Commit {
        /// The transaction's name, empty for the current one.
        name: String,
        /// The next transaction.
        then: Option<Begin>,
    },
    /// TM_ROLLBACK_XACT, and what to begin right after it.
    Rollback {
        /// The transaction's or savepoint's name, empty for the current transaction.
        name: String,
        /// The next transaction.
        then: Option<Begin>,
    },
    /// TM_SAVE_XACT: set a savepoint.
    Save {
        /// The savepoint's name.
        name: String,
    },
}

/// fBeginXact: the flags of commit and rollback that announce another transaction.
const THEN_BEGIN: u8 = 0x01;

impl TransactionRequest {
    /// Reads the request that follows ALL_HEADERS.
    ///
    /// # Errors
    /// An unknown request or isolation level, or a request cut short.
    pub fn decode(request: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(match request.u16("transaction manager request")? {
            0 => {
                request.us_varbyte("coordinator address")?;
                Self::DtcAddress
            }
            1 => Self::Propagate(Bytes::copy_from_slice(request.us_varbyte("transaction cookie")?)),
            5 => Self::Begin(Begin::decode(request)?),
            6 => Self::Promote,
            7 => {
                let (name, then) = ending(request)?;
                Self::Commit { name, then }
            }
            8 => {
                let (name, then) = ending(request)?;
                Self::Rollback { name, then }
            }
            9 => Self::Save { name: byte_counted(request, "savepoint name")? },
            other => {
                return Err(DecodeError::BadValue { what: "transaction manager request", value: u64::from(other) });
            }
        })
    }

    /// Appends the request.
    pub fn put(&self, out: &mut impl BufMut) {
        match self {
            Self::DtcAddress => {
                out.put_u16_le(0);
                out.put_u16_le(0);
            }
            Self::Propagate(cookie) => {
                let cookie = cookie.get(..cookie.len().min(usize::from(u16::MAX))).unwrap_or_default();
                out.put_u16_le(1);
                out.put_u16_le(u16::try_from(cookie.len()).unwrap_or(u16::MAX));
                out.put_slice(cookie);
            }
            Self::Begin(begin) => {
                out.put_u16_le(5);
                begin.put(out);
            }
            Self::Promote => out.put_u16_le(6),
            Self::Commit { name, then } => put_ending(out, 7, name, then.as_ref()),
            Self::Rollback { name, then } => put_ending(out, 8, name, then.as_ref()),
            Self::Save { name } => {
                out.put_u16_le(9);
                put_name(out, name);
            }
        }
    }
}

impl Begin {
    fn decode(request: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let isolation = match request.u8("isolation level")? {
            0 => IsolationLevel::Unchanged,
            1 => IsolationLevel::ReadUncommitted,
            2 => IsolationLevel::ReadCommitted,
            3 => IsolationLevel::RepeatableRead,
            4 => IsolationLevel::Serializable,
            5 => IsolationLevel::Snapshot,
            other => return Err(DecodeError::BadValue { what: "isolation level", value: u64::from(other) }),
        };
        Ok(Self { isolation, name: byte_counted(request, "transaction name")? })
    }

    fn put(&self, out: &mut impl BufMut) {
        out.put_u8(self.isolation as u8);
        put_name(out, &self.name);
    }
}

fn ending(request: &mut Reader<'_>) -> Result<(String, Option<Begin>), DecodeError> {
    let name = byte_counted(request, "transaction name")?;
    // A request that ends here begins nothing; only drivers that chain transactions need the flags.
    if request.is_empty() || request.u8("transaction flags")? & THEN_BEGIN == 0 {
        return Ok((name, None));
    }
    Ok((name, Some(Begin::decode(request)?)))
}

fn put_ending(out: &mut impl BufMut, kind: u16, name: &str, then: Option<&Begin>) {
    out.put_u16_le(kind);
    put_name(out, name);
    out.put_u8(if then.is_some() { THEN_BEGIN } else { 0 });
    then.into_iter().for_each(|begin| begin.put(out));
}

/// Transaction names have at most 32 characters, so the 127 that the byte count can say cut none that is valid.
fn put_name(out: &mut impl BufMut, name: &str) {
    let name = text::cut(name, usize::from(u8::MAX / 2));
    out.put_u8(u8::try_from(text::units(name).saturating_mul(2)).unwrap_or(u8::MAX));
    text::put(out, name);
}
