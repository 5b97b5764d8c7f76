//! Table-valued parameters ([MS-TDS] 2.2.5.5.5.3).

use crate::DecodeError;
use crate::read::Reader;
use crate::types::{FixedType, Form, TypeInfo};
use crate::value::Value;

/// The column count that stands for no table at all.
const NULL_TABLE: u16 = 0xFFFF;
/// Most columns of a table type.
const COLUMNS_MAX: u16 = 1024;
/// Ends the metadata, and ends the rows.
const END: u8 = 0x00;
/// A row follows.
const ROW: u8 = 0x01;
/// By which columns the rows are sorted or unique.
const ORDER_UNIQUE: u8 = 0x10;
/// In which order the columns come.
const COLUMN_ORDERING: u8 = 0x11;
/// The flag of a column whose values are left out: the type's default applies.
const DEFAULT_FLAG: u16 = 0x0200;

/// A column of a table-valued parameter. Its name is usually empty: columns go by position.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableColumn {
    /// The number of an alias type; 0 for others.
    pub user_type: u32,
    /// Flags as of a result's column.
    pub flags: u16,
    /// Its type.
    pub type_info: TypeInfo,
    /// Its name.
    pub name: String,
}

impl TableColumn {
    /// Whether its values are left out because the default of the table type applies.
    pub fn is_default(&self) -> bool {
        self.flags & DEFAULT_FLAG != 0
    }
}

/// A table as a parameter.
#[derive(Debug, Clone, PartialEq)]
pub struct TableValue {
    /// Database of the table type, usually empty.
    pub database: String,
    /// Schema of the table type.
    pub schema: String,
    /// Name of the table type.
    pub type_name: String,
    /// Its columns; none for a NULL table.
    pub columns: Vec<TableColumn>,
    /// Column numbers, from 1, in the order in which values come; empty if that is the order of the columns.
    pub ordering: Vec<u16>,
    /// The rows: one value for each column that is not [`TableColumn::is_default`].
    pub rows: Vec<Vec<Value>>,
}

impl TableValue {
    /// Reads what follows the type byte.
    pub(super) fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let mut table = Self {
            database: reader.b_varchar("table type database")?,
            schema: reader.b_varchar("table type schema")?,
            type_name: reader.b_varchar("table type name")?,
            columns: decode_columns(reader)?,
            ordering: Vec::new(),
            rows: Vec::new(),
        };
        table.decode_options(reader)?;
        loop {
            match reader.u8("table row")? {
                END => return Ok(table),
                ROW => {
                    let row = table.decode_row(reader)?;
                    table.rows.push(row);
                }
                other => return Err(DecodeError::BadValue { what: "table row", value: u64::from(other) }),
            }
        }
    }

    fn decode_options(&mut self, reader: &mut Reader<'_>) -> Result<(), DecodeError> {
        loop {
            match reader.u8("table metadata")? {
                END => return Ok(()),
                ORDER_UNIQUE => {
                    let count = usize::from(reader.u16("order count")?);
                    reader.take(count.saturating_mul(3), "order")?;
                }
                COLUMN_ORDERING => {
                    let count = reader.u16("ordering count")?;
                    self.ordering = (0..count).map(|_| reader.u16("ordering")).collect::<Result<_, _>>()?;
                }
                other => return Err(DecodeError::BadValue { what: "table metadata", value: u64::from(other) }),
            }
        }
    }

    fn decode_row(&self, reader: &mut Reader<'_>) -> Result<Vec<Value>, DecodeError> {
        let sent = self.columns.iter().filter(|column| !column.is_default());
        sent.map(|column| Value::decode(&column.type_info, Form::Parameter, reader)).collect()
    }
}

fn decode_columns(reader: &mut Reader<'_>) -> Result<Vec<TableColumn>, DecodeError> {
    let count = match reader.u16("table column count")? {
        NULL_TABLE => 0,
        count if count <= COLUMNS_MAX => count,
        count => return Err(DecodeError::BadValue { what: "table column count", value: u64::from(count) }),
    };
    (0..count)
        .map(|_| {
            let (user_type, flags) = (reader.u32("user type")?, reader.u16("table column flags")?);
            let type_info = TypeInfo::decode(reader, Form::Parameter)?;
            // A value of this type takes no byte, so a short message could stand for any number of values.
            if type_info == TypeInfo::Fixed(FixedType::Null) {
                return Err(DecodeError::UnknownType(FixedType::Null as u8));
            }
            Ok(TableColumn { user_type, flags, type_info, name: reader.b_varchar("table column name")? })
        })
        .collect()
}
