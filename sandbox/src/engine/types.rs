//! SQL Server's types as the engine reasons about them, and their way to and from the wire's TYPE_INFO.

use tds::types::{BinaryType, ByteLenType, CharType, Collation, DecimalType, FixedType, Length, LongType, TypeInfo};

/// Which character type.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum CharKind {
    Char,
    VarChar,
    NChar,
    NVarChar,
}

impl CharKind {
    pub(crate) fn is_national(self) -> bool {
        matches!(self, Self::NChar | Self::NVarChar)
    }

    pub(crate) fn is_fixed(self) -> bool {
        matches!(self, Self::Char | Self::NChar)
    }
}

/// A data type. Lengths are in characters, `None` is `(max)`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Type {
    /// The type of a bare NULL; int on the wire.
    Null,
    Bit,
    TinyInt,
    SmallInt,
    Int,
    BigInt,
    Decimal(u8, u8),
    SmallMoney,
    Money,
    Real,
    Float,
    Text(CharKind, Option<u16>),
    LongText,
    LongNText,
    Xml,
    Binary(bool, Option<u16>),
    Image,
    Guid,
    Date,
    Time(u8),
    SmallDateTime,
    DateTime,
    DateTime2(u8),
    DateTimeOffset(u8),
}

/// The collation every string has: SQL_Latin1_General_CP1_CI_AS.
pub(crate) const COLLATION: Collation = Collation([0x09, 0x04, 0xD0, 0x00, 0x34]);

impl Type {
    pub(crate) const SYSNAME: Self = Self::Text(CharKind::NVarChar, Some(128));
    pub(crate) const NVARCHAR_MAX: Self = Self::Text(CharKind::NVarChar, None);

    pub(crate) fn varchar(length: u16) -> Self {
        Self::Text(CharKind::VarChar, Some(length.max(1)))
    }

    pub(crate) fn nvarchar(length: u16) -> Self {
        Self::Text(CharKind::NVarChar, Some(length.max(1)))
    }

    /// Data type precedence: the higher one wins an implicit conversion.
    pub(crate) fn precedence(self) -> u8 {
        match self {
            Self::Null => 0,
            Self::Binary(..) | Self::Image => 1,
            Self::Text(CharKind::Char, _) => 3,
            Self::Text(CharKind::VarChar, _) => 4,
            Self::Text(CharKind::NChar, _) => 5,
            Self::Text(CharKind::NVarChar, _) => 6,
            Self::LongText => 7,
            Self::LongNText => 8,
            Self::Guid => 10,
            Self::Bit => 12,
            Self::TinyInt => 13,
            Self::SmallInt => 14,
            Self::Int => 15,
            Self::BigInt => 16,
            Self::SmallMoney => 17,
            Self::Money => 18,
            Self::Decimal(..) => 19,
            Self::Real => 20,
            Self::Float => 21,
            Self::Time(_) => 22,
            Self::Date => 23,
            Self::SmallDateTime => 24,
            Self::DateTime => 25,
            Self::DateTime2(_) => 26,
            Self::DateTimeOffset(_) => 27,
            Self::Xml => 28,
        }
    }

    pub(crate) fn is_integer(self) -> bool {
        matches!(self, Self::Bit | Self::TinyInt | Self::SmallInt | Self::Int | Self::BigInt)
    }

    pub(crate) fn is_money(self) -> bool {
        matches!(self, Self::Money | Self::SmallMoney)
    }

    pub(crate) fn is_float(self) -> bool {
        matches!(self, Self::Real | Self::Float)
    }

    pub(crate) fn is_number(self) -> bool {
        self.is_integer() || self.is_money() || self.is_float() || matches!(self, Self::Decimal(..))
    }

    pub(crate) fn is_text(self) -> bool {
        matches!(self, Self::Text(..) | Self::LongText | Self::LongNText | Self::Xml)
    }

    pub(crate) fn is_national(self) -> bool {
        matches!(self, Self::LongNText | Self::Xml) || matches!(self, Self::Text(kind, _) if kind.is_national())
    }

    pub(crate) fn is_binary(self) -> bool {
        matches!(self, Self::Binary(..) | Self::Image)
    }

    pub(crate) fn is_temporal(self) -> bool {
        matches!(
            self,
            Self::Date
                | Self::Time(_)
                | Self::SmallDateTime
                | Self::DateTime
                | Self::DateTime2(_)
                | Self::DateTimeOffset(_)
        )
    }

    /// The decimal an exact number is in arithmetic with decimals.
    pub(crate) fn as_decimal(self) -> (u8, u8) {
        match self {
            Self::Decimal(precision, scale) => (precision, scale),
            Self::Bit => (1, 0),
            Self::TinyInt => (3, 0),
            Self::SmallInt => (5, 0),
            Self::BigInt => (19, 0),
            Self::SmallMoney => (10, 4),
            Self::Money => (19, 4),
            Self::Float | Self::Real => (38, 10),
            _ => (10, 0),
        }
    }

    /// Characters a text, or a value converted to text, takes at most; `None` is `(max)`.
    pub(crate) fn text_length(self) -> Option<u16> {
        match self {
            Self::Text(_, length) => length,
            Self::LongText | Self::LongNText | Self::Xml | Self::Image | Self::Binary(_, None) => None,
            Self::Binary(_, length) => length,
            Self::Null | Self::Bit => Some(1),
            Self::TinyInt => Some(3),
            Self::SmallInt => Some(6),
            Self::Int => Some(11),
            Self::BigInt => Some(20),
            Self::Decimal(precision, _) => Some(u16::from(precision).saturating_add(3)),
            Self::SmallMoney => Some(12),
            Self::Money => Some(21),
            Self::Real | Self::Float => Some(53),
            Self::Guid => Some(36),
            Self::Date => Some(10),
            Self::Time(_) => Some(16),
            Self::SmallDateTime => Some(19),
            Self::DateTime => Some(23),
            Self::DateTime2(_) => Some(27),
            Self::DateTimeOffset(_) => Some(34),
        }
    }

    /// The name in messages and catalog views.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Null | Self::Int => "int",
            Self::Bit => "bit",
            Self::TinyInt => "tinyint",
            Self::SmallInt => "smallint",
            Self::BigInt => "bigint",
            Self::Decimal(..) => "decimal",
            Self::SmallMoney => "smallmoney",
            Self::Money => "money",
            Self::Real => "real",
            Self::Float => "float",
            Self::Text(CharKind::Char, _) => "char",
            Self::Text(CharKind::VarChar, _) => "varchar",
            Self::Text(CharKind::NChar, _) => "nchar",
            Self::Text(CharKind::NVarChar, _) => "nvarchar",
            Self::LongText => "text",
            Self::LongNText => "ntext",
            Self::Xml => "xml",
            Self::Binary(true, _) => "binary",
            Self::Binary(false, _) => "varbinary",
            Self::Image => "image",
            Self::Guid => "uniqueidentifier",
            Self::Date => "date",
            Self::Time(_) => "time",
            Self::SmallDateTime => "smalldatetime",
            Self::DateTime => "datetime",
            Self::DateTime2(_) => "datetime2",
            Self::DateTimeOffset(_) => "datetimeoffset",
        }
    }

    /// The name in messages about decimals: SQL Server says numeric there.
    pub(crate) fn message_name(self) -> &'static str {
        if matches!(self, Self::Decimal(..)) { "numeric" } else { self.name() }
    }

    /// As the wire describes a column of it. SQL Server sends the fixed form for what cannot be NULL.
    pub(crate) fn type_info(self, nullable: bool) -> TypeInfo {
        let fixed = |fixed, kind, length| match nullable {
            true => TypeInfo::ByteLen(kind, length),
            false => TypeInfo::Fixed(fixed),
        };
        match self {
            Self::Null => TypeInfo::ByteLen(ByteLenType::IntN, 4),
            Self::Bit => fixed(FixedType::Bit, ByteLenType::BitN, 1),
            Self::TinyInt => fixed(FixedType::Int1, ByteLenType::IntN, 1),
            Self::SmallInt => fixed(FixedType::Int2, ByteLenType::IntN, 2),
            Self::Int => fixed(FixedType::Int4, ByteLenType::IntN, 4),
            Self::BigInt => fixed(FixedType::Int8, ByteLenType::IntN, 8),
            Self::SmallMoney => fixed(FixedType::Money4, ByteLenType::MoneyN, 4),
            Self::Money => fixed(FixedType::Money, ByteLenType::MoneyN, 8),
            Self::Real => fixed(FixedType::Float4, ByteLenType::FloatN, 4),
            Self::Float => fixed(FixedType::Float8, ByteLenType::FloatN, 8),
            Self::SmallDateTime => fixed(FixedType::DateTime4, ByteLenType::DateTimeN, 4),
            Self::DateTime => fixed(FixedType::DateTime, ByteLenType::DateTimeN, 8),
            Self::Decimal(precision, scale) => {
                let max = decimal_bytes(precision);
                TypeInfo::Decimal { kind: DecimalType::NumericN, max, precision, scale }
            }
            Self::Text(kind, length) => {
                let wire = match kind {
                    CharKind::Char => CharType::BigChar,
                    CharKind::VarChar => CharType::BigVarChar,
                    CharKind::NChar => CharType::NChar,
                    CharKind::NVarChar => CharType::NVarChar,
                };
                let unit = if kind.is_national() { 2 } else { 1 };
                TypeInfo::Char(wire, bytes_length(length, unit), COLLATION)
            }
            Self::LongText => TypeInfo::Long(LongType::Text, i32::MAX as u32, Some(COLLATION)),
            Self::LongNText => TypeInfo::Long(LongType::NText, 0x7FFF_FFFE, Some(COLLATION)),
            Self::Image => TypeInfo::Long(LongType::Image, i32::MAX as u32, None),
            Self::Xml => TypeInfo::Xml(None),
            Self::Binary(true, length) => TypeInfo::Binary(BinaryType::BigBinary, bytes_length(length, 1)),
            Self::Binary(false, length) => TypeInfo::Binary(BinaryType::BigVarBinary, bytes_length(length, 1)),
            Self::Guid => TypeInfo::ByteLen(ByteLenType::Guid, 16),
            Self::Date => TypeInfo::Date,
            Self::Time(scale) => TypeInfo::Time(scale),
            Self::DateTime2(scale) => TypeInfo::DateTime2(scale),
            Self::DateTimeOffset(scale) => TypeInfo::DateTimeOffset(scale),
        }
    }

    /// From a parameter's or a bulk column's description; `None` for what the engine does not know.
    pub(crate) fn from_type_info(info: &TypeInfo) -> Option<Self> {
        Some(match info {
            TypeInfo::Fixed(fixed) => match fixed {
                FixedType::Null => Self::Null,
                FixedType::Int1 => Self::TinyInt,
                FixedType::Bit => Self::Bit,
                FixedType::Int2 => Self::SmallInt,
                FixedType::Int4 => Self::Int,
                FixedType::DateTime4 => Self::SmallDateTime,
                FixedType::Float4 => Self::Real,
                FixedType::Money => Self::Money,
                FixedType::DateTime => Self::DateTime,
                FixedType::Float8 => Self::Float,
                FixedType::Money4 => Self::SmallMoney,
                FixedType::Int8 => Self::BigInt,
            },
            TypeInfo::ByteLen(kind, length) => match (kind, length) {
                (ByteLenType::Guid, _) => Self::Guid,
                (ByteLenType::IntN, 1) => Self::TinyInt,
                (ByteLenType::IntN, 2) => Self::SmallInt,
                (ByteLenType::IntN, 4) => Self::Int,
                (ByteLenType::IntN, _) => Self::BigInt,
                (ByteLenType::BitN, _) => Self::Bit,
                (ByteLenType::FloatN, 4) => Self::Real,
                (ByteLenType::FloatN, _) => Self::Float,
                (ByteLenType::MoneyN, 4) => Self::SmallMoney,
                (ByteLenType::MoneyN, _) => Self::Money,
                (ByteLenType::DateTimeN, 4) => Self::SmallDateTime,
                (ByteLenType::DateTimeN, _) => Self::DateTime,
            },
            TypeInfo::Decimal { precision, scale, .. } => Self::Decimal((*precision).clamp(1, 38), (*scale).min(38)),
            TypeInfo::Date => Self::Date,
            TypeInfo::Time(scale) => Self::Time(*scale),
            TypeInfo::DateTime2(scale) => Self::DateTime2(*scale),
            TypeInfo::DateTimeOffset(scale) => Self::DateTimeOffset(*scale),
            TypeInfo::Legacy(kind, length) => legacy(*kind, u16::from(*length)),
            TypeInfo::Binary(BinaryType::BigBinary, length) => Self::Binary(true, characters(*length, 1)),
            TypeInfo::Binary(BinaryType::BigVarBinary, length) => Self::Binary(false, characters(*length, 1)),
            TypeInfo::Char(kind, length, _) => match kind {
                CharType::BigVarChar => Self::Text(CharKind::VarChar, characters(*length, 1)),
                CharType::BigChar => Self::Text(CharKind::Char, characters(*length, 1)),
                CharType::NVarChar => Self::Text(CharKind::NVarChar, characters(*length, 2)),
                CharType::NChar => Self::Text(CharKind::NChar, characters(*length, 2)),
            },
            TypeInfo::Long(LongType::Text, ..) => Self::LongText,
            TypeInfo::Long(LongType::NText, ..) => Self::LongNText,
            TypeInfo::Long(LongType::Image, ..) => Self::Image,
            TypeInfo::Xml(_) => Self::Xml,
            TypeInfo::Json => Self::NVARCHAR_MAX,
            TypeInfo::Variant(_) | TypeInfo::Udt(_) | TypeInfo::Vector(..) => return None,
        })
    }
}

fn legacy(kind: tds::types::LegacyType, length: u16) -> Type {
    use tds::types::LegacyType;
    match kind {
        LegacyType::VarBinary => Type::Binary(false, Some(length.max(1))),
        LegacyType::Binary => Type::Binary(true, Some(length.max(1))),
        LegacyType::VarChar => Type::Text(CharKind::VarChar, Some(length.max(1))),
        LegacyType::Char => Type::Text(CharKind::Char, Some(length.max(1))),
    }
}

fn characters(length: Length, unit: u16) -> Option<u16> {
    match length {
        Length::Max => None,
        Length::Bytes(bytes) => Some(bytes.checked_div(unit).unwrap_or(bytes).max(1)),
    }
}

fn bytes_length(length: Option<u16>, unit: u16) -> Length {
    match length {
        None => Length::Max,
        Some(length) => Length::Bytes(length.saturating_mul(unit)),
    }
}

/// Bytes a decimal of this precision takes on the wire, its sign included.
pub(crate) fn decimal_bytes(precision: u8) -> u8 {
    match precision {
        0..=9 => 5,
        10..=19 => 9,
        20..=28 => 13,
        _ => 17,
    }
}
