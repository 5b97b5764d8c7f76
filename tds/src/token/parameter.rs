//! RETURNVALUE: an output parameter or a function's value ([MS-TDS] 2.2.7.18).

use super::columns::{ColumnFlags, CryptoMetadata};
use super::{Agreed, id};
use crate::read::Reader;
use crate::types::{Form, TypeInfo};
use crate::value::{EncodeError, Value};
use crate::{DecodeError, text};
use bytes::{BufMut, BytesMut};

/// The status of an output parameter.
const OUTPUT: u8 = 0x01;

/// An output parameter.
#[derive(Debug, Clone, PartialEq)]
pub struct ReturnValue {
    /// Which parameter of the call, from 0.
    pub ordinal: u16,
    /// Its name with `@`, empty if the caller gave none.
    pub name: String,
    /// 1 for an output parameter, 2 for the value of a function.
    pub status: u8,
    /// The number of an alias type; 0 for others.
    pub user_type: u32,
    /// Flags as of a column.
    pub flags: ColumnFlags,
    /// Its type.
    pub type_info: TypeInfo,
    /// How its value is encrypted, if it is.
    pub crypto: Option<CryptoMetadata>,
    /// Its value.
    pub value: Value,
}

impl ReturnValue {
    /// A plain output parameter.
    pub fn new(ordinal: u16, name: &str, type_info: TypeInfo, value: Value) -> Self {
        let (status, user_type, flags, crypto) = (OUTPUT, 0, ColumnFlags::default(), None);
        Self { ordinal, name: name.to_owned(), status, user_type, flags, type_info, crypto, value }
    }

    /// Reads what follows the token byte.
    ///
    /// # Errors
    /// Anything that is not as the protocol says.
    pub fn decode(reader: &mut Reader<'_>, agreed: Agreed) -> Result<Self, DecodeError> {
        let ordinal = reader.u16("parameter ordinal")?;
        let name = reader.b_varchar("parameter name")?;
        let status = reader.u8("parameter status")?;
        let user_type = reader.u32("user type")?;
        let flags = ColumnFlags(reader.u16("parameter flags")?);
        let type_info = TypeInfo::decode(reader, Form::Column)?;
        let encrypted = agreed.column_encryption && flags.contains(ColumnFlags::ENCRYPTED);
        let crypto = if encrypted { Some(CryptoMetadata::decode(reader, false)?) } else { None };
        let value = Value::decode(&type_info, Form::Column, reader)?;
        Ok(Self { ordinal, name, status, user_type, flags, type_info, crypto, value })
    }

    /// Appends the token, or nothing if the value does not fit its type.
    ///
    /// # Errors
    /// A value that does not fit its type.
    pub fn encode(&self, out: &mut BytesMut) -> Result<(), EncodeError> {
        let start = out.len();
        out.put_u8(id::RETURN_VALUE);
        out.put_u16_le(self.ordinal);
        text::put_b_varchar(out, &self.name);
        out.put_u8(self.status);
        out.put_u32_le(self.user_type);
        out.put_u16_le(self.flags.0);
        self.type_info.encode(Form::Column, out);
        if let Some(crypto) = &self.crypto {
            crypto.encode(out);
        }
        self.value.encode(&self.type_info, Form::Column, out).inspect_err(|_| out.truncate(start))
    }
}
