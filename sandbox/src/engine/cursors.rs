//! Cursors: a query's rows kept as they were when it was opened, and a position in them.
//!
//! Every cursor is a static one, whatever was asked for: the answer to the request says so.

use tds::types::{FixedType, TypeInfo};
use tds::value::Value;

use super::error::SqlError;
use super::sink::{Column, Environment, Message, ReturnValue, Sink, StatementEnd, Stop};

/// Bytes of rows all cursors of a session may hold.
pub(crate) const SESSION_BYTES_MAX: usize = 256 << 20;
/// Cursors a session may have open.
pub(crate) const OPEN_MAX: usize = 1024;
/// What `ROWSTAT` says of a row that is there.
const FETCH_SUCCEEDED: i32 = 1;

/// The rows of a cursor and where it stands.
#[derive(Debug)]
pub(crate) struct Cursor {
    pub(crate) columns: Vec<Column>,
    rows: Vec<Vec<Value>>,
    pub(crate) bytes: usize,
    /// Whether it only goes forward.
    pub(crate) forward_only: bool,
    /// Whether reaching the end closes it.
    pub(crate) auto_close: bool,
    /// Given by sp_cursoroption or DECLARE, empty for none.
    pub(crate) name: String,
    pub(crate) scroll: i32,
    /// The first row of the current block, from 1; 0 is before the first, one more than the rows is behind the last.
    at: usize,
    /// Rows in the current block.
    block: usize,
}

/// Where a fetch begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fetch {
    First,
    Next,
    Previous,
    /// As [`Self::Previous`], but a block cut short by the first row stays short.
    PreviousShort,
    Last,
    Absolute(i64),
    Relative(i64),
    /// The current block again.
    Again,
}

impl Cursor {
    pub(crate) fn total(&self) -> usize {
        self.rows.len()
    }

    /// The row of the current block's first, 0 before the first.
    pub(crate) fn position(&self) -> usize {
        self.at
    }

    /// Whether the last fetch took the last row, or tried to go behind it.
    pub(crate) fn is_at_end(&self) -> bool {
        self.at.saturating_add(self.block) > self.rows.len()
    }

    /// Moves and gives the rows of the new block.
    pub(crate) fn fetch(&mut self, fetch: Fetch, wanted: usize) -> &[Vec<Value>] {
        let total = self.rows.len();
        let (start, wanted) = self.start(fetch, wanted);
        let start = usize::try_from(start.max(0)).unwrap_or(usize::MAX).min(total.saturating_add(1));
        self.at = start;
        self.block = match start {
            0 => 0,
            start => wanted.min(total.saturating_add(1).saturating_sub(start)),
        };
        self.rows.get(start.saturating_sub(1)..start.saturating_sub(1).saturating_add(self.block)).unwrap_or_default()
    }

    /// A row of the current block, from 1, or all of them for 0.
    pub(crate) fn rows_again(&self, row: usize) -> &[Vec<Value>] {
        let block = self.at.checked_sub(1).and_then(|first| self.rows.get(first..first.saturating_add(self.block)));
        let block = block.unwrap_or_default();
        match row.checked_sub(1) {
            None => block,
            Some(at) => block.get(at..=at).unwrap_or_default(),
        }
    }

    /// The first row of the block asked for, possibly outside the rows, and how many rows it has.
    fn start(&self, fetch: Fetch, wanted: usize) -> (i64, usize) {
        let signed = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
        let (at, total, rows) = (signed(self.at), signed(self.rows.len()), signed(wanted));
        let start = match fetch {
            Fetch::First => i64::from(wanted > 0),
            Fetch::Next => at.saturating_add(signed(self.block)).max(1),
            Fetch::Previous if at > 1 => at.saturating_sub(rows).max(1),
            Fetch::PreviousShort if at > 1 && rows >= at => return (1, self.at.saturating_sub(1)),
            Fetch::PreviousShort if at > 1 => at.saturating_sub(rows),
            Fetch::Previous | Fetch::PreviousShort => 0,
            Fetch::Last if wanted == 0 => total.saturating_add(1),
            Fetch::Last => total.saturating_sub(rows).saturating_add(1).max(i64::from(total > 0)),
            Fetch::Absolute(row) if row < 0 => total.saturating_add(row).saturating_add(1),
            Fetch::Absolute(row) => row,
            Fetch::Relative(offset) => at.saturating_add(offset),
            Fetch::Again => return (at, self.block),
        };
        (start, wanted)
    }

    /// The columns as the API cursor procedures show them: with `ROWSTAT` behind, which no application sees.
    pub(crate) fn shown_columns(&self) -> Vec<Column> {
        let row_status = Column {
            name: "ROWSTAT".to_owned(),
            type_info: TypeInfo::Fixed(FixedType::Int4),
            nullable: false,
            identity: false,
            hidden: true,
        };
        self.columns.iter().cloned().chain([row_status]).collect()
    }
}

/// A row with its `ROWSTAT`.
pub(crate) fn shown_row(row: &[Value]) -> Vec<Value> {
    row.iter().cloned().chain([Value::Int(FETCH_SUCCEEDED)]).collect()
}

/// Collects the rows of a query; everything else goes on to the client.
pub(crate) struct Snapshot<'a> {
    client: &'a mut dyn Sink,
    columns: Vec<Column>,
    rows: Vec<Vec<Value>>,
    bytes: usize,
    bytes_max: usize,
    /// Results the query has had.
    results: usize,
    pub(crate) failed: bool,
    too_large: bool,
}

impl<'a> Snapshot<'a> {
    /// Keeps at most `bytes_max` of rows.
    pub(crate) fn new(client: &'a mut dyn Sink, bytes_max: usize) -> Self {
        let (columns, rows) = (Vec::new(), Vec::new());
        Self { client, columns, rows, bytes: 0, bytes_max, results: 0, failed: false, too_large: false }
    }

    /// The query ended without a failure of its own.
    ///
    /// # Errors
    /// Its rows were more than could be kept, or it was not one result.
    pub(crate) fn into_cursor(self) -> Result<Cursor, SqlError> {
        if self.too_large {
            return Err(SqlError::unsupported("cursors of more rows"));
        }
        if self.results != 1 {
            return Err(not_a_query());
        }
        Ok(Cursor {
            columns: self.columns,
            rows: self.rows,
            bytes: self.bytes,
            forward_only: false,
            auto_close: false,
            name: String::new(),
            scroll: 0,
            at: 0,
            block: 0,
        })
    }

    /// Whether the query was stopped here because of its size.
    pub(crate) fn is_too_large(&self) -> bool {
        self.too_large
    }
}

/// What has no single result cannot be a cursor.
pub(crate) fn not_a_query() -> SqlError {
    let text = "A server cursor is not allowed on a remote stored procedure or stored procedure with more than one SELECT statement. Use a default result set or client cursor.";
    SqlError::new(16937, 16, 1, text)
}

/// Bytes a value takes, its place in the row included.
fn bytes_of(value: &Value) -> usize {
    let content = match value {
        Value::Text(text) => text.len(),
        Value::Binary(bytes) => bytes.len(),
        _ => 0,
    };
    content.saturating_add(size_of::<Value>())
}

impl Sink for Snapshot<'_> {
    fn columns(&mut self, columns: &[Column]) -> Result<(), Stop> {
        self.results = self.results.saturating_add(1);
        self.columns = columns.to_vec();
        Ok(())
    }

    fn row(&mut self, values: &[Value]) -> Result<(), Stop> {
        self.bytes = self.bytes.saturating_add(values.iter().map(bytes_of).sum());
        if self.bytes > self.bytes_max {
            self.too_large = true;
            return Err(Stop);
        }
        self.rows.push(values.to_vec());
        Ok(())
    }

    fn message(&mut self, message: Message) -> Result<(), Stop> {
        self.client.message(message)
    }

    fn environment(&mut self, change: Environment) -> Result<(), Stop> {
        self.client.environment(change)
    }

    fn end(&mut self, end: StatementEnd) -> Result<(), Stop> {
        self.failed |= end.failed;
        Ok(())
    }

    fn return_value(&mut self, value: ReturnValue) -> Result<(), Stop> {
        self.client.return_value(value)
    }

    fn return_status(&mut self, status: i32) -> Result<(), Stop> {
        self.client.return_status(status)
    }

    fn stopped(&self) -> bool {
        self.client.stopped()
    }
}
