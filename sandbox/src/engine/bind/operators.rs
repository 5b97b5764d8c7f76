//! Arithmetic: what each pair of types gives, with SQL Server's precision rules.

use super::super::ast::Operator;
use super::super::error::SqlError;
use super::super::types::{CharKind, Type};
use super::coerce::{converted, type_code};
use super::expression::invalid_operand;
use super::{Binder, Bound, common_type};

impl Operator {
    fn name(self) -> &'static str {
        match self {
            Self::Add => "add",
            Self::Subtract => "subtract",
            Self::Multiply => "multiply",
            Self::Divide => "divide",
            Self::Modulo => "modulo",
            Self::BitAnd => "'&'",
            Self::BitOr => "'|'",
            Self::BitXor => "'^'",
        }
    }

    fn symbol(self) -> &'static str {
        match self {
            Self::Add => "+",
            Self::Subtract => "-",
            Self::Multiply => "*",
            Self::Divide => "/",
            Self::Modulo => "%",
            Self::BitAnd => "&",
            Self::BitOr => "|",
            Self::BitXor => "^",
        }
    }
}

impl Binder<'_> {
    pub(super) fn arithmetic(&self, operator: Operator, left: Bound, right: Bound) -> Result<Bound, SqlError> {
        let (a, b) = (left.type_, right.type_);
        if operator == Operator::Add {
            let text_like = |type_: Type| type_.is_text() || type_ == Type::Null;
            if text_like(a) && text_like(b) && (a.is_text() || b.is_text()) {
                return self.concatenation(left, right);
            }
            if a.is_binary() && b.is_binary() {
                let length = sum_length(a.text_length(), b.text_length(), 8000);
                let sql = format!("binary_join({},{})", left.sql, right.sql);
                return Ok(Bound::new(sql, Type::Binary(false, length), left.nullable || right.nullable));
            }
        }
        if matches!(a, Type::DateTime | Type::SmallDateTime) || matches!(b, Type::DateTime | Type::SmallDateTime) {
            return self.date_arithmetic(operator, left, right);
        }
        let common = match common_type(a, b) {
            Type::Null => Type::Int,
            common => common,
        };
        match operator {
            Operator::BitAnd | Operator::BitOr | Operator::BitXor => {
                return self.bitwise(operator, left, right, common);
            }
            _ if common == Type::Bit => return Err(invalid_operand(common, operator.name())),
            _ => {}
        }
        if !common.is_number() {
            return Err(invalid_operand(common, operator.name()));
        }
        match common {
            Type::Decimal(..) => self.decimal_arithmetic(operator, left, right),
            Type::Money | Type::SmallMoney => self.money_arithmetic(operator, left, right, common),
            Type::Float | Type::Real => self.float_arithmetic(operator, left, right, common),
            _ => self.integer_arithmetic(operator, left, right, common),
        }
    }

    fn concatenation(&self, left: Bound, right: Bound) -> Result<Bound, SqlError> {
        let common = common_type(left.type_, right.type_);
        let kind = match common {
            Type::Text(kind, _) if kind.is_national() => CharKind::NVarChar,
            Type::Text(..) => CharKind::VarChar,
            Type::LongText | Type::LongNText => return Err(invalid_operand(common, "add")),
            _ => return Err(invalid_operand(common, "add")),
        };
        let most = if kind.is_national() { 4000 } else { 8000 };
        let is_max = |bound: &Bound| bound.type_ != Type::Null && bound.type_.text_length().is_none();
        let length = if is_max(&left) || is_max(&right) {
            None
        } else {
            let of =
                |bound: &Bound| if bound.type_ == Type::Null { 0 } else { bound.type_.text_length().unwrap_or(most) };
            Some(of(&left).saturating_add(of(&right)))
        };
        let nullable = left.nullable || right.nullable;
        let sql = format!("({} || {})", left.sql, right.sql);
        let joined = Bound::new(sql, Type::Text(kind, length), nullable);
        match length {
            // Longer than the type can be: cut, as SQL Server does for what is not (max).
            Some(length) if length > most => {
                let open = Bound { type_: Type::Text(kind, None), ..joined };
                Ok(converted(open, Type::Text(kind, Some(most)), 0, false, None))
            }
            _ => Ok(joined),
        }
    }

    fn integer_arithmetic(
        &self,
        operator: Operator,
        left: Bound,
        right: Bound,
        common: Type,
    ) -> Result<Bound, SqlError> {
        let left = self.implicit(left, common)?;
        let right = self.implicit(right, common)?;
        let mut nullable = left.nullable || right.nullable;
        let (a, b) = (left.sql, right.sql);
        let code = type_code(common);
        let sql = match operator {
            Operator::Divide => format!("int_divide({a},{b},{code})"),
            Operator::Modulo => format!("int_modulo({a},{b})"),
            _ if common == Type::BigInt => format!("big_{}({a},{b})", operator.name()),
            // Both sides have at most 32 bits, so 64 cannot overflow before the check.
            _ => format!("in_range(({a} {} {b}),{code})", operator.symbol()),
        };
        nullable |= operator == Operator::Divide || operator == Operator::Modulo;
        Ok(Bound::new(sql, common, nullable))
    }

    fn bitwise(&self, operator: Operator, left: Bound, right: Bound, common: Type) -> Result<Bound, SqlError> {
        if !common.is_integer() {
            return Err(invalid_operand(common, operator.name()));
        }
        let left = self.implicit(left, common)?;
        let right = self.implicit(right, common)?;
        let nullable = left.nullable || right.nullable;
        let (a, b) = (left.sql, right.sql);
        let sql = match operator {
            Operator::BitXor => format!("(({a} | {b}) - ({a} & {b}))"),
            _ => format!("({a} {} {b})", operator.symbol()),
        };
        Ok(Bound::new(sql, common, nullable))
    }

    fn float_arithmetic(&self, operator: Operator, left: Bound, right: Bound, common: Type) -> Result<Bound, SqlError> {
        let left = self.implicit(left, common)?;
        let right = self.implicit(right, common)?;
        let nullable = left.nullable || right.nullable;
        if operator == Operator::Modulo {
            return Err(invalid_operand(common, "modulo"));
        }
        let sql = format!("float_op('{}',{},{})", operator.symbol(), left.sql, right.sql);
        Ok(Bound::new(sql, common, nullable))
    }

    fn money_arithmetic(&self, operator: Operator, left: Bound, right: Bound, common: Type) -> Result<Bound, SqlError> {
        let left = self.implicit(left, common)?;
        let right = self.implicit(right, common)?;
        let nullable = left.nullable || right.nullable;
        let sql = format!("money_op('{}',{},{})", operator.symbol(), left.sql, right.sql);
        Ok(Bound::new(sql, common, nullable))
    }

    fn decimal_arithmetic(&self, operator: Operator, left: Bound, right: Bound) -> Result<Bound, SqlError> {
        let as_decimal = |bound: &Bound| match bound.type_ {
            Type::Null => (1, 0),
            Type::Int if bound.sql.bytes().all(|byte| byte.is_ascii_digit()) => {
                // A literal has the precision of its digits.
                (u8::try_from(bound.sql.len()).unwrap_or(10), 0)
            }
            other if other.is_text() => (38, 10),
            other => other.as_decimal(),
        };
        let (p1, s1) = as_decimal(&left);
        let (p2, s2) = as_decimal(&right);
        let left = self.implicit(left, Type::Decimal(p1, s1))?;
        let right = self.implicit(right, Type::Decimal(p2, s2))?;
        let (precision, scale) = result_size(operator, (p1, s1), (p2, s2));
        let nullable = left.nullable || right.nullable;
        let sql = format!("dec_op('{}',{},{s1},{},{s2},{precision},{scale})", operator.symbol(), left.sql, right.sql);
        Ok(Bound::new(sql, Type::Decimal(precision, scale), nullable))
    }

    /// datetime ± number: both are stored as counts from 1900, so that they add.
    fn date_arithmetic(&self, operator: Operator, left: Bound, right: Bound) -> Result<Bound, SqlError> {
        if !matches!(operator, Operator::Add | Operator::Subtract) {
            return Err(invalid_operand(common_type(left.type_, right.type_), operator.name()));
        }
        let to = common_type(left.type_, right.type_);
        if !matches!(to, Type::DateTime | Type::SmallDateTime) {
            return Err(invalid_operand(to, operator.name()));
        }
        let left = self.implicit(left, Type::DateTime)?;
        let right = self.implicit(right, Type::DateTime)?;
        let nullable = left.nullable || right.nullable;
        let sql = format!("in_range(({} {} {}),{})", left.sql, operator.symbol(), right.sql, type_code(Type::DateTime));
        Ok(converted(Bound::new(sql, Type::DateTime, nullable), to, 0, false, None))
    }
}

fn sum_length(a: Option<u16>, b: Option<u16>, most: u16) -> Option<u16> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.saturating_add(b).min(most)),
        _ => None,
    }
}

/// Precision and scale of a decimal operation, cut to 38 digits keeping at least six after the point.
fn result_size(operator: Operator, a: (u8, u8), b: (u8, u8)) -> (u8, u8) {
    let (p1, s1) = (i16::from(a.0), i16::from(a.1));
    let (p2, s2) = (i16::from(b.0), i16::from(b.1));
    let (precision, scale) = match operator {
        Operator::Multiply => (p1 + p2 + 1, s1 + s2),
        Operator::Divide => {
            let scale = (s1 + p2 + 1).max(6);
            (p1 - s1 + s2 + scale, scale)
        }
        Operator::Modulo => ((p1 - s1).min(p2 - s2) + s1.max(s2), s1.max(s2)),
        _ => {
            let scale = s1.max(s2);
            ((p1 - s1).max(p2 - s2) + scale + 1, scale)
        }
    };
    let narrow = |value: i16| u8::try_from(value.clamp(0, 38)).unwrap_or(38);
    if precision <= 38 {
        return (narrow(precision.max(1)), narrow(scale));
    }
    let whole = precision - scale;
    let kept = match operator {
        Operator::Multiply | Operator::Divide => scale.min((38 - whole).max(scale.min(6))),
        _ => scale.min((38 - whole).max(0)),
    };
    (38, narrow(kept))
}
