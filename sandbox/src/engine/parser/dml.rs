//! INSERT, UPDATE, DELETE and TRUNCATE.

use super::super::ast::{
    Argument, Assignment, CommonTable, Delete, Execute, Expr, Insert, InsertSource, Output, StatementKind, Target,
    Update,
};
use super::super::error::SqlError;
use super::super::lexer::Kind;
use super::Parser;

/// Rows of one VALUES list, as SQL Server limits them.
const MAX_ROWS: usize = 1000;

impl Parser<'_> {
    /// A statement that begins with WITH.
    pub(super) fn with_statement(&mut self) -> Result<StatementKind, SqlError> {
        let with = self.common_tables()?;
        if self.is_word("INSERT") {
            self.insert(with)
        } else if self.is_word("UPDATE") {
            self.update(with)
        } else if self.is_word("DELETE") {
            self.delete(with)
        } else {
            Ok(StatementKind::Query(Box::new(self.query_after_with(with)?)))
        }
    }

    fn target(&mut self) -> Result<Target, SqlError> {
        if self.peek().kind == Kind::Variable {
            return Ok(Target::Variable(self.variable()?));
        }
        Ok(Target::Table(self.name()?))
    }

    pub(super) fn insert(&mut self, with: Vec<CommonTable>) -> Result<StatementKind, SqlError> {
        self.expect("INSERT")?;
        if self.is_word("BULK") {
            return self.insert_bulk();
        }
        if self.is_word("TOP") {
            return Err(SqlError::unsupported("INSERT TOP"));
        }
        self.accept("INTO");
        let target = self.target()?;
        self.table_hints()?;
        let columns = if self.is_symbol("(") && !self.starts_query() {
            self.parenthesised(Self::identifier)?
        } else {
            Vec::new()
        };
        let output = self.output()?;
        let source = if self.accept("VALUES") {
            let rows = self.list(|parser| parser.parenthesised(Self::expression))?;
            if rows.len() > MAX_ROWS {
                let text = "The number of row value expressions in the INSERT statement exceeds the maximum allowed number of 1000 row values.";
                return Err(SqlError::new(10738, 15, 1, text));
            }
            InsertSource::Values(rows)
        } else if self.accept("DEFAULT") {
            self.expect("VALUES")?;
            InsertSource::Defaults
        } else if self.is_word("EXEC") || self.is_word("EXECUTE") {
            InsertSource::Execute(self.execute()?)
        } else if self.starts_query() {
            InsertSource::Query(Box::new(self.query()?))
        } else {
            return Err(self.unexpected());
        };
        Ok(StatementKind::Insert(Box::new(Insert { target, columns, output, source, with })))
    }

    /// `INSERT BULK t (a int, b nvarchar(10) COLLATE x, …) WITH (…)`.
    fn insert_bulk(&mut self) -> Result<StatementKind, SqlError> {
        self.expect("BULK")?;
        let target = self.name()?;
        let mut columns = Vec::new();
        if self.is_symbol("(") {
            columns = self.parenthesised(|parser| {
                let name = parser.identifier()?;
                if parser.is_identifier() {
                    parser.bulk_type()?;
                }
                Ok(name)
            })?;
        }
        if self.accept("WITH") {
            self.skip_parentheses()?;
        }
        Ok(StatementKind::InsertBulk { target, columns })
    }

    /// The type in INSERT BULK says what the wire brings; its COLMETADATA says it again, so it is only skipped.
    fn bulk_type(&mut self) -> Result<(), SqlError> {
        self.name()?;
        if self.is_symbol("(") {
            self.skip_parentheses()?;
        }
        if self.accept("COLLATE") {
            self.identifier()?;
        }
        Ok(())
    }

    pub(super) fn skip_parentheses(&mut self) -> Result<(), SqlError> {
        self.expect_symbol("(")?;
        let mut depth = 1_u32;
        while depth > 0 {
            if self.peek().kind == Kind::End {
                return Err(self.unexpected());
            }
            if self.is_symbol("(") {
                depth = depth.saturating_add(1);
            } else if self.is_symbol(")") {
                depth = depth.saturating_sub(1);
            }
            self.next();
        }
        Ok(())
    }

    fn output(&mut self) -> Result<Option<Output>, SqlError> {
        if !self.accept("OUTPUT") {
            return Ok(None);
        }
        let items = self.list(Self::select_item)?;
        let mut into = None;
        if self.accept("INTO") {
            let target = self.target()?;
            let columns = if self.is_symbol("(") { self.parenthesised(Self::identifier)? } else { Vec::new() };
            into = Some((target, columns));
        }
        Ok(Some(Output { items, into }))
    }

    pub(super) fn update(&mut self, with: Vec<CommonTable>) -> Result<StatementKind, SqlError> {
        self.expect("UPDATE")?;
        if self.is_word("STATISTICS") {
            while self.peek().kind != Kind::End && !self.is_symbol(";") && !self.starts_statement_after_first() {
                self.next();
            }
            return Ok(StatementKind::Nothing);
        }
        let top = self.top()?;
        let target = self.target()?;
        self.table_hints()?;
        self.expect("SET")?;
        let assignments = self.list(Self::assignment)?;
        let output = self.output()?;
        let from = if self.accept("FROM") { self.list(Self::source)? } else { Vec::new() };
        let filter = if self.accept("WHERE") { Some(self.predicate()?) } else { None };
        self.query_options()?;
        let update = Update { target, top, assignments, output, from, filter, with };
        Ok(StatementKind::Update(Box::new(update)))
    }

    fn starts_statement_after_first(&self) -> bool {
        self.starts_statement() && !self.is_word("UPDATE")
    }

    fn assignment(&mut self) -> Result<Assignment, SqlError> {
        if self.peek().kind == Kind::Variable {
            return Err(SqlError::unsupported("assigning variables in UPDATE"));
        }
        let column = self.name()?;
        let Some(operator) = self.assignment_operator_at(0) else { return Err(self.unexpected()) };
        self.next();
        let value = self.expression()?;
        Ok(Assignment { column, operator, value })
    }

    pub(super) fn delete(&mut self, with: Vec<CommonTable>) -> Result<StatementKind, SqlError> {
        self.expect("DELETE")?;
        let top = self.top()?;
        self.accept("FROM");
        let target = self.target()?;
        self.table_hints()?;
        let output = self.output()?;
        let from = if self.accept("FROM") { self.list(Self::source)? } else { Vec::new() };
        let filter = if self.accept("WHERE") { Some(self.predicate()?) } else { None };
        self.query_options()?;
        Ok(StatementKind::Delete(Box::new(Delete { target, top, output, from, filter, with })))
    }

    pub(super) fn truncate(&mut self) -> Result<StatementKind, SqlError> {
        self.expect("TRUNCATE")?;
        self.expect("TABLE")?;
        Ok(StatementKind::Truncate(self.name()?))
    }

    pub(super) fn execute(&mut self) -> Result<Execute, SqlError> {
        if !self.accept("EXEC") {
            self.expect("EXECUTE")?;
        }
        if self.is_word("AS") {
            return Err(SqlError::unsupported("EXECUTE AS"));
        }
        if self.accept_symbol("(") {
            let mut parts = vec![self.expression()?];
            while self.accept_symbol(",") {
                parts.push(self.expression()?);
            }
            self.expect_symbol(")")?;
            if self.is_word("AT") {
                return Err(SqlError::unsupported("EXECUTE … AT"));
            }
            return Ok(Execute::Text(parts));
        }
        self.procedure_call()
    }

    pub(super) fn procedure_call(&mut self) -> Result<Execute, SqlError> {
        let status = if self.peek().kind == Kind::Variable && self.is_symbol_at(1, "=") {
            let status = self.variable()?;
            self.next();
            Some(status)
        } else {
            None
        };
        let name = if self.is_symbol(".") {
            // `..sp_tablecollations_100`, as bulk loads name it.
            while self.accept_symbol(".") {}
            self.name()?
        } else {
            self.name()?
        };
        let mut arguments = Vec::new();
        if !self.at_statement_end() {
            arguments = self.list(Self::argument)?;
        }
        if self.is_word("WITH") && self.is_word_at(1, "RECOMPILE") {
            self.next();
            self.next();
        }
        Ok(Execute::Procedure { status, name, arguments })
    }

    fn argument(&mut self) -> Result<Argument, SqlError> {
        let mut name = None;
        if self.peek().kind == Kind::Variable && self.is_symbol_at(1, "=") {
            name = Some(self.variable()?);
            self.next();
        }
        // A bare word is a string: `sp_help Orders`.
        let bare = self.is_identifier() && !self.is_symbol_at(1, "(");
        let value = if bare { Expr::String { value: self.name()?.text(), national: true } } else { self.expression()? };
        let output = self.accept("OUTPUT") || self.accept("OUT");
        Ok(Argument { name, value, output })
    }
}
