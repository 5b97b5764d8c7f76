//! The head of a request, read while its packets arrive and before the rest of them is there.
//!
//! A router needs little of a request: its transaction, the procedure, the statement. A message may be gigabytes long, so
//! [`HeadReader`] takes its packets one by one, says as soon as it knows enough, and never keeps more than its limit.

use super::{AllHeaders, ProcId, Statement, TransactionRequest, statement};
use crate::packet::PacketKind;
use crate::{DecodeError, read::Reader, text};
use std::borrow::Cow;

/// What a request calls.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Procedure {
    /// A procedure with a number, called by number or by name.
    Known(ProcId),
    /// Any other, by the name the client wrote.
    Named(String),
}

/// The head of one kind of request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Head<'a> {
    /// A batch and its text.
    Batch(Statement<'a>),
    /// The first call of the message. Others may follow it.
    Call {
        /// What is called.
        procedure: Procedure,
        /// The text it is given to run or prepare.
        statement: Statement<'a>,
    },
    /// A transaction manager request.
    Transaction(TransactionRequest),
    /// Rows of a bulk load; they have no headers.
    BulkLoad,
}

/// What was read of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestHead<'a> {
    /// The headers; empty for a bulk load.
    pub headers: AllHeaders,
    /// What is asked.
    pub head: Head<'a>,
}

/// Reads the head of one request message.
#[derive(Debug)]
pub struct HeadReader {
    kind: PacketKind,
    limit_bytes: usize,
    kept: Vec<u8>,
    descriptor: Option<u64>,
}

impl HeadReader {
    /// For one message of `kind`. A head that ends beyond `limit_bytes` from the message's start has no statement
    /// ([`Statement::TooLong`]); a head without a statement that does is refused.
    pub fn new(kind: PacketKind, limit_bytes: usize) -> Self {
        Self { kind, limit_bytes, kept: Vec::new(), descriptor: None }
    }

    /// The transaction descriptor, as soon as it has been seen; 0 where the request has none.
    pub fn descriptor(&self) -> Option<u64> {
        self.descriptor
    }

    /// Bytes kept from packets already taken, at most the limit.
    pub fn kept_bytes(&self) -> usize {
        self.kept.len()
    }

    /// Takes the body of the next packet; `last` tells that it ends the message. `None` asks for the next packet.
    ///
    /// Once a head was given the reader is done with its message.
    ///
    /// # Errors
    /// A message that is no request, breaks the format, or ends within its head.
    pub fn feed<'a>(&'a mut self, body: &'a [u8], last: bool) -> Result<Option<RequestHead<'a>>, DecodeError> {
        if self.kept.is_empty() {
            let attempt = Attempt::new(self.kind, body, &[], self.limit_bytes, last);
            match attempt.read(body) {
                Outcome::Head(head) => {
                    self.descriptor = Some(head.headers.transaction.map_or(0, |transaction| transaction.descriptor));
                    return Ok(Some(head));
                }
                Outcome::Broken(error) => return Err(error),
                Outcome::More => {}
            }
        }
        let room = self.limit_bytes.saturating_sub(self.kept.len());
        let (fits, beyond) = body.split_at(body.len().min(room));
        self.kept.extend_from_slice(fits);
        if self.descriptor.is_none() {
            let headers = AllHeaders::decode(&mut Reader::new(&self.kept)).ok();
            self.descriptor =
                headers.map(|headers| headers.transaction.map_or(0, |transaction| transaction.descriptor));
        }
        let attempt = Attempt::new(self.kind, &self.kept, beyond, self.limit_bytes, last);
        match attempt.read(&self.kept) {
            Outcome::Head(head) => Ok(Some(head)),
            Outcome::Broken(error) => Err(error),
            Outcome::More => Ok(None),
        }
    }
}

enum Outcome<'a> {
    Head(RequestHead<'a>),
    More,
    Broken(DecodeError),
}

/// One look at the bytes there are.
#[derive(Clone, Copy)]
struct Attempt {
    kind: PacketKind,
    /// The limit cuts the message off within what has arrived.
    cut: bool,
    /// The whole message has arrived.
    last: bool,
    limit_bytes: usize,
}

impl Attempt {
    fn new(kind: PacketKind, known: &[u8], beyond: &[u8], limit_bytes: usize, last: bool) -> Self {
        Self { kind, cut: known.len() > limit_bytes || !beyond.is_empty(), last, limit_bytes }
    }

    fn read(self, bytes: &[u8]) -> Outcome<'_> {
        let bytes = bytes.get(..self.limit_bytes).unwrap_or(bytes);
        match self.head(bytes) {
            Ok(Some(head)) => Outcome::Head(head),
            Ok(None) => Outcome::More,
            Err(DecodeError::Truncated { .. }) if !self.last && !self.cut => Outcome::More,
            Err(DecodeError::Truncated { .. }) if self.cut => {
                Outcome::Broken(DecodeError::TooLarge { what: "the head of a request", limit: self.limit_bytes })
            }
            Err(error) => Outcome::Broken(error),
        }
    }

    fn head(self, bytes: &[u8]) -> Result<Option<RequestHead<'_>>, DecodeError> {
        let mut request = Reader::new(bytes);
        let headers = match self.kind {
            PacketKind::SqlBatch | PacketKind::Rpc | PacketKind::TransactionManager => {
                AllHeaders::decode(&mut request)?
            }
            PacketKind::BulkLoad => AllHeaders::default(),
            _ => return Err(DecodeError::Misplaced("the message is not a request")),
        };
        let head = match self.kind {
            PacketKind::SqlBatch if self.cut => Head::Batch(Statement::TooLong),
            PacketKind::SqlBatch if !self.last => return Ok(None),
            PacketKind::SqlBatch => Head::Batch(Statement::Text(Cow::Borrowed(request.rest()))),
            PacketKind::Rpc => self.call(&mut request)?,
            PacketKind::TransactionManager => return self.transaction(headers, &mut request),
            _ => Head::BulkLoad,
        };
        Ok(Some(RequestHead { headers, head }))
    }

    fn call<'a>(self, request: &mut Reader<'a>) -> Result<Head<'a>, DecodeError> {
        let procedure = procedure(request)?;
        request.u16("call options")?;
        let Procedure::Known(id) = &procedure else {
            return Ok(Head::Call { procedure, statement: Statement::None });
        };
        let statement = match statement::read(*id, request) {
            Err(DecodeError::Truncated { .. }) if self.cut => Statement::TooLong,
            // A call without the parameters it needs has no statement; the server will say so.
            Err(DecodeError::Truncated { .. }) if self.last && request.is_empty() => Statement::None,
            other => other?,
        };
        Ok(Head::Call { procedure, statement })
    }

    fn transaction<'a>(
        self,
        headers: AllHeaders,
        request: &mut Reader<'a>,
    ) -> Result<Option<RequestHead<'a>>, DecodeError> {
        // The trailing flags may be left out, so what was read could still grow until the message ends.
        if !self.last && !self.cut {
            return Ok(None);
        }
        let head = Head::Transaction(TransactionRequest::decode(request)?);
        Ok(Some(RequestHead { headers, head }))
    }
}

/// Reads a procedure's name or number, as a call begins.
///
/// # Errors
/// A number that is not assigned, or a call cut short.
pub fn procedure(call: &mut Reader<'_>) -> Result<Procedure, DecodeError> {
    match call.u16("procedure name length")? {
        u16::MAX => {
            let number = call.u16("procedure number")?;
            match ProcId::from_number(number) {
                Some(known) => Ok(Procedure::Known(known)),
                None => Err(DecodeError::BadValue { what: "procedure number", value: u64::from(number) }),
            }
        }
        length => {
            let name = text::decode(call.take(usize::from(length) * 2, "procedure name")?, "procedure name")?;
            Ok(ProcId::from_name(&name).map_or(Procedure::Named(name), Procedure::Known))
        }
    }
}
