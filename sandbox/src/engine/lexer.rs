//! Cuts T-SQL text into tokens. Total: any text gives tokens or an error, never a panic.

use super::error::SqlError;

/// What a token is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A regular identifier or keyword, as written.
    Word,
    /// `[x]` or `"x"`, without its quotes.
    Quoted,
    /// `@x` or `@@x`.
    Variable,
    /// Digits only.
    Integer,
    /// Digits with a point.
    Decimal,
    /// With an exponent.
    Float,
    /// `$1.5`.
    Money,
    /// `'x'`, unescaped.
    String,
    /// `N'x'`, unescaped.
    National,
    /// `0x…`, digits only.
    Binary,
    /// An operator or a punctuation mark.
    Symbol,
    /// After the last token.
    End,
}

/// A token with the line it begins on and where it stands in the text (bytes).
#[derive(Debug, Clone)]
pub(crate) struct Token {
    pub(crate) kind: Kind,
    pub(crate) text: String,
    pub(crate) line: u32,
    pub(crate) start: usize,
    pub(crate) end: usize,
}

/// Symbols of two characters.
const PAIRS: [&str; 15] = ["<=", ">=", "<>", "!=", "!<", "!>", "+=", "-=", "*=", "/=", "%=", "&=", "|=", "^=", "::"];

/// Cuts `sql` into tokens, the last of which is [`Kind::End`]. `quoted_identifiers` says what `"x"` is.
pub(crate) fn tokens(sql: &str, quoted_identifiers: bool) -> Result<Vec<Token>, SqlError> {
    let mut lexer = Lexer { sql, at: 0, line: 1, quoted_identifiers };
    let mut tokens = Vec::with_capacity(sql.len() / 4);
    loop {
        let token = lexer.next()?;
        let done = token.kind == Kind::End;
        tokens.push(token);
        if done {
            return Ok(tokens);
        }
    }
}

struct Lexer<'a> {
    sql: &'a str,
    at: usize,
    line: u32,
    quoted_identifiers: bool,
}

impl Lexer<'_> {
    fn rest(&self) -> &str {
        self.sql.get(self.at..).unwrap_or("")
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn advance(&mut self, bytes: usize) {
        let passed = self.sql.get(self.at..self.at.saturating_add(bytes)).unwrap_or("");
        let lines = passed.bytes().filter(|byte| *byte == b'\n').count();
        self.line = self.line.saturating_add(u32::try_from(lines).unwrap_or(u32::MAX));
        self.at = self.at.saturating_add(bytes).min(self.sql.len());
    }

    fn next(&mut self) -> Result<Token, SqlError> {
        self.skip_blanks()?;
        let (start, line) = (self.at, self.line);
        let Some(first) = self.peek() else {
            return Ok(Token { kind: Kind::End, text: String::new(), line, start, end: start });
        };
        let second = self.rest().chars().nth(1);
        let (kind, text) = match first {
            '\'' => (Kind::String, self.quoted('\'', '\'')?),
            'N' | 'n' if second == Some('\'') => {
                self.advance(1);
                (Kind::National, self.quoted('\'', '\'')?)
            }
            '[' => (Kind::Quoted, self.quoted('[', ']')?),
            '"' if self.quoted_identifiers => (Kind::Quoted, self.quoted('"', '"')?),
            '"' => (Kind::String, self.quoted('"', '"')?),
            '0' if matches!(second, Some('x' | 'X')) => {
                self.advance(2);
                (Kind::Binary, self.take(|c| c.is_ascii_hexdigit()))
            }
            '0'..='9' => self.number(),
            '.' if second.is_some_and(|c| c.is_ascii_digit()) => self.number(),
            '$' if second.is_some_and(|c| c.is_ascii_digit() || c == '.' || c == '-') => {
                self.advance(1);
                (Kind::Money, self.take(|c| c.is_ascii_digit() || c == '.' || c == '-'))
            }
            '@' => (Kind::Variable, self.take(is_word)),
            c if is_word_start(c) => (Kind::Word, self.take(is_word)),
            _ => (Kind::Symbol, self.symbol(first)),
        };
        Ok(Token { kind, text, line, start, end: self.at })
    }

    fn skip_blanks(&mut self) -> Result<(), SqlError> {
        loop {
            let rest = self.rest();
            let blank = rest.len() - rest.trim_start_matches(|c: char| c.is_whitespace() || c == '\u{feff}').len();
            if blank > 0 {
                self.advance(blank);
            } else if rest.starts_with("--") {
                self.advance(rest.find('\n').unwrap_or(rest.len()));
            } else if rest.starts_with("/*") {
                self.skip_comment()?;
            } else {
                return Ok(());
            }
        }
    }

    fn skip_comment(&mut self) -> Result<(), SqlError> {
        // Comments nest in T-SQL.
        let line = self.line;
        let mut depth = 0_usize;
        loop {
            let rest = self.rest();
            if rest.starts_with("/*") {
                depth = depth.saturating_add(1);
                self.advance(2);
            } else if rest.starts_with("*/") {
                depth = depth.saturating_sub(1);
                self.advance(2);
                if depth == 0 {
                    return Ok(());
                }
            } else {
                let Some(next) = rest.find(['*', '/']) else {
                    return Err(SqlError::new(113, 15, 1, "Missing end comment mark '*/'.").at_line(line));
                };
                self.advance(next.max(1));
            }
        }
    }

    fn quoted(&mut self, open: char, close: char) -> Result<String, SqlError> {
        let line = self.line;
        self.advance(open.len_utf8());
        let mut text = String::new();
        loop {
            let rest = self.rest();
            let Some(end) = rest.find(close) else {
                let tail: String = rest.chars().take(128).collect();
                let error = format!("Unclosed quotation mark after the character string '{text}{tail}'.");
                return Err(SqlError::new(105, 15, 1, error).at_line(line));
            };
            text.push_str(rest.get(..end).unwrap_or(""));
            self.advance(end.saturating_add(1));
            if self.peek() != Some(close) {
                return Ok(text);
            }
            text.push(close);
            self.advance(1);
        }
    }

    fn take(&mut self, belongs: impl Fn(char) -> bool) -> String {
        let rest = self.rest();
        let end = rest.find(|c| !belongs(c)).unwrap_or(rest.len());
        let text = rest.get(..end).unwrap_or("").to_owned();
        self.advance(end);
        text
    }

    fn number(&mut self) -> (Kind, String) {
        let mut text = self.take(|c| c.is_ascii_digit());
        let mut kind = Kind::Integer;
        if self.peek() == Some('.') {
            self.advance(1);
            text.push('.');
            text.push_str(&self.take(|c| c.is_ascii_digit()));
            kind = Kind::Decimal;
        }
        let mut ahead = self.rest().chars();
        let exponent = matches!(ahead.next(), Some('e' | 'E'));
        let sign = ahead.next().filter(|c| matches!(c, '+' | '-'));
        if exponent {
            self.advance(1);
            text.push('e');
            if let Some(sign) = sign {
                self.advance(1);
                text.push(sign);
            }
            let digits = self.take(|c| c.is_ascii_digit());
            text.push_str(if digits.is_empty() { "0" } else { &digits });
            kind = Kind::Float;
        }
        (kind, text)
    }

    fn symbol(&mut self, first: char) -> String {
        let pair = PAIRS.iter().find(|pair| self.rest().starts_with(**pair));
        let text = pair.map_or_else(|| first.to_string(), |pair| (*pair).to_owned());
        self.advance(text.len());
        text
    }
}

fn is_word_start(c: char) -> bool {
    c.is_alphabetic() || c == '_' || c == '#'
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '_' | '#' | '@' | '$')
}
