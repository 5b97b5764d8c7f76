//! Types and values decode or are refused, and what decodes comes back as it was when it is encoded.
#![no_main]

use bytes::BytesMut;
use libfuzzer_sys::fuzz_target;
use tds::read::Reader;
use tds::types::{Form, TypeInfo};
use tds::value::Value;

fn encode(value: &Value, info: &TypeInfo, form: Form) -> Option<BytesMut> {
    let mut out = BytesMut::new();
    value.encode(info, form, &mut out).ok().map(|()| out)
}

fuzz_target!(|input: (bool, &[u8])| {
    let (column, bytes) = input;
    let form = if column { Form::Column } else { Form::Parameter };
    let mut reader = Reader::new(bytes);
    let Ok(info) = TypeInfo::decode(&mut reader, form) else { return };
    let mut encoded = Vec::new();
    info.encode(form, &mut encoded);
    assert_eq!(TypeInfo::decode(&mut Reader::new(&encoded), form), Ok(info.clone()));

    let Ok(value) = Value::decode(&info, form, &mut reader) else { return };
    // A decoded value may be beyond what its type declares; then it is refused.
    let Some(first) = encode(&value, &info, form) else { return };
    let again = Value::decode(&info, form, &mut Reader::new(&first)).expect("we read what we write");
    // An integer may have become as wide as its type, and bytes that were no character U+FFFD; then it stays so.
    let second = encode(&again, &info, form).expect("what was decoded from our bytes fits its type");
    let third = Value::decode(&info, form, &mut Reader::new(&second)).expect("we read what we write");
    assert_eq!(encode(&third, &info, form), Some(second));
});
