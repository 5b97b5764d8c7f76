//! `tds-protocol`, a decoder that is not ours, reads what we write, and the other way round.

use super::*;
use crate::login7::{Feature, FeatureId};
use crate::types::{BinaryType, ByteLenType, CharType, DecimalType, FixedType, Length};
use tds_protocol::token as theirs;

/// All tokens they find, rows by the metadata before them.
#[track_caller]
fn read_by_peer(bytes: &BytesMut) -> Vec<theirs::Token> {
    let mut parser = theirs::TokenParser::new(bytes.clone().freeze());
    let mut columns = None;
    let mut tokens = Vec::new();
    while let Some(token) = parser.next_token_with_metadata(columns.as_ref()).unwrap() {
        if let theirs::Token::ColMetaData(metadata) = &token {
            columns = Some(metadata.clone());
        }
        tokens.push(token);
    }
    tokens
}

/// Without text, ntext and image, which the peer rewrites as it reads.
fn every_type() -> Vec<(TypeInfo, Value)> {
    let text = |text: &str| Value::Text(text.to_owned());
    let latin1 = Collation::SQL_LATIN1_GENERAL_CP1_CI_AS;
    let binary = Value::Binary(Bytes::from_static(b"\x00\x01\xFF"));
    let decimal = TypeInfo::Decimal { kind: DecimalType::NumericN, max: 17, precision: 38, scale: 4 };
    vec![
        (TypeInfo::Fixed(FixedType::Int4), Value::Int(-1)),
        (TypeInfo::ByteLen(ByteLenType::IntN, 8), Value::BigInt(i64::MIN)),
        (TypeInfo::ByteLen(ByteLenType::BitN, 1), Value::Bit(true)),
        (TypeInfo::ByteLen(ByteLenType::FloatN, 8), Value::Float(1.5)),
        (TypeInfo::ByteLen(ByteLenType::MoneyN, 8), Value::Money(-12_345)),
        (TypeInfo::ByteLen(ByteLenType::DateTimeN, 8), Value::DateTime(45_000, 300)),
        (TypeInfo::ByteLen(ByteLenType::Guid, 16), Value::Guid([7; 16])),
        (decimal, Value::Decimal { unscaled: -99_999, scale: 4 }),
        (TypeInfo::Date, Value::Date(738_000)),
        (TypeInfo::Time(3), Value::Time(10_000)),
        (TypeInfo::DateTime2(7), Value::DateTime2(738_000, 1)),
        (TypeInfo::DateTimeOffset(0), Value::DateTimeOffset(738_000, 0, 120)),
        (TypeInfo::Char(CharType::NVarChar, Length::Bytes(40), latin1), text("größe 😀")),
        (TypeInfo::Char(CharType::NVarChar, Length::Max, latin1), text("long")),
        (TypeInfo::Char(CharType::BigVarChar, Length::Bytes(40), latin1), text("größe")),
        (TypeInfo::Char(CharType::BigChar, Length::Bytes(2), latin1), text("ab")),
        (TypeInfo::Binary(BinaryType::BigVarBinary, Length::Bytes(10)), binary.clone()),
        (TypeInfo::Binary(BinaryType::BigVarBinary, Length::Max), binary),
        (TypeInfo::Variant(8009), Value::Int(5)),
        (TypeInfo::Xml(None), text("<a/>")),
    ]
}

#[test]
fn rows_of_every_type_have_the_same_bytes_for_both() {
    let (types, mut values): (Vec<_>, Vec<_>) = every_type().into_iter().unzip();
    let columns: Vec<_> = (types.iter().enumerate())
        .map(|(index, info)| column(info.clone(), format!("c{index}"), Vec::new(), None))
        .collect();
    let mut out = BytesMut::new();
    ColumnMetadata::new(columns.clone()).encode(Agreed::default(), &mut out);
    let metadata_bytes = out.len();
    write::row(&mut out, &columns, &values).unwrap();
    let row_bytes = out.len() - metadata_bytes;
    values.iter_mut().skip(1).step_by(2).for_each(|value| *value = Value::Null);
    write::nbc_row(&mut out, &columns, &values).unwrap();
    let nbc_bytes = out.len() - metadata_bytes - row_bytes;
    Done { kind: DoneKind::Done, status: DoneStatus::COUNT, command: 0xC1, rows: 2 }.encode(&mut out);

    let tokens = read_by_peer(&out);
    let [
        theirs::Token::ColMetaData(metadata),
        theirs::Token::Row(row),
        theirs::Token::NbcRow(nbc),
        theirs::Token::Done(done),
    ] = &tokens[..]
    else {
        panic!("{tokens:?}")
    };
    for (column, (read, info)) in columns.iter().zip(metadata.columns.iter().zip(&types)) {
        assert_eq!((read.name.as_str(), read.col_type, read.flags), (&*column.name, info.type_byte(), column.flags.0));
    }
    assert_eq!(row.data[..], out[metadata_bytes + 1..metadata_bytes + row_bytes]);
    assert_eq!(nbc.null_bitmap.len() + nbc.data.len() + 1, nbc_bytes);
    assert!((0..values.len()).all(|index| nbc.is_null(index) == (values[index] == Value::Null)));
    assert_eq!((done.row_count, done.cur_cmd, done.status.count, done.status.more), (2, 0xC1, true, false));
}

/// A login response as a server of ours writes it.
fn login_response() -> BytesMut {
    let text = |text: &str| text.to_owned();
    let mut out = BytesMut::new();
    EnvChange::Database(text("SalesDB"), text("master")).encode(&mut out);
    Message::info(5701, 2, "Changed database context to 'SalesDB'.", "onprem").encode(&mut out);
    EnvChange::Collation(Some(Collation::SQL_LATIN1_GENERAL_CP1_CI_AS), None).encode(&mut out);
    EnvChange::PacketSize(8000, 4096).encode(&mut out);
    let (program, version) = (text("Microsoft SQL Server"), [16, 0, 0x10, 0x27]);
    LoginAck { interface: 1, tds_version: 0x7400_0004, program, version }.encode(&mut out);
    FeatureExtAck(vec![Feature { id: FeatureId::Utf8Support, data: Bytes::from_static(&[1]) }]).encode(&mut out);
    EnvChange::Routing(env_change::Route { server: text("mi"), port: 11_435, database: None }).encode(&mut out);
    EnvChange::Begin(0x0102_0304_0506_0708).encode(&mut out);
    Done { kind: DoneKind::Done, status: DoneStatus::FINAL, command: 0, rows: 0 }.encode(&mut out);
    out
}

#[test]
fn a_login_response_reads_the_same_for_both() {
    let tokens = read_by_peer(&login_response());
    let changes: Vec<_> = (tokens.iter())
        .filter_map(|token| match token {
            theirs::Token::EnvChange(change) => Some(change),
            _ => None,
        })
        .collect();
    assert_eq!(changes[0].new_database(), Some("SalesDB"));
    assert_eq!(changes[1].env_type, theirs::EnvChangeType::SqlCollation);
    assert!(matches!(&changes[2].new_value, theirs::EnvChangeValue::String(size) if size == "8000"));
    assert_eq!(changes[3].routing_info(), Some(("mi", 11_435)));
    assert!(matches!(&changes[4].new_value, theirs::EnvChangeValue::Binary(id) if id[..] == [8, 7, 6, 5, 4, 3, 2, 1]));
    let ack = tokens.iter().find_map(|token| match token {
        // The version is big-endian, which the peer leaves to its caller.
        theirs::Token::LoginAck(ack) => Some((ack.interface, ack.tds_version.swap_bytes(), ack.prog_name.as_str())),
        _ => None,
    });
    assert_eq!(ack, Some((1, 0x7400_0004, "Microsoft SQL Server")));
    let info = tokens.iter().find_map(|token| match token {
        theirs::Token::Info(info) => Some((info.number, info.class, info.message.as_str(), info.server.as_str())),
        _ => None,
    });
    assert_eq!(info, Some((5701, 0, "Changed database context to 'SalesDB'.", "onprem")));
    assert!(matches!(&tokens[5], theirs::Token::FeatureExtAck(ack)
        if ack.features.len() == 1 && ack.features[0].feature_id == 0x0A && ack.features[0].data[..] == [1]));
    assert!(matches!(tokens.last(), Some(theirs::Token::Done(_))));
}

#[test]
fn an_error_and_the_end_of_a_call_read_the_same_for_both() {
    let mut out = BytesMut::new();
    Message { procedure: "p".to_owned(), line: 7, ..Message::error(3906, 1, 16, "read-only", "mi") }.encode(&mut out);
    write::return_status(&mut out, -6);
    let int = TypeInfo::ByteLen(ByteLenType::IntN, 4);
    ReturnValue::new(0, "@handle", int, Value::Int(77)).encode(&mut out).unwrap();
    write::order(&mut out, &[2, 1]);
    Done { kind: DoneKind::DoneProc, status: DoneStatus::ERROR, command: 0xE0, rows: 0 }.encode(&mut out);
    let tokens = read_by_peer(&out);
    let [
        theirs::Token::Error(error),
        theirs::Token::ReturnStatus(-6),
        theirs::Token::ReturnValue(value),
        theirs::Token::Order(order),
        theirs::Token::DoneProc(done),
    ] = &tokens[..]
    else {
        panic!("{tokens:?}")
    };
    assert_eq!((error.number, error.state, error.class, error.line), (3906, 1, 16, 7));
    assert_eq!((error.message.as_str(), error.server.as_str(), error.procedure.as_str()), ("read-only", "mi", "p"));
    assert_eq!(
        (value.param_name.as_str(), value.col_type, value.value[..].last_chunk()),
        ("@handle", 0x26, Some(&[77, 0, 0, 0]))
    );
    assert_eq!((order.columns.as_slice(), done.status.error), (&[2, 1][..], true));
}

#[test]
fn a_done_written_by_the_peer_is_read_by_us() {
    let mut status = theirs::DoneStatus::default();
    (status.more, status.count) = (true, true);
    let mut out = BytesMut::new();
    theirs::Done { status, cur_cmd: 0xC3, row_count: 1 << 40 }.encode(&mut out);
    let read: Vec<_> = Response::new(&out, Agreed::default()).collect();
    let (kind, status) = (DoneKind::Done, DoneStatus::MORE.with(DoneStatus::COUNT));
    assert_eq!(read, [Ok(Token::Done(Done { kind, status, command: 0xC3, rows: 1 << 40 }))]);
}
