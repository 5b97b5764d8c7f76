//! What a client and its backend owe each other: pure bookkeeping over the packets that pass.
//!
//! TDS is half-duplex but for attentions: a request, then its response. A session is idle when nothing is owed. An
//! attention asks for one more thing, an acknowledgement (DONE with the attention bit), which ends whatever ran
//! before it, whether the server puts it in a message of its own or not.

use tds::DecodeError;
use tds::packet::{Header, PacketKind};
use tds::read::Reader;
use tds::scan::{Event, Scanner};
use tds::token::{DoneStatus, EnvChange};

/// More unanswered requests or attentions than any driver has in flight; a client beyond it is hostile.
const OUTSTANDING_MAX: u16 = 64;

/// The books of one session.
#[derive(Debug)]
pub(crate) struct Exchange {
    /// The largest packet either side may send, as the login response said.
    packet_bytes_max: usize,
    /// The type of a client message whose last packet has not come yet.
    sending: Option<PacketKind>,
    responses_due: u16,
    attentions_due: u16,
    /// Packets of a response message passed, its last one not yet.
    answering: bool,
    /// An attention was acknowledged in the response message that is passing.
    acknowledged: bool,
    /// The open transaction's descriptor, 0 for none.
    transaction: u64,
    /// Tokens passed unseen, so the transaction may have changed with them.
    unsure: bool,
    scanner: Scanner,
    /// The token stream made no sense; the session goes on by packets alone.
    scan_error: Option<DecodeError>,
}

impl Exchange {
    /// Nothing owed, no transaction.
    pub(crate) fn new(packet_bytes_max: usize, scanner: Scanner) -> Self {
        Self {
            packet_bytes_max,
            sending: None,
            responses_due: 0,
            attentions_due: 0,
            answering: false,
            acknowledged: false,
            transaction: 0,
            unsure: false,
            scanner,
            scan_error: None,
        }
    }

    /// Whether nothing is owed on either side.
    pub(crate) fn is_idle(&self) -> bool {
        self.sending.is_none() && self.responses_due == 0 && self.attentions_due == 0 && !self.answering
    }

    /// Whether the session must stay where it is: a transaction is open, or may be since the tokens were lost.
    pub(crate) fn in_transaction(&self) -> bool {
        self.transaction != 0 || self.unsure || self.scan_error.is_some()
    }

    /// Whether tokens of our own may follow what passed so far.
    pub(crate) fn may_append_tokens(&self) -> bool {
        self.scan_error.is_none() && self.scanner.at_token_boundary()
    }

    /// Why the tokens could not be followed any more, the first time it is asked after that.
    pub(crate) fn scan_error(&self) -> Option<&DecodeError> {
        self.scan_error.as_ref()
    }

    /// A packet from the client. True when it begins a request.
    ///
    /// # Errors
    /// When no server would accept the packet here.
    pub(crate) fn client_packet(&mut self, header: Header) -> Result<bool, DecodeError> {
        self.check_size(header)?;
        let begins = match (header.kind, self.sending) {
            (PacketKind::Attention, _) => return self.attention(header),
            (kind, Some(sending)) if kind == sending => false,
            (_, Some(_)) => {
                return Err(DecodeError::Misplaced("a packet of another type interrupts a message"));
            }
            (PacketKind::SqlBatch | PacketKind::Rpc | PacketKind::BulkLoad | PacketKind::TransactionManager, None) => {
                owe(&mut self.responses_due)?;
                true
            }
            (_, None) => return Err(DecodeError::Misplaced("a packet of this type may not come after the login")),
        };
        self.sending = (!header.status.is_end_of_message()).then_some(header.kind);
        Ok(begins)
    }

    fn attention(&mut self, header: Header) -> Result<bool, DecodeError> {
        if header.body_bytes() != 0 || !header.status.is_end_of_message() {
            return Err(DecodeError::Misplaced("an attention must be one packet without a body"));
        }
        owe(&mut self.attentions_due)?;
        Ok(false)
    }

    /// A packet from the backend. True when it ends the last response that was owed.
    ///
    /// # Errors
    /// When no client would understand the packet.
    pub(crate) fn backend_packet(&mut self, header: Header, body: &[u8]) -> Result<bool, DecodeError> {
        self.check_size(header)?;
        if header.kind != PacketKind::TabularResult {
            return Err(DecodeError::Misplaced("a server sent a packet that is no response"));
        }
        self.answering = true;
        self.follow_tokens(body);
        if !header.status.is_end_of_message() {
            return Ok(false);
        }
        self.end_of_response();
        Ok(self.is_idle())
    }

    /// Follows the tokens. What cannot be followed still passes: the packets alone say where a response ends.
    fn follow_tokens(&mut self, body: &[u8]) {
        if self.scan_error.is_some() {
            return;
        }
        let (transaction, unsure, acknowledged) = (&mut self.transaction, &mut self.unsure, &mut self.acknowledged);
        let scanned = self.scanner.scan(body, &mut |event| match event {
            Event::EnvChange(_, change) => *unsure &= !follow_transaction(transaction, change),
            Event::Blind => *unsure = true,
            Event::Done(done) if done.status.contains(DoneStatus::ATTENTION) => *acknowledged = true,
            _ => {}
        });
        self.scan_error = scanned.err();
    }

    fn end_of_response(&mut self) {
        self.answering = false;
        if self.scan_error.is_none() {
            let acknowledged = &mut self.acknowledged;
            let ended = self.scanner.end_of_message(&mut |event| match event {
                Event::Done(done) if done.status.contains(DoneStatus::ATTENTION) => *acknowledged = true,
                _ => {}
            });
            self.scan_error = ended.err();
        }
        if self.scan_error.is_some() && self.attentions_due > 0 && self.responses_due == 0 {
            // Without tokens an acknowledgement is known by its place only.
            self.attentions_due -= 1;
        }
        if std::mem::take(&mut self.acknowledged) {
            self.attentions_due = self.attentions_due.saturating_sub(1);
            self.responses_due = 0;
        } else {
            self.responses_due = self.responses_due.saturating_sub(1);
        }
    }

    fn check_size(&self, header: Header) -> Result<(), DecodeError> {
        if usize::from(header.length) > self.packet_bytes_max {
            return Err(DecodeError::TooLarge { what: "a packet", limit: self.packet_bytes_max });
        }
        Ok(())
    }
}

fn owe(due: &mut u16) -> Result<(), DecodeError> {
    if *due >= OUTSTANDING_MAX {
        return Err(DecodeError::TooLarge {
            what: "the queue of unanswered messages",
            limit: usize::from(OUTSTANDING_MAX),
        });
    }
    *due += 1;
    Ok(())
}

/// True when the change says what transaction there is.
fn follow_transaction(transaction: &mut u64, change: &[u8]) -> bool {
    *transaction = match EnvChange::decode(&mut Reader::new(change)) {
        Ok(EnvChange::Begin(descriptor) | EnvChange::Enlist(descriptor)) => descriptor,
        Ok(EnvChange::Commit(_) | EnvChange::Rollback(_) | EnvChange::Defect(_) | EnvChange::TransactionEnded(_)) => 0,
        _ => return false,
    };
    true
}

#[cfg(test)]
mod tests;
