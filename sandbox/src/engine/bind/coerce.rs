//! Types meeting types: precedence, implicit conversions, and the codes by which SQLite functions know types.

use super::super::convert::is_same_form;
use super::super::error::SqlError;
use super::super::types::{CharKind, Type};
use super::{Binder, Bound, Input};

/// A type as one integer, for the functions registered in SQLite.
pub(crate) fn type_code(type_: Type) -> i64 {
    let length = |length: Option<u16>| length.map_or(0, i64::from);
    let (kind, detail) = match type_ {
        Type::Null => (0, 0),
        Type::Bit => (1, 0),
        Type::TinyInt => (2, 0),
        Type::SmallInt => (3, 0),
        Type::Int => (4, 0),
        Type::BigInt => (5, 0),
        Type::Decimal(precision, scale) => (6, i64::from(precision) << 8 | i64::from(scale)),
        Type::SmallMoney => (7, 0),
        Type::Money => (8, 0),
        Type::Real => (9, 0),
        Type::Float => (10, 0),
        Type::Text(CharKind::Char, n) => (11, length(n)),
        Type::Text(CharKind::VarChar, n) => (12, length(n)),
        Type::Text(CharKind::NChar, n) => (13, length(n)),
        Type::Text(CharKind::NVarChar, n) => (14, length(n)),
        Type::LongText => (15, 0),
        Type::LongNText => (16, 0),
        Type::Xml => (17, 0),
        Type::Binary(true, n) => (18, length(n)),
        Type::Binary(false, n) => (19, length(n)),
        Type::Image => (20, 0),
        Type::Guid => (21, 0),
        Type::Date => (22, 0),
        Type::Time(scale) => (23, i64::from(scale)),
        Type::SmallDateTime => (24, 0),
        Type::DateTime => (25, 0),
        Type::DateTime2(scale) => (26, i64::from(scale)),
        Type::DateTimeOffset(scale) => (27, i64::from(scale)),
    };
    kind << 16 | detail
}

/// The type of a code made by [`type_code`].
pub(crate) fn type_of_code(code: i64) -> Type {
    let detail = u16::try_from(code & 0xFFFF).unwrap_or(0);
    let [high, low] = detail.to_be_bytes();
    let length = (detail > 0).then_some(detail);
    match code >> 16 {
        1 => Type::Bit,
        2 => Type::TinyInt,
        3 => Type::SmallInt,
        4 => Type::Int,
        5 => Type::BigInt,
        6 => Type::Decimal(high, low),
        7 => Type::SmallMoney,
        8 => Type::Money,
        9 => Type::Real,
        10 => Type::Float,
        11 => Type::Text(CharKind::Char, length),
        12 => Type::Text(CharKind::VarChar, length),
        13 => Type::Text(CharKind::NChar, length),
        14 => Type::Text(CharKind::NVarChar, length),
        15 => Type::LongText,
        16 => Type::LongNText,
        17 => Type::Xml,
        18 => Type::Binary(true, length),
        19 => Type::Binary(false, length),
        20 => Type::Image,
        21 => Type::Guid,
        22 => Type::Date,
        23 => Type::Time(low),
        24 => Type::SmallDateTime,
        25 => Type::DateTime,
        26 => Type::DateTime2(low),
        27 => Type::DateTimeOffset(low),
        _ => Type::Null,
    }
}

fn longer(a: Option<u16>, b: Option<u16>) -> Option<u16> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.max(b)),
        _ => None,
    }
}

/// The type two values share, by precedence; lengths, precisions and scales grow to hold both.
pub(crate) fn common_type(a: Type, b: Type) -> Type {
    let (low, high) = if a.precedence() <= b.precedence() { (a, b) } else { (b, a) };
    match (low, high) {
        (Type::Null, other) => other,
        (Type::Decimal(p1, s1), Type::Decimal(p2, s2)) => decimal_union((p1, s1), (p2, s2)),
        (other, Type::Decimal(p2, s2)) if other.is_integer() || other.is_money() => {
            decimal_union(other.as_decimal(), (p2, s2))
        }
        (Type::Text(_, n1), Type::Text(kind, n2)) => {
            let n1 = if kind.is_national() { n1.map(|n| n.min(4000)) } else { n1 };
            Type::Text(kind, longer(n1, n2))
        }
        (Type::Binary(_, n1), Type::Binary(_, n2)) => Type::Binary(false, longer(n1, n2)),
        (Type::Time(a), Type::Time(b)) => Type::Time(a.max(b)),
        (Type::DateTime2(a), Type::DateTime2(b)) => Type::DateTime2(a.max(b)),
        (Type::DateTimeOffset(a), Type::DateTimeOffset(b)) => Type::DateTimeOffset(a.max(b)),
        (_, high) => high,
    }
}

fn decimal_union(a: (u8, u8), b: (u8, u8)) -> Type {
    let scale = a.1.max(b.1);
    let whole = (a.0 - a.1.min(a.0)).max(b.0 - b.1.min(b.0));
    let precision = (whole + scale).min(38);
    Type::Decimal(precision, scale.min(precision))
}

/// Pairs SQL Server refuses to convert implicitly.
fn clashes(from: Type, to: Type) -> bool {
    let exact_only = |a: Type, b: Type| a.is_temporal() && (b.is_number() || b.is_binary() || b == Type::Guid);
    let new_date = |a: Type| a.is_temporal() && !matches!(a, Type::DateTime | Type::SmallDateTime);
    match (from, to) {
        (Type::Null, _) => false,
        (Type::Date, Type::Time(_)) | (Type::Time(_), Type::Date) => true,
        (a, b) if new_date(a) && (b.is_number() || b.is_binary() || b == Type::Guid) => true,
        (a, b) if new_date(b) && (a.is_number() || a.is_binary() || a == Type::Guid) => true,
        (a, b) if exact_only(a, b) => true,
        (Type::Guid, b) if b.is_number() => true,
        (a, Type::Guid) if a.is_number() => true,
        (a, b) if a.is_text() && b.is_binary() => true,
        (Type::Xml, b) if !b.is_text() => true,
        _ => false,
    }
}

impl Binder<'_> {
    /// The first type an undeclared parameter is converted to is the one suggested for it.
    pub(super) fn note_undeclared(&self, value: &Bound, to: Type) {
        let Some(undeclared) = self.names.undeclared.filter(|_| to != Type::Null) else { return };
        let index = value.sql.strip_prefix('?').and_then(|number| number.parse::<usize>().ok());
        let input = index.and_then(|index| index.checked_sub(1)).and_then(|index| self.inputs.get(index));
        if let Some(Input::Variable(name)) = input
            && let Some(noted) = undeclared.borrow_mut().get_mut(name)
        {
            noted.get_or_insert(to);
        }
    }

    /// Converts where SQL Server does so silently.
    pub(super) fn implicit(&self, value: Bound, to: Type) -> Result<Bound, SqlError> {
        self.note_undeclared(&value, to);
        if clashes(value.type_, to) {
            let (from, to) = (value.type_, to);
            if from.is_text() && to.is_binary() {
                let text = format!(
                    "Implicit conversion from data type {} to {} is not allowed. Use the CONVERT function to run this query.",
                    from.name(),
                    to.name()
                );
                return Err(SqlError::new(257, 16, 3, text));
            }
            let text =
                format!("Operand type clash: {} is incompatible with {}", from.message_name(), to.message_name());
            return Err(SqlError::new(206, 16, 2, text));
        }
        Ok(converted(value, to, 0, false, None))
    }

    /// Converts into a column: too long a string is an error there, which names the column.
    pub(super) fn stored(&self, value: Bound, to: Type, label: &str) -> Result<Bound, SqlError> {
        if is_same_form(value.type_, to) || !(to.is_text() || to.is_binary()) {
            return self.implicit(value, to);
        }
        if clashes(value.type_, to) {
            return self.implicit(value, to);
        }
        Ok(converted(value, to, 0, false, Some(label)))
    }

    /// Both sides as the type they share.
    pub(super) fn unified(&self, a: Bound, b: Bound) -> Result<(Bound, Bound), SqlError> {
        let common = common_type(a.type_, b.type_);
        Ok((self.implicit(a, common)?, self.implicit(b, common)?))
    }
}

/// The conversion call, or nothing where the stored form is the same.
pub(super) fn converted(value: Bound, to: Type, style: i64, attempt: bool, label: Option<&str>) -> Bound {
    let Bound { sql, type_: from, nullable, .. } = value;
    if style == 0 && is_same_form(from, to) {
        return Bound::new(sql, to, nullable);
    }
    let (from, code) = (type_code(from), type_code(to));
    let sql = match (attempt, label) {
        (true, _) => format!("try_cv({sql},{from},{code},{style})"),
        (false, None) => format!("cv({sql},{from},{code},{style})"),
        (false, Some(label)) => format!("cv_store({sql},{from},{code},{})", literal(label)),
    };
    Bound::new(sql, to, nullable || attempt)
}

/// A SQLite string literal.
pub(super) fn literal(text: &str) -> String {
    if text.contains('\0') {
        let digits: String = text.bytes().map(|byte| format!("{byte:02X}")).collect();
        return format!("CAST(X'{digits}' AS TEXT)");
    }
    format!("'{}'", text.replace('\'', "''"))
}
