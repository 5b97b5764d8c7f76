//! Values to bytes.

use super::{EncodeError, Value, codepage, time};
use crate::text;
use crate::types::{
    BinaryType, ByteLenType, CharType, Collation, DecimalType, FixedType, Form, LegacyType, Length, LongType, TypeInfo,
};
use bytes::{BufMut, BytesMut};
use std::borrow::Cow;

const NULL_U16: u16 = 0xFFFF;
const NULL_U32: u32 = 0xFFFF_FFFF;
const NULL_PLP: u64 = 0xFFFF_FFFF_FFFF_FFFF;
/// Largest chunk written: what fits a length that readers keep in 31 bits, and small enough to be read in steps.
const CHUNK_BYTES: usize = 1 << 20;

type Encoded = Result<(), EncodeError>;

impl Value {
    /// Appends the value as type `info`. Integers widen and narrow if they fit, decimals are rescaled if no digit is
    /// lost, times are cut to the type's scale, text goes to the code page of the collation with `?` for what it lacks.
    ///
    /// # Errors
    /// A value the type cannot hold. What was appended until then must be dropped by the caller.
    pub fn encode(&self, info: &TypeInfo, form: Form, out: &mut BytesMut) -> Encoded {
        if *self == Self::Null {
            return encode_null(info, form, out);
        }
        match info {
            TypeInfo::Fixed(kind) => self.encode_fixed(*kind, out),
            TypeInfo::ByteLen(kind, max) => self.encode_byte_len(*kind, *max, out),
            TypeInfo::Decimal { max, precision, scale, .. } => self.encode_decimal(*max, *precision, *scale, out),
            TypeInfo::Date | TypeInfo::Time(_) | TypeInfo::DateTime2(_) | TypeInfo::DateTimeOffset(_) => {
                self.encode_time(info, out)
            }
            TypeInfo::Variant(max) => self.encode_variant(*max, out),
            _ => self.encode_content(info, form, out),
        }
    }

    fn mismatch(&self, wanted: &'static str) -> EncodeError {
        EncodeError::Mismatch { value: self.kind(), wanted }
    }

    /// The value as an integer of any width.
    fn integer(&self) -> Result<i64, EncodeError> {
        Ok(match self {
            Self::Bit(bit) => i64::from(*bit),
            Self::TinyInt(number) => i64::from(*number),
            Self::SmallInt(number) => i64::from(*number),
            Self::Int(number) => i64::from(*number),
            Self::BigInt(number) => *number,
            _ => return Err(self.mismatch("an integer")),
        })
    }

    fn narrow<T: TryFrom<i64>>(&self, wanted: &'static str) -> Result<T, EncodeError> {
        T::try_from(self.integer()?).map_err(|_| EncodeError::OutOfRange { wanted })
    }

    fn encode_fixed(&self, kind: FixedType, out: &mut BytesMut) -> Encoded {
        match (kind, self) {
            (FixedType::Null, _) => return Err(self.mismatch("NULL")),
            (FixedType::Int1, _) => out.put_u8(self.narrow("tinyint")?),
            (FixedType::Bit, _) => out.put_u8(u8::from(self.integer()? != 0)),
            (FixedType::Int2, _) => out.put_i16_le(self.narrow("smallint")?),
            (FixedType::Int4, _) => out.put_i32_le(self.narrow("int")?),
            (FixedType::Int8, _) => out.put_i64_le(self.integer()?),
            (FixedType::Float4, Self::Real(number)) => out.put_f32_le(*number),
            (FixedType::Float8, Self::Float(number)) => out.put_f64_le(*number),
            (FixedType::Float8, Self::Real(number)) => out.put_f64_le(f64::from(*number)),
            (FixedType::Money4, Self::Money(amount)) => {
                out.put_i32_le(i32::try_from(*amount).map_err(|_| EncodeError::OutOfRange { wanted: "smallmoney" })?);
            }
            (FixedType::Money, Self::Money(amount)) => {
                // The high half goes first, each half little-endian.
                out.put_u64_le(amount.cast_unsigned().rotate_left(32));
            }
            (FixedType::DateTime4, Self::SmallDateTime(days, minutes)) => {
                out.put_u16_le(*days);
                out.put_u16_le(*minutes);
            }
            (FixedType::DateTime, Self::DateTime(days, ticks)) => {
                out.put_i32_le(*days);
                out.put_u32_le(*ticks);
            }
            _ => return Err(self.mismatch("a type of fixed length")),
        }
        Ok(())
    }

    fn encode_byte_len(&self, kind: ByteLenType, max: u8, out: &mut BytesMut) -> Encoded {
        let fixed = match (kind, max) {
            (ByteLenType::IntN, 1) => FixedType::Int1,
            (ByteLenType::IntN, 2) => FixedType::Int2,
            (ByteLenType::IntN, 4) => FixedType::Int4,
            (ByteLenType::IntN, 8) => FixedType::Int8,
            (ByteLenType::BitN, 1) => FixedType::Bit,
            (ByteLenType::FloatN, 4) => FixedType::Float4,
            (ByteLenType::FloatN, 8) => FixedType::Float8,
            (ByteLenType::MoneyN, 4) => FixedType::Money4,
            (ByteLenType::MoneyN, 8) => FixedType::Money,
            (ByteLenType::DateTimeN, 4) => FixedType::DateTime4,
            (ByteLenType::DateTimeN, 8) => FixedType::DateTime,
            (ByteLenType::Guid, 16) => {
                let Self::Guid(guid) = self else { return Err(self.mismatch("uniqueidentifier")) };
                out.put_u8(16);
                out.put_slice(guid);
                return Ok(());
            }
            _ => return Err(EncodeError::OutOfRange { wanted: "the length of the type" }),
        };
        out.put_u8(max);
        self.encode_fixed(fixed, out)
    }

    fn encode_decimal(&self, max: u8, precision: u8, scale: u8, out: &mut BytesMut) -> Encoded {
        let Self::Decimal { unscaled, scale: from } = self else { return Err(self.mismatch("decimal")) };
        let unscaled = rescale(*unscaled, *from, scale).ok_or(EncodeError::OutOfRange { wanted: "decimal" })?;
        let limit = 10u128.checked_pow(u32::from(precision));
        if limit.is_none_or(|limit| unscaled.unsigned_abs() >= limit) {
            return Err(EncodeError::OutOfRange { wanted: "decimal" });
        }
        put_decimal(unscaled, max, out)
    }

    fn encode_time(&self, info: &TypeInfo, out: &mut BytesMut) -> Encoded {
        let wanted = "a date or time that exists";
        match (info, self) {
            (TypeInfo::Date, Self::Date(days)) if time::is_valid(*days, 0) => {
                out.put_u8(time::DATE_BYTES);
                time::put_date(out, *days);
            }
            (TypeInfo::Time(scale), Self::Time(ticks)) if time::is_valid(0, *ticks) => {
                out.put_u8(time::time_bytes(*scale));
                time::put_time(out, *ticks, *scale);
            }
            (TypeInfo::DateTime2(scale), Self::DateTime2(days, ticks)) if time::is_valid(*days, *ticks) => {
                out.put_u8(time::time_bytes(*scale).saturating_add(time::DATE_BYTES));
                time::put_time(out, *ticks, *scale);
                time::put_date(out, *days);
            }
            (TypeInfo::DateTimeOffset(scale), Self::DateTimeOffset(days, ticks, offset))
                if time::is_valid(*days, *ticks) =>
            {
                out.put_u8(time::time_bytes(*scale).saturating_add(time::DATE_BYTES).saturating_add(2));
                time::put_time(out, *ticks, *scale);
                time::put_date(out, *days);
                out.put_i16_le(*offset);
            }
            _ => return Err(self.mismatch(wanted)),
        }
        Ok(())
    }

    /// The bytes of a text or binary value in the type's encoding.
    fn content(&self, info: &TypeInfo) -> Result<Cow<'_, [u8]>, EncodeError> {
        Ok(match (info, self) {
            (TypeInfo::Char(CharType::NVarChar | CharType::NChar, ..), Self::Text(text))
            | (TypeInfo::Long(LongType::NText, ..), Self::Text(text))
            | (TypeInfo::Xml(_), Self::Text(text)) => Cow::Owned(utf16(text)),
            (TypeInfo::Char(_, _, collation), Self::Text(text))
            | (TypeInfo::Long(LongType::Text, _, Some(collation)), Self::Text(text)) => {
                Cow::Owned(codepage::encode(*collation, text))
            }
            (TypeInfo::Json, Self::Text(text)) => Cow::Borrowed(text.as_bytes()),
            (TypeInfo::Legacy(LegacyType::Char | LegacyType::VarChar, _), Self::Text(text)) => {
                Cow::Owned(codepage::encode_ascii(text))
            }
            (TypeInfo::Binary(..) | TypeInfo::Udt(_) | TypeInfo::Vector(..), Self::Binary(bytes))
            | (TypeInfo::Long(LongType::Image, ..), Self::Binary(bytes))
            | (TypeInfo::Legacy(LegacyType::Binary | LegacyType::VarBinary, _), Self::Binary(bytes)) => {
                Cow::Borrowed(bytes)
            }
            _ => return Err(self.mismatch("text or bytes")),
        })
    }

    fn encode_content(&self, info: &TypeInfo, form: Form, out: &mut BytesMut) -> Encoded {
        let bytes = self.content(info)?;
        if info.is_partial() {
            put_partial(&bytes, out);
            return Ok(());
        }
        match info {
            TypeInfo::Long(..) => {
                if form == Form::Column {
                    put_text_pointer(out);
                }
                let count = u32::try_from(bytes.len()).map_err(|_| EncodeError::TooLong { limit: u32::MAX })?;
                out.put_u32_le(count);
            }
            TypeInfo::Legacy(_, max) => {
                // A length of 0 means NULL, so these types have no empty value; SQL Server 6.5 sent a blank.
                let count = fit(&bytes, u32::from(*max))?;
                out.put_u8(u8::try_from(count.max(1)).unwrap_or(u8::MAX));
                if bytes.is_empty() {
                    out.put_u8(b' ');
                }
            }
            TypeInfo::Binary(_, Length::Bytes(max))
            | TypeInfo::Char(_, Length::Bytes(max), _)
            | TypeInfo::Vector(max, _) => {
                let count = fit(&bytes, u32::from((*max).min(NULL_U16 - 1)))?;
                out.put_u16_le(u16::try_from(count).unwrap_or(NULL_U16 - 1));
            }
            _ => return Err(self.mismatch("text or bytes")),
        }
        out.put_slice(&bytes);
        Ok(())
    }

    fn encode_variant(&self, max: u32, out: &mut BytesMut) -> Encoded {
        let mut inner = BytesMut::new();
        match self {
            Self::Bit(_) => self.variant_fixed(FixedType::Bit, &mut inner)?,
            Self::TinyInt(_) => self.variant_fixed(FixedType::Int1, &mut inner)?,
            Self::SmallInt(_) => self.variant_fixed(FixedType::Int2, &mut inner)?,
            Self::Int(_) => self.variant_fixed(FixedType::Int4, &mut inner)?,
            Self::BigInt(_) => self.variant_fixed(FixedType::Int8, &mut inner)?,
            Self::Real(_) => self.variant_fixed(FixedType::Float4, &mut inner)?,
            Self::Float(_) => self.variant_fixed(FixedType::Float8, &mut inner)?,
            Self::Money(_) => self.variant_fixed(FixedType::Money, &mut inner)?,
            Self::SmallDateTime(..) => self.variant_fixed(FixedType::DateTime4, &mut inner)?,
            Self::DateTime(..) => self.variant_fixed(FixedType::DateTime, &mut inner)?,
            Self::Null => {}
            Self::Guid(guid) => {
                inner.put_slice(&[ByteLenType::Guid as u8, 0]);
                inner.put_slice(guid);
            }
            Self::Decimal { unscaled, scale } => {
                inner.put_slice(&[DecimalType::NumericN as u8, 2, 38, *scale]);
                put_magnitude(*unscaled, 17, &mut inner);
            }
            Self::Date(_) => self.variant_time(&TypeInfo::Date, None, &mut inner)?,
            Self::Time(_) => self.variant_time(&TypeInfo::Time(7), Some(7), &mut inner)?,
            Self::DateTime2(..) => self.variant_time(&TypeInfo::DateTime2(7), Some(7), &mut inner)?,
            Self::DateTimeOffset(..) => self.variant_time(&TypeInfo::DateTimeOffset(7), Some(7), &mut inner)?,
            Self::Text(text) => {
                inner.put_slice(&[CharType::NVarChar as u8, 7]);
                inner.put_slice(&Collation::SQL_LATIN1_GENERAL_CP1_CI_AS.0);
                inner.put_u16_le(8000);
                text::put(&mut inner, text);
            }
            Self::Binary(bytes) => {
                inner.put_slice(&[BinaryType::BigVarBinary as u8, 2]);
                inner.put_u16_le(8000);
                inner.put_slice(bytes);
            }
        }
        out.put_u32_le(fit(&inner, max)?);
        out.put_slice(&inner);
        Ok(())
    }

    fn variant_fixed(&self, kind: FixedType, inner: &mut BytesMut) -> Encoded {
        inner.put_slice(&[kind as u8, 0]);
        self.encode_fixed(kind, inner)
    }

    fn variant_time(&self, info: &TypeInfo, scale: Option<u8>, inner: &mut BytesMut) -> Encoded {
        inner.put_slice(&[info.type_byte(), u8::from(scale.is_some())]);
        inner.extend(scale);
        let mut with_length = BytesMut::new();
        self.encode_time(info, &mut with_length)?;
        inner.put_slice(with_length.get(1..).unwrap_or_default());
        Ok(())
    }
}

/// NULL in the form of the type.
fn encode_null(info: &TypeInfo, form: Form, out: &mut BytesMut) -> Encoded {
    match info {
        TypeInfo::Fixed(FixedType::Null) => {}
        TypeInfo::Fixed(_) => return Err(EncodeError::Mismatch { value: "NULL", wanted: "a type of fixed length" }),
        _ if info.is_partial() => out.put_u64_le(NULL_PLP),
        TypeInfo::Binary(..) | TypeInfo::Char(..) | TypeInfo::Vector(..) => out.put_u16_le(NULL_U16),
        TypeInfo::Variant(_) => out.put_u32_le(0),
        TypeInfo::Long(..) if form == Form::Parameter => out.put_u32_le(NULL_U32),
        _ => out.put_u8(0),
    }
    Ok(())
}

fn utf16(text: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len().saturating_mul(2));
    text::put(&mut out, text);
    out
}

fn fit(bytes: &[u8], limit: u32) -> Result<u32, EncodeError> {
    u32::try_from(bytes.len()).ok().filter(|count| *count <= limit).ok_or(EncodeError::TooLong { limit })
}

/// Total length, chunks, end.
fn put_partial(bytes: &[u8], out: &mut BytesMut) {
    out.put_u64_le(bytes.len() as u64);
    for chunk in bytes.chunks(CHUNK_BYTES) {
        out.put_u32_le(u32::try_from(chunk.len()).unwrap_or(u32::MAX));
        out.put_slice(chunk);
    }
    out.put_u32_le(0);
}

/// Servers put a handle and a timestamp before text values; clients skip both, so ours name nothing.
fn put_text_pointer(out: &mut BytesMut) {
    out.put_u8(16);
    out.put_bytes(0xFF, 16 + 8);
}

fn rescale(unscaled: i128, from: u8, to: u8) -> Option<i128> {
    let factor = 10i128.checked_pow(u32::from(from.abs_diff(to)))?;
    if to >= from {
        return unscaled.checked_mul(factor);
    }
    (unscaled.checked_rem(factor)? == 0).then(|| unscaled.checked_div(factor))?
}

/// A length byte and a decimal that takes all the bytes its type allows, as servers write it.
fn put_decimal(unscaled: i128, max: u8, out: &mut BytesMut) -> Encoded {
    let width = max.clamp(2, 17);
    let bits = 128u32.saturating_sub(unscaled.unsigned_abs().leading_zeros());
    if bits > u32::from(width.saturating_sub(1)).saturating_mul(8) {
        return Err(EncodeError::OutOfRange { wanted: "decimal" });
    }
    out.put_u8(width);
    put_magnitude(unscaled, width, out);
    Ok(())
}

/// The sign and `width - 1` bytes of magnitude.
fn put_magnitude(unscaled: i128, width: u8, out: &mut BytesMut) {
    out.put_u8(u8::from(unscaled >= 0));
    let magnitude = unscaled.unsigned_abs().to_le_bytes();
    out.put_slice(magnitude.get(..usize::from(width.saturating_sub(1))).unwrap_or(&magnitude));
}
