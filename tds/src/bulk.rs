//! The rows of a bulk load, read as they stream in ([MS-TDS] 2.2.6.1).
//!
//! Kept is one row at most and what was fed behind it, so that a load of any size takes constant memory.

use crate::DecodeError;
use crate::read::Reader;
use crate::scan::{Cursor, Plan, Step};
use crate::token::{Column, ColumnFlags, id};
use crate::types::{FixedType, Form, TypeInfo};
use crate::value::Value;
use bytes::{Buf, BytesMut};

/// Largest metadata of one column.
const COLUMN_BYTES_MAX: usize = 256 * 1024;

/// What a bulk load holds, in order.
#[derive(Debug, Clone, PartialEq)]
pub enum BulkEvent {
    /// The columns, once.
    Columns(Vec<Column>),
    /// A row: a value for each column.
    Row(Vec<Value>),
    /// The rows are over.
    Done,
}

/// Where the load is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Metadata,
    Column(u16),
    BetweenRows,
    Row,
    Done,
}

/// Reads one bulk load message.
///
/// [`feed`](Self::feed) it a packet's payload, then call [`next_event`](Self::next_event) until it gives `None`, and so on; after
/// the last packet call [`finish`](Self::finish).
#[derive(Debug)]
pub struct BulkLoad {
    state: State,
    buffer: BytesMut,
    columns: Vec<Column>,
    plan: Plan,
    cursor: Cursor,
    /// How far the cursor has come in the row at the front of `buffer`.
    scanned: usize,
    row_bytes_max: usize,
}

impl BulkLoad {
    /// A load at its start, none of whose rows may be larger than `row_bytes_max`.
    pub fn new(row_bytes_max: usize) -> Self {
        Self {
            state: State::Metadata,
            buffer: BytesMut::new(),
            columns: Vec::new(),
            plan: Plan::default(),
            cursor: Cursor::default(),
            scanned: 0,
            row_bytes_max,
        }
    }

    /// Takes the next bytes of the message.
    pub fn feed(&mut self, chunk: &[u8]) {
        // What follows the end is a row count of four or eight bytes that says nothing.
        if self.state != State::Done {
            self.buffer.extend_from_slice(chunk);
        }
    }

    /// The next columns, row or end; `None` means that more must be fed.
    ///
    /// # Errors
    /// Anything that is not as the protocol says, or something larger than its limit. The load is of no more use then.
    pub fn next_event(&mut self) -> Result<Option<BulkEvent>, DecodeError> {
        loop {
            match self.state {
                State::Metadata => {
                    let Some(head) = self.buffer.first_chunk::<3>() else { return Ok(None) };
                    let [id::COL_METADATA, low, high] = *head else {
                        return Err(DecodeError::Misplaced("a bulk load that does not begin with its metadata"));
                    };
                    self.buffer.advance(head.len());
                    self.state = State::Column(u16::from_le_bytes([low, high]));
                }
                State::Column(0) => {
                    self.state = State::BetweenRows;
                    return Ok(Some(BulkEvent::Columns(self.columns.clone())));
                }
                State::Column(left) => {
                    if !self.take_column()? {
                        return Ok(None);
                    }
                    self.state = State::Column(left.saturating_sub(1));
                }
                State::BetweenRows => match self.buffer.first() {
                    None => return Ok(None),
                    Some(&id::ROW) => {
                        (self.state, self.scanned, self.cursor) = (State::Row, 1, Cursor::default());
                    }
                    Some(&id::DONE) => {
                        (self.state, self.buffer) = (State::Done, BytesMut::new());
                        return Ok(Some(BulkEvent::Done));
                    }
                    Some(&other) => return Err(DecodeError::UnknownToken(other)),
                },
                State::Row => return self.take_row(),
                State::Done => return Ok(None),
            }
        }
    }

    /// Says whether the message may end here: behind its end or, as some clients do, behind a row.
    ///
    /// # Errors
    /// The message ended inside its metadata or a row.
    pub fn finish(&self) -> Result<(), DecodeError> {
        match self.state {
            State::Done => Ok(()),
            State::BetweenRows if self.buffer.is_empty() => Ok(()),
            _ => Err(DecodeError::Misplaced("the end of a bulk load inside its metadata or a row")),
        }
    }

    /// Reads a column if it is there as a whole.
    fn take_column(&mut self) -> Result<bool, DecodeError> {
        let mut reader = Reader::new(&self.buffer);
        let (column, step) = match decode_column(&mut reader) {
            Err(DecodeError::Truncated { .. }) if self.buffer.len() < COLUMN_BYTES_MAX => return Ok(false),
            column => column?,
        };
        let count = reader.position();
        self.buffer.advance(count);
        self.columns.push(column);
        self.plan.push(step);
        Ok(true)
    }

    /// Reads the row at the front if it is there as a whole; a row that is not is looked through once only.
    fn take_row(&mut self) -> Result<Option<BulkEvent>, DecodeError> {
        let mut fresh = self.buffer.get(self.scanned..).unwrap_or_default();
        let over = self.cursor.advance(self.plan.merged(), &[], &mut fresh);
        self.scanned = self.buffer.len().saturating_sub(fresh.len());
        if self.scanned > self.row_bytes_max {
            return Err(DecodeError::TooLarge { what: "a row of a bulk load", limit: self.row_bytes_max });
        }
        if !over {
            return Ok(None);
        }
        let row = self.buffer.split_to(self.scanned);
        let mut reader = Reader::new(row.get(1..).unwrap_or_default());
        let decode = |column: &Column| Value::decode(&column.type_info, Form::Column, &mut reader);
        let values = self.columns.iter().map(decode).collect::<Result<_, _>>()?;
        self.state = State::BetweenRows;
        Ok(Some(BulkEvent::Row(values)))
    }
}

/// A column as clients write it: the table's name is one string here, where servers write its parts.
fn decode_column(reader: &mut Reader<'_>) -> Result<(Column, Step), DecodeError> {
    let user_type = reader.u32("user type")?;
    let flags = ColumnFlags(reader.u16("column flags")?);
    let step = Step::read(&mut reader.clone())?;
    let type_info = TypeInfo::decode(reader, Form::Column)?;
    // A value of this type takes no byte, so a short message could stand for any number of values.
    if type_info == TypeInfo::Fixed(FixedType::Null) {
        return Err(DecodeError::UnknownType(FixedType::Null as u8));
    }
    let long = matches!(type_info, TypeInfo::Long(..));
    let table = if long { vec![reader.us_varchar("table name")?] } else { Vec::new() };
    let name = reader.b_varchar("column name")?;
    Ok((Column { user_type, flags, type_info, table, crypto: None, name }, step))
}

#[cfg(test)]
mod tests;
