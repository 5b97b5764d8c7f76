//! An error as SQL Server would raise it: number, class, state and text, and what it ends.

use super::sink::Message;

/// A T-SQL error. Travels through SQLite as text, because that is all a function registered there can raise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SqlError {
    pub(crate) number: i32,
    pub(crate) class: u8,
    pub(crate) state: u8,
    pub(crate) text: String,
    /// Line of the batch, 0 while unknown.
    pub(crate) line: u32,
}

/// Marks an error of ours inside a SQLite error message.
const MARK: char = '\u{1}';

impl SqlError {
    pub(crate) fn new(number: i32, class: u8, state: u8, text: impl Into<String>) -> Self {
        Self { number, class, state, text: text.into(), line: 0 }
    }

    /// What the sandbox cannot do. Class 16, so that every client sees an error, never a wrong answer.
    pub(crate) fn unsupported(what: impl AsRef<str>) -> Self {
        Self::new(40517, 16, 1, format!("The sandbox does not support {}.", what.as_ref()))
    }

    pub(crate) fn syntax(near: &str) -> Self {
        Self::new(102, 15, 1, format!("Incorrect syntax near '{near}'."))
    }

    pub(crate) fn divide_by_zero() -> Self {
        Self::new(8134, 16, 1, "Divide by zero error encountered.")
    }

    pub(crate) fn overflow(target: &str) -> Self {
        Self::new(8115, 16, 2, format!("Arithmetic overflow error converting expression to data type {target}."))
    }

    pub(crate) fn invalid_object(name: &str) -> Self {
        Self::new(208, 16, 1, format!("Invalid object name '{name}'."))
    }

    pub(crate) fn invalid_column(name: &str) -> Self {
        Self::new(207, 16, 1, format!("Invalid column name '{name}'."))
    }

    pub(crate) fn read_only(database: &str) -> Self {
        let text = format!("Failed to update database \"{database}\" because the database is read-only.");
        Self::new(3906, 16, 2, text)
    }

    pub(crate) fn nested_too_deeply() -> Self {
        let text = "Some part of your SQL statement is nested too deeply. Rewrite the query or break it up into smaller queries.";
        Self::new(191, 15, 1, text)
    }

    pub(crate) fn undeclared(variable: &str) -> Self {
        Self::new(137, 15, 2, format!("Must declare the scalar variable \"{variable}\"."))
    }

    pub(crate) fn at_line(mut self, line: u32) -> Self {
        if self.line == 0 {
            self.line = line;
        }
        self
    }

    pub(crate) fn message(&self, procedure: &str) -> Message {
        Message {
            number: self.number,
            state: self.state,
            class: self.class,
            text: self.text.clone(),
            procedure: procedure.to_owned(),
            line: self.line.max(1),
        }
    }

    /// Whether the rest of the batch is skipped even without XACT_ABORT: conversions, missing objects, limits.
    pub(crate) fn ends_batch(&self) -> bool {
        self.class >= 19
            || matches!(self.number, 241 | 242 | 245 | 248 | 295 | 8114 | 8169 | 9803 | 207 | 208 | 4104 | 1205 | 137)
            || matches!(self.number, 3930 | 530 | 217 | 9002)
    }

    /// Whether a transaction that was open is doomed when this arises inside TRY.
    pub(crate) fn dooms(&self) -> bool {
        self.ends_batch() && !matches!(self.number, 207 | 208 | 4104 | 137)
    }

    /// Whether it was raised while a statement was compiled, before it ran.
    pub(crate) fn is_compile_time(&self) -> bool {
        self.class == 15 || matches!(self.number, 207 | 208 | 4104 | 137 | 8120 | 209)
    }

    /// As the message of an error raised inside SQLite.
    pub(crate) fn into_sqlite(self) -> rusqlite::Error {
        let text = format!("{MARK}{}|{}|{}|{}", self.number, self.class, self.state, self.text.replace('\0', ""));
        rusqlite::Error::UserFunctionError(text.into())
    }
}

impl From<rusqlite::Error> for SqlError {
    fn from(error: rusqlite::Error) -> Self {
        let text = match &error {
            rusqlite::Error::SqliteFailure(_, Some(text)) => text.clone(),
            other => other.to_string(),
        };
        if let Some(own) = text.split_once(MARK).and_then(|(_, tail)| parse_marked(tail)) {
            return own;
        }
        from_sqlite_text(&text)
    }
}

fn parse_marked(text: &str) -> Option<SqlError> {
    let mut parts = text.splitn(4, '|');
    let number = parts.next()?.parse().ok()?;
    let class = parts.next()?.parse().ok()?;
    let state = parts.next()?.parse().ok()?;
    Some(SqlError::new(number, class, state, parts.next()?))
}

fn from_sqlite_text(text: &str) -> SqlError {
    if let Some(columns) = text.strip_prefix("UNIQUE constraint failed: ") {
        let table = first_table(columns);
        return SqlError::new(2627, 14, 1, format!("{columns}\u{2}{table}"));
    }
    if let Some(column) = text.strip_prefix("NOT NULL constraint failed: ") {
        let (table, name) = column.rsplit_once('.').unwrap_or(("", column));
        let text = format!(
            "Cannot insert the value NULL into column '{name}', table '{table}'; column does not allow nulls. INSERT fails."
        );
        return SqlError::new(515, 16, 2, text);
    }
    if let Some(name) = text.strip_prefix("CHECK constraint failed: ") {
        let text = format!("The statement conflicted with the CHECK constraint \"{name}\".");
        return SqlError::new(547, 16, 0, text);
    }
    if text.contains("database is locked") {
        let text = "Transaction was deadlocked on lock resources with another process and has been chosen as the deadlock victim. Rerun the transaction.";
        return SqlError::new(1205, 13, 51, text);
    }
    if text.contains("integer overflow") {
        return SqlError::overflow("bigint");
    }
    if let Some(name) = text.strip_prefix("no such table: ") {
        return SqlError::invalid_object(name.trim_start_matches("main.").trim_start_matches("temp."));
    }
    if text.contains("database or disk is full") {
        return SqlError::new(1105, 17, 2, "Could not allocate space because the disk is full.");
    }
    SqlError::unsupported(format!("this statement ({text})"))
}

fn first_table(columns: &str) -> String {
    let first = columns.split(", ").next().unwrap_or(columns);
    let table = first.rsplit_once('.').map_or(first, |(table, _)| table);
    // "SalesDB.dbo.Orders" is said as "dbo.Orders".
    table.split_once('.').map_or(table, |(_, rest)| rest).to_owned()
}
