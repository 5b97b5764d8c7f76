//! TYPE_INFO to bytes and back, in the form of columns and in the form of parameters, which differ for CLR types.

use super::{
    BinaryType, ByteLenType, CharType, Collation, DecimalType, FixedType, LegacyType, Length, LongType, TypeInfo,
    UdtInfo, XmlSchema,
};
use crate::read::Reader;
use crate::{DecodeError, text};
use bytes::BufMut;

const DATE: u8 = 0x28;
const TIME: u8 = 0x29;
const DATE_TIME_2: u8 = 0x2A;
const DATE_TIME_OFFSET: u8 = 0x2B;
const VARIANT: u8 = 0x62;
const UDT: u8 = 0xF0;
const XML: u8 = 0xF1;
const JSON: u8 = 0xF4;
const VECTOR: u8 = 0xF5;
/// The length that stands for `(max)`.
const MAX: u16 = 0xFFFF;

/// Where a TYPE_INFO or a value stands. Result columns, output values and bulk loads share a form; parameters of a
/// call and columns of a table-valued parameter share the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// COLMETADATA, RETURNVALUE, bulk load.
    Column,
    /// RPC parameters: no assembly for CLR types, no text pointers.
    Parameter,
}

impl TypeInfo {
    /// Reads a TYPE_INFO. A table name that follows text, ntext and image in COLMETADATA is not part of it.
    ///
    /// # Errors
    /// An unknown type, a scale or precision that cannot be, or too few bytes.
    pub fn decode(reader: &mut Reader<'_>, form: Form) -> Result<Self, DecodeError> {
        let byte = reader.u8("a data type")?;
        Ok(match byte {
            DATE => Self::Date,
            TIME => Self::Time(time_scale(reader)?),
            DATE_TIME_2 => Self::DateTime2(time_scale(reader)?),
            DATE_TIME_OFFSET => Self::DateTimeOffset(time_scale(reader)?),
            VARIANT => Self::Variant(reader.u32("sql_variant length")?),
            XML => Self::Xml(decode_xml_schema(reader)?),
            UDT => Self::Udt(decode_udt(reader, form)?),
            JSON => Self::Json,
            VECTOR => Self::Vector(reader.u16("vector length")?, reader.u8("vector dimension type")?),
            other => return Self::decode_sized(other, reader),
        })
    }

    fn decode_sized(byte: u8, reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        if let Some(kind) = FixedType::from_byte(byte) {
            return Ok(Self::Fixed(kind));
        }
        if let Some(kind) = ByteLenType::from_byte(byte) {
            return Ok(Self::ByteLen(kind, reader.u8("type length")?));
        }
        if let Some(kind) = CharType::from_byte(byte) {
            return Ok(Self::Char(kind, decode_length(reader)?, decode_collation(reader)?));
        }
        if let Some(kind) = DecimalType::from_byte(byte) {
            let [max, precision, scale] = reader.array("decimal length, precision and scale")?;
            if scale > precision || precision > 38 {
                return Err(DecodeError::BadValue { what: "decimal scale", value: u64::from(scale) });
            }
            return Ok(Self::Decimal { kind, max, precision, scale });
        }
        if let Some(kind) = BinaryType::from_byte(byte) {
            return Ok(Self::Binary(kind, decode_length(reader)?));
        }
        if let Some(kind) = LongType::from_byte(byte) {
            let max = reader.u32("type length")?;
            let collation = if kind == LongType::Image { None } else { Some(decode_collation(reader)?) };
            return Ok(Self::Long(kind, max, collation));
        }
        let kind = LegacyType::from_byte(byte).ok_or(DecodeError::UnknownType(byte))?;
        Ok(Self::Legacy(kind, reader.u8("type length")?))
    }

    /// The byte that names the type on the wire.
    pub fn type_byte(&self) -> u8 {
        match self {
            Self::Fixed(kind) => *kind as u8,
            Self::ByteLen(kind, _) => *kind as u8,
            Self::Decimal { kind, .. } => *kind as u8,
            Self::Date => DATE,
            Self::Time(_) => TIME,
            Self::DateTime2(_) => DATE_TIME_2,
            Self::DateTimeOffset(_) => DATE_TIME_OFFSET,
            Self::Legacy(kind, _) => *kind as u8,
            Self::Binary(kind, _) => *kind as u8,
            Self::Char(kind, ..) => *kind as u8,
            Self::Long(kind, ..) => *kind as u8,
            Self::Variant(_) => VARIANT,
            Self::Xml(_) => XML,
            Self::Udt(_) => UDT,
            Self::Json => JSON,
            Self::Vector(..) => VECTOR,
        }
    }

    /// Appends the TYPE_INFO.
    pub fn encode(&self, form: Form, out: &mut impl BufMut) {
        out.put_u8(self.type_byte());
        match self {
            Self::Fixed(_) | Self::Date | Self::Json => {}
            Self::ByteLen(_, max) | Self::Legacy(_, max) => out.put_u8(*max),
            Self::Decimal { max, precision, scale, .. } => out.put_slice(&[*max, *precision, *scale]),
            Self::Time(scale) | Self::DateTime2(scale) | Self::DateTimeOffset(scale) => out.put_u8(*scale),
            Self::Binary(_, length) => out.put_u16_le(length.to_wire()),
            Self::Char(_, length, collation) => {
                out.put_u16_le(length.to_wire());
                out.put_slice(&collation.0);
            }
            Self::Long(_, max, collation) => {
                out.put_u32_le(*max);
                if let Some(collation) = collation {
                    out.put_slice(&collation.0);
                }
            }
            Self::Variant(max) => out.put_u32_le(*max),
            Self::Xml(schema) => encode_xml_schema(schema.as_ref(), out),
            Self::Udt(udt) => encode_udt(udt, form, out),
            Self::Vector(max, dimension) => {
                out.put_u16_le(*max);
                out.put_u8(*dimension);
            }
        }
    }

    /// Whether values travel in chunks (PLP).
    pub fn is_partial(&self) -> bool {
        matches!(
            self,
            Self::Char(_, Length::Max, _) | Self::Binary(_, Length::Max) | Self::Xml(_) | Self::Udt(_) | Self::Json
        )
    }
}

impl Length {
    fn to_wire(self) -> u16 {
        match self {
            Self::Bytes(count) => count,
            Self::Max => MAX,
        }
    }
}

fn decode_length(reader: &mut Reader<'_>) -> Result<Length, DecodeError> {
    Ok(match reader.u16("type length")? {
        MAX => Length::Max,
        count => Length::Bytes(count),
    })
}

/// Reads the five bytes of a collation.
pub(crate) fn decode_collation(reader: &mut Reader<'_>) -> Result<Collation, DecodeError> {
    reader.array("collation").map(Collation)
}

fn time_scale(reader: &mut Reader<'_>) -> Result<u8, DecodeError> {
    match reader.u8("time scale")? {
        scale @ 0..=7 => Ok(scale),
        scale => Err(DecodeError::BadValue { what: "time scale", value: u64::from(scale) }),
    }
}

fn decode_xml_schema(reader: &mut Reader<'_>) -> Result<Option<XmlSchema>, DecodeError> {
    match reader.u8("xml schema presence")? {
        0 => Ok(None),
        1 => Ok(Some(XmlSchema {
            database: reader.b_varchar("xml schema database")?,
            owner: reader.b_varchar("xml schema owner")?,
            collection: reader.us_varchar("xml schema collection")?,
        })),
        other => Err(DecodeError::BadValue { what: "xml schema presence", value: u64::from(other) }),
    }
}

fn encode_xml_schema(schema: Option<&XmlSchema>, out: &mut impl BufMut) {
    let Some(schema) = schema else { return out.put_u8(0) };
    out.put_u8(1);
    text::put_b_varchar(out, &schema.database);
    text::put_b_varchar(out, &schema.owner);
    text::put_us_varchar(out, &schema.collection);
}

fn decode_udt(reader: &mut Reader<'_>, form: Form) -> Result<UdtInfo, DecodeError> {
    let max = if form == Form::Column { Some(reader.u16("CLR type length")?) } else { None };
    Ok(UdtInfo {
        max,
        database: reader.b_varchar("CLR type database")?,
        schema: reader.b_varchar("CLR type schema")?,
        name: reader.b_varchar("CLR type name")?,
        assembly: if form == Form::Column { Some(reader.us_varchar("CLR type assembly")?) } else { None },
    })
}

fn encode_udt(udt: &UdtInfo, form: Form, out: &mut impl BufMut) {
    if form == Form::Column {
        out.put_u16_le(udt.max.unwrap_or(MAX));
    }
    text::put_b_varchar(out, &udt.database);
    text::put_b_varchar(out, &udt.schema);
    text::put_b_varchar(out, &udt.name);
    if form == Form::Column {
        text::put_us_varchar(out, udt.assembly.as_deref().unwrap_or_default());
    }
}

/// Writes `from_byte` for an enum whose discriminants are the wire's type bytes.
macro_rules! from_byte {
    ($name:ident: $($variant:ident),+) => {
        impl $name {
            /// The type of this byte, if it is one of these.
            pub fn from_byte(byte: u8) -> Option<Self> {
                $(if byte == Self::$variant as u8 { return Some(Self::$variant); })+
                None
            }
        }
    };
}

from_byte!(FixedType: Null, Int1, Bit, Int2, Int4, DateTime4, Float4, Money, DateTime, Float8, Money4, Int8);
from_byte!(ByteLenType: Guid, IntN, BitN, FloatN, MoneyN, DateTimeN);
from_byte!(DecimalType: LegacyDecimal, LegacyNumeric, DecimalN, NumericN);
from_byte!(LegacyType: VarBinary, VarChar, Binary, Char);
from_byte!(BinaryType: BigVarBinary, BigBinary);
from_byte!(CharType: BigVarChar, BigChar, NVarChar, NChar);
from_byte!(LongType: Image, Text, NText);
