//! Bytes to values.

use super::{Value, codepage, time};
use crate::DecodeError;
use crate::read::Reader;
use crate::types::{ByteLenType, CharType, FixedType, Form, LegacyType, LongType, TypeInfo, decode_collation};
use bytes::Bytes;
use std::borrow::Cow;

const NULL_U16: u16 = 0xFFFF;
const NULL_U32: u32 = 0xFFFF_FFFF;
const NULL_PLP: u64 = 0xFFFF_FFFF_FFFF_FFFF;

impl Value {
    /// Reads one value of type `info`. What is allocated is bounded by the bytes that are there, never by a length.
    ///
    /// # Errors
    /// Too few bytes, or a length or content the type does not allow.
    pub fn decode(info: &TypeInfo, form: Form, reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        match info {
            TypeInfo::Fixed(kind) => decode_fixed(*kind, reader),
            TypeInfo::ByteLen(..) | TypeInfo::Decimal { .. } | TypeInfo::Legacy(..) => decode_short(info, reader),
            TypeInfo::Date | TypeInfo::Time(_) | TypeInfo::DateTime2(_) | TypeInfo::DateTimeOffset(_) => {
                decode_short(info, reader)
            }
            _ if info.is_partial() => Ok(match take_partial(reader)? {
                Some(bytes) => decode_content(info, &bytes)?,
                None => Self::Null,
            }),
            TypeInfo::Long(..) => Ok(match take_long(form, reader)? {
                Some(bytes) => decode_content(info, bytes)?,
                None => Self::Null,
            }),
            TypeInfo::Variant(_) => match reader.u32("sql_variant length")? {
                0 => Ok(Self::Null),
                count => decode_variant(reader.take(to_usize(count), "sql_variant value")?),
            },
            _ => match reader.u16("value length")? {
                NULL_U16 => Ok(Self::Null),
                count => decode_content(info, reader.take(usize::from(count), "value")?),
            },
        }
    }
}

fn to_usize(count: u32) -> usize {
    usize::try_from(count).unwrap_or(usize::MAX)
}

/// The value's bytes decoded as text or kept as bytes, as the type says.
fn decode_content(info: &TypeInfo, bytes: &[u8]) -> Result<Value, DecodeError> {
    Ok(match info {
        TypeInfo::Char(CharType::NVarChar | CharType::NChar, ..) | TypeInfo::Long(LongType::NText, ..) => {
            Value::Text(utf16(bytes)?)
        }
        TypeInfo::Xml(_) => Value::Text(utf16(bytes.strip_prefix(&[0xFF, 0xFE]).unwrap_or(bytes))?),
        TypeInfo::Char(_, _, collation) | TypeInfo::Long(LongType::Text, _, Some(collation)) => {
            Value::Text(codepage::decode(*collation, bytes))
        }
        TypeInfo::Json => Value::Text(String::from_utf8_lossy(bytes).into_owned()),
        TypeInfo::Legacy(LegacyType::Char | LegacyType::VarChar, _) => Value::Text(codepage::decode_ascii(bytes)),
        _ => Value::Binary(Bytes::copy_from_slice(bytes)),
    })
}

/// nvarchar may hold lone surrogates, which a `String` cannot: they become U+FFFD. Half a code unit is an error.
fn utf16(bytes: &[u8]) -> Result<String, DecodeError> {
    if !bytes.len().is_multiple_of(2) {
        return Err(DecodeError::BadText { what: "an nvarchar value" });
    }
    Ok(crate::text::decode_lossy(bytes))
}

/// A value behind a length byte, 0 meaning NULL.
fn decode_short(info: &TypeInfo, reader: &mut Reader<'_>) -> Result<Value, DecodeError> {
    let bytes = reader.b_varbyte("value")?;
    if bytes.is_empty() {
        return Ok(Value::Null);
    }
    let bad = DecodeError::BadValue { what: "value length", value: bytes.len() as u64 };
    let fixed = match (info, bytes.len()) {
        (TypeInfo::ByteLen(ByteLenType::IntN, _), 1) => FixedType::Int1,
        (TypeInfo::ByteLen(ByteLenType::IntN, _), 2) => FixedType::Int2,
        (TypeInfo::ByteLen(ByteLenType::IntN, _), 4) => FixedType::Int4,
        (TypeInfo::ByteLen(ByteLenType::IntN, _), 8) => FixedType::Int8,
        (TypeInfo::ByteLen(ByteLenType::BitN, _), 1) => FixedType::Bit,
        (TypeInfo::ByteLen(ByteLenType::FloatN, _), 4) => FixedType::Float4,
        (TypeInfo::ByteLen(ByteLenType::FloatN, _), 8) => FixedType::Float8,
        (TypeInfo::ByteLen(ByteLenType::MoneyN, _), 4) => FixedType::Money4,
        (TypeInfo::ByteLen(ByteLenType::MoneyN, _), 8) => FixedType::Money,
        (TypeInfo::ByteLen(ByteLenType::DateTimeN, _), 4) => FixedType::DateTime4,
        (TypeInfo::ByteLen(ByteLenType::DateTimeN, _), 8) => FixedType::DateTime,
        (TypeInfo::ByteLen(ByteLenType::Guid, _), 16) => return Reader::new(bytes).array("guid").map(Value::Guid),
        (TypeInfo::ByteLen(..), _) => return Err(bad),
        (TypeInfo::Decimal { scale, .. }, _) => return decode_decimal(bytes, *scale),
        (TypeInfo::Date, _) => return time::decode_date(bytes),
        (TypeInfo::Time(scale), _) => return time::decode_time(bytes, *scale),
        (TypeInfo::DateTime2(scale), _) => return time::decode_datetime2(bytes, *scale),
        (TypeInfo::DateTimeOffset(scale), _) => return time::decode_datetimeoffset(bytes, *scale),
        _ => return decode_content(info, bytes),
    };
    decode_fixed(fixed, &mut Reader::new(bytes))
}

fn decode_fixed(kind: FixedType, reader: &mut Reader<'_>) -> Result<Value, DecodeError> {
    const WHAT: &str = "a value of fixed length";
    Ok(match kind {
        FixedType::Null => Value::Null,
        FixedType::Int1 => Value::TinyInt(reader.u8(WHAT)?),
        FixedType::Bit => Value::Bit(reader.u8(WHAT)? != 0),
        FixedType::Int2 => Value::SmallInt(reader.array(WHAT).map(i16::from_le_bytes)?),
        FixedType::Int4 => Value::Int(reader.i32(WHAT)?),
        FixedType::Int8 => Value::BigInt(reader.array(WHAT).map(i64::from_le_bytes)?),
        FixedType::Float4 => Value::Real(reader.array(WHAT).map(f32::from_le_bytes)?),
        FixedType::Float8 => Value::Float(reader.array(WHAT).map(f64::from_le_bytes)?),
        FixedType::Money4 => Value::Money(i64::from(reader.i32(WHAT)?)),
        FixedType::Money => {
            let (high, low) = (reader.i32(WHAT)?, reader.u32(WHAT)?);
            Value::Money((i64::from(high) << 32) | i64::from(low))
        }
        FixedType::DateTime4 => Value::SmallDateTime(reader.u16(WHAT)?, reader.u16(WHAT)?),
        FixedType::DateTime => Value::DateTime(reader.i32(WHAT)?, reader.u32(WHAT)?),
    })
}

/// A sign byte, 1 for positive, and the magnitude, little-endian, in up to 16 bytes.
fn decode_decimal(bytes: &[u8], scale: u8) -> Result<Value, DecodeError> {
    let bad = DecodeError::BadValue { what: "decimal value", value: bytes.len() as u64 };
    let Some((sign, magnitude)) = bytes.split_first() else { return Err(bad) };
    let mut wide = [0u8; 16];
    let Some(low) = wide.get_mut(..magnitude.len()) else { return Err(bad) };
    low.copy_from_slice(magnitude);
    let Ok(unscaled) = i128::try_from(u128::from_le_bytes(wide)) else { return Err(bad) };
    Ok(Value::Decimal { unscaled: if *sign == 0 { unscaled.saturating_neg() } else { unscaled }, scale })
}

/// A chunked value in one piece; borrowed if it came in one chunk.
fn take_partial<'a>(reader: &mut Reader<'a>) -> Result<Option<Cow<'a, [u8]>>, DecodeError> {
    if reader.u64("total length of a chunked value")? == NULL_PLP {
        return Ok(None);
    }
    let mut whole: Cow<'a, [u8]> = Cow::Borrowed(&[]);
    loop {
        let chunk = match reader.u32("length of a chunk")? {
            0 => return Ok(Some(whole)),
            count => reader.take(to_usize(count), "a chunk")?,
        };
        if whole.is_empty() {
            whole = Cow::Borrowed(chunk);
        } else {
            whole.to_mut().extend_from_slice(chunk);
        }
    }
}

/// A text, ntext or image value: behind a text pointer in rows, behind a length in parameters.
fn take_long<'a>(form: Form, reader: &mut Reader<'a>) -> Result<Option<&'a [u8]>, DecodeError> {
    if form == Form::Column {
        if reader.b_varbyte("text pointer")?.is_empty() {
            return Ok(None);
        }
        reader.take(8, "text timestamp")?;
    }
    match reader.u32("text length")? {
        NULL_U32 if form == Form::Parameter => Ok(None),
        count => reader.take(to_usize(count), "text value").map(Some),
    }
}

/// What is inside a sql_variant: a base type, its properties and the bare value ([MS-TDS] 2.2.5.5.4).
fn decode_variant(bytes: &[u8]) -> Result<Value, DecodeError> {
    let mut reader = Reader::new(bytes);
    let base = reader.u8("sql_variant base type")?;
    let mut properties = Reader::new(reader.b_varbyte("sql_variant properties")?);
    if let Some(kind) = FixedType::from_byte(base) {
        return decode_fixed(kind, &mut reader);
    }
    let bytes = reader.rest();
    match base {
        0x24 => reader.array("guid").map(Value::Guid),
        0x28 => time::decode_date(bytes),
        0x29 => time::decode_time(bytes, properties.u8("scale")?),
        0x2A => time::decode_datetime2(bytes, properties.u8("scale")?),
        0x2B => time::decode_datetimeoffset(bytes, properties.u8("scale")?),
        0x6A | 0x6C => {
            let [_precision, scale] = properties.array("precision and scale")?;
            decode_decimal(bytes, scale)
        }
        0xA5 | 0xAD => Ok(Value::Binary(Bytes::copy_from_slice(bytes))),
        0xA7 | 0xAF => Ok(Value::Text(codepage::decode(decode_collation(&mut properties)?, bytes))),
        0xE7 | 0xEF => utf16(bytes).map(Value::Text),
        other => Err(DecodeError::UnknownType(other)),
    }
}
