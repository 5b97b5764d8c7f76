//! Values: what a column or a parameter holds ([MS-TDS] 2.2.5.5).

use bytes::Bytes;

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
