//! The tokens of a response, one struct each ([MS-TDS] 2.2.7).
//!
//! `decode` reads what follows the token byte; `encode` appends the whole token, its byte included. Rows are in
//! [`write`](mod@crate::write) and [`response`]; a stream that is only watched goes through [`scan`](crate::scan).

pub mod columns;
pub mod done;
pub mod env_change;
pub mod features;
pub mod login;
pub mod message;
pub mod parameter;
pub mod response;

pub use columns::{CekEntry, CekValue, Column, ColumnFlags, ColumnMetadata, CryptoMetadata};
pub use done::{Done, DoneKind, DoneStatus};
pub use env_change::EnvChange;
pub use features::FeatureExtAck;
pub use login::{FedAuthInfo, LoginAck, SessionState};
pub use message::{Message, MessageKind};
pub use parameter::ReturnValue;
pub use response::{Response, Token};

use crate::DecodeError;

/// Names of the token bytes.
pub mod id {
    /// OFFSET, of TDS 7.1 and older.
    pub const OFFSET: u8 = 0x78;
    /// RETURNSTATUS.
    pub const RETURN_STATUS: u8 = 0x79;
    /// PROCID, of TDS 4.2.
    pub const PROC_ID: u8 = 0x7C;
    /// COLMETADATA.
    pub const COL_METADATA: u8 = 0x81;
    /// ALTMETADATA, of COMPUTE BY.
    pub const ALT_METADATA: u8 = 0x88;
    /// DATACLASSIFICATION.
    pub const DATA_CLASSIFICATION: u8 = 0xA3;
    /// TABNAME.
    pub const TAB_NAME: u8 = 0xA4;
    /// COLINFO.
    pub const COL_INFO: u8 = 0xA5;
    /// ORDER.
    pub const ORDER: u8 = 0xA9;
    /// ERROR.
    pub const ERROR: u8 = 0xAA;
    /// INFO.
    pub const INFO: u8 = 0xAB;
    /// RETURNVALUE.
    pub const RETURN_VALUE: u8 = 0xAC;
    /// LOGINACK.
    pub const LOGIN_ACK: u8 = 0xAD;
    /// FEATUREEXTACK.
    pub const FEATURE_EXT_ACK: u8 = 0xAE;
    /// ROW.
    pub const ROW: u8 = 0xD1;
    /// NBCROW, a row without its NULLs.
    pub const NBC_ROW: u8 = 0xD2;
    /// ALTROW, of COMPUTE BY.
    pub const ALT_ROW: u8 = 0xD3;
    /// ENVCHANGE.
    pub const ENV_CHANGE: u8 = 0xE3;
    /// SESSIONSTATE.
    pub const SESSION_STATE: u8 = 0xE4;
    /// SSPI.
    pub const SSPI: u8 = 0xED;
    /// FEDAUTHINFO.
    pub const FED_AUTH_INFO: u8 = 0xEE;
    /// DONE.
    pub const DONE: u8 = 0xFD;
    /// DONEPROC.
    pub const DONE_PROC: u8 = 0xFE;
    /// DONEINPROC.
    pub const DONE_IN_PROC: u8 = 0xFF;
}

/// What was agreed at login that changes the shape of later tokens ([MS-TDS] 2.2.7.11).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Agreed {
    /// COLUMNENCRYPTION was acknowledged, in any version.
    pub column_encryption: bool,
    /// DATACLASSIFICATION was acknowledged in version 2 or later, whose tokens carry ranks.
    pub classification_ranks: bool,
}

/// Appends `fill`'s bytes behind a u16 byte count that is filled in afterwards.
///
/// Our own tokens stay far below 64 KiB; whatever would not is cut by the string lengths first.
pub(crate) fn put_counted(out: &mut bytes::BytesMut, fill: impl FnOnce(&mut bytes::BytesMut)) {
    use bytes::BufMut;
    let start = out.len();
    out.put_u16_le(0);
    fill(out);
    let count = out.len().saturating_sub(start).saturating_sub(2);
    if let Some(place) = out.get_mut(start..).and_then(<[u8]>::first_chunk_mut::<2>) {
        *place = u16::try_from(count).unwrap_or(u16::MAX).to_le_bytes();
    }
}

/// Every byte of a token with a length must belong to a field.
pub(crate) fn expect_end(reader: &crate::read::Reader<'_>, what: &'static str) -> Result<(), DecodeError> {
    if reader.is_empty() {
        return Ok(());
    }
    Err(DecodeError::BadValue { what, value: reader.rest().len() as u64 })
}

#[cfg(test)]
pub(crate) mod tests;
