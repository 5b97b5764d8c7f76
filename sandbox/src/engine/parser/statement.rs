//! Statements: where one begins, and the procedural ones.

use super::super::ast::{Declaration, OptionValue, Statement, StatementKind};
use super::super::error::SqlError;
use super::super::lexer::Kind;
use super::Parser;

/// Words that begin a statement and are not reserved, so that an alias must not swallow them.
const SOFT_STARTS: [&str; 2] = ["THROW", "GO"];
/// Words that begin a statement.
const STARTS: [&str; 38] = [
    "ALTER",
    "BACKUP",
    "BEGIN",
    "BREAK",
    "CHECKPOINT",
    "CLOSE",
    "COMMIT",
    "CONTINUE",
    "CREATE",
    "DBCC",
    "DEALLOCATE",
    "DECLARE",
    "DELETE",
    "DENY",
    "DROP",
    "ELSE",
    "END",
    "EXEC",
    "EXECUTE",
    "FETCH",
    "GRANT",
    "IF",
    "INSERT",
    "KILL",
    "MERGE",
    "OPEN",
    "PRINT",
    "RAISERROR",
    "RESTORE",
    "RETURN",
    "REVERT",
    "REVOKE",
    "ROLLBACK",
    "SAVE",
    "SELECT",
    "SET",
    "TRUNCATE",
    "UPDATE",
];

impl Parser<'_> {
    pub(super) fn starts_statement(&self) -> bool {
        let token = self.peek();
        token.kind == Kind::Word
            && (SOFT_STARTS.iter().chain(&STARTS).any(|word| token.text.eq_ignore_ascii_case(word))
                || ["USE", "WAITFOR", "WHILE", "WITH"].iter().any(|word| token.text.eq_ignore_ascii_case(word)))
    }

    pub(super) fn at_statement_end(&self) -> bool {
        self.peek().kind == Kind::End || self.is_symbol(";") || self.starts_statement()
    }

    pub(super) fn skip_to_statement_end(&mut self) {
        while !self.at_statement_end() {
            self.next();
        }
    }

    pub(super) fn statements_until_end(&mut self) -> Result<Vec<Statement>, SqlError> {
        let mut statements = Vec::new();
        loop {
            while self.accept_symbol(";") {}
            if self.peek().kind == Kind::End {
                return Ok(statements);
            }
            // The first statement of a batch may call a procedure without EXEC.
            if statements.is_empty() && self.is_identifier() && !self.starts_statement() && !self.is_symbol_at(1, ":") {
                let (line, slot) = (self.line(), self.slot());
                let kind = StatementKind::Execute(self.procedure_call()?);
                statements.push(Statement { line, slot, kind });
                continue;
            }
            statements.push(self.statement()?);
        }
    }

    fn statement(&mut self) -> Result<Statement, SqlError> {
        let (line, slot) = (self.line(), self.slot());
        let kind = self.nested(Self::statement_kind).map_err(|error| error.at_line(self.line()))?;
        Ok(Statement { line, slot, kind })
    }

    fn statement_kind(&mut self) -> Result<StatementKind, SqlError> {
        let first = self.peek().clone();
        if first.kind == Kind::Symbol && first.text == "(" && self.starts_query() {
            return Ok(StatementKind::Query(Box::new(self.query()?)));
        }
        if first.kind == Kind::Symbol && first.text == "{" {
            return self.call_escape();
        }
        if first.kind != Kind::Word {
            return Err(self.unexpected());
        }
        match first.text.to_ascii_uppercase().as_str() {
            "SELECT" => Ok(StatementKind::Query(Box::new(self.query()?))),
            "WITH" => self.with_statement(),
            "INSERT" => self.insert(Vec::new()),
            "UPDATE" => self.update(Vec::new()),
            "DELETE" => self.delete(Vec::new()),
            "TRUNCATE" => self.truncate(),
            "CREATE" => self.create(),
            "ALTER" => self.alter(),
            "DROP" => self.drop(),
            "EXEC" | "EXECUTE" => Ok(StatementKind::Execute(self.execute()?)),
            "DECLARE" => self.declare(),
            "SET" => self.set(),
            "IF" => self.if_statement(),
            "WHILE" => self.while_statement(),
            "BEGIN" => self.begin(),
            "COMMIT" => self.commit(),
            "ROLLBACK" => self.rollback(),
            "SAVE" => self.save(),
            "PRINT" => {
                self.next();
                Ok(StatementKind::Print(self.expression()?))
            }
            "RAISERROR" => self.raiserror(),
            "THROW" => self.throw(),
            "WAITFOR" => self.waitfor(),
            "USE" => {
                self.next();
                Ok(StatementKind::Use(self.identifier()?))
            }
            "RETURN" => {
                self.next();
                let value = if self.at_statement_end() { None } else { Some(self.expression()?) };
                Ok(StatementKind::Return(value))
            }
            "BREAK" => {
                self.next();
                Ok(StatementKind::Break)
            }
            "CONTINUE" => {
                self.next();
                Ok(StatementKind::Continue)
            }
            "CHECKPOINT" => {
                self.next();
                Ok(StatementKind::Nothing)
            }
            "MERGE" | "DBCC" | "BACKUP" | "RESTORE" | "GRANT" | "REVOKE" | "DENY" | "KILL" | "OPEN" | "FETCH"
            | "CLOSE" | "DEALLOCATE" | "GOTO" | "REVERT" | "SHUTDOWN" | "BULK" => {
                Err(SqlError::unsupported(first.text.to_ascii_uppercase()))
            }
            _ => Err(self.unexpected()),
        }
    }

    /// ODBC's `{call p(…)}` as batch text.
    fn call_escape(&mut self) -> Result<StatementKind, SqlError> {
        self.expect_symbol("{")?;
        self.expect("CALL")?;
        let name = self.name()?;
        let mut arguments = Vec::new();
        if self.is_symbol("(") {
            arguments = self.parenthesised(|parser| {
                let value = parser.expression()?;
                Ok(super::super::ast::Argument { name: None, value, output: false })
            })?;
        }
        self.expect_symbol("}")?;
        Ok(StatementKind::Execute(super::super::ast::Execute::Procedure { status: None, name, arguments }))
    }

    fn declare(&mut self) -> Result<StatementKind, SqlError> {
        self.next();
        let declarations = self.list(|parser| {
            let name = parser.variable()?;
            parser.accept("AS");
            if parser.accept("TABLE") {
                return Ok(Declaration::Table { name, definition: parser.table_definition()? });
            }
            if parser.is_word("CURSOR") {
                return Err(SqlError::unsupported("T-SQL cursors"));
            }
            if let Some(type_name) = parser.table_type() {
                return Ok(Declaration::TableType { name, type_name });
            }
            let type_ = parser.type_name()?;
            let value = if parser.accept_symbol("=") { Some(parser.expression()?) } else { None };
            Ok(Declaration::Scalar { name, type_, value })
        })?;
        Ok(StatementKind::Declare(declarations))
    }

    fn set(&mut self) -> Result<StatementKind, SqlError> {
        self.next();
        if self.peek().kind == Kind::Variable {
            let name = self.variable()?;
            let Some(operator) = self.assignment_operator_at(0) else { return Err(self.unexpected()) };
            self.next();
            return Ok(StatementKind::SetVariable { name, operator, value: self.expression()? });
        }
        let mut names = Vec::new();
        if self.accept("TRANSACTION") {
            self.expect("ISOLATION")?;
            self.expect("LEVEL")?;
            let mut level = self.next().text.to_ascii_uppercase();
            if matches!(level.as_str(), "READ" | "REPEATABLE") {
                level = format!("{level} {}", self.next().text.to_ascii_uppercase());
            }
            let known = ["READ UNCOMMITTED", "READ COMMITTED", "REPEATABLE READ", "SNAPSHOT", "SERIALIZABLE"];
            if !known.contains(&level.as_str()) {
                return Err(SqlError::syntax(&level));
            }
            let value = OptionValue::Word(level);
            return Ok(StatementKind::SetOption { names: vec!["ISOLATION".into()], value });
        }
        loop {
            let word = self.next();
            if word.kind != Kind::Word {
                return Err(SqlError::syntax(&word.text).at_line(word.line));
            }
            let mut name = word.text.to_ascii_uppercase();
            if matches!(name.as_str(), "STATISTICS") {
                name = format!("{name} {}", self.next().text.to_ascii_uppercase());
            }
            if name == "IDENTITY_INSERT" {
                name = format!("{name} {}", self.name()?.text());
            }
            names.push(name);
            if !self.accept_symbol(",") {
                break;
            }
        }
        let value = if self.accept("ON") {
            OptionValue::Switch(true)
        } else if self.accept("OFF") {
            OptionValue::Switch(false)
        } else if self.is_identifier() {
            OptionValue::Word(self.identifier()?)
        } else {
            OptionValue::Value(self.expression()?)
        };
        Ok(StatementKind::SetOption { names, value })
    }

    fn if_statement(&mut self) -> Result<StatementKind, SqlError> {
        self.next();
        let condition = self.predicate()?;
        let then = Box::new(self.statement()?);
        // `IF … ; ELSE` is legal after a terminated statement.
        if self.is_symbol(";") && self.is_word_at(1, "ELSE") {
            self.next();
        }
        let otherwise = if self.accept("ELSE") { Some(Box::new(self.statement()?)) } else { None };
        Ok(StatementKind::If { condition, then, otherwise })
    }

    fn while_statement(&mut self) -> Result<StatementKind, SqlError> {
        self.next();
        let condition = self.predicate()?;
        let body = Box::new(self.statement()?);
        Ok(StatementKind::While { condition, body })
    }

    fn begin(&mut self) -> Result<StatementKind, SqlError> {
        self.next();
        if self.accept("TRAN") || self.accept("TRANSACTION") {
            return Ok(StatementKind::Begin { name: self.transaction_name()? });
        }
        if self.is_word("DISTRIBUTED") || self.is_word("DIALOG") || self.is_word("CONVERSATION") {
            return Err(SqlError::unsupported(format!("BEGIN {}", self.peek().text)));
        }
        if self.accept("TRY") {
            let body = self.block_until_end("TRY")?;
            self.accept_symbol(";");
            self.expect("BEGIN")?;
            self.expect("CATCH")?;
            let catch = self.block_until_end("CATCH")?;
            return Ok(StatementKind::Try { body, catch });
        }
        let mut body = Vec::new();
        loop {
            while self.accept_symbol(";") {}
            if self.accept("END") {
                return Ok(StatementKind::Block(body));
            }
            body.push(self.statement()?);
        }
    }

    fn block_until_end(&mut self, word: &str) -> Result<Vec<Statement>, SqlError> {
        let mut body = Vec::new();
        loop {
            while self.accept_symbol(";") {}
            if self.is_word("END") && self.is_word_at(1, word) {
                self.next();
                self.next();
                return Ok(body);
            }
            body.push(self.statement()?);
        }
    }

    fn transaction_name(&mut self) -> Result<Option<String>, SqlError> {
        let name = if self.peek().kind == Kind::Variable {
            return Err(SqlError::unsupported("transaction names in variables"));
        } else if self.is_identifier() && !self.starts_statement() {
            Some(self.identifier()?)
        } else {
            None
        };
        if self.is_word("WITH") && (self.is_word_at(1, "MARK") || self.is_symbol_at(1, "(")) {
            self.next();
            if !self.accept("MARK") {
                self.skip_parentheses()?;
            }
        }
        Ok(name)
    }

    fn commit(&mut self) -> Result<StatementKind, SqlError> {
        self.next();
        if self.accept("TRAN") || self.accept("TRANSACTION") {
            self.transaction_name()?;
        } else {
            self.accept("WORK");
        }
        Ok(StatementKind::Commit)
    }

    fn rollback(&mut self) -> Result<StatementKind, SqlError> {
        self.next();
        let mut name = None;
        if self.accept("TRAN") || self.accept("TRANSACTION") {
            name = self.transaction_name()?;
        } else {
            self.accept("WORK");
        }
        Ok(StatementKind::Rollback { name })
    }

    fn save(&mut self) -> Result<StatementKind, SqlError> {
        self.next();
        if !self.accept("TRAN") {
            self.expect("TRANSACTION")?;
        }
        match self.transaction_name()? {
            Some(name) => Ok(StatementKind::Save { name }),
            None => Err(self.unexpected()),
        }
    }

    fn raiserror(&mut self) -> Result<StatementKind, SqlError> {
        self.next();
        self.expect_symbol("(")?;
        let message = self.expression()?;
        self.expect_symbol(",")?;
        let severity = self.expression()?;
        self.expect_symbol(",")?;
        let state = self.expression()?;
        let mut arguments = Vec::new();
        while self.accept_symbol(",") {
            arguments.push(self.expression()?);
        }
        self.expect_symbol(")")?;
        if self.is_word("WITH") && ["NOWAIT", "LOG", "SETERROR"].iter().any(|word| self.is_word_at(1, word)) {
            self.next();
            self.list(Self::identifier)?;
        }
        Ok(StatementKind::RaisError { message, severity, state, arguments })
    }

    fn throw(&mut self) -> Result<StatementKind, SqlError> {
        self.next();
        if self.at_statement_end() {
            return Ok(StatementKind::Throw(None));
        }
        let number = self.expression()?;
        self.expect_symbol(",")?;
        let message = self.expression()?;
        self.expect_symbol(",")?;
        let state = self.expression()?;
        Ok(StatementKind::Throw(Some((number, message, state))))
    }

    fn waitfor(&mut self) -> Result<StatementKind, SqlError> {
        self.next();
        let time = self.accept("TIME");
        if !time {
            self.expect("DELAY")?;
        }
        Ok(StatementKind::WaitFor { time, value: self.expression()? })
    }
}
