//! The two requests of the load test and the server's answers, encoded once.

use std::io;

use bytes::{BufMut, Bytes, BytesMut};
use tds::packet::{self, Framing, PacketKind};
use tds::token::{Column, ColumnMetadata, Done, DoneKind, DoneStatus};
use tds::types::{ByteLenType, CharType, Collation, DecimalType, Length, TypeInfo};
use tds::value::{EncodeError, Value};
use tds::write;

/// The packet size of logins here: what SqlClient asks for.
pub(super) const PACKET_BYTES: usize = 8000;
/// Rows of the large result.
const LARGE_ROWS: i32 = 100_000;
/// Latin1_General_CI_AS, as SQL Server sends it.
const COLLATION: Collation = Collation([0x09, 0x04, 0xD0, 0x00, 0x34]);
/// 2024-01-01, in days since 0001-01-01.
const DAY: u32 = 738_885;
/// 100 ns units in a day.
const DAY_UNITS: u64 = 864_000_000_000;

/// Which of the two requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Request {
    /// `SELECT 1`.
    Small,
    /// 100,000 rows of int, nvarchar, decimal and datetime2.
    Large,
}

/// A request and its answer.
#[derive(Debug, Clone)]
pub(super) struct Answer {
    /// The request's packet.
    pub(super) request: Bytes,
    /// The response's packets.
    pub(super) packets: Bytes,
    /// Bytes of the response without packet headers: the same however a middleman cuts it.
    pub(super) token_bytes: u64,
}

impl Answer {
    /// Encodes both sides of `request`.
    pub(super) fn to(request: Request) -> io::Result<Self> {
        let (text, tokens) = match request {
            Request::Small => ("SELECT 1", small()),
            Request::Large => ("SELECT number, name, amount, moment FROM large", large()),
        };
        let tokens = tokens.map_err(io::Error::other)?;
        let request = message(PacketKind::SqlBatch, &batch(text));
        let packets = message(PacketKind::TabularResult, &tokens);
        Ok(Self { request, packets, token_bytes: tokens.len() as u64 })
    }
}

fn message(kind: PacketKind, body: &[u8]) -> Bytes {
    let mut framed = BytesMut::new();
    packet::put_message(&mut framed, Framing::new(kind, PACKET_BYTES), body);
    framed.freeze()
}

/// ALL_HEADERS with a transaction descriptor ([MS-TDS] 2.2.5.3), then `text`.
fn batch(text: &str) -> Vec<u8> {
    let mut body = vec![22, 0, 0, 0, 18, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0];
    body.extend(text.encode_utf16().flat_map(u16::to_le_bytes));
    body
}

fn small() -> Result<BytesMut, EncodeError> {
    let columns = [Column::new("", TypeInfo::ByteLen(ByteLenType::IntN, 4), true)];
    result(&columns, std::iter::once(vec![Value::Int(1)]))
}

fn large() -> Result<BytesMut, EncodeError> {
    let decimal = TypeInfo::Decimal { kind: DecimalType::DecimalN, max: 9, precision: 18, scale: 4 };
    let columns = [
        Column::new("number", TypeInfo::ByteLen(ByteLenType::IntN, 4), true),
        Column::new("name", TypeInfo::Char(CharType::NVarChar, Length::Bytes(80), COLLATION), true),
        Column::new("amount", decimal, true),
        Column::new("moment", TypeInfo::DateTime2(7), true),
    ];
    let row = |number: i32| {
        vec![
            Value::Int(number),
            Value::Text(format!("customer number {number:08}")),
            Value::Decimal { unscaled: i128::from(number) * 12_345, scale: 4 },
            Value::DateTime2(DAY, number.unsigned_abs() as u64 * 10_000_000 % DAY_UNITS),
        ]
    };
    result(&columns, (0..LARGE_ROWS).map(row))
}

fn result(columns: &[Column], rows: impl Iterator<Item = Vec<Value>>) -> Result<BytesMut, EncodeError> {
    let mut tokens = BytesMut::new();
    ColumnMetadata::new(columns.to_vec()).encode(tds::token::Agreed::default(), &mut tokens);
    let mut count = 0;
    for row in rows {
        write::row(&mut tokens, columns, &row)?;
        count += 1;
    }
    // 0xC1 is the SELECT of DONE's current command.
    Done { kind: DoneKind::Done, status: DoneStatus::COUNT, command: 0xC1, rows: count }.encode(&mut tokens);
    Ok(tokens)
}

/// A DONE that ends a response without rows.
pub(super) fn put_done(tokens: &mut impl BufMut) {
    Done { kind: DoneKind::Done, status: DoneStatus::default(), command: 0, rows: 0 }.encode(tokens);
}
