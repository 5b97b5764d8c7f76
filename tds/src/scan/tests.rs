//! Any cut of a response tells the same, and what is told is what was written.

use super::*;
use crate::login7::{Feature, FeatureId};
use crate::token::tests::{Written, response};
use crate::token::{Column, ColumnMetadata, DoneStatus, EnvChange, FeatureExtAck, Message, ReturnValue, Token};
use crate::types::{BinaryType, ByteLenType, FixedType, Form, Length, TypeInfo};
use crate::value::Value;
use crate::{token, write};
use bytes::{BufMut, Bytes, BytesMut};
use proptest::prelude::*;

/// An event with its bytes.
#[derive(Debug, Clone, PartialEq)]
enum Told {
    Done(Done),
    EnvChange(u8, Vec<u8>),
    Message(MessageHead),
    Bytes(&'static str, Vec<u8>),
    ReturnStatus(i32),
    Blind,
}

impl From<Event<'_>> for Told {
    fn from(event: Event<'_>) -> Self {
        match event {
            Event::Done(done) => Self::Done(done),
            Event::EnvChange(kind, bytes) => Self::EnvChange(kind, bytes.to_vec()),
            Event::Message(head) => Self::Message(head),
            Event::LoginAck(bytes) => Self::Bytes("LOGINACK", bytes.to_vec()),
            Event::FeatureExtAck(bytes) => Self::Bytes("FEATUREEXTACK", bytes.to_vec()),
            Event::SessionState(bytes) => Self::Bytes("SESSIONSTATE", bytes.to_vec()),
            Event::ReturnStatus(status) => Self::ReturnStatus(status),
            Event::Blind => Self::Blind,
        }
    }
}

/// What is told of a message that comes in these chunks.
fn scan<'a>(agreed: Agreed, chunks: impl IntoIterator<Item = &'a [u8]>) -> Result<Vec<Told>, DecodeError> {
    let mut scanner = Scanner::new(agreed);
    let mut told = Vec::new();
    let mut tell = |event: Event<'_>| told.push(event.into());
    for chunk in chunks {
        scanner.scan(chunk, &mut tell)?;
    }
    scanner.end_of_message(&mut tell)?;
    Ok(told)
}

/// What the scanner must tell of a token that was written.
fn expected(written: &Written) -> Option<Told> {
    let Written::Token(token) = written else { return None };
    let bytes = |encode: &dyn Fn(&mut BytesMut)| {
        let mut out = BytesMut::new();
        encode(&mut out);
        out[1..].to_vec()
    };
    Some(match &**token {
        Token::Done(done) => Told::Done(*done),
        Token::EnvChange(change) => Told::EnvChange(change.kind(), bytes(&|out| change.encode(out))),
        Token::Message(Message { kind, number, state, class, .. }) => {
            Told::Message(MessageHead { kind: *kind, number: *number, state: *state, class: *class })
        }
        Token::LoginAck(ack) => Told::Bytes("LOGINACK", bytes(&|out| ack.encode(out))),
        Token::SessionState(state) => Told::Bytes("SESSIONSTATE", bytes(&|out| state.encode(out))),
        Token::ReturnStatus(status) => Told::ReturnStatus(*status),
        _ => return None,
    })
}

/// `bytes` cut at these places, which count from the end of the chunk before.
fn cut<'a>(bytes: &'a [u8], lengths: &[usize]) -> Vec<&'a [u8]> {
    let mut rest = bytes;
    let mut chunks = Vec::new();
    for length in lengths.iter().cycle() {
        let (head, tail) = rest.split_at((*length).min(rest.len()));
        chunks.push(head);
        rest = tail;
        if rest.is_empty() {
            break;
        }
    }
    chunks
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn any_cut_of_a_response_tells_what_was_written(
        (agreed, parts, bytes) in response(),
        lengths in proptest::collection::vec(1usize..40, 1..20),
    ) {
        let want: Vec<_> = parts.iter().filter_map(expected).collect();
        prop_assert_eq!(scan(agreed, [&bytes[..]]), Ok(want.clone()));
        prop_assert_eq!(scan(agreed, cut(&bytes, &lengths)), Ok(want.clone()));
        prop_assert_eq!(scan(agreed, cut(&bytes, &[1])), Ok(want));
    }

    #[test]
    fn arbitrary_bytes_are_told_alike_in_any_cut(
        mut bytes in proptest::collection::vec(any::<u8>(), 0..300),
        first in proptest::sample::select(vec![0x81u8, 0x88, 0xA3, 0xAC, 0xAE, 0xE4, 0xE3, 0xD1]),
        lengths in proptest::collection::vec(1usize..40, 1..20),
        encrypted in any::<bool>(),
    ) {
        bytes.insert(0, first);
        let agreed = Agreed { column_encryption: encrypted, classification_ranks: encrypted };
        let whole = scan(agreed, [&bytes[..]]);
        let pieces = scan(agreed, cut(&bytes, &lengths));
        match (whole, pieces) {
            (Ok(whole), Ok(pieces)) => prop_assert_eq!(whole, pieces),
            (Err(_), Err(_)) => {}
            (whole, pieces) => prop_assert!(false, "{:?} but in pieces {:?}", whole, pieces),
        }
    }

    #[test]
    fn what_is_kept_was_sent(
        mut bytes in proptest::collection::vec(any::<u8>(), 0..600),
        first in proptest::sample::select(vec![0x81u8, 0x88, 0xA3, 0xAC, 0xAE, 0xE4, 0xE3, 0xD1]),
        encrypted in any::<bool>(),
    ) {
        bytes.insert(0, first);
        let mut scanner = Scanner::new(Agreed { column_encryption: encrypted, classification_ranks: encrypted });
        for chunk in bytes.chunks(7) {
            if scanner.scan(chunk, &mut |_| {}).is_err() {
                break;
            }
        }
        // A column costs a peer 8 bytes and us two steps of 8; vectors grow by doubling, to 4 steps at least.
        prop_assert!(scanner.kept_bytes() <= 4 * bytes.len() + 512, "{} bytes", scanner.kept_bytes());
    }

    #[test]
    fn a_plan_reads_what_a_type_is(info in crate::types::tests::any_type()) {
        let mut bytes = Vec::new();
        info.encode(Form::Column, &mut bytes);
        let mut reader = Reader::new(&bytes);
        plan::Step::read(&mut reader).unwrap();
        prop_assert!(reader.is_empty());
    }
}

fn int() -> TypeInfo {
    TypeInfo::ByteLen(ByteLenType::IntN, 4)
}

fn done(command: u16) -> Done {
    Done { kind: DoneKind::Done, status: DoneStatus::COUNT, command, rows: 3 }
}

/// A response that is checked whole, byte by byte, and in pieces of three.
#[track_caller]
fn check(agreed: Agreed, bytes: &[u8], want: &[Told]) {
    for lengths in [bytes.len().max(1), 1, 3] {
        assert_eq!(scan(agreed, cut(bytes, &[lengths])).as_deref(), Ok(want), "in pieces of {lengths}");
    }
}

#[test]
fn the_rows_of_compute_by_are_stepped_over() {
    let mut out = BytesMut::new();
    // Two columns, number 7, by one column: an int and an ntext with its table name.
    out.put_slice(&[0x88, 2, 0, 7, 0, 1, 1, 0]);
    out.put_slice(&[0x4D, 1, 0, 0, 0, 0, 0, 0, 0, 0x38, 0]);
    out.put_slice(&[0x4D, 2, 0, 0, 0, 0, 0, 0, 0, 0x63, 1, 0, 0, 0, 9, 4, 0xD0, 0, 0x34, 1, 1, 0, b't', 0, 1, b's', 0]);
    out.put_slice(&[0xD3, 7, 0, 0xFD, 0xFD, 0xFD, 0xFD, 2, 1, 2, 1, 2, 3, 4, 5, 6, 7, 8, 2, 0, 0, 0, 0xFD, 0]);
    out.put_slice(&[0xD3, 7, 0, 1, 0, 0, 0, 0]);
    done(1).encode(&mut out);
    check(Agreed::default(), &out, &[Told::Done(done(1))]);
}

#[test]
fn data_classification_is_stepped_over_with_and_without_ranks() {
    for ranks in [false, true] {
        let mut out = BytesMut::from(&[0xA3, 1, 0, 1, b'l', 0, 1, b'i', 0, 1, 0, 0, 0][..]);
        if ranks {
            out.put_u32_le(20);
        }
        out.put_slice(&[2, 0, 1, 0, 0, 0, 0, 0]);
        out.put_bytes(0xFD, if ranks { 4 } else { 0 });
        out.put_slice(&[0, 0]);
        done(2).encode(&mut out);
        check(Agreed { classification_ranks: ranks, ..Agreed::default() }, &out, &[Told::Done(done(2))]);
    }
}

#[test]
fn tokens_nobody_asked_for_are_stepped_over() {
    let mut out = BytesMut::new();
    for token in [0xA4, 0xA5, 0xA9, 0xED] {
        out.put_slice(&[token, 3, 0, 0xFD, 0xFD, 0xFD]);
    }
    out.put_slice(&[0xEE, 2, 0, 0, 0, 0xFD, 0xFD, 0x78, 1, 2, 3, 4, 0x7C, 1, 2, 3, 4, 5, 6, 7, 8]);
    done(3).encode(&mut out);
    check(Agreed::default(), &out, &[Told::Done(done(3))]);
}

#[test]
fn an_acknowledged_column_encryption_changes_the_metadata_that_follows() {
    let mut out = BytesMut::new();
    FeatureExtAck(vec![Feature { id: FeatureId::ColumnEncryption, data: Bytes::from_static(&[1]) }]).encode(&mut out);
    let agreed = Agreed { column_encryption: true, ..Agreed::default() };
    ColumnMetadata::new(vec![Column::new("a", int(), true)]).encode(agreed, &mut out);
    write::row(&mut out, &[Column::new("a", int(), true)], &[Value::Null]).unwrap();
    done(4).encode(&mut out);
    let ack = Told::Bytes("FEATUREEXTACK", vec![4, 1, 0, 0, 0, 1, 0xFF]);
    check(Agreed::default(), &out, &[ack, Told::Done(done(4))]);
}

#[test]
fn rows_whose_metadata_the_client_remembers_leave_only_the_last_done() {
    let mut out = BytesMut::from(&[0x81, 0xFF, 0xFF, 0xD1, 1, 2, 3][..]);
    EnvChange::Begin(1).encode(&mut out);
    done(5).encode(&mut out);
    check(Agreed::default(), &out, &[Told::Blind, Told::Done(done(5))]);
}

#[test]
fn metadata_without_columns_and_without_rows_is_no_riddle() {
    let mut out = BytesMut::from(&[0x81, 0xFF, 0xFF, 0x81, 0, 0, 0xD1][..]);
    done(6).encode(&mut out);
    check(Agreed::default(), &out, &[Told::Done(done(6))]);
}

#[test]
fn metadata_is_good_for_its_own_message_only() {
    let mut out = BytesMut::new();
    ColumnMetadata::new(vec![Column::new("a", int(), true)]).encode(Agreed::default(), &mut out);
    let mut scanner = Scanner::new(Agreed::default());
    let mut tell = |_: Event<'_>| {};
    scanner.scan(&out, &mut tell).unwrap();
    scanner.end_of_message(&mut tell).unwrap();
    assert!(matches!(scanner.scan(&[0xD1, 0], &mut tell), Err(DecodeError::Misplaced(_))));
}

#[test]
fn columns_of_fixed_length_are_stepped_over_together() {
    let types = [FixedType::Int4, FixedType::Int2, FixedType::Int8, FixedType::Bit].map(TypeInfo::Fixed);
    let values = [Value::Int(1), Value::SmallInt(2), Value::BigInt(3), Value::Bit(true)];
    // Alone, before a value of variable length, behind one, and both.
    for places in [&[0, 1, 2, 3][..], &[0, 1, 4], &[4, 2, 3], &[0, 1, 4, 4, 2, 3]] {
        let column = |place: &usize| Column::new("c", types.get(*place).cloned().unwrap_or_else(int), true);
        let columns: Vec<_> = places.iter().map(column).collect();
        let values: Vec<_> = places.iter().map(|place| values.get(*place).cloned().unwrap_or(Value::Int(9))).collect();
        let mut out = BytesMut::new();
        ColumnMetadata::new(columns.clone()).encode(Agreed::default(), &mut out);
        (0..5).for_each(|_| write::row(&mut out, &columns, &values).unwrap());
        write::nbc_row(&mut out, &columns, &values).unwrap();
        done(8).encode(&mut out);
        check(Agreed::default(), &out, &[Told::Done(done(8))]);
    }
}

#[test]
fn between_messages_little_is_kept() {
    let columns: Vec<_> = (0..5000).map(|_| Column::new("a name of some length", int(), true)).collect();
    let mut out = BytesMut::new();
    ColumnMetadata::new(columns.clone()).encode(Agreed::default(), &mut out);
    write::nbc_row(&mut out, &columns, &vec![Value::Int(1); 5000]).unwrap();
    let mut scanner = Scanner::new(Agreed::default());
    out.chunks(100).for_each(|chunk| scanner.scan(chunk, &mut |_| {}).unwrap());
    assert!(scanner.kept_bytes() > 5000);
    scanner.end_of_message(&mut |_| {}).unwrap();
    assert!(scanner.kept_bytes() <= 2048, "{} bytes", scanner.kept_bytes());
}

#[test]
fn the_boundary_between_tokens_is_known() {
    let mut out = BytesMut::new();
    EnvChange::Database("a".to_owned(), "b".to_owned()).encode(&mut out);
    let columns = [Column::new("a", TypeInfo::Binary(BinaryType::BigVarBinary, Length::Max), true)];
    ColumnMetadata::new(columns.to_vec()).encode(Agreed::default(), &mut out);
    let metadata = out.len();
    write::row(&mut out, &columns, &[Value::Binary(Bytes::from_static(&[0xFD; 40]))]).unwrap();
    let row = out.len();
    ReturnValue::new(0, "@a", int(), Value::Int(1)).encode(&mut out).unwrap();
    let value = out.len();
    done(7).encode(&mut out);
    let mut scanner = Scanner::new(Agreed::default());
    let boundaries: Vec<_> = (0..out.len())
        .filter(|index| {
            scanner.scan(&out[*index..=*index], &mut |_| {}).unwrap();
            scanner.at_token_boundary()
        })
        .map(|index| index + 1)
        .collect();
    let first = 3 + usize::from(u16::from_le_bytes([out[1], out[2]]));
    assert_eq!(boundaries, [first, metadata, row, value, out.len()]);
}

#[track_caller]
fn check_refused(bytes: &[u8]) {
    assert!(scan(Agreed::default(), [bytes]).is_err());
    assert!(scan(Agreed::default(), cut(bytes, &[1])).is_err());
}

#[test]
fn what_is_no_response_is_refused() {
    check_refused(&[0x42]);
    check_refused(&[0xD1]);
    check_refused(&[0xD3, 1, 0]);
    check_refused(&[0x81, 1, 0, 0, 0, 0, 0, 0, 0, 0x99]);
    check_refused(&[0xFD, 0]);
    check_refused(&[0xE3, 0, 0]);
    check_refused(&[0x81, 0xFF, 0xFF, 0xD1, 1, 2, 3]);
}

#[test]
fn a_token_that_is_told_has_a_limit() {
    let mut huge = vec![token::id::SESSION_STATE];
    huge.extend(u32::MAX.to_le_bytes());
    let result = scan(Agreed::default(), [&huge[..]]);
    assert_eq!(result, Err(DecodeError::TooLarge { what: "SESSIONSTATE", limit: TOKEN_BYTES_MAX }));
}

#[test]
fn compute_by_clauses_without_end_are_refused() {
    let clauses: Vec<u8> = (0..100u8).flat_map(|number| [0x88, 0, 0, number, 0, 0]).collect();
    let result = scan(Agreed::default(), [&clauses[..]]);
    assert!(matches!(result, Err(DecodeError::TooLarge { limit: ALT_PLANS_MAX, .. })), "{result:?}");
}
