//! Predicates: what may stand in WHERE, ON, HAVING, IF and WHILE.

use super::super::ast::{Comparison, Expr};
use super::super::error::SqlError;
use super::super::lexer::Kind;
use super::Parser;

impl Parser<'_> {
    /// A predicate.
    pub(super) fn predicate(&mut self) -> Result<Expr, SqlError> {
        self.nested(Self::disjunction)
    }

    fn disjunction(&mut self) -> Result<Expr, SqlError> {
        let first = self.conjunction()?;
        if !self.is_word("OR") {
            return Ok(first);
        }
        let mut all = vec![first];
        while self.accept("OR") {
            all.push(self.conjunction()?);
        }
        Ok(Expr::Or(all))
    }

    fn conjunction(&mut self) -> Result<Expr, SqlError> {
        let first = self.negation()?;
        if !self.is_word("AND") {
            return Ok(first);
        }
        let mut all = vec![first];
        while self.accept("AND") {
            all.push(self.negation()?);
        }
        Ok(Expr::And(all))
    }

    fn negation(&mut self) -> Result<Expr, SqlError> {
        if self.accept("NOT") {
            return self.nested(|parser| Ok(Expr::Not(Box::new(parser.negation()?))));
        }
        if self.is_word("EXISTS") && self.is_symbol_at(1, "(") {
            self.next();
            self.expect_symbol("(")?;
            let query = self.nested(Self::query)?;
            self.expect_symbol(")")?;
            return Ok(Expr::Exists(Box::new(query)));
        }
        if self.is_symbol("(") && self.parenthesis_holds_predicate() {
            self.next();
            let inner = self.predicate()?;
            self.expect_symbol(")")?;
            return Ok(inner);
        }
        self.comparison()
    }

    /// What follows the matching parenthesis tells: after a scalar an operator or a comparison must come, after a
    /// predicate none can.
    fn parenthesis_holds_predicate(&self) -> bool {
        let mut depth = 0_u32;
        let mut ahead = 0_usize;
        loop {
            let token = self.peek_at(ahead);
            ahead = ahead.saturating_add(1);
            match (&token.kind, token.text.as_str()) {
                (Kind::End, _) => return false,
                (Kind::Symbol, "(") => depth = depth.saturating_add(1),
                (Kind::Symbol, ")") => depth = depth.saturating_sub(1),
                _ => {}
            }
            if depth == 0 {
                break;
            }
        }
        let after = self.peek_at(ahead);
        match after.kind {
            Kind::Symbol => matches!(after.text.as_str(), ")" | ";" | "," | "}"),
            Kind::Word => {
                let word = after.text.to_ascii_uppercase();
                !matches!(word.as_str(), "IS" | "NOT" | "LIKE" | "IN" | "BETWEEN" | "COLLATE")
            }
            _ => true,
        }
    }

    fn comparison(&mut self) -> Result<Expr, SqlError> {
        let value = self.expression()?;
        if let Some(comparison) = self.comparison_operator() {
            return self.compared(value, comparison);
        }
        if self.accept("IS") {
            let negated = self.accept("NOT");
            self.expect("NULL")?;
            return Ok(Expr::IsNull { value: Box::new(value), negated });
        }
        let negated = self.accept("NOT");
        let value = Box::new(value);
        if self.accept("BETWEEN") {
            let low = Box::new(self.expression()?);
            self.expect("AND")?;
            let high = Box::new(self.expression()?);
            return Ok(Expr::Between { value, low, high, negated });
        }
        if self.accept("LIKE") {
            let pattern = Box::new(self.expression()?);
            let escape = if self.accept("ESCAPE") {
                Some(Box::new(self.expression()?))
            } else if self.is_symbol("{") && self.is_word_at(1, "escape") {
                self.next();
                self.next();
                let escape = Box::new(self.expression()?);
                self.expect_symbol("}")?;
                Some(escape)
            } else {
                None
            };
            return Ok(Expr::Like { value, pattern, escape, negated });
        }
        if self.accept("IN") {
            self.expect_symbol("(")?;
            if self.starts_query() {
                let query = Box::new(self.nested(Self::query)?);
                self.expect_symbol(")")?;
                return Ok(Expr::InQuery { value, query, negated });
            }
            let list = self.list(Self::expression)?;
            self.expect_symbol(")")?;
            return Ok(Expr::InList { value, list, negated });
        }
        // A scalar where a predicate belongs.
        if matches!(self.peek().kind, Kind::End) || self.is_symbol(")") {
            let text = "An expression of non-boolean type specified in a context where a condition is expected";
            let near = self.unexpected().text;
            let near = near.split('\'').nth(1).unwrap_or("").to_owned();
            return Err(SqlError::new(4145, 15, 1, format!("{text}, near '{near}'.")));
        }
        Err(self.unexpected())
    }

    fn comparison_operator(&mut self) -> Option<Comparison> {
        if self.peek().kind != Kind::Symbol {
            return None;
        }
        let comparison = match self.peek().text.as_str() {
            "=" => Comparison::Equal,
            "<>" | "!=" => Comparison::NotEqual,
            "<" => Comparison::Less,
            "<=" | "!>" => Comparison::LessOrEqual,
            ">" => Comparison::Greater,
            ">=" | "!<" => Comparison::GreaterOrEqual,
            _ => return None,
        };
        self.next();
        Some(comparison)
    }

    fn compared(&mut self, value: Expr, comparison: Comparison) -> Result<Expr, SqlError> {
        let all = self.is_word("ALL");
        if (all || self.is_word("ANY") || self.is_word("SOME")) && self.is_symbol_at(1, "(") {
            self.next();
            self.expect_symbol("(")?;
            let query = Box::new(self.nested(Self::query)?);
            self.expect_symbol(")")?;
            return Ok(Expr::CompareQuery { comparison, all, value: Box::new(value), query });
        }
        let right = self.expression()?;
        Ok(Expr::Compare(comparison, Box::new(value), Box::new(right)))
    }
}
