//! SELECT and everything that belongs to a query.

use super::super::ast::{
    Body, Branch, CommonTable, Expr, Join, Name, Operator, Query, Select, SelectItem, SetOperator, Source,
};
use super::super::error::SqlError;
use super::super::lexer::Kind;
use super::{MAX_CHAIN, Parser};

impl Parser<'_> {
    /// Whether a query begins here, possibly in parentheses.
    pub(super) fn starts_query(&self) -> bool {
        let mut ahead = 0;
        while self.is_symbol_at(ahead, "(") {
            ahead += 1;
        }
        self.is_word_at(ahead, "SELECT") || (ahead == 0 && self.is_word("WITH"))
    }

    /// A query with its CTEs, set operators, order and limits.
    pub(super) fn query(&mut self) -> Result<Query, SqlError> {
        let with = self.common_tables()?;
        self.query_after_with(with)
    }

    pub(super) fn query_after_with(&mut self, with: Vec<CommonTable>) -> Result<Query, SqlError> {
        let first = self.branch()?;
        let mut rest = Vec::new();
        loop {
            let operator = if self.accept("UNION") {
                if self.accept("ALL") { SetOperator::UnionAll } else { SetOperator::Union }
            } else if self.accept("EXCEPT") {
                SetOperator::Except
            } else if self.accept("INTERSECT") {
                SetOperator::Intersect
            } else {
                break;
            };
            rest.push((operator, self.branch()?));
            if rest.len() > usize::from(MAX_CHAIN) {
                return Err(SqlError::nested_too_deeply());
            }
        }
        let mut query = Query {
            with,
            body: Body { first, rest },
            order: Vec::new(),
            offset: None,
            fetch: None,
            max_recursion: None,
        };
        if self.is_word("ORDER") {
            query.order = self.order_by()?;
            self.limits(&mut query)?;
        }
        if self.is_word("FOR") && (self.is_word_at(1, "XML") || self.is_word_at(1, "JSON")) {
            return Err(SqlError::unsupported("FOR XML and FOR JSON"));
        }
        if self.is_word("FOR") && self.is_word_at(1, "BROWSE") {
            self.next();
            self.next();
        }
        query.max_recursion = self.query_options()?;
        Ok(query)
    }

    fn limits(&mut self, query: &mut Query) -> Result<(), SqlError> {
        if self.accept("OFFSET") {
            query.offset = Some(self.expression()?);
            if !self.accept("ROWS") {
                self.expect("ROW")?;
            }
            if self.accept("FETCH") {
                if !self.accept("NEXT") {
                    self.expect("FIRST")?;
                }
                query.fetch = Some(self.expression()?);
                if !self.accept("ROWS") {
                    self.expect("ROW")?;
                }
                self.expect("ONLY")?;
            }
        }
        Ok(())
    }

    /// `OPTION (…)`: only MAXRECURSION changes an answer here; other hints are about plans.
    pub(super) fn query_options(&mut self) -> Result<Option<u32>, SqlError> {
        if !(self.is_word("OPTION") && self.is_symbol_at(1, "(")) {
            return Ok(None);
        }
        self.next();
        self.expect_symbol("(")?;
        let mut max_recursion = None;
        let mut depth = 1_u32;
        while depth > 0 {
            if self.peek().kind == Kind::End {
                return Err(self.unexpected());
            }
            if self.accept("MAXRECURSION") {
                max_recursion = Some(u32::try_from(self.integer()?).map_err(|_| self.unexpected())?);
                continue;
            }
            if self.is_symbol("(") {
                depth = depth.saturating_add(1);
            } else if self.is_symbol(")") {
                depth = depth.saturating_sub(1);
            }
            self.next();
        }
        Ok(max_recursion)
    }

    pub(super) fn common_tables(&mut self) -> Result<Vec<CommonTable>, SqlError> {
        if !self.accept("WITH") {
            return Ok(Vec::new());
        }
        self.list(|parser| {
            let name = parser.identifier()?;
            let columns = if parser.is_symbol("(") { parser.parenthesised(Self::identifier)? } else { Vec::new() };
            parser.expect("AS")?;
            parser.expect_symbol("(")?;
            let query = parser.nested(Self::query)?;
            parser.expect_symbol(")")?;
            Ok(CommonTable { name, columns, query })
        })
    }

    fn branch(&mut self) -> Result<Branch, SqlError> {
        if self.accept_symbol("(") {
            let query = self.nested(Self::query)?;
            self.expect_symbol(")")?;
            return Ok(Branch::Nested(Box::new(query)));
        }
        Ok(Branch::Select(Box::new(self.select()?)))
    }

    fn select(&mut self) -> Result<Select, SqlError> {
        self.expect("SELECT")?;
        let mut select = Select { distinct: self.accept("DISTINCT"), ..Select::default() };
        if !select.distinct {
            self.accept("ALL");
        }
        select.top = self.top()?;
        select.items = self.list(Self::select_item)?;
        if self.accept("INTO") {
            select.into = Some(self.name()?);
        }
        if self.accept("FROM") {
            select.from = self.list(Self::source)?;
        }
        if self.accept("WHERE") {
            select.filter = Some(self.predicate()?);
        }
        if self.accept("GROUP") {
            self.expect("BY")?;
            if self.is_word("ROLLUP") || self.is_word("CUBE") || self.is_word("GROUPING") {
                return Err(SqlError::unsupported("ROLLUP, CUBE and GROUPING SETS"));
            }
            select.group = self.list(Self::expression)?;
        }
        if self.accept("HAVING") {
            select.having = Some(self.predicate()?);
        }
        Ok(select)
    }

    pub(super) fn top(&mut self) -> Result<Option<Expr>, SqlError> {
        if !self.accept("TOP") {
            return Ok(None);
        }
        let count = if self.accept_symbol("(") {
            let count = self.expression()?;
            self.expect_symbol(")")?;
            count
        } else {
            let digits = self.peek().text.clone();
            if self.peek().kind != Kind::Integer {
                return Err(self.unexpected());
            }
            self.next();
            Expr::Integer(digits)
        };
        if self.is_word("PERCENT") {
            return Err(SqlError::unsupported("TOP … PERCENT"));
        }
        if self.is_word("WITH") && self.is_word_at(1, "TIES") {
            return Err(SqlError::unsupported("WITH TIES"));
        }
        Ok(Some(count))
    }

    pub(super) fn select_item(&mut self) -> Result<SelectItem, SqlError> {
        if self.accept_symbol("*") {
            return Ok(SelectItem::Star(None));
        }
        if let Some(prefix) = self.star_prefix() {
            return Ok(SelectItem::Star(Some(prefix)));
        }
        if self.peek().kind == Kind::Variable && !self.peek().text.starts_with("@@") {
            let operator = self.assignment_operator_at(1);
            if let Some(operator) = operator {
                let variable = self.variable()?;
                self.next();
                let value = self.expression()?;
                return Ok(SelectItem::Assign { variable, operator, value });
            }
        }
        if self.is_identifier() && self.is_symbol_at(1, "=") {
            let alias = Some(self.identifier()?);
            self.next();
            return Ok(SelectItem::Value { value: self.expression()?, alias });
        }
        let value = self.expression()?;
        let alias = self.alias(true)?;
        Ok(SelectItem::Value { value, alias })
    }

    fn star_prefix(&mut self) -> Option<Name> {
        let mut ahead = 0;
        let mut parts = Vec::new();
        while matches!(self.peek_at(ahead).kind, Kind::Word | Kind::Quoted) && self.is_symbol_at(ahead + 1, ".") {
            parts.push(self.peek_at(ahead).text.clone());
            ahead += 2;
        }
        if parts.is_empty() || !self.is_symbol_at(ahead, "*") {
            return None;
        }
        for _ in 0..=ahead {
            self.next();
        }
        Some(Name(parts))
    }

    /// `=` or a compound assignment `ahead` tokens on: `Some(None)` is plain.
    pub(super) fn assignment_operator_at(&self, ahead: usize) -> Option<Option<Operator>> {
        let token = self.peek_at(ahead);
        if token.kind != Kind::Symbol {
            return None;
        }
        Some(match token.text.as_str() {
            "=" => None,
            "+=" => Some(Operator::Add),
            "-=" => Some(Operator::Subtract),
            "*=" => Some(Operator::Multiply),
            "/=" => Some(Operator::Divide),
            "%=" => Some(Operator::Modulo),
            "&=" => Some(Operator::BitAnd),
            "|=" => Some(Operator::BitOr),
            "^=" => Some(Operator::BitXor),
            _ => return None,
        })
    }

    /// `AS x` or `x`; a string only where `string` allows it.
    fn alias(&mut self, string: bool) -> Result<Option<String>, SqlError> {
        let text =
            string && matches!(self.peek_at(usize::from(self.is_word("AS"))).kind, Kind::String | Kind::National);
        if self.accept("AS") {
            return if text { Ok(Some(self.next().text)) } else { self.identifier().map(Some) };
        }
        if text {
            return Ok(Some(self.next().text));
        }
        if self.is_identifier() && !self.starts_statement() {
            return self.identifier().map(Some);
        }
        Ok(None)
    }

    pub(super) fn source(&mut self) -> Result<Source, SqlError> {
        let mut left = self.nested(Self::source_item)?;
        let mut joins = 0_u16;
        loop {
            let kind = if self.accept("CROSS") {
                if self.is_word("APPLY") {
                    return Err(SqlError::unsupported("APPLY"));
                }
                Join::Cross
            } else if self.is_word("OUTER") && self.is_word_at(1, "APPLY") {
                return Err(SqlError::unsupported("APPLY"));
            } else if self.accept("INNER") {
                Join::Inner
            } else if self.is_word("LEFT") || self.is_word("RIGHT") || self.is_word("FULL") {
                let kind = match self.next().text.to_ascii_uppercase().as_str() {
                    "LEFT" => Join::Left,
                    "RIGHT" => Join::Right,
                    _ => Join::Full,
                };
                self.accept("OUTER");
                kind
            } else if self.is_word("JOIN") {
                Join::Inner
            } else {
                return Ok(left);
            };
            if self.is_word("HASH") || self.is_word("LOOP") || self.is_word("MERGE") {
                self.next();
            }
            self.expect("JOIN")?;
            joins = joins.saturating_add(1);
            if joins > 64 {
                return Err(SqlError::nested_too_deeply());
            }
            // `a JOIN b JOIN c ON … ON …`: the inner join belongs to the right side.
            let mut right = self.nested(Self::source_item)?;
            if kind != Join::Cross && !self.is_word("ON") {
                right = self.nested(|parser| parser.source_joined(right))?;
            }
            let on = if kind == Join::Cross {
                None
            } else {
                self.expect("ON")?;
                Some(self.predicate()?)
            };
            left = Source::Join { kind, left: Box::new(left), right: Box::new(right), on };
        }
    }

    fn source_joined(&mut self, left: Source) -> Result<Source, SqlError> {
        let kind = if self.accept("LEFT") {
            self.accept("OUTER");
            Join::Left
        } else {
            self.accept("INNER");
            Join::Inner
        };
        self.expect("JOIN")?;
        let mut right = self.nested(Self::source_item)?;
        if !self.is_word("ON") {
            right = self.nested(|parser| parser.source_joined(right))?;
        }
        self.expect("ON")?;
        let on = Some(self.predicate()?);
        Ok(Source::Join { kind, left: Box::new(left), right: Box::new(right), on })
    }

    fn source_item(&mut self) -> Result<Source, SqlError> {
        if self.is_symbol("(") {
            return self.parenthesised_source();
        }
        if self.peek().kind == Kind::Variable {
            let name = self.variable()?;
            let alias = self.alias(false)?;
            return Ok(Source::Variable { name, alias });
        }
        let name = self.name()?;
        if self.is_symbol("(") && name.last().eq_ignore_ascii_case("GENERATE_SERIES") {
            let arguments = self.parenthesised(Self::expression)?;
            let alias = self.alias(false)?;
            return Ok(Source::Series { arguments, alias });
        }
        if self.is_symbol("(") && !self.is_word_at(1, "NOLOCK") {
            return Err(SqlError::unsupported(format!("the table-valued function {}", name.text())));
        }
        let mut alias = self.alias(false)?;
        self.table_hints()?;
        if alias.is_none() {
            alias = self.alias(false)?;
        }
        Ok(Source::Table { name, alias })
    }

    fn parenthesised_source(&mut self) -> Result<Source, SqlError> {
        if self.starts_query() {
            self.expect_symbol("(")?;
            let query = Box::new(self.nested(Self::query)?);
            self.expect_symbol(")")?;
            return self.derived(query);
        }
        self.expect_symbol("(")?;
        if self.accept("VALUES") {
            let rows = self.list(|parser| parser.parenthesised(Self::expression))?;
            self.expect_symbol(")")?;
            let body = Body { first: Branch::Values(rows), rest: Vec::new() };
            let (with, order) = (Vec::new(), Vec::new());
            let query = Query { with, body, order, offset: None, fetch: None, max_recursion: None };
            return self.derived(Box::new(query));
        }
        let source = self.source()?;
        self.expect_symbol(")")?;
        Ok(source)
    }

    fn derived(&mut self, query: Box<Query>) -> Result<Source, SqlError> {
        let Some(alias) = self.alias(false)? else { return Err(self.unexpected()) };
        let columns = if self.is_symbol("(") { self.parenthesised(Self::identifier)? } else { Vec::new() };
        Ok(Source::Derived { query, alias, columns })
    }

    /// `WITH (NOLOCK, …)` or `(NOLOCK)`: locks are the simulation's own, so hints change nothing.
    pub(super) fn table_hints(&mut self) -> Result<(), SqlError> {
        let with = self.is_word("WITH") && self.is_symbol_at(1, "(");
        let bare = self.is_symbol("(") && self.is_word_at(1, "NOLOCK");
        if !with && !bare {
            return Ok(());
        }
        self.accept("WITH");
        self.parenthesised(|parser| {
            while !parser.is_symbol(",") && !parser.is_symbol(")") {
                if parser.peek().kind == Kind::End {
                    return Err(parser.unexpected());
                }
                if parser.is_symbol("(") {
                    parser.parenthesised(Self::expression)?;
                } else {
                    parser.next();
                }
            }
            Ok(())
        })?;
        Ok(())
    }
}
