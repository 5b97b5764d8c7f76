//! TYPE_INFO: what a column or a parameter may hold ([MS-TDS] 2.2.5.4–2.2.5.6).

mod codec;
mod collation;

pub use codec::Form;
pub(crate) use codec::decode_collation;

/// A collation as the wire carries it ([MS-TDS] 2.2.5.1.2): 20 bits LCID, 8 bits flags, 4 bits version, then the sort id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Collation(pub [u8; 5]);

/// A type's length limit in bytes, or `(max)`, whose values travel in chunks (PLP).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Length {
    /// At most this many bytes; on the wire never 0xFFFF.
    Bytes(u16),
    /// `(max)`: 0xFFFF on the wire.
    Max,
}

/// Types whose values always have the same length and are never NULL.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum FixedType {
    /// No value at all.
    Null = 0x1F,
    /// tinyint.
    Int1 = 0x30,
    /// bit.
    Bit = 0x32,
    /// smallint.
    Int2 = 0x34,
    /// int.
    Int4 = 0x38,
    /// smalldatetime.
    DateTime4 = 0x3A,
    /// real.
    Float4 = 0x3B,
    /// money.
    Money = 0x3C,
    /// datetime.
    DateTime = 0x3D,
    /// float.
    Float8 = 0x3E,
    /// smallmoney.
    Money4 = 0x7A,
    /// bigint.
    Int8 = 0x7F,
}

/// Types whose values carry a length byte, 0 meaning NULL.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum ByteLenType {
    /// uniqueidentifier.
    Guid = 0x24,
    /// tinyint, smallint, int or bigint by its length.
    IntN = 0x26,
    /// bit.
    BitN = 0x68,
    /// real or float by its length.
    FloatN = 0x6D,
    /// smallmoney or money by its length.
    MoneyN = 0x6E,
    /// smalldatetime or datetime by its length.
    DateTimeN = 0x6F,
}

/// decimal and numeric, which differ in name only.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum DecimalType {
    /// The decimal of TDS 4.2.
    LegacyDecimal = 0x37,
    /// The numeric of TDS 4.2.
    LegacyNumeric = 0x3F,
    /// decimal.
    DecimalN = 0x6A,
    /// numeric.
    NumericN = 0x6C,
}

/// Short strings of TDS 4.2: a length byte, no collation. Current servers do not send them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum LegacyType {
    /// varbinary.
    VarBinary = 0x25,
    /// varchar.
    VarChar = 0x27,
    /// binary.
    Binary = 0x2D,
    /// char.
    Char = 0x2F,
}

/// varbinary and binary.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum BinaryType {
    /// varbinary, `(max)` included.
    BigVarBinary = 0xA5,
    /// binary.
    BigBinary = 0xAD,
}

/// The four character types.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum CharType {
    /// varchar, `(max)` included.
    BigVarChar = 0xA7,
    /// char.
    BigChar = 0xAF,
    /// nvarchar, `(max)` included.
    NVarChar = 0xE7,
    /// nchar.
    NChar = 0xEF,
}

/// The deprecated large types.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum LongType {
    /// image.
    Image = 0x22,
    /// text.
    Text = 0x23,
    /// ntext.
    NText = 0x63,
}

/// The schema collection an xml value is bound to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct XmlSchema {
    /// Database of the collection.
    pub database: String,
    /// Schema of the collection.
    pub owner: String,
    /// Name of the collection.
    pub collection: String,
}

/// A CLR type in column metadata.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UdtInfo {
    /// Largest value in bytes, 0xFFFF for `(max)`. Absent in RPC parameters.
    pub max: Option<u16>,
    /// Database of the type.
    pub database: String,
    /// Schema of the type.
    pub schema: String,
    /// Name of the type.
    pub name: String,
    /// Assembly-qualified name. Absent in RPC parameters.
    pub assembly: Option<String>,
}

/// TYPE_INFO, exactly as one wire form each, so that encoding what was decoded gives the same bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TypeInfo {
    /// A type of fixed length.
    Fixed(FixedType),
    /// A type with a length byte; `max` in bytes.
    ByteLen(ByteLenType, u8),
    /// decimal or numeric; `max` is the wire's byte limit (5, 9, 13 or 17 for current servers).
    Decimal {
        /// Which of the names.
        kind: DecimalType,
        /// Largest value in bytes.
        max: u8,
        /// Digits in all, 1 to 38.
        precision: u8,
        /// Digits after the point, at most `precision`.
        scale: u8,
    },
    /// date.
    Date,
    /// time; the scale is 0 to 7.
    Time(u8),
    /// datetime2; the scale is 0 to 7.
    DateTime2(u8),
    /// datetimeoffset; the scale is 0 to 7.
    DateTimeOffset(u8),
    /// A short string of TDS 4.2.
    Legacy(LegacyType, u8),
    /// binary or varbinary.
    Binary(BinaryType, Length),
    /// char, varchar, nchar or nvarchar; the length is in bytes for all four.
    Char(CharType, Length, Collation),
    /// text, ntext or image; the limit in bytes; a collation for the first two.
    Long(LongType, u32, Option<Collation>),
    /// sql_variant; the limit in bytes.
    Variant(u32),
    /// xml.
    Xml(Option<XmlSchema>),
    /// A CLR type.
    Udt(UdtInfo),
    /// json.
    Json,
    /// vector: the limit in bytes and the dimension type.
    Vector(u16, u8),
}

#[cfg(test)]
pub(crate) mod tests;
