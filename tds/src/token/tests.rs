//! Tokens come back as they were written, vectors with an origin decode to what they say, and a decoder that is not
//! ours reads what we write.

use super::*;
use crate::login7::{Feature, FeatureId};
use crate::read::Reader;
use crate::types::tests::any_type;
use crate::types::{Collation, TypeInfo};
use crate::value::Value;
use crate::value::tests::typed_value;
use crate::write;
use bytes::{Bytes, BytesMut};
use proptest::collection::vec;
use proptest::prelude::*;

mod peer;

fn name() -> impl Strategy<Value = String> {
    "[a-zäß😀]{0,20}"
}

fn bytes(max: usize) -> impl Strategy<Value = Bytes> {
    vec(any::<u8>(), 0..max).prop_map(Bytes::from)
}

fn crypto(with_key: bool) -> impl Strategy<Value = CryptoMetadata> {
    (any::<(u16, u32, u8, u8)>(), any_type(), name(), any::<bool>()).prop_map(
        move |(numbers, type_info, name, named)| {
            let (key, user_type, encryption, normalization) = numbers;
            CryptoMetadata {
                key: with_key.then_some(key),
                user_type,
                type_info,
                algorithm: if named { 0 } else { 2 },
                algorithm_name: named.then_some(name),
                encryption,
                normalization,
            }
        },
    )
}

/// A column of a type, encrypted if `crypto` says so.
fn column(type_info: TypeInfo, name: String, table: Vec<String>, crypto: Option<CryptoMetadata>) -> Column {
    let mut column = Column::new(&name, type_info, true);
    if matches!(column.type_info, TypeInfo::Long(..)) {
        column.table = table;
    }
    if crypto.is_some() {
        column.flags = column.flags.with(ColumnFlags::ENCRYPTED);
    }
    column.crypto = crypto;
    column
}

fn key() -> impl Strategy<Value = CekEntry> {
    let value = (bytes(300), name(), name(), name()).prop_map(|(key, key_store, key_path, algorithm)| CekValue {
        encrypted_key: key.to_vec(),
        key_store,
        key_path,
        algorithm,
    });
    (any::<[u32; 3]>(), any::<u64>(), vec(value, 0..3)).prop_map(|(ids, metadata_version, values)| CekEntry {
        ids,
        metadata_version,
        values,
    })
}

/// A result: its metadata and its rows, some of which are written without their NULLs.
fn result(encrypted: bool) -> impl Strategy<Value = Vec<Written>> {
    let columns = vec((typed_value(), name(), vec(name(), 0..4), proptest::option::of(crypto(true))), 0..20);
    let rows = vec((any::<bool>(), any::<u32>()), 0..6);
    (vec(key(), 0..3), columns, rows).prop_map(move |(keys, columns, rows)| {
        let (mut made, mut values) = (Vec::new(), Vec::new());
        for ((info, value), name, table, crypto) in columns {
            made.push(column(info, name, table, crypto.filter(|_| encrypted)));
            values.push(value);
        }
        let metadata = ColumnMetadata { keys: if encrypted { keys } else { Vec::new() }, columns: Some(made.clone()) };
        let mut written = vec![Written::Token(Box::new(Token::Columns(metadata)))];
        for (without_nulls, nulls) in rows {
            let values = values.iter().zip(&made).enumerate().map(|(index, (value, column))| {
                let fixed = matches!(column.type_info, TypeInfo::Fixed(_));
                if nulls >> index & 1 == 1 && !fixed { Value::Null } else { value.clone() }
            });
            let values = values.collect();
            written.push(Written::Row { columns: made.clone(), values, without_nulls });
        }
        written
    })
}

/// What a property test writes: rows need their columns.
#[derive(Debug, Clone)]
pub(crate) enum Written {
    /// A token that encodes itself.
    Token(Box<Token>),
    /// A row.
    Row {
        /// Its columns.
        columns: Vec<Column>,
        /// Its values.
        values: Vec<Value>,
        /// As NBCROW.
        without_nulls: bool,
    },
}

impl Written {
    fn token(&self) -> Token {
        match self {
            Self::Token(token) => token.as_ref().clone(),
            Self::Row { values, .. } => Token::Row(values.clone()),
        }
    }

    fn encode(&self, agreed: Agreed, out: &mut BytesMut) {
        match self {
            Self::Row { columns, values, without_nulls: true } => write::nbc_row(out, columns, values).unwrap(),
            Self::Row { columns, values, without_nulls: false } => write::row(out, columns, values).unwrap(),
            Self::Token(token) => match &**token {
                Token::Columns(metadata) => metadata.encode(agreed, out),
                Token::Row(_) => unreachable!("rows are written with their columns"),
                Token::Done(done) => done.encode(out),
                Token::Message(message) => message.encode(out),
                Token::EnvChange(change) => change.encode(out),
                Token::LoginAck(ack) => ack.encode(out),
                Token::FeatureExtAck(ack) => ack.encode(out),
                Token::ReturnStatus(status) => write::return_status(out, *status),
                Token::ReturnValue(value) => value.encode(out).unwrap(),
                Token::Order(columns) => write::order(out, columns),
                Token::Sspi(blob) => write::sspi(out, blob),
                Token::FedAuthInfo(info) => info.encode(out),
                Token::SessionState(state) => state.encode(out),
                Token::Browse(..) => unreachable!("servers of ours have no browse mode"),
            },
        }
    }
}

fn env_change() -> impl Strategy<Value = EnvChange> {
    let collation = || proptest::option::of(any::<[u8; 5]>().prop_map(Collation));
    prop_oneof![
        (name(), name()).prop_map(|(new, old)| EnvChange::Database(new, old)),
        (name(), name()).prop_map(|(new, old)| EnvChange::Language(new, old)),
        (name(), name()).prop_map(|(new, old)| EnvChange::MirroringPartner(new, old)),
        (name(), name()).prop_map(|(new, old)| EnvChange::UserInstance(new, old)),
        any::<(u32, u32)>().prop_map(|(new, old)| EnvChange::PacketSize(new, old)),
        (collation(), collation()).prop_map(|(new, old)| EnvChange::Collation(new, old)),
        any::<u64>().prop_map(EnvChange::Begin),
        any::<u64>().prop_map(EnvChange::Commit),
        any::<u64>().prop_map(EnvChange::Rollback),
        any::<u64>().prop_map(EnvChange::Enlist),
        any::<u64>().prop_map(EnvChange::Defect),
        any::<u64>().prop_map(EnvChange::TransactionEnded),
        bytes(300).prop_map(|token| EnvChange::Promote(token.to_vec())),
        Just(EnvChange::ResetAcknowledged),
        (name(), any::<u16>(), proptest::option::of(name()))
            .prop_map(|(server, port, database)| EnvChange::Routing(env_change::Route { server, port, database })),
        (prop_oneof![Just(0u8), Just(3), Just(14), Just(16), 22u8..], bytes(300))
            .prop_map(|(kind, rest)| EnvChange::Other(kind, rest.to_vec())),
    ]
}

fn done() -> impl Strategy<Value = Done> {
    let kind = prop_oneof![Just(DoneKind::Done), Just(DoneKind::DoneProc), Just(DoneKind::DoneInProc)];
    (kind, any::<u16>(), any::<u16>(), any::<u64>()).prop_map(|(kind, status, command, rows)| Done {
        kind,
        status: DoneStatus(status),
        command,
        rows,
    })
}

/// Any token but results and FEATUREEXTACK, which change what follows them.
fn token(encrypted: bool) -> impl Strategy<Value = Token> {
    let message = (any::<bool>(), any::<(i32, u8, u8, u32)>(), name(), name(), name());
    let message = message.prop_map(|(error, (number, state, class, line), text, server, procedure)| Message {
        kind: if error { MessageKind::Error } else { MessageKind::Info },
        number,
        state,
        class,
        text,
        server,
        procedure,
        line,
    });
    let login_ack = (any::<(u8, u32, [u8; 4])>(), name());
    let value = (any::<u16>(), name(), typed_value(), proptest::option::of(crypto(false)));
    let value = value.prop_map(move |(ordinal, name, (info, value), crypto)| {
        let mut made = ReturnValue::new(ordinal, &name, info, value);
        made.crypto = crypto.filter(|_| encrypted);
        made.flags = if made.crypto.is_some() { ColumnFlags::ENCRYPTED } else { ColumnFlags::NULLABLE };
        made
    });
    let state = (any::<u32>(), any::<bool>(), vec((any::<u8>(), bytes(600)), 0..4));
    prop_oneof![
        done().prop_map(Token::Done),
        message.prop_map(Token::Message),
        env_change().prop_map(Token::EnvChange),
        login_ack.prop_map(|((interface, tds_version, version), program)| {
            Token::LoginAck(LoginAck { interface, tds_version, program, version })
        }),
        any::<i32>().prop_map(Token::ReturnStatus),
        value.prop_map(|value| Token::ReturnValue(Box::new(value))),
        vec(any::<u16>(), 0..10).prop_map(Token::Order),
        bytes(300).prop_map(|blob| Token::Sspi(blob.to_vec())),
        (name(), name()).prop_map(|(sts_url, spn)| Token::FedAuthInfo(FedAuthInfo { sts_url, spn })),
        state.prop_map(|(sequence, recoverable, states)| {
            Token::SessionState(SessionState { sequence, recoverable, states })
        }),
    ]
}

/// A response of results and other tokens: what was agreed, its parts, its bytes.
pub(crate) fn response() -> impl Strategy<Value = (Agreed, Vec<Written>, Bytes)> {
    any::<bool>().prop_flat_map(|encrypted| {
        let agreed = Agreed { column_encryption: encrypted, classification_ranks: false };
        let part = prop_oneof![
            2 => token(encrypted).prop_map(|token| vec![Written::Token(Box::new(token))]),
            1 => result(encrypted),
        ];
        vec(part, 0..6).prop_map(move |parts| {
            let parts: Vec<_> = parts.into_iter().flatten().collect();
            let mut out = BytesMut::new();
            parts.iter().for_each(|part| part.encode(agreed, &mut out));
            (agreed, parts, out.freeze())
        })
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn a_response_comes_back_as_it_was_written((agreed, parts, bytes) in response()) {
        let read: Vec<_> = Response::new(&bytes, agreed).collect::<Result<_, _>>().unwrap();
        let want: Vec<_> = parts.iter().map(Written::token).collect();
        prop_assert_eq!(read, want);
    }

    #[test]
    fn arbitrary_bytes_are_a_response_or_an_error(bytes in vec(any::<u8>(), 0..200), encrypted in any::<bool>()) {
        let agreed = Agreed { column_encryption: encrypted, classification_ranks: false };
        prop_assert!(Response::new(&bytes, agreed).count() <= bytes.len());
    }

    #[test]
    fn a_feature_ack_comes_back_as_it_was_written(features in vec((0u8..0xFF, bytes(50)), 0..8)) {
        let ack = FeatureExtAck(features.into_iter().map(|(id, data)| Feature { id: FeatureId::from_byte(id), data }).collect());
        let mut out = BytesMut::new();
        ack.encode(&mut out);
        prop_assert_eq!(FeatureExtAck::decode(&mut Reader::new(&out[1..])), Ok(ack));
    }
}

#[track_caller]
fn check_vector(bytes: &[u8], want: &Token) {
    let read: Vec<_> = Response::new(bytes, Agreed::default()).collect::<Result<_, _>>().unwrap();
    assert_eq!(read, std::slice::from_ref(want));
    let mut out = BytesMut::new();
    Written::Token(Box::new(want.clone())).encode(Agreed::default(), &mut out);
    assert_eq!(&out[..], bytes);
}

#[test]
fn the_acknowledgement_of_a_reset_is_six_bytes() {
    // As every driver expects it: [MS-TDS] 2.2.7.9, type 18 with empty values.
    check_vector(&[0xE3, 3, 0, 0x12, 0, 0], &Token::EnvChange(EnvChange::ResetAcknowledged));
}

#[test]
fn the_acknowledgement_of_an_attention_is_a_done_with_one_bit() {
    // [MS-TDS] 2.2.7.6: DONE_ATTN is 0x20.
    check_vector(&[0xFD, 0x20, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0], &Token::Done(Done::ATTENTION));
}

#[test]
fn the_login_acknowledgement_of_sql_server_2022_is_read() {
    // Origin: the test vector of unilakehq/unilake, token_login_ack.rs: version 16.0, build 0x1027.
    let mut bytes = vec![0xAD, 0x36, 0, 1, 0x74, 0, 0, 4, 0x16];
    "Microsoft SQL Server\0\0".encode_utf16().for_each(|unit| bytes.extend(unit.to_le_bytes()));
    bytes.extend([0x10, 0, 0x10, 0x27]);
    let program = "Microsoft SQL Server\0\0".to_owned();
    let (interface, tds_version, version) = (1, 0x7400_0004, [0x10, 0, 0x10, 0x27]);
    check_vector(&bytes, &Token::LoginAck(LoginAck { interface, tds_version, program, version }));
}

#[track_caller]
fn check_refused(bytes: &[u8]) {
    let read: Result<Vec<_>, _> = Response::new(bytes, Agreed::default()).collect();
    assert!(read.is_err(), "{read:?}");
}

#[test]
fn lengths_and_offsets_that_lie_are_refused() {
    check_refused(&[0xE3, 4, 0, 0x12, 0, 0, 0]);
    check_refused(&[0xE3, 3, 0, 1, 9, 0]);
    check_refused(&[0xE3, 8, 0, 0x14, 5, 0, 1, 0, 0, 0, 0]);
    check_refused(&[0xAD, 2, 0, 1, 2]);
    check_refused(&[0xEE, 13, 0, 0, 0, 1, 0, 0, 0, 1, 4, 0, 0, 0, 200, 0, 0, 0]);
    check_refused(&[0xEE, 4, 0, 0, 0, 0xFF, 0xFF, 0xFF, 0xFF]);
    check_refused(&[0xAE, 4, 0xFF, 0xFF, 0xFF, 0xFF]);
    check_refused(&[0xD1, 0]);
    check_refused(&[0x42]);
}

#[test]
fn a_value_that_does_not_fit_leaves_no_bytes_behind() {
    let columns = [Column::new("a", TypeInfo::Date, true), Column::new("b", TypeInfo::Date, true)];
    let mut out = BytesMut::from(&b"before"[..]);
    let values = [Value::Date(1), Value::Int(1)];
    assert!(write::row(&mut out, &columns, &values).is_err());
    assert!(write::nbc_row(&mut out, &columns, &values).is_err());
    assert!(write::row(&mut out, &columns, &values[..1]).is_err());
    assert!(ReturnValue::new(0, "", TypeInfo::Date, Value::Int(1)).encode(&mut out).is_err());
    assert_eq!(&out[..], b"before");
}

#[test]
fn what_was_acknowledged_applies_to_the_metadata_that_follows() {
    let ack = FeatureExtAck(vec![Feature { id: FeatureId::ColumnEncryption, data: Bytes::from_static(&[1]) }]);
    let metadata = ColumnMetadata::new(vec![Column::new("a", TypeInfo::Date, true)]);
    let mut out = BytesMut::new();
    ack.encode(&mut out);
    metadata.encode(ack.agreed(), &mut out);
    let read: Vec<_> = Response::new(&out, Agreed::default()).collect::<Result<_, _>>().unwrap();
    assert_eq!(read, [Token::FeatureExtAck(ack), Token::Columns(metadata)]);
}

#[test]
fn what_an_acknowledgement_changes_is_known() {
    let ack = |id, data: &'static [u8]| FeatureExtAck(vec![Feature { id, data: Bytes::from_static(data) }]).agreed();
    assert!(ack(FeatureId::ColumnEncryption, &[3]).column_encryption);
    assert!(!ack(FeatureId::ColumnEncryption, &[]).column_encryption);
    assert!(ack(FeatureId::DataClassification, &[2, 1]).classification_ranks);
    assert!(!ack(FeatureId::DataClassification, &[1, 1]).classification_ranks);
}
