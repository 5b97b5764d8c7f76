//! T-SQL tokens to statements. Recursion is bounded; what is not understood is a syntax error.

mod ddl;
mod dml;
mod expression;
mod names;
mod predicate;
mod query;
mod statement;

use super::ast::{Parameter, Statement};
use super::error::SqlError;
use super::lexer::{Kind, Token, tokens};

/// Nesting allowed in one statement. SQL Server's own limit depends on its stack, as ours does.
const MAX_DEPTH: u16 = 48;
/// Operators allowed in one chain, because the binder walks them recursively.
const MAX_CHAIN: u16 = 200;

/// A parsed batch.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Batch {
    pub(crate) statements: Vec<Statement>,
    /// How many plan slots the statements use.
    pub(crate) slots: usize,
}

/// Parses a batch.
pub(crate) fn batch(sql: &str, quoted_identifiers: bool) -> Result<Batch, SqlError> {
    let mut parser = Parser::new(sql, quoted_identifiers)?;
    let statements = parser.statements_until_end().map_err(|error| error.at_line(parser.line()))?;
    Ok(Batch { statements, slots: parser.slots })
}

/// Parses the parameter declaration of sp_executesql and its kin: `@a int, @b nvarchar(10) OUTPUT`.
pub(crate) fn parameters(sql: &str) -> Result<Vec<Parameter>, SqlError> {
    let mut parser = Parser::new(sql, true)?;
    if parser.peek().kind == Kind::End {
        return Ok(Vec::new());
    }
    let parameters = parser.parameter_list().map_err(|error| error.at_line(parser.line()))?;
    match parser.peek().kind {
        Kind::End => Ok(parameters),
        _ => Err(parser.unexpected()),
    }
}

/// The reserved words that end an expression, an alias or a statement.
const RESERVED: &[&str] = &[
    "ADD",
    "ALL",
    "ALTER",
    "AND",
    "ANY",
    "AS",
    "ASC",
    "BACKUP",
    "BEGIN",
    "BETWEEN",
    "BREAK",
    "BULK",
    "BY",
    "CASE",
    "CHECK",
    "CHECKPOINT",
    "CLOSE",
    "COALESCE",
    "COLLATE",
    "COMMIT",
    "CONSTRAINT",
    "CONTINUE",
    "CONVERT",
    "CREATE",
    "CROSS",
    "CURRENT_TIMESTAMP",
    "CURSOR",
    "DATABASE",
    "DBCC",
    "DEALLOCATE",
    "DECLARE",
    "DEFAULT",
    "DELETE",
    "DENY",
    "DESC",
    "DISTINCT",
    "DROP",
    "ELSE",
    "END",
    "ESCAPE",
    "EXCEPT",
    "EXEC",
    "EXECUTE",
    "EXISTS",
    "FETCH",
    "FOR",
    "FOREIGN",
    "FROM",
    "FULL",
    "FUNCTION",
    "GOTO",
    "GRANT",
    "GROUP",
    "HAVING",
    "IDENTITY_INSERT",
    "IF",
    "IN",
    "INDEX",
    "INNER",
    "INSERT",
    "INTERSECT",
    "INTO",
    "IS",
    "JOIN",
    "KEY",
    "KILL",
    "LEFT",
    "LIKE",
    "MERGE",
    "NOT",
    "NULL",
    "NULLIF",
    "OF",
    "OFF",
    "ON",
    "OPEN",
    "OPTION",
    "OR",
    "ORDER",
    "OUTER",
    "OVER",
    "PRIMARY",
    "PRINT",
    "PROC",
    "PROCEDURE",
    "RAISERROR",
    "READ",
    "REFERENCES",
    "RESTORE",
    "RETURN",
    "REVERT",
    "REVOKE",
    "RIGHT",
    "ROLLBACK",
    "SAVE",
    "SELECT",
    "SESSION_USER",
    "SET",
    "SHUTDOWN",
    "SOME",
    "SYSTEM_USER",
    "TABLE",
    "THEN",
    "TO",
    "TOP",
    "TRAN",
    "TRANSACTION",
    "TRIGGER",
    "TRUNCATE",
    "TRY_CONVERT",
    "UNION",
    "UNIQUE",
    "UPDATE",
    "USE",
    "USER",
    "VALUES",
    "VIEW",
    "WAITFOR",
    "WHEN",
    "WHERE",
    "WHILE",
    "WITH",
];

pub(crate) fn is_reserved(word: &str) -> bool {
    RESERVED.iter().any(|reserved| reserved.eq_ignore_ascii_case(word))
}

struct Parser<'a> {
    sql: &'a str,
    tokens: Vec<Token>,
    at: usize,
    end: Token,
    depth: u16,
    slots: usize,
}

impl<'a> Parser<'a> {
    fn new(sql: &'a str, quoted_identifiers: bool) -> Result<Self, SqlError> {
        let tokens = tokens(sql, quoted_identifiers)?;
        let end = Token { kind: Kind::End, text: String::new(), line: 1, start: sql.len(), end: sql.len() };
        let end = tokens.last().cloned().unwrap_or(end);
        Ok(Self { sql, tokens, at: 0, end, depth: 0, slots: 0 })
    }

    fn peek(&self) -> &Token {
        self.tokens.get(self.at).unwrap_or(&self.end)
    }

    fn peek_at(&self, ahead: usize) -> &Token {
        self.tokens.get(self.at.saturating_add(ahead)).unwrap_or(&self.end)
    }

    fn line(&self) -> u32 {
        self.peek().line
    }

    fn next(&mut self) -> Token {
        let token = self.peek().clone();
        self.at = self.at.saturating_add(1).min(self.tokens.len());
        token
    }

    fn slot(&mut self) -> usize {
        let slot = self.slots;
        self.slots = self.slots.saturating_add(1);
        slot
    }

    /// Runs `parse` one level deeper.
    fn nested<T>(&mut self, parse: impl FnOnce(&mut Self) -> Result<T, SqlError>) -> Result<T, SqlError> {
        if self.depth >= MAX_DEPTH {
            return Err(SqlError::nested_too_deeply());
        }
        self.depth = self.depth.saturating_add(1);
        let parsed = parse(self);
        self.depth = self.depth.saturating_sub(1);
        parsed
    }

    fn unexpected(&self) -> SqlError {
        let token = self.peek();
        let text: String = token.text.chars().take(128).collect();
        let error = match token.kind {
            Kind::Word if is_reserved(&token.text) => {
                SqlError::new(156, 15, 1, format!("Incorrect syntax near the keyword '{text}'."))
            }
            Kind::End => {
                let last = self.tokens.len().checked_sub(2).and_then(|index| self.tokens.get(index));
                SqlError::syntax(last.map_or("", |last| last.text.as_str()))
            }
            _ => SqlError::syntax(&text),
        };
        error.at_line(token.line)
    }

    fn is_word(&self, word: &str) -> bool {
        self.is_word_at(0, word)
    }

    fn is_word_at(&self, ahead: usize, word: &str) -> bool {
        let token = self.peek_at(ahead);
        token.kind == Kind::Word && token.text.eq_ignore_ascii_case(word)
    }

    fn is_symbol(&self, symbol: &str) -> bool {
        self.is_symbol_at(0, symbol)
    }

    fn is_symbol_at(&self, ahead: usize, symbol: &str) -> bool {
        let token = self.peek_at(ahead);
        token.kind == Kind::Symbol && token.text == symbol
    }

    fn accept(&mut self, word: &str) -> bool {
        let found = self.is_word(word);
        if found {
            self.next();
        }
        found
    }

    fn accept_symbol(&mut self, symbol: &str) -> bool {
        let found = self.is_symbol(symbol);
        if found {
            self.next();
        }
        found
    }

    fn expect(&mut self, word: &str) -> Result<(), SqlError> {
        if self.accept(word) { Ok(()) } else { Err(self.unexpected()) }
    }

    fn expect_symbol(&mut self, symbol: &str) -> Result<(), SqlError> {
        if self.accept_symbol(symbol) { Ok(()) } else { Err(self.unexpected()) }
    }

    /// One or more of `parse`, separated by commas.
    fn list<T>(&mut self, mut parse: impl FnMut(&mut Self) -> Result<T, SqlError>) -> Result<Vec<T>, SqlError> {
        let mut items = vec![parse(self)?];
        while self.accept_symbol(",") {
            items.push(parse(self)?);
        }
        Ok(items)
    }

    /// `( a, b, … )`.
    fn parenthesised<T>(&mut self, parse: impl FnMut(&mut Self) -> Result<T, SqlError>) -> Result<Vec<T>, SqlError> {
        self.expect_symbol("(")?;
        let items = self.list(parse)?;
        self.expect_symbol(")")?;
        Ok(items)
    }
}
