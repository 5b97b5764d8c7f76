//! The scanner: follows a response as it streams past, in any cut, and tells what a proxy must know of it.
//!
//! Every token of [MS-TDS] 2.2.7 is understood or stepped over; rows are never kept. Kept are: a token that is told and
//! is cut between chunks, up to [`TOKEN_BYTES_MAX`]; the front of one column's metadata that is cut, up to
//! [`METADATA_BYTES_MAX`]; and for each column of the current result a step of 8 bytes, twice.

mod cursor;
mod held;
mod plan;
mod structure;
mod tokens;
mod whole;

use crate::DecodeError;
use crate::read::Reader;
use crate::token::{Agreed, Done, DoneKind, MessageKind};
use cursor::skip;
use held::Held;
use structure::Structure;

pub(crate) use cursor::Cursor;
pub(crate) use plan::{Plan, Step};

/// Largest token that is told. Those with a length of two bytes always fit.
pub const TOKEN_BYTES_MAX: usize = 65_535 + 3;
/// Largest metadata of one column or one column encryption key.
pub const METADATA_BYTES_MAX: usize = 256 * 1024;
/// Most results of COMPUTE BY clauses whose metadata is remembered at once.
const ALT_PLANS_MAX: usize = 64;

/// What a response tells. Slices hold what follows the token byte, to be read by the `decode` of the token's struct.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event<'a> {
    /// DONE, DONEPROC or DONEINPROC.
    Done(Done),
    /// ENVCHANGE: its type, and the token for [`EnvChange::decode`](crate::token::EnvChange::decode).
    EnvChange(u8, &'a [u8]),
    /// ERROR or INFO.
    Message(MessageHead),
    /// LOGINACK.
    LoginAck(&'a [u8]),
    /// FEATUREEXTACK. The scanner has already taken from it what changes the shape of later tokens.
    FeatureExtAck(&'a [u8]),
    /// SESSIONSTATE.
    SessionState(&'a [u8]),
    /// RETURNSTATUS.
    ReturnStatus(i32),
    /// A row came whose metadata the client remembers from an earlier response (`fNoMetaData`), so the scanner cannot
    /// see what follows it. Of the rest of the message only the last DONE will be told, by
    /// [`Scanner::end_of_message`]; changes of the session in between are not seen.
    Blind,
}

/// The head of an ERROR or INFO; its texts are left out, since they may quote data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MessageHead {
    /// Error or information.
    pub kind: MessageKind,
    /// The message number.
    pub number: i32,
    /// Its state.
    pub state: u8,
    /// Its class, also called severity.
    pub class: u8,
}

/// Which columns rows have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Columns {
    /// There was no COLMETADATA in this message yet.
    None,
    /// Those of the last COLMETADATA.
    Known,
    /// Those the client remembers.
    Remembered,
}

/// Which plan a row follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Rows {
    /// That of the last COLMETADATA.
    Result,
    /// The same, without the NULLs that the bitmap names.
    Present,
    /// That of an ALTMETADATA, by its place.
    Alt(usize),
    /// The one value of a RETURNVALUE.
    ReturnValue,
}

/// Where the scanner is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Before a token, or inside one that is held.
    Token,
    /// Inside a row.
    Row(Rows),
    /// Inside the bitmap of an NBCROW; how many bytes are missing.
    Bitmap(usize),
    /// Inside a token that has no length and is understood piece by piece.
    Structure(Structure),
    /// Behind a row whose metadata only the client knows.
    Blind,
}

/// Follows the responses of one connection.
///
/// Feed the payload of every packet to [`scan`](Self::scan) and call [`end_of_message`](Self::end_of_message) after the
/// last packet of each message. After an error the scanner is of no more use: nobody knows what the next byte means.
#[derive(Debug)]
pub struct Scanner {
    agreed: Agreed,
    state: State,
    /// Bytes to step over before `state` goes on.
    skip: u64,
    cursor: Cursor,
    held: Held,
    columns: Columns,
    plan: Plan,
    value: Plan,
    alt: Vec<(u16, Plan)>,
    nulls: Vec<u8>,
    /// The last bytes of a message that is not understood any more.
    tail: [u8; Done::BYTES],
}

impl Scanner {
    /// A scanner at the start of a message, on a connection where this was agreed.
    pub fn new(agreed: Agreed) -> Self {
        Self {
            agreed,
            state: State::Token,
            skip: 0,
            cursor: Cursor::default(),
            held: Held::default(),
            columns: Columns::None,
            plan: Plan::default(),
            value: Plan::default(),
            alt: Vec::new(),
            nulls: Vec::new(),
            tail: [0; Done::BYTES],
        }
    }

    /// What was agreed, as given to [`new`](Self::new) or as the last FEATUREEXTACK said.
    pub fn agreed(&self) -> Agreed {
        self.agreed
    }

    /// Whether the next byte begins a token (or the message ends here).
    pub fn at_token_boundary(&self) -> bool {
        self.state == State::Token && self.skip == 0 && self.held.is_empty()
    }

    /// Bytes of memory kept besides the scanner itself.
    pub fn kept_bytes(&self) -> usize {
        let alt = self.alt.iter().map(|(_, plan)| plan.kept_bytes());
        [self.held.kept_bytes(), self.plan.kept_bytes(), self.value.kept_bytes(), self.nulls.capacity()]
            .into_iter()
            .chain(alt)
            .fold(0, usize::saturating_add)
    }

    /// Goes through the next bytes of the response and tells what is in them.
    ///
    /// # Errors
    /// Bytes that are not a response, or something larger than its limit.
    pub fn scan(&mut self, mut input: &[u8], tell: &mut impl FnMut(Event<'_>)) -> Result<(), DecodeError> {
        while !input.is_empty() {
            if self.skip > 0 {
                skip(&mut self.skip, &mut input);
                continue;
            }
            match self.state {
                State::Token => self.token(&mut input, tell)?,
                State::Row(rows) => self.row(rows, &mut input),
                State::Bitmap(missing) => self.bitmap(missing, &mut input),
                State::Structure(structure) => self.structure(structure, &mut input)?,
                State::Blind => self.remember_tail(&mut input),
            }
        }
        Ok(())
    }

    /// Ends a message. Its metadata is forgotten: it is good for its own message only.
    ///
    /// # Errors
    /// A message that ends inside a token, or that does not end in a DONE after [`Event::Blind`].
    pub fn end_of_message(&mut self, tell: &mut impl FnMut(Event<'_>)) -> Result<(), DecodeError> {
        if self.state == State::Blind {
            let (kind, [_, body @ ..]) = (DoneKind::from_byte(self.tail[0]), &self.tail);
            let kind = kind.ok_or(DecodeError::Misplaced("a response that is not understood and ends in no DONE"))?;
            tell(Event::Done(Done::decode(kind, &mut Reader::new(body))?));
            self.state = State::Token;
        }
        if !self.at_token_boundary() {
            return Err(DecodeError::Misplaced("the end of a message inside a token"));
        }
        self.columns = Columns::None;
        self.plan.clear();
        self.alt = Vec::new();
        self.nulls.clear();
        self.nulls.shrink_to(64);
        Ok(())
    }

    /// Begins a row; one without any byte ends here, whether or not there is more input.
    fn enter(&mut self, rows: Rows, input: &mut &[u8]) {
        self.cursor = Cursor::default();
        self.state = State::Row(rows);
        self.row(rows, input);
    }

    fn row(&mut self, rows: Rows, input: &mut &[u8]) {
        let over = match rows {
            Rows::Result => self.cursor.advance(self.plan.merged(), &[], input),
            Rows::Present => self.cursor.advance(self.plan.columns(), &self.nulls, input),
            Rows::ReturnValue => self.cursor.advance(self.value.columns(), &[], input),
            Rows::Alt(place) => {
                let steps = self.alt.get(place).map_or(&[][..], |(_, plan)| plan.merged());
                self.cursor.advance(steps, &[], input)
            }
        };
        if over {
            self.state = State::Token;
        }
    }

    /// Collects the bitmap of an NBCROW, of which `missing` bytes are still to come.
    fn bitmap(&mut self, missing: usize, input: &mut &[u8]) {
        let (head, rest) = input.split_at(missing.min(input.len()));
        self.nulls.extend_from_slice(head);
        *input = rest;
        match missing.saturating_sub(head.len()) {
            0 => self.enter(Rows::Present, input),
            missing => self.state = State::Bitmap(missing),
        }
    }

    fn remember_tail(&mut self, input: &mut &[u8]) {
        let bytes = std::mem::take(input);
        if let Some(last) = bytes.last_chunk() {
            self.tail = *last;
        } else {
            self.tail.rotate_left(bytes.len());
            let start = self.tail.len().saturating_sub(bytes.len());
            self.tail.iter_mut().skip(start).zip(bytes).for_each(|(to, from)| *to = *from);
        }
    }
}

#[cfg(test)]
mod tests;
