//! Scalar expressions, by precedence climbing.

use super::super::ast::{Call, Expr, Name, Operator, OrderItem, Over};
use super::super::error::SqlError;
use super::super::lexer::Kind;
use super::super::types::Type;
use super::{MAX_CHAIN, Parser, is_reserved};

impl Parser<'_> {
    /// A scalar expression.
    pub(super) fn expression(&mut self) -> Result<Expr, SqlError> {
        self.nested(|parser| parser.binary(0))
    }

    fn operator(&self) -> Option<(Operator, u8)> {
        let token = self.peek();
        if token.kind != Kind::Symbol {
            return None;
        }
        Some(match token.text.as_str() {
            "*" => (Operator::Multiply, 2),
            "/" => (Operator::Divide, 2),
            "%" => (Operator::Modulo, 2),
            "+" => (Operator::Add, 1),
            "-" => (Operator::Subtract, 1),
            "&" => (Operator::BitAnd, 1),
            "|" => (Operator::BitOr, 1),
            "^" => (Operator::BitXor, 1),
            _ => return None,
        })
    }

    fn binary(&mut self, least: u8) -> Result<Expr, SqlError> {
        let mut left = self.unary()?;
        let mut chain = 0_u16;
        while let Some((operator, binding)) = self.operator() {
            if binding < least.max(1) {
                break;
            }
            chain = chain.saturating_add(1);
            if chain > MAX_CHAIN {
                return Err(SqlError::nested_too_deeply());
            }
            self.next();
            let right = self.binary(binding.saturating_add(1))?;
            left = Expr::Arithmetic(operator, Box::new(left), Box::new(right));
        }
        Ok(left)
    }

    fn unary(&mut self) -> Result<Expr, SqlError> {
        if self.is_symbol("-") && matches!(self.peek_at(1).kind, Kind::Integer) {
            // One literal, so that -2147483648 is an int.
            self.next();
            let digits = self.next().text;
            let value = Expr::Integer(format!("-{digits}"));
            return self.collated(value);
        }
        if self.accept_symbol("-") {
            return self.nested(|parser| Ok(Expr::Negate(Box::new(parser.unary()?))));
        }
        if self.accept_symbol("+") {
            return self.nested(Self::unary);
        }
        if self.accept_symbol("~") {
            return self.nested(|parser| Ok(Expr::BitNot(Box::new(parser.unary()?))));
        }
        let value = self.primary()?;
        self.collated(value)
    }

    fn collated(&mut self, mut value: Expr) -> Result<Expr, SqlError> {
        while self.accept("COLLATE") {
            let collation = self.identifier()?;
            value = Expr::Collate(Box::new(value), collation);
        }
        if self.is_word("AT") && self.is_word_at(1, "TIME") {
            return Err(SqlError::unsupported("AT TIME ZONE"));
        }
        Ok(value)
    }

    fn primary(&mut self) -> Result<Expr, SqlError> {
        let token = self.peek().clone();
        let literal = match token.kind {
            Kind::Integer => Expr::Integer(token.text),
            Kind::Decimal => Expr::Decimal(token.text),
            Kind::Money => Expr::Money(token.text),
            Kind::Float => Expr::Float(token.text.parse().map_err(|_| self.unexpected())?),
            Kind::String => Expr::String { value: token.text, national: false },
            Kind::National => Expr::String { value: token.text, national: true },
            Kind::Binary => Expr::Binary(hex(&token.text)),
            Kind::Variable => Expr::Variable(token.text),
            Kind::Symbol if token.text == "(" => return self.parenthesis(),
            Kind::Symbol if token.text == "{" => return self.escape_sequence(),
            Kind::Word => return self.word(&token.text),
            Kind::Quoted => return self.named(),
            _ => return Err(self.unexpected()),
        };
        self.next();
        Ok(literal)
    }

    fn parenthesis(&mut self) -> Result<Expr, SqlError> {
        self.expect_symbol("(")?;
        if self.starts_query() {
            let query = self.nested(Self::query)?;
            self.expect_symbol(")")?;
            return Ok(Expr::Subquery(Box::new(query)));
        }
        let value = self.expression()?;
        self.expect_symbol(")")?;
        Ok(value)
    }

    /// ODBC's `{fn now()}`, `{d '…'}`, `{t '…'}`, `{ts '…'}`.
    fn escape_sequence(&mut self) -> Result<Expr, SqlError> {
        self.expect_symbol("{")?;
        let value = if self.accept("fn") {
            self.expression()?
        } else {
            let to = match self.peek().text.to_ascii_lowercase().as_str() {
                "d" => Type::DateTime,
                "ts" => Type::DateTime,
                "t" => Type::Time(7),
                "guid" => Type::Guid,
                _ => return Err(self.unexpected()),
            };
            self.next();
            let value = Box::new(self.expression()?);
            Expr::Cast { value, to, style: None, attempt: false }
        };
        self.expect_symbol("}")?;
        Ok(value)
    }

    fn word(&mut self, word: &str) -> Result<Expr, SqlError> {
        match word.to_ascii_uppercase().as_str() {
            "NULL" => {
                self.next();
                Ok(Expr::Null)
            }
            "DEFAULT" => {
                self.next();
                Ok(Expr::Default)
            }
            "CASE" => self.case(),
            "CAST" | "TRY_CAST" if self.is_symbol_at(1, "(") => self.cast(),
            "CONVERT" | "TRY_CONVERT" => self.convert(),
            "CURRENT_TIMESTAMP" | "SESSION_USER" | "SYSTEM_USER" | "USER" => {
                self.next();
                Ok(Expr::Call(call(Name(vec![word.to_ascii_uppercase()]), Vec::new())))
            }
            "COALESCE" | "NULLIF" | "LEFT" | "RIGHT" if self.is_symbol_at(1, "(") => {
                self.next();
                self.call(Name(vec![word.to_owned()]))
            }
            _ if is_reserved(word) => Err(self.unexpected()),
            _ => self.named(),
        }
    }

    /// A column or a function call.
    fn named(&mut self) -> Result<Expr, SqlError> {
        let name = self.name()?;
        if self.is_symbol("(") {
            return self.call(name);
        }
        Ok(Expr::Column(name))
    }

    fn call(&mut self, name: Name) -> Result<Expr, SqlError> {
        self.expect_symbol("(")?;
        let mut made = call(name, Vec::new());
        if self.accept_symbol("*") {
            made.star = true;
        } else if !self.is_symbol(")") {
            made.distinct = self.accept("DISTINCT");
            if !made.distinct {
                self.accept("ALL");
            }
            let iif = made.name.last().eq_ignore_ascii_case("IIF");
            if iif {
                made.arguments.push(self.predicate()?);
                self.expect_symbol(",")?;
            }
            made.arguments.extend(self.list(Self::expression)?);
        }
        self.expect_symbol(")")?;
        if self.is_word("WITHIN") && self.is_word_at(1, "GROUP") {
            self.next();
            self.next();
            self.expect_symbol("(")?;
            made.within = self.order_by()?;
            self.expect_symbol(")")?;
        }
        if self.accept("OVER") {
            made.over = Some(self.over()?);
        }
        Ok(Expr::Call(made))
    }

    fn over(&mut self) -> Result<Over, SqlError> {
        self.expect_symbol("(")?;
        let mut over = Over::default();
        if self.accept("PARTITION") {
            self.expect("BY")?;
            over.partition = self.list(Self::expression)?;
        }
        if self.is_word("ORDER") {
            over.order = self.order_by()?;
        }
        if self.is_word("ROWS") || self.is_word("RANGE") {
            return Err(SqlError::unsupported("window frames"));
        }
        self.expect_symbol(")")?;
        Ok(over)
    }

    pub(super) fn order_by(&mut self) -> Result<Vec<OrderItem>, SqlError> {
        self.expect("ORDER")?;
        self.expect("BY")?;
        self.list(|parser| {
            let value = parser.expression()?;
            let descending = parser.accept("DESC");
            if !descending {
                parser.accept("ASC");
            }
            Ok(OrderItem { value, descending })
        })
    }

    fn case(&mut self) -> Result<Expr, SqlError> {
        self.expect("CASE")?;
        let operand = if self.is_word("WHEN") { None } else { Some(Box::new(self.expression()?)) };
        let mut branches = Vec::new();
        while self.accept("WHEN") {
            let when = if operand.is_some() { self.expression()? } else { self.predicate()? };
            self.expect("THEN")?;
            branches.push((when, self.expression()?));
        }
        if branches.is_empty() {
            return Err(self.unexpected());
        }
        let otherwise = if self.accept("ELSE") { Some(Box::new(self.expression()?)) } else { None };
        self.expect("END")?;
        Ok(Expr::Case { operand, branches, otherwise })
    }

    fn cast(&mut self) -> Result<Expr, SqlError> {
        let attempt = self.next().text.len() > 4;
        self.expect_symbol("(")?;
        let value = Box::new(self.expression()?);
        self.expect("AS")?;
        let to = self.cast_type()?;
        self.expect_symbol(")")?;
        Ok(Expr::Cast { value, to, style: None, attempt })
    }

    fn convert(&mut self) -> Result<Expr, SqlError> {
        let attempt = self.next().text.len() > 7;
        self.expect_symbol("(")?;
        let to = self.cast_type()?;
        self.expect_symbol(",")?;
        let value = Box::new(self.expression()?);
        let style = if self.accept_symbol(",") { Some(Box::new(self.expression()?)) } else { None };
        self.expect_symbol(")")?;
        Ok(Expr::Cast { value, to, style, attempt })
    }

    /// In CAST and CONVERT a string type without a length has 30, not 1.
    fn cast_type(&mut self) -> Result<Type, SqlError> {
        let before = self.at;
        let to = self.type_name()?;
        let parsed = self.tokens.get(before..self.at).unwrap_or(&[]);
        let has_length = parsed.iter().any(|token| token.text == "(");
        Ok(match to {
            Type::Text(kind, Some(1)) if !has_length => Type::Text(kind, Some(30)),
            Type::Binary(fixed, Some(1)) if !has_length => Type::Binary(fixed, Some(30)),
            other => other,
        })
    }
}

pub(super) fn call(name: Name, arguments: Vec<Expr>) -> Call {
    Call { name, arguments, distinct: false, star: false, over: None, within: Vec::new() }
}

fn hex(digits: &str) -> Vec<u8> {
    let padded = if digits.len() % 2 == 1 { format!("0{digits}") } else { digits.to_owned() };
    let nibbles: Vec<u8> = padded.chars().filter_map(|c| c.to_digit(16)).map(|digit| digit as u8).collect();
    nibbles.chunks_exact(2).map(|pair| pair.iter().fold(0, |byte, nibble| (byte << 4) | nibble)).collect()
}
