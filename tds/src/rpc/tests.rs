//! Calls written by `tds-protocol`, an encoder that is not ours, are read back; hostile ones are refused.

use super::*;
use crate::types::{BinaryType, ByteLenType, Collation, Length};
use bytes::{BufMut, BytesMut};
use proptest::prelude::*;
use tds_protocol::rpc::{ProcId, RpcParam, RpcRequest, TypeInfo as TheirType};
use tds_protocol::tvp::{TvpColumnDef, TvpEncoder, TvpWireType};

/// The ALL_HEADERS that their encoder writes: total length, and one transaction descriptor header.
const HEADER_BYTES: usize = 22;

#[track_caller]
fn decode(request: &RpcRequest) -> Vec<Rpc> {
    let bytes = request.encode();
    let mut reader = Reader::new(&bytes[HEADER_BYTES..]);
    let calls = Rpc::decode_all(&mut reader).unwrap();
    assert!(reader.is_empty());
    calls
}

fn values(call: &Rpc) -> Vec<&Value> {
    call.parameters.iter().map(|parameter| parameter.value().unwrap()).collect()
}

fn text(text: &str) -> Value {
    Value::Text(text.to_owned())
}

#[test]
fn a_call_of_sp_executesql_is_read() {
    let parameters = vec![
        RpcParam::int("@id", -5),
        RpcParam::nvarchar("@name", "Ådne 😀"),
        RpcParam::varchar("@code", "café"),
        RpcParam::null("@when", TheirType::datetime2(3)),
        RpcParam::new("@blob", TheirType::varbinary(8000), bytes::Bytes::from_static(&[1, 2, 3])),
    ];
    let [call] = &decode(&RpcRequest::execute_sql("SELECT @id, @name", parameters))[..] else { panic!("one call") };
    assert_eq!((&call.procedure, call.options, call.run), (&Procedure::Id(10), 0, true));
    let values = values(call);
    assert_eq!(values[0], &text("SELECT @id, @name"));
    assert_eq!(values[2..5], [&Value::Int(-5), &text("Ådne 😀"), &text("café")]);
    assert_eq!(values[5], &Value::Null);
    assert_eq!(values[6], &Value::Binary(bytes::Bytes::from_static(&[1, 2, 3])));
    let names: Vec<_> = call.parameters.iter().map(|parameter| parameter.name.as_str()).collect();
    assert_eq!(names[2..], ["@id", "@name", "@code", "@when", "@blob"]);
}

#[test]
fn a_call_by_name_with_an_output_parameter_is_read() {
    let request = RpcRequest::named("dbo.p").param(RpcParam::int("@out", 0).as_output());
    let [call] = &decode(&request)[..] else { panic!("one call") };
    assert_eq!(call.procedure, Procedure::Name("dbo.p".to_owned()));
    assert!(call.parameters[0].status.contains(ParameterStatus::OUTPUT));
    assert_eq!(call.parameters[0].argument, Argument::Value(TypeInfo::ByteLen(ByteLenType::IntN, 4), Value::Int(0)));
}

#[test]
fn several_calls_of_a_message_are_told_apart() {
    let first = RpcRequest::by_id(ProcId::Unprepare).param(RpcParam::int("", 1)).encode();
    let second = RpcRequest::named("q").encode();
    let mut body = BytesMut::from(&first[HEADER_BYTES..]);
    body.put_u8(NO_EXEC_FLAG);
    body.put_slice(&second[HEADER_BYTES..]);
    body.put_u8(BATCH_FLAG);
    let calls = Rpc::decode_all(&mut Reader::new(&body)).unwrap();
    let heads: Vec<_> = calls.iter().map(|call| (call.procedure.clone(), call.run, call.parameters.len())).collect();
    assert_eq!(heads, [(Procedure::Id(15), false, 1), (Procedure::Name("q".to_owned()), true, 0)]);
}

/// The body of a call with one table-valued parameter of their columns and these rows.
fn table_call(columns: &[TvpColumnDef], rows: &[&[u8]]) -> BytesMut {
    let mut body = BytesMut::new();
    body.put_slice(&[1, 0, b'p', 0, 0, 0]);
    body.put_slice(&[2, b'@', 0, b't', 0, 0]);
    let encoder = TvpEncoder::new("dbo", "Ids", columns);
    encoder.encode_metadata(&mut body);
    rows.iter().for_each(|row| encoder.encode_row(&mut body, |body| body.put_slice(row)));
    encoder.encode_end(&mut body);
    body
}

#[test]
fn a_table_valued_parameter_is_read_as_rows() {
    let columns = [
        TvpColumnDef::new(TvpWireType::Int { size: 4 }),
        TvpColumnDef::nullable(TvpWireType::VarBinary { max_length: 9 }),
    ];
    let body = table_call(&columns, &[&[4, 7, 0, 0, 0, 2, 0, 0xAB, 0xCD], &[0, 0xFF, 0xFF]]);
    let calls = Rpc::decode_all(&mut Reader::new(&body)).unwrap();
    let Argument::Table(table) = &calls[0].parameters[0].argument else { panic!("a table") };
    assert_eq!((table.schema.as_str(), table.type_name.as_str()), ("dbo", "Ids"));
    let types: Vec<_> = table.columns.iter().map(|column| column.type_info.clone()).collect();
    let bytes = Value::Binary(bytes::Bytes::from_static(&[0xAB, 0xCD]));
    assert_eq!(types[1], TypeInfo::Binary(BinaryType::BigVarBinary, Length::Bytes(9)));
    assert_eq!(table.rows, [vec![Value::Int(7), bytes], vec![Value::Null, Value::Null]]);
}

#[test]
fn a_null_table_has_neither_columns_nor_rows() {
    let body = table_call(&[], &[]);
    let calls = Rpc::decode_all(&mut Reader::new(&body)).unwrap();
    let Argument::Table(table) = &calls[0].parameters[0].argument else { panic!("a table") };
    assert!(table.columns.is_empty() && table.rows.is_empty());
}

#[test]
fn a_default_column_has_no_values_and_options_are_read() {
    let mut body = BytesMut::from(&[1, 0, b'p', 0, 0, 0, 0, 0, TABLE, 0, 0, 0, 2, 0][..]);
    body.put_slice(&[0, 0, 0, 0, 0, 2, 0x38, 0]); // int, DEFAULT_FLAG
    body.put_slice(&[0, 0, 0, 0, 0, 0, 0x30, 0]); // tinyint
    body.put_slice(&[0x10, 1, 0, 1, 0, 1, 0x11, 2, 0, 2, 0, 1, 0, 0]); // order, ordering, end
    body.put_slice(&[1, 9, 0]);
    let calls = Rpc::decode_all(&mut Reader::new(&body)).unwrap();
    let Argument::Table(table) = &calls[0].parameters[0].argument else { panic!("a table") };
    assert!(table.columns[0].is_default());
    assert_eq!((table.ordering.as_slice(), table.rows.as_slice()), (&[2, 1][..], &[vec![Value::TinyInt(9)]][..]));
}

#[track_caller]
fn check_refused(body: &[u8]) {
    let result = Rpc::decode_all(&mut Reader::new(body));
    assert!(result.is_err(), "{result:?}");
}

#[test]
fn calls_that_cannot_be_are_refused() {
    check_refused(&[]);
    check_refused(&[0xFF, 0xFF, 10, 0]);
    check_refused(&[0xFF, 0xFF, 10, 0, 0, 0, 0, 8, 0x26, 4, 0]); // encrypted
    check_refused(&[0xFF, 0xFF, 10, 0, 0, 0, 0, 0, 0x99]); // unknown type
    check_refused(&[0xFF, 0xFF, 10, 0, 0, 0, 0, 0, TABLE, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0x1F, 0, 0, 0]); // untyped column
    check_refused(&[0xFF, 0xFF, 10, 0, 0, 0, 0, 0, TABLE, 0, 0, 0, 1, 4]); // 1025 columns
}

proptest! {
    #[test]
    fn arbitrary_bytes_are_calls_or_an_error(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let mut body = vec![0xFF, 0xFF, 10, 0, 0, 0];
        body.extend(bytes);
        let _ = Rpc::decode_all(&mut Reader::new(&body));
    }

    #[test]
    fn a_parameter_of_any_type_is_read((info, value) in crate::value::tests::typed_value()) {
        let mut body = BytesMut::from(&[0xFF, 0xFF, 10, 0, 0, 0, 0, 0][..]);
        info.encode(Form::Parameter, &mut body);
        value.encode(&info, Form::Parameter, &mut body).unwrap();
        let calls = Rpc::decode_all(&mut Reader::new(&body)).unwrap();
        prop_assert_eq!(&calls[0].parameters[0].argument, &Argument::Value(info, value));
    }
}

#[test]
fn a_text_parameter_has_no_text_pointer() {
    let text_type = TypeInfo::Long(crate::types::LongType::Text, 100, Some(Collation::SQL_LATIN1_GENERAL_CP1_CI_AS));
    let mut body = BytesMut::from(&[0xFF, 0xFF, 10, 0, 0, 0, 0, 0][..]);
    text_type.encode(Form::Parameter, &mut body);
    body.put_slice(&[2, 0, 0, 0, b'h', b'i']);
    let calls = Rpc::decode_all(&mut Reader::new(&body)).unwrap();
    assert_eq!(values(&calls[0]), [&text("hi")]);
}
