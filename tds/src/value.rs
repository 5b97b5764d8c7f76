//! Values: what a column or a parameter holds ([MS-TDS] 2.2.5.5).

mod codepage;
mod decode;
mod encode;
mod time;

use bytes::Bytes;

/// A value does not fit the type it was to be written as. Names kinds, never contents.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum EncodeError {
    /// The value is of another kind than the type.
    #[error("a {value} value cannot be sent as {wanted}")]
    Mismatch {
        /// The kind of the value.
        value: &'static str,
        /// What the type can hold.
        wanted: &'static str,
    },
    /// The value is of the right kind but outside what the type can hold.
    #[error("the value is outside the range of {wanted}")]
    OutOfRange {
        /// The type.
        wanted: &'static str,
    },
    /// The value is longer than the type allows.
    #[error("the value is longer than the {limit} bytes its type allows")]
    TooLong {
        /// What the type allows.
        limit: u32,
    },
    /// A row has another number of values than its metadata has columns.
    #[error("a row of {have} values for {want} columns")]
    WrongCount {
        /// Columns.
        want: usize,
        /// Values.
        have: usize,
    },
}

/// One value. Which variants fit which [`TypeInfo`](crate::types::TypeInfo) is what encoding checks.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// NULL of any type.
    Null,
    /// bit.
    Bit(bool),
    /// tinyint.
    TinyInt(u8),
    /// smallint.
    SmallInt(i16),
    /// int.
    Int(i32),
    /// bigint.
    BigInt(i64),
    /// real.
    Real(f32),
    /// float.
    Float(f64),
    /// decimal or numeric: `unscaled / 10^scale`, at most 38 digits.
    Decimal {
        /// All digits as one integer.
        unscaled: i128,
        /// Digits after the point.
        scale: u8,
    },
    /// smallmoney or money, in ten-thousandths.
    Money(i64),
    /// char, varchar, text, nchar, nvarchar, ntext, xml or json.
    Text(String),
    /// binary, varbinary, image, a CLR value or a vector's bytes.
    Binary(Bytes),
    /// uniqueidentifier, in wire order (first three groups little-endian).
    Guid([u8; 16]),
    /// date: days since 0001-01-01.
    Date(u32),
    /// time: units of 100 ns since midnight, whatever the type's scale.
    Time(u64),
    /// smalldatetime: days since 1900-01-01 and minutes since midnight.
    SmallDateTime(u16, u16),
    /// datetime: days since 1900-01-01 and units of 1/300 s since midnight.
    DateTime(i32, u32),
    /// datetime2: days since 0001-01-01 and units of 100 ns since midnight.
    DateTime2(u32, u64),
    /// datetimeoffset: as datetime2 in UTC, and the offset in minutes.
    DateTimeOffset(u32, u64, i16),
}

impl Value {
    /// The kind of the value, for messages.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Null => "NULL",
            Self::Bit(_) => "bit",
            Self::TinyInt(_) => "tinyint",
            Self::SmallInt(_) => "smallint",
            Self::Int(_) => "int",
            Self::BigInt(_) => "bigint",
            Self::Real(_) => "real",
            Self::Float(_) => "float",
            Self::Decimal { .. } => "decimal",
            Self::Money(_) => "money",
            Self::Text(_) => "text",
            Self::Binary(_) => "binary",
            Self::Guid(_) => "uniqueidentifier",
            Self::Date(_) => "date",
            Self::Time(_) => "time",
            Self::SmallDateTime(..) => "smalldatetime",
            Self::DateTime(..) => "datetime",
            Self::DateTime2(..) => "datetime2",
            Self::DateTimeOffset(..) => "datetimeoffset",
        }
    }
}

#[cfg(test)]
pub(crate) mod tests;
