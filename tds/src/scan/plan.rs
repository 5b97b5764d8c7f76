//! Column metadata compiled to what is needed to step over a row: runs of fixed bytes and kinds of length prefixes.

use crate::DecodeError;
use crate::read::Reader;
use crate::types::{BinaryType, ByteLenType, CharType, DecimalType, FixedType, LegacyType, LongType};

/// How the length of a value is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Prefix {
    /// There is no value of variable length.
    None,
    /// u8, 0 for NULL.
    Byte,
    /// u16, 0xFFFF for NULL.
    Short,
    /// u32, 0 for NULL.
    Long,
    /// u64 total, -1 for NULL, then chunks of u32 and bytes up to one of length 0 (PLP).
    Partial,
    /// u8 text pointer, 0 for NULL; pointer, 8 bytes, u32.
    Text,
}

/// A run of bytes of fixed columns, then one value of variable length.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Step {
    /// Bytes of fixed columns before the value.
    pub(crate) fixed: u32,
    /// How the value's length is written.
    pub(crate) prefix: Prefix,
}

impl Step {
    const fn fixed(bytes: u32) -> Self {
        Self { fixed: bytes, prefix: Prefix::None }
    }

    const fn variable(prefix: Prefix) -> Self {
        Self { fixed: 0, prefix }
    }

    /// Reads a TYPE_INFO in the form of columns and says how to step over its values. Nothing is allocated.
    pub(crate) fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        const WHAT: &str = "TYPE_INFO";
        let byte = reader.u8("a data type")?;
        if let Some(kind) = FixedType::from_byte(byte) {
            return Ok(Self::fixed(fixed_bytes(kind)));
        }
        let character = CharType::from_byte(byte).is_some();
        if character || BinaryType::from_byte(byte).is_some() {
            let length = reader.u16(WHAT)?;
            reader.take(if character { 5 } else { 0 }, WHAT)?;
            return Ok(Self::variable(if length == u16::MAX { Prefix::Partial } else { Prefix::Short }));
        }
        if let Some(kind) = LongType::from_byte(byte) {
            reader.take(if kind == LongType::Image { 4 } else { 9 }, WHAT)?;
            return Ok(Self::variable(Prefix::Text));
        }
        let prefix = match byte {
            0x28 => Prefix::Byte,
            0x29..=0x2B => skip(reader, 1, Prefix::Byte)?,
            0x62 => skip(reader, 4, Prefix::Long)?,
            0xF0 => {
                reader.take(2, WHAT)?;
                skip_names(reader, 3)?;
                Prefix::Partial
            }
            0xF1 => {
                if reader.u8(WHAT)? != 0 {
                    skip_names(reader, 2)?;
                }
                Prefix::Partial
            }
            0xF4 => Prefix::Partial,
            0xF5 => skip(reader, 3, Prefix::Short)?,
            _ if ByteLenType::from_byte(byte).is_some() || LegacyType::from_byte(byte).is_some() => {
                skip(reader, 1, Prefix::Byte)?
            }
            _ if DecimalType::from_byte(byte).is_some() => skip(reader, 3, Prefix::Byte)?,
            _ => return Err(DecodeError::UnknownType(byte)),
        };
        Ok(Self::variable(prefix))
    }
}

fn skip(reader: &mut Reader<'_>, count: usize, prefix: Prefix) -> Result<Prefix, DecodeError> {
    reader.take(count, "TYPE_INFO").map(|_| prefix)
}

/// Skips `short` strings of at most 255 characters and one of at most 65,535.
fn skip_names(reader: &mut Reader<'_>, short: usize) -> Result<(), DecodeError> {
    for _ in 0..short {
        skip_b_varchar(reader)?;
    }
    skip_us_varchar(reader)
}

/// Skips a `B_VARCHAR`.
pub(crate) fn skip_b_varchar(reader: &mut Reader<'_>) -> Result<(), DecodeError> {
    let units = usize::from(reader.u8("a name")?);
    reader.take(units.saturating_mul(2), "a name").map(drop)
}

/// Skips a `US_VARCHAR`.
pub(crate) fn skip_us_varchar(reader: &mut Reader<'_>) -> Result<(), DecodeError> {
    let units = usize::from(reader.u16("a name")?);
    reader.take(units.saturating_mul(2), "a name").map(drop)
}

fn fixed_bytes(kind: FixedType) -> u32 {
    match kind {
        FixedType::Null => 0,
        FixedType::Int1 | FixedType::Bit => 1,
        FixedType::Int2 => 2,
        FixedType::Int4 | FixedType::DateTime4 | FixedType::Float4 | FixedType::Money4 => 4,
        FixedType::Money | FixedType::DateTime | FixedType::Float8 | FixedType::Int8 => 8,
    }
}

/// A result's columns: one by one for rows without their NULLs, merged for the others.
#[derive(Debug, Default)]
pub(crate) struct Plan {
    columns: Vec<Step>,
    merged: Vec<Step>,
}

impl Plan {
    /// Steps kept allocated between results.
    const KEPT: usize = 64;

    pub(crate) fn clear(&mut self) {
        self.columns.clear();
        self.merged.clear();
        self.columns.shrink_to(Self::KEPT);
        self.merged.shrink_to(Self::KEPT);
    }

    /// Adds a column. Fixed bytes join the run before them; a value of variable length closes the run.
    pub(crate) fn push(&mut self, column: Step) {
        self.columns.push(column);
        match self.merged.last_mut() {
            Some(open) if open.prefix == Prefix::None => {
                open.fixed = open.fixed.saturating_add(column.fixed);
                open.prefix = column.prefix;
            }
            _ => self.merged.push(column),
        }
    }

    /// Bytes of memory kept.
    pub(crate) fn kept_bytes(&self) -> usize {
        let steps = self.columns.capacity().saturating_add(self.merged.capacity());
        steps.saturating_mul(size_of::<Step>())
    }

    pub(crate) fn columns(&self) -> &[Step] {
        &self.columns
    }

    pub(crate) fn merged(&self) -> &[Step] {
        &self.merged
    }

    /// Bytes of the bitmap of an NBCROW.
    pub(crate) fn bitmap_bytes(&self) -> usize {
        self.columns.len().div_ceil(8)
    }
}
