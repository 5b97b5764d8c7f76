//! Remote procedure calls with all their parameters, as a server reads them ([MS-TDS] 2.2.6.6).
//!
//! A proxy that only routes reads the heads in `request`; this module is for whoever runs the calls.

mod table;

pub use table::{TableColumn, TableValue};

use crate::DecodeError;
use crate::read::Reader;
use crate::types::{Form, TypeInfo};
use crate::value::Value;

/// The name length that says a number follows instead.
const BY_ID: u16 = 0xFFFF;
/// Ends a call when another follows.
const BATCH_FLAG: u8 = 0xFF;
/// As [`BATCH_FLAG`], and the call before it shall not be run.
const NO_EXEC_FLAG: u8 = 0xFE;
/// The type byte of a table-valued parameter.
const TABLE: u8 = 0xF3;
/// Largest number of calls in a message; what a peer must pay for each is a few bytes only.
const CALLS_MAX: usize = 65_536;

/// Which procedure is called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Procedure {
    /// By name, as the client wrote it.
    Name(String),
    /// By number: one of the system procedures, 1 to 15.
    Id(u16),
}

/// Status bits of a parameter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ParameterStatus(pub u8);

impl ParameterStatus {
    /// Passed by reference: its value is returned.
    pub const OUTPUT: Self = Self(0x01);
    /// The procedure's default is used; the value is NULL and means nothing.
    pub const DEFAULT: Self = Self(0x02);
    /// The value is encrypted.
    pub const ENCRYPTED: Self = Self(0x08);

    /// Whether every bit of `other` is set.
    pub fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }
}

/// What a parameter carries.
#[derive(Debug, Clone, PartialEq)]
pub enum Argument {
    /// A value and its type.
    Value(TypeInfo, Value),
    /// A table.
    Table(TableValue),
}

/// A parameter of a call.
#[derive(Debug, Clone, PartialEq)]
pub struct Parameter {
    /// Its name with `@`, empty if it is given by position.
    pub name: String,
    /// Status bits.
    pub status: ParameterStatus,
    /// What it carries.
    pub argument: Argument,
}

/// One call.
#[derive(Debug, Clone, PartialEq)]
pub struct Rpc {
    /// Which procedure.
    pub procedure: Procedure,
    /// Option bits: 1 recompile, 2 the client remembers the metadata, 4 the metadata has not changed.
    pub options: u16,
    /// False if the client said not to run it after all.
    pub run: bool,
    /// Its parameters, in the order of the wire.
    pub parameters: Vec<Parameter>,
}

impl Rpc {
    /// Reads all calls of a message from behind its ALL_HEADERS to its end.
    ///
    /// The message is whole and its size was limited by whoever collected it; what is allocated is bounded by that size.
    ///
    /// # Errors
    /// Anything that is not as the protocol says, and encrypted parameters, which nobody here agrees to.
    pub fn decode_all(reader: &mut Reader<'_>) -> Result<Vec<Self>, DecodeError> {
        let mut calls = Vec::new();
        loop {
            if calls.len() >= CALLS_MAX {
                return Err(DecodeError::TooLarge { what: "the number of calls in a message", limit: CALLS_MAX });
            }
            let (call, more) = Self::decode(reader)?;
            calls.push(call);
            if !more || reader.is_empty() {
                return Ok(calls);
            }
        }
    }

    /// Reads one call and says whether a separator ended it.
    fn decode(reader: &mut Reader<'_>) -> Result<(Self, bool), DecodeError> {
        let procedure = decode_procedure(reader)?;
        let options = reader.u16("RPC options")?;
        let mut parameters = Vec::new();
        loop {
            let run = match reader.rest().first() {
                None => return Ok((Self { procedure, options, run: true, parameters }, false)),
                Some(&BATCH_FLAG) => true,
                Some(&NO_EXEC_FLAG) => false,
                Some(_) => {
                    parameters.push(Parameter::decode(reader)?);
                    continue;
                }
            };
            reader.u8("RPC separator")?;
            return Ok((Self { procedure, options, run, parameters }, true));
        }
    }
}

fn decode_procedure(reader: &mut Reader<'_>) -> Result<Procedure, DecodeError> {
    match reader.u16("procedure name length")? {
        BY_ID => reader.u16("procedure number").map(Procedure::Id),
        units => {
            let bytes = reader.take(usize::from(units).saturating_mul(2), "procedure name")?;
            crate::text::decode(bytes, "procedure name").map(Procedure::Name)
        }
    }
}

impl Parameter {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let name = reader.b_varchar("parameter name")?;
        let status = ParameterStatus(reader.u8("parameter status")?);
        if status.contains(ParameterStatus::ENCRYPTED) {
            return Err(DecodeError::Misplaced("an encrypted parameter, but column encryption was not agreed"));
        }
        let argument = if reader.rest().first() == Some(&TABLE) {
            reader.u8("a data type")?;
            Argument::Table(TableValue::decode(reader)?)
        } else {
            let type_info = TypeInfo::decode(reader, Form::Parameter)?;
            let value = Value::decode(&type_info, Form::Parameter, reader)?;
            Argument::Value(type_info, value)
        };
        Ok(Self { name, status, argument })
    }

    /// The value, unless it is a table.
    pub fn value(&self) -> Option<&Value> {
        match &self.argument {
            Argument::Value(_, value) => Some(value),
            Argument::Table(_) => None,
        }
    }
}

#[cfg(test)]
mod tests;
