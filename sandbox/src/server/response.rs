//! One response message in the making: what the engine produces becomes tokens, tokens become packets.
//!
//! It runs on the engine's thread. Packets go to the session's task through a bounded channel, so a client that reads slowly
//! slows the engine down and a result of any size takes constant memory.

use super::stop::StopFlag;
use crate::engine::sink::{self, Environment, Message, Sink, StatementEnd, Stop};
use bytes::{Buf, BufMut, Bytes, BytesMut};
use tds::packet::{HEADER_BYTES, Header, PACKET_BYTES_MAX, PACKET_BYTES_MIN, PacketKind, Status};
use tds::token::{
    Agreed, Column, ColumnFlags, ColumnMetadata, Done, DoneKind, DoneStatus, EnvChange, MessageKind, ReturnValue,
};
use tds::write;
use tokio::sync::mpsc;

/// `CurCmd` of EXECUTE.
const EXECUTE: u16 = 0xE0;
/// Tokens collected before packets are cut from them.
const CUT_BYTES: usize = 32 * 1024;
/// Classes above this are errors, the others messages.
const INFORMATIONAL_CLASS_MAX: u8 = 10;

/// Tokens that describe columns for browse mode and cursors, and their status bits.
const TAB_NAME: u8 = 0xA4;
const COL_INFO: u8 = 0xA5;
const COLUMN_EXPRESSION: u8 = 0x04;
const COLUMN_HIDDEN: u8 = 0x10;

/// What a response needs to know of its session.
#[derive(Debug, Clone)]
pub(super) struct Framing {
    /// Largest packet the client takes.
    pub(super) packet_bytes: usize,
    /// The session's id, shown in every header.
    pub(super) spid: u16,
    /// The server's name, shown in every message.
    pub(super) server: String,
}

/// A response message. Dropping it without [`Self::finish`] leaves the message without an end.
#[derive(Debug)]
pub(super) struct Response {
    framing: Framing,
    packets: mpsc::Sender<Bytes>,
    stop: StopFlag,
    tokens: BytesMut,
    packet_id: u8,
    columns: Vec<Column>,
    /// The last DONE. It waits, because only what follows tells whether more does.
    pending: Option<Done>,
    in_call: bool,
    /// A statement of the current batch or call failed, and none after it succeeded.
    failed: bool,
}

impl Response {
    pub(super) fn new(framing: Framing, packets: mpsc::Sender<Bytes>, stop: StopFlag) -> Self {
        Self {
            framing,
            packets,
            stop,
            tokens: BytesMut::new(),
            packet_id: 0,
            columns: Vec::new(),
            pending: None,
            in_call: false,
            failed: false,
        }
    }

    /// RESETCONNECTION was done; goes first in its response.
    pub(super) fn acknowledge_reset(&mut self) {
        EnvChange::ResetAcknowledged.encode(&mut self.tokens);
    }

    /// A call of a procedure begins: its statements end with DONEINPROC.
    pub(super) fn begin_call(&mut self) {
        self.in_call = true;
        self.failed = false;
    }

    /// The call ended. `more` calls of the same message follow or not.
    pub(super) fn end_call(&mut self, more: bool) -> Result<(), Stop> {
        let failed = if self.failed { DoneStatus::ERROR } else { DoneStatus::FINAL };
        let status = if more { failed.with(DoneStatus::RPC_IN_BATCH) } else { failed };
        self.in_call = false;
        self.put_done(Done { kind: DoneKind::DoneProc, status, command: EXECUTE, rows: 0 })
    }

    /// An error of the server itself, outside any statement.
    pub(super) fn error(&mut self, number: i32, class: u8, text: &str) -> Result<(), Stop> {
        self.failed = true;
        self.before_token()?;
        tds::token::Message::error(number, 1, class, text, &self.framing.server).encode(&mut self.tokens);
        self.put_done(Done { kind: DoneKind::Done, status: DoneStatus::ERROR, command: 0, rows: 0 })
    }

    /// Ends the message and gives its last packets. A stopped one ends with a DONE that says so.
    pub(super) fn finish(mut self) -> Bytes {
        if self.stop.is_set() {
            self.put_pending(DoneStatus::MORE);
            self.pending = Some(Done { kind: DoneKind::Done, status: DoneStatus::ERROR, command: 0, rows: 0 });
        }
        if self.pending.is_none() {
            self.pending = Some(Done { kind: DoneKind::Done, status: DoneStatus::FINAL, command: 0, rows: 0 });
        }
        self.put_pending(DoneStatus::FINAL);
        self.cut(true)
    }

    /// Everything before a token: the last DONE was not the last, and full packets go out.
    fn before_token(&mut self) -> Result<(), Stop> {
        if self.stop.is_set() {
            return Err(Stop);
        }
        self.put_pending(DoneStatus::MORE);
        if self.tokens.len() < CUT_BYTES {
            return Ok(());
        }
        let packets = self.cut(false);
        self.packets.blocking_send(packets).map_err(|_| Stop)
    }

    fn put_pending(&mut self, more: DoneStatus) {
        if let Some(done) = self.pending.take() {
            Done { status: done.status.with(more), ..done }.encode(&mut self.tokens);
        }
    }

    fn put_done(&mut self, done: Done) -> Result<(), Stop> {
        self.before_token()?;
        self.pending = Some(done);
        Ok(())
    }

    /// Cuts packets from the tokens: full ones, or all of them with the end of the message in the last.
    fn cut(&mut self, last: bool) -> Bytes {
        let room = self.framing.packet_bytes.clamp(PACKET_BYTES_MIN, PACKET_BYTES_MAX) - HEADER_BYTES;
        let whole = if last { self.tokens.len() } else { self.tokens.len() / room * room };
        let mut packets = BytesMut::with_capacity(whole + (whole / room + 1) * HEADER_BYTES);
        let (ready, _) = self.tokens.split_at(whole);
        let mut rest = ready;
        while !rest.is_empty() {
            let (body, tail) = rest.split_at(rest.len().min(room));
            rest = tail;
            self.packet_id = self.packet_id.wrapping_add(1);
            let status = if last && rest.is_empty() { Status::END_OF_MESSAGE } else { Status::NORMAL };
            let length = u16::try_from(body.len() + HEADER_BYTES).unwrap_or(u16::MAX);
            let kind = PacketKind::TabularResult;
            let header = Header { kind, status, length, spid: self.framing.spid, packet_id: self.packet_id };
            packets.put_slice(&header.encode());
            packets.put_slice(body);
        }
        self.tokens.advance(whole);
        packets.freeze()
    }

    /// The engine gave a value that its own type cannot hold.
    fn refuse_value(&mut self, error: &tds::value::EncodeError) -> Result<(), Stop> {
        tracing::error!(%error, "the engine produced a value that does not fit its type");
        self.error(8649, 16, "The simulated server produced a value that does not fit its type.")?;
        self.stop.set();
        Err(Stop)
    }
}

/// TABNAME and COLINFO: which columns applications shall not see ([MS-TDS] 2.2.7.5 and 2.2.7.22). FreeTDS reads COLINFO only
/// behind a TABNAME that has a table; it gets one without a name, to which no column belongs.
fn put_browse_information(tokens: &mut BytesMut, columns: &[sink::Column]) {
    tokens.put_u8(TAB_NAME);
    tokens.put_u16_le(3);
    tokens.put_slice(&[1, 0, 0]);
    tokens.put_u8(COL_INFO);
    tokens.put_u16_le(u16::try_from(columns.len().saturating_mul(3)).unwrap_or(u16::MAX));
    for (number, column) in (1_u8..=u8::MAX).cycle().zip(columns) {
        tokens.put_slice(&[number, 0, if column.hidden { COLUMN_HIDDEN } else { COLUMN_EXPRESSION }]);
    }
}

impl Sink for Response {
    fn columns(&mut self, columns: &[sink::Column]) -> Result<(), Stop> {
        self.before_token()?;
        let column = |column: &sink::Column| {
            let mut wire = Column::new(&column.name, column.type_info.clone(), column.nullable);
            if column.identity {
                wire.flags = wire.flags.with(ColumnFlags::IDENTITY);
            }
            wire
        };
        let metadata = ColumnMetadata::new(columns.iter().map(column).collect());
        metadata.encode(Agreed::default(), &mut self.tokens);
        if columns.iter().any(|column| column.hidden) {
            put_browse_information(&mut self.tokens, columns);
        }
        self.columns = metadata.columns.unwrap_or_default();
        Ok(())
    }

    fn row(&mut self, values: &[tds::value::Value]) -> Result<(), Stop> {
        self.before_token()?;
        match write::row(&mut self.tokens, &self.columns, values) {
            Ok(()) => Ok(()),
            Err(error) => self.refuse_value(&error),
        }
    }

    fn message(&mut self, message: Message) -> Result<(), Stop> {
        self.before_token()?;
        let kind = if message.class > INFORMATIONAL_CLASS_MAX { MessageKind::Error } else { MessageKind::Info };
        let Message { number, state, class, text, procedure, line } = message;
        let server = self.framing.server.clone();
        tds::token::Message { kind, number, state, class, text, server, procedure, line }.encode(&mut self.tokens);
        Ok(())
    }

    /// Goes to the client even after it stopped the request: it must know that its transaction is gone.
    fn environment(&mut self, change: Environment) -> Result<(), Stop> {
        let stopped = self.before_token();
        self.put_pending(DoneStatus::MORE);
        let change = match change {
            Environment::Database(new, old) => EnvChange::Database(new, old),
            Environment::Language(new, old) => EnvChange::Language(new, old),
            Environment::Begin(descriptor) => EnvChange::Begin(descriptor),
            Environment::Commit(descriptor) => EnvChange::Commit(descriptor),
            Environment::Rollback(descriptor) => EnvChange::Rollback(descriptor),
        };
        change.encode(&mut self.tokens);
        stopped
    }

    fn end(&mut self, end: StatementEnd) -> Result<(), Stop> {
        self.failed = end.failed;
        let kind = if self.in_call { DoneKind::DoneInProc } else { DoneKind::Done };
        let failed = if end.failed { DoneStatus::ERROR } else { DoneStatus::FINAL };
        let status = if end.rows.is_some() { failed.with(DoneStatus::COUNT) } else { failed };
        self.put_done(Done { kind, status, command: end.command, rows: end.rows.unwrap_or(0) })
    }

    fn return_value(&mut self, value: sink::ReturnValue) -> Result<(), Stop> {
        self.before_token()?;
        let sink::ReturnValue { ordinal, name, type_info, value } = value;
        match ReturnValue::new(ordinal, &name, type_info, value).encode(&mut self.tokens) {
            Ok(()) => Ok(()),
            Err(error) => self.refuse_value(&error),
        }
    }

    fn return_status(&mut self, status: i32) -> Result<(), Stop> {
        self.before_token()?;
        write::return_status(&mut self.tokens, status);
        Ok(())
    }

    fn stopped(&self) -> bool {
        self.stop.is_set()
    }
}
