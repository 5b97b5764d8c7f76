//! TYPE_INFO comes back as it was written, and collations name the right code page.

use super::*;
use crate::read::Reader;
use proptest::prelude::*;

/// Any length a type may have: 0xFFFF stands for `(max)`.
fn length() -> impl Strategy<Value = Length> {
    prop_oneof![(0u16..0xFFFF).prop_map(Length::Bytes), Just(Length::Max)]
}

fn collation() -> impl Strategy<Value = Collation> {
    any::<[u8; 5]>().prop_map(Collation)
}

fn name() -> impl Strategy<Value = String> {
    "[a-zäß😀]{0,20}"
}

/// Any type in the form of columns, with every wire form that decodes.
pub(crate) fn any_type() -> impl Strategy<Value = TypeInfo> {
    let fixed = [0x1F, 0x30, 0x32, 0x34, 0x38, 0x3A, 0x3B, 0x3C, 0x3D, 0x3E, 0x7A, 0x7F].map(FixedType::from_byte);
    let byte_len = [(0x24, 16), (0x26, 1), (0x26, 2), (0x26, 4), (0x26, 8), (0x68, 1), (0x6D, 4), (0x6D, 8)];
    let byte_len = byte_len.into_iter().chain([(0x6E, 4), (0x6E, 8), (0x6F, 4), (0x6F, 8)]).collect::<Vec<_>>();
    let decimal =
        [DecimalType::LegacyDecimal, DecimalType::LegacyNumeric, DecimalType::DecimalN, DecimalType::NumericN];
    let legacy = [LegacyType::VarBinary, LegacyType::VarChar, LegacyType::Binary, LegacyType::Char];
    let char = [CharType::BigVarChar, CharType::BigChar, CharType::NVarChar, CharType::NChar];
    let schema = (name(), name(), name());
    prop_oneof![
        proptest::sample::select(fixed.to_vec()).prop_map(|kind| TypeInfo::Fixed(kind.unwrap())),
        proptest::sample::select(byte_len)
            .prop_map(|(byte, max)| TypeInfo::ByteLen(ByteLenType::from_byte(byte).unwrap(), max)),
        (proptest::sample::select(decimal.to_vec()), 1u8..=38).prop_flat_map(|(kind, precision)| {
            (0..=precision).prop_map(move |scale| TypeInfo::Decimal { kind, max: 17, precision, scale })
        }),
        Just(TypeInfo::Date),
        (0u8..=7).prop_map(TypeInfo::Time),
        (0u8..=7).prop_map(TypeInfo::DateTime2),
        (0u8..=7).prop_map(TypeInfo::DateTimeOffset),
        (proptest::sample::select(legacy.to_vec()), any::<u8>()).prop_map(|(kind, max)| TypeInfo::Legacy(kind, max)),
        (proptest::sample::select(vec![BinaryType::BigVarBinary, BinaryType::BigBinary]), length())
            .prop_map(|(kind, length)| TypeInfo::Binary(kind, length)),
        (proptest::sample::select(char.to_vec()), length(), collation())
            .prop_map(|(kind, length, collation)| TypeInfo::Char(kind, length, collation)),
        any::<u32>().prop_map(|max| TypeInfo::Long(LongType::Image, max, None)),
        (proptest::sample::select(vec![LongType::Text, LongType::NText]), any::<u32>(), collation())
            .prop_map(|(kind, max, collation)| TypeInfo::Long(kind, max, Some(collation))),
        any::<u32>().prop_map(TypeInfo::Variant),
        Just(TypeInfo::Xml(None)),
        schema.prop_map(|(database, owner, collection)| TypeInfo::Xml(Some(XmlSchema { database, owner, collection }))),
        (any::<u16>(), [name(), name(), name(), name()]).prop_map(|(max, [database, schema, name, assembly])| {
            TypeInfo::Udt(UdtInfo { max: Some(max), database, schema, name, assembly: Some(assembly) })
        }),
        Just(TypeInfo::Json),
        (any::<u16>(), any::<u8>()).prop_map(|(max, dimension)| TypeInfo::Vector(max, dimension)),
    ]
}

#[track_caller]
fn check_round_trip(info: &TypeInfo, form: Form) {
    let mut bytes = Vec::new();
    info.encode(form, &mut bytes);
    let mut reader = Reader::new(&bytes);
    assert_eq!(TypeInfo::decode(&mut reader, form).as_ref(), Ok(info));
    assert!(reader.is_empty(), "decoding must read all {} bytes", bytes.len());
}

proptest! {
    #[test]
    fn a_type_comes_back_as_it_was_written(info in any_type()) {
        check_round_trip(&info, Form::Column);
    }

    #[test]
    fn arbitrary_bytes_are_a_type_or_an_error(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
        for form in [Form::Column, Form::Parameter] {
            let mut reader = Reader::new(&bytes);
            if let Ok(info) = TypeInfo::decode(&mut reader, form) {
                check_round_trip(&info, form);
            }
        }
    }
}

#[test]
fn a_clr_type_of_a_parameter_has_neither_length_nor_assembly() {
    let name = |text: &str| text.to_owned();
    let (database, schema, name) = (name("db"), name("dbo"), name("Point"));
    check_round_trip(&TypeInfo::Udt(UdtInfo { max: None, database, schema, name, assembly: None }), Form::Parameter);
}

#[test]
fn a_scale_that_cannot_be_is_refused() {
    for bytes in [&[0x29, 8][..], &[0x2A, 8], &[0x2B, 255], &[0x6A, 17, 10, 11], &[0x6C, 17, 39, 0]] {
        let result = TypeInfo::decode(&mut Reader::new(bytes), Form::Column);
        assert!(matches!(result, Err(crate::DecodeError::BadValue { .. })), "{bytes:x?}: {result:?}");
    }
}

#[test]
fn a_collation_names_its_code_page() {
    #[track_caller]
    fn check(bytes: [u8; 5], want: Option<&str>) {
        assert_eq!(Collation(bytes).encoding().map(encoding_rs::Encoding::name), want);
    }
    check(Collation::SQL_LATIN1_GENERAL_CP1_CI_AS.0, Some("windows-1252"));
    check([0x09, 0x04, 0xD0, 0x04, 0x00], Some("UTF-8"));
    check([0x11, 0x04, 0x00, 0x00, 0x00], Some("Shift_JIS"));
    check([0x04, 0x08, 0x00, 0x00, 0x00], Some("GBK"));
    check([0x04, 0x04, 0x00, 0x00, 0x00], Some("Big5"));
    check([0x19, 0x04, 0x00, 0x00, 0x00], Some("windows-1251"));
    check([0x1A, 0x20, 0x00, 0x00, 0x00], Some("windows-1251"));
    check([0x1A, 0x04, 0x00, 0x00, 0x00], Some("windows-1250"));
    check([0x09, 0x04, 0x00, 0x00, 30], None);
    check([0x39, 0x04, 0x00, 0x00, 0x00], None);
}
