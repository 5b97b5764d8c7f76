//! The statement text among the leading parameters of a call, read without decoding the call ([MS-TDS] 2.2.6.6).

use super::ProcId;
use crate::{DecodeError, read::Reader};
use std::borrow::Cow;

const INT_N: u8 = 0x26;
const N_TEXT: u8 = 0x63;
const N_VARCHAR: u8 = 0xE7;
const N_CHAR: u8 = 0xEF;
const COLLATION_BYTES: usize = 5;
/// The u16 length of a (max) type, and of a NULL.
const MAX_OR_NULL: u16 = u16::MAX;
const PLP_NULL: u64 = u64::MAX;

/// The text of the statement a request runs, as far as its head tells.
#[derive(Clone, PartialEq, Eq)]
pub enum Statement<'a> {
    /// All of it, UTF-16LE. `Debug` shows its length only.
    Text(Cow<'a, [u8]>),
    /// It ends beyond the limit the reader was given.
    TooLong,
    /// There is none: a procedure of another kind, a NULL, or parameters in a form that is not read here.
    None,
}

impl std::fmt::Debug for Statement<'_> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Text(text) => write!(formatter, "Text({} bytes)", text.len()),
            Self::TooLong => formatter.write_str("TooLong"),
            Self::None => formatter.write_str("None"),
        }
    }
}

/// Reads the parameters of `procedure` up to its statement. `call` begins at its first parameter.
///
/// # Errors
/// [`DecodeError::Truncated`] when more of the call is needed.
pub(super) fn read<'a>(procedure: ProcId, call: &mut Reader<'a>) -> Result<Statement<'a>, DecodeError> {
    let Some(wanted) = procedure.statement_parameter() else { return Ok(Statement::None) };
    for ordinal in 0..=wanted {
        // A call may end before its statement: nothing runs then but an error.
        if matches!(call.rest().first(), Some(0xFF | 0x80)) {
            break;
        }
        let characters = call.u8("parameter name")?;
        let name = call.take(usize::from(characters) * 2, "parameter name")?;
        let _status = call.u8("parameter status")?;
        let Some(value) = parameter(call)? else { break };
        if ordinal == wanted {
            return Ok(if is_statement_name(name) { value } else { Statement::None });
        }
        // Parameters given by name may come in any order; only the usual one is read.
        if is_statement_name(name) && !name.is_empty() {
            break;
        }
    }
    Ok(Statement::None)
}

/// The value of the next parameter, `None` for a type that no leading parameter has.
fn parameter<'a>(call: &mut Reader<'a>) -> Result<Option<Statement<'a>>, DecodeError> {
    match call.u8("parameter type")? {
        INT_N => {
            call.u8("int length")?;
            call.b_varbyte("int value")?;
            Ok(Some(Statement::None))
        }
        N_VARCHAR | N_CHAR => {
            let limit = call.u16("text limit")?;
            call.take(COLLATION_BYTES, "collation")?;
            if limit == MAX_OR_NULL {
                return chunks(call).map(Some);
            }
            match call.u16("text length")? {
                MAX_OR_NULL => Ok(Some(Statement::None)),
                length => call.take(usize::from(length), "text").map(|text| Some(Statement::Text(Cow::Borrowed(text)))),
            }
        }
        N_TEXT => {
            call.u32("text limit")?;
            call.take(COLLATION_BYTES, "collation")?;
            match call.u32("text length")? {
                u32::MAX => Ok(Some(Statement::None)),
                length => {
                    let length = usize::try_from(length).unwrap_or(usize::MAX);
                    call.take(length, "text").map(|text| Some(Statement::Text(Cow::Borrowed(text))))
                }
            }
        }
        _ => Ok(None),
    }
}

/// A partially length-prefixed text, borrowed where it came in one chunk.
fn chunks<'a>(call: &mut Reader<'a>) -> Result<Statement<'a>, DecodeError> {
    if call.u64("text length")? == PLP_NULL {
        return Ok(Statement::None);
    }
    let mut text = Cow::Borrowed([].as_slice());
    loop {
        let length = usize::try_from(call.u32("chunk length")?).unwrap_or(usize::MAX);
        if length == 0 {
            return Ok(Statement::Text(text));
        }
        let chunk = call.take(length, "chunk")?;
        if text.is_empty() {
            text = Cow::Borrowed(chunk);
        } else {
            text.to_mut().extend_from_slice(chunk);
        }
    }
}

/// Whether a parameter of this name (UTF-16) can be the statement: unnamed, or by a name drivers give it.
fn is_statement_name(name: &[u8]) -> bool {
    let name = crate::text::decode_lossy(name);
    let name = name.strip_prefix('@').unwrap_or(&name);
    ["", "stmt", "statement"].iter().any(|known| name.eq_ignore_ascii_case(known))
}
