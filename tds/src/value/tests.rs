//! Values come back as they were written; what a type cannot hold is refused.

use super::*;
use crate::DecodeError;
use crate::read::Reader;
use crate::types::{
    BinaryType, ByteLenType, CharType, Collation, DecimalType, FixedType, Form, Length, LongType, TypeInfo,
};
use bytes::BytesMut;
use proptest::prelude::*;

const LATIN1: Collation = Collation::SQL_LATIN1_GENERAL_CP1_CI_AS;
const UTF8: Collation = Collation([0x09, 0x04, 0xD0, 0x04, 0x00]);
const DAY: u64 = 864_000_000_000;

fn decimal(precision: u8, scale: u8) -> TypeInfo {
    TypeInfo::Decimal { kind: DecimalType::NumericN, max: 17, precision, scale }
}

/// A type with a value that it holds exactly.
pub(crate) fn typed_value() -> impl Strategy<Value = (TypeInfo, Value)> {
    let text = || "[a-z€äß😀日]{0,40}".prop_map(Value::Text);
    let bytes = || proptest::collection::vec(any::<u8>(), 0..300).prop_map(|bytes| Value::Binary(bytes.into()));
    let with = |info: TypeInfo| move |value| (info.clone(), value);
    let clock = || (0u32..=3_652_058, 0u64..DAY);
    let nvarchar = |length| TypeInfo::Char(CharType::NVarChar, length, LATIN1);
    let numbers = prop_oneof![
        any::<bool>().prop_map(Value::Bit).prop_map(with(TypeInfo::ByteLen(ByteLenType::BitN, 1))),
        any::<u8>().prop_map(Value::TinyInt).prop_map(with(TypeInfo::ByteLen(ByteLenType::IntN, 1))),
        any::<i16>().prop_map(Value::SmallInt).prop_map(with(TypeInfo::ByteLen(ByteLenType::IntN, 2))),
        any::<i32>().prop_map(Value::Int).prop_map(with(TypeInfo::ByteLen(ByteLenType::IntN, 4))),
        any::<i64>().prop_map(Value::BigInt).prop_map(with(TypeInfo::Fixed(FixedType::Int8))),
        (-1e30f32..1e30).prop_map(Value::Real).prop_map(with(TypeInfo::ByteLen(ByteLenType::FloatN, 4))),
        (-1e300f64..1e300).prop_map(Value::Float).prop_map(with(TypeInfo::ByteLen(ByteLenType::FloatN, 8))),
        any::<i64>().prop_map(Value::Money).prop_map(with(TypeInfo::ByteLen(ByteLenType::MoneyN, 8))),
        any::<i32>().prop_map(|n| Value::Money(n.into())).prop_map(with(TypeInfo::Fixed(FixedType::Money4))),
        (-(10i128.pow(38) - 1)..10i128.pow(38), 0u8..=38)
            .prop_map(|(unscaled, scale)| (decimal(38, scale), Value::Decimal { unscaled, scale })),
        any::<[u8; 16]>().prop_map(Value::Guid).prop_map(with(TypeInfo::ByteLen(ByteLenType::Guid, 16))),
    ];
    let times = prop_oneof![
        (0u32..=3_652_058).prop_map(Value::Date).prop_map(with(TypeInfo::Date)),
        (0u64..DAY).prop_map(Value::Time).prop_map(with(TypeInfo::Time(7))),
        clock().prop_map(|(day, time)| Value::DateTime2(day, time)).prop_map(with(TypeInfo::DateTime2(7))),
        (clock(), -840i16..=840)
            .prop_map(|((day, time), offset)| Value::DateTimeOffset(day, time, offset))
            .prop_map(with(TypeInfo::DateTimeOffset(7))),
        any::<(u16, u16)>()
            .prop_map(|(day, minute)| Value::SmallDateTime(day, minute))
            .prop_map(with(TypeInfo::ByteLen(ByteLenType::DateTimeN, 4))),
        any::<(i32, u32)>()
            .prop_map(|(day, tick)| Value::DateTime(day, tick))
            .prop_map(with(TypeInfo::ByteLen(ByteLenType::DateTimeN, 8))),
    ];
    let contents = prop_oneof![
        text().prop_map(with(nvarchar(Length::Bytes(8000)))),
        text().prop_map(with(nvarchar(Length::Max))),
        text().prop_map(with(TypeInfo::Char(CharType::BigVarChar, Length::Bytes(8000), UTF8))),
        "[a-z€äß]{0,40}".prop_map(Value::Text).prop_map(with(TypeInfo::Char(CharType::BigChar, Length::Max, LATIN1))),
        text().prop_map(with(TypeInfo::Long(LongType::NText, 1 << 30, Some(LATIN1)))),
        bytes().prop_map(with(TypeInfo::Long(LongType::Image, 1 << 30, None))),
        bytes().prop_map(with(TypeInfo::Binary(BinaryType::BigVarBinary, Length::Bytes(8000)))),
        bytes().prop_map(with(TypeInfo::Binary(BinaryType::BigVarBinary, Length::Max))),
        text().prop_map(with(TypeInfo::Xml(None))),
        text().prop_map(with(TypeInfo::Json)),
        bytes().prop_map(with(TypeInfo::Vector(8000, 0))),
    ];
    let plain = prop_oneof![numbers, times, contents].boxed();
    let null = plain.clone().prop_filter_map("types of fixed length hold no NULL", |(info, _)| {
        (!matches!(info, TypeInfo::Fixed(_))).then_some((info, Value::Null))
    });
    let variant = plain.clone().prop_map(|(_, value)| (TypeInfo::Variant(8009), value));
    prop_oneof![4 => plain, 1 => null, 2 => variant]
}

#[track_caller]
fn encode(value: &Value, info: &TypeInfo, form: Form) -> BytesMut {
    let mut out = BytesMut::new();
    value.encode(info, form, &mut out).unwrap_or_else(|error| panic!("{value:?} as {info:?}: {error}"));
    out
}

#[track_caller]
fn check_round_trip(value: &Value, info: &TypeInfo, want: &Value) {
    for form in [Form::Column, Form::Parameter] {
        let bytes = encode(value, info, form);
        let mut reader = Reader::new(&bytes);
        assert_eq!(Value::decode(info, form, &mut reader).as_ref(), Ok(want), "{info:?} {form:?}");
        assert!(reader.is_empty());
    }
}

proptest! {
    #[test]
    fn a_value_comes_back_as_it_was_written((info, value) in typed_value()) {
        check_round_trip(&value, &info, &value);
    }

    #[test]
    fn arbitrary_bytes_are_a_value_or_an_error(
        info in crate::types::tests::any_type(),
        bytes in proptest::collection::vec(any::<u8>(), 0..64),
    ) {
        for form in [Form::Column, Form::Parameter] {
            let mut reader = Reader::new(&bytes);
            let _ = Value::decode(&info, form, &mut reader);
            prop_assert!(reader.position() <= bytes.len());
        }
    }
}

#[test]
fn a_length_a_peer_invented_is_an_error_and_no_allocation() {
    let max = TypeInfo::Binary(BinaryType::BigVarBinary, Length::Max);
    let mut plp = vec![0xFE, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x7F];
    plp.extend([0xFF, 0xFF, 0xFF, 0x7F, 1, 2, 3]);
    let result = Value::decode(&max, Form::Column, &mut Reader::new(&plp));
    assert_eq!(result, Err(DecodeError::Truncated { what: "a chunk", want: 0x7FFF_FFFF, have: 3 }));
}

#[test]
fn a_text_behind_its_pointer_is_never_null() {
    // Found by fuzzing: the scanner stepped over 4 GiB where the decoder saw NULL.
    let info = TypeInfo::Long(LongType::Image, 1 << 30, None);
    let bytes = [1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF, 0xFF, 0xFF];
    let result = Value::decode(&info, Form::Column, &mut Reader::new(&bytes));
    assert_eq!(result, Err(DecodeError::Truncated { what: "text value", want: 0xFFFF_FFFF, have: 0 }));
}

#[test]
fn a_chunked_value_may_come_in_many_chunks_of_unknown_total() {
    // [MS-TDS] 2.2.5.2.3: total 0xFFFFFFFFFFFFFFFE is unknown; the chunks end with one of length 0.
    let mut plp = vec![0xFE, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF];
    plp.extend([1, 0, 0, 0, b'a', 2, 0, 0, 0, 0, b'b', 1, 0, 0, 0, 0, 0, 0, 0, 0]);
    let info = TypeInfo::Char(CharType::NVarChar, Length::Max, LATIN1);
    assert_eq!(Value::decode(&info, Form::Column, &mut Reader::new(&plp)), Ok(Value::Text("ab".to_owned())));
}

#[test]
fn text_a_code_page_lacks_becomes_question_marks() {
    let varchar = TypeInfo::Char(CharType::BigVarChar, Length::Bytes(20), LATIN1);
    let text = |text: &str| Value::Text(text.to_owned());
    assert_eq!(&encode(&text("a€日😀z"), &varchar, Form::Column)[..], b"\x05\0a\x80??z");
    check_round_trip(&text("日a日"), &varchar, &text("?a?"));
    let hindi = TypeInfo::Char(CharType::BigVarChar, Length::Bytes(20), Collation([0x39, 4, 0, 0, 0]));
    check_round_trip(&text("aé"), &hindi, &text("a?"));
}

#[test]
fn a_money_has_its_high_half_first() {
    // [MS-TDS] 2.2.5.5.1.2: the 4-byte integer of the high half, then the low one.
    let info = TypeInfo::Fixed(FixedType::Money);
    let bytes = encode(&Value::Money(0x0102_0304_0506_0708), &info, Form::Column);
    assert_eq!(&bytes[..], [4, 3, 2, 1, 8, 7, 6, 5]);
}

#[test]
fn numbers_widen_narrow_and_rescale_only_without_loss() {
    let smallint = TypeInfo::ByteLen(ByteLenType::IntN, 2);
    check_round_trip(&Value::BigInt(-7), &smallint, &Value::SmallInt(-7));
    check_round_trip(
        &Value::Decimal { unscaled: 125, scale: 1 },
        &decimal(9, 3),
        &Value::Decimal { unscaled: 12500, scale: 3 },
    );
    check_round_trip(
        &Value::Decimal { unscaled: 1250, scale: 3 },
        &decimal(9, 2),
        &Value::Decimal { unscaled: 125, scale: 2 },
    );
    check_refused(&Value::BigInt(40_000), &smallint);
    check_refused(&Value::Decimal { unscaled: 1251, scale: 3 }, &decimal(9, 2));
    check_refused(&Value::Decimal { unscaled: 1000, scale: 0 }, &decimal(3, 0));
}

#[track_caller]
fn check_refused(value: &Value, info: &TypeInfo) {
    let mut out = BytesMut::new();
    assert!(value.encode(info, Form::Column, &mut out).is_err(), "{value:?} as {info:?} gave {out:?}");
}

#[test]
fn what_a_type_cannot_hold_is_refused() {
    check_refused(&Value::Null, &TypeInfo::Fixed(FixedType::Int4));
    check_refused(&Value::Int(1), &TypeInfo::Json);
    check_refused(&Value::Text("abc".to_owned()), &TypeInfo::Char(CharType::NVarChar, Length::Bytes(4), LATIN1));
    check_refused(&Value::Time(DAY), &TypeInfo::Time(7));
    check_refused(&Value::Date(3_652_059), &TypeInfo::Date);
    check_refused(&Value::Money(i64::MAX), &TypeInfo::Fixed(FixedType::Money4));
}

#[test]
fn a_time_takes_the_bytes_its_scale_needs() {
    // [MS-TDS] 2.2.5.5.1.8: 3 bytes up to scale 2, 4 up to 4, 5 up to 7; a date has 3 more, an offset 2 more.
    for (scale, want) in [(0, 3), (2, 3), (3, 4), (4, 4), (5, 5), (7, 5)] {
        let length = |value: Value, info| encode(&value, &info, Form::Column)[0];
        assert_eq!(length(Value::Time(1), TypeInfo::Time(scale)), want);
        assert_eq!(length(Value::DateTime2(1, 1), TypeInfo::DateTime2(scale)), want + 3);
        assert_eq!(length(Value::DateTimeOffset(1, 1, 1), TypeInfo::DateTimeOffset(scale)), want + 5);
    }
}

#[test]
fn a_time_is_cut_to_its_scale() {
    check_round_trip(&Value::Time(19_999_999), &TypeInfo::Time(0), &Value::Time(10_000_000));
    check_round_trip(&Value::Time(19_999_999), &TypeInfo::Time(3), &Value::Time(19_990_000));
}
