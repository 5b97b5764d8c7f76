//! COLMETADATA: the columns of a result ([MS-TDS] 2.2.7.4).

mod crypto;

pub use crypto::{CekEntry, CekValue, CryptoMetadata};

use super::{Agreed, id};
use crate::read::Reader;
use crate::types::{Form, TypeInfo};
use crate::{DecodeError, text};
use bytes::{BufMut, BytesMut};

/// The count that stands for "as before": the client said it remembers the metadata.
const NO_METADATA: u16 = 0xFFFF;

/// The flags of a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ColumnFlags(pub u16);

impl ColumnFlags {
    /// It may be NULL.
    pub const NULLABLE: Self = Self(0x0001);
    /// It may be updated (the two bits say 1, read/write).
    pub const UPDATEABLE: Self = Self(0x0004);
    /// Nobody knows whether it may be updated (the two bits say 2).
    pub const UPDATEABLE_UNKNOWN: Self = Self(0x0008);
    /// It is an identity column.
    pub const IDENTITY: Self = Self(0x0010);
    /// It is computed.
    pub const COMPUTED: Self = Self(0x0020);
    /// Its values are encrypted; [`CryptoMetadata`] follows.
    pub const ENCRYPTED: Self = Self(0x0800);

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

/// A column of a result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    /// The number of an alias type; 0 for others.
    pub user_type: u32,
    /// Its flags.
    pub flags: ColumnFlags,
    /// Its type.
    pub type_info: TypeInfo,
    /// The parts of the table's name, for text, ntext and image only.
    pub table: Vec<String>,
    /// How its values are encrypted, if they are.
    pub crypto: Option<CryptoMetadata>,
    /// Its name, empty for an expression without one.
    pub name: String,
}

impl Column {
    /// A column of an expression or a table, nobody knowing whether it may be updated.
    pub fn new(name: &str, type_info: TypeInfo, nullable: bool) -> Self {
        let nullable = if nullable { ColumnFlags::NULLABLE } else { ColumnFlags::default() };
        Self {
            user_type: 0,
            flags: nullable.with(ColumnFlags::UPDATEABLE_UNKNOWN),
            type_info,
            table: Vec::new(),
            crypto: None,
            name: name.to_owned(),
        }
    }

    fn decode(reader: &mut Reader<'_>, agreed: Agreed) -> Result<Self, DecodeError> {
        let user_type = reader.u32("user type")?;
        let flags = ColumnFlags(reader.u16("column flags")?);
        let type_info = TypeInfo::decode(reader, Form::Column)?;
        let table = if matches!(type_info, TypeInfo::Long(..)) { decode_table(reader)? } else { Vec::new() };
        let encrypted = agreed.column_encryption && flags.contains(ColumnFlags::ENCRYPTED);
        let crypto = if encrypted { Some(CryptoMetadata::decode(reader, true)?) } else { None };
        Ok(Self { user_type, flags, type_info, table, crypto, name: reader.b_varchar("column name")? })
    }

    fn encode(&self, out: &mut BytesMut) {
        out.put_u32_le(self.user_type);
        out.put_u16_le(self.flags.0);
        self.type_info.encode(Form::Column, out);
        if matches!(self.type_info, TypeInfo::Long(..)) {
            out.put_u8(u8::try_from(self.table.len()).unwrap_or(u8::MAX));
            self.table.iter().take(usize::from(u8::MAX)).for_each(|part| text::put_us_varchar(out, part));
        }
        if let Some(crypto) = &self.crypto {
            crypto.encode(out);
        }
        text::put_b_varchar(out, &self.name);
    }
}

fn decode_table(reader: &mut Reader<'_>) -> Result<Vec<String>, DecodeError> {
    (0..reader.u8("parts of a table name")?).map(|_| reader.us_varchar("table name")).collect()
}

/// The metadata of a result.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ColumnMetadata {
    /// The keys its encrypted columns refer to; on the wire only where column encryption was agreed.
    pub keys: Vec<CekEntry>,
    /// The columns; `None` when the client remembers them (`fNoMetaData`).
    pub columns: Option<Vec<Column>>,
}

impl ColumnMetadata {
    /// Metadata of these columns, none of them encrypted.
    pub fn new(columns: Vec<Column>) -> Self {
        Self { keys: Vec::new(), columns: Some(columns) }
    }

    /// Reads what follows the token byte.
    ///
    /// # Errors
    /// Anything that is not as the protocol says.
    pub fn decode(reader: &mut Reader<'_>, agreed: Agreed) -> Result<Self, DecodeError> {
        let count = reader.u16("column count")?;
        if count == NO_METADATA {
            return Ok(Self { keys: Vec::new(), columns: None });
        }
        let keys = if agreed.column_encryption { CekEntry::decode_table(reader)? } else { Vec::new() };
        let columns = (0..count).map(|_| Column::decode(reader, agreed)).collect::<Result<_, _>>()?;
        Ok(Self { keys, columns: Some(columns) })
    }

    /// Appends the token, at most 65,534 columns.
    pub fn encode(&self, agreed: Agreed, out: &mut BytesMut) {
        out.put_u8(id::COL_METADATA);
        let Some(columns) = &self.columns else { return out.put_u16_le(NO_METADATA) };
        let count = u16::try_from(columns.len()).unwrap_or(NO_METADATA).min(NO_METADATA - 1);
        out.put_u16_le(count);
        if agreed.column_encryption {
            CekEntry::encode_table(&self.keys, out);
        }
        columns.iter().take(usize::from(count)).for_each(|column| column.encode(out));
    }
}
