//! Bulk loads in any cut give the same rows in constant memory; hostile ones are refused.

use super::*;
use crate::types::{BinaryType, ByteLenType, Collation, Length, LongType};
use crate::value::tests::typed_value;
use crate::{text, write};
use bytes::{BufMut, Bytes};
use proptest::prelude::*;

/// The metadata of a load, as clients write it.
fn metadata(columns: &[Column]) -> BytesMut {
    let mut out = BytesMut::from(&[id::COL_METADATA][..]);
    out.put_u16_le(columns.len().try_into().unwrap());
    for column in columns {
        out.put_u32_le(column.user_type);
        out.put_u16_le(column.flags.0);
        column.type_info.encode(Form::Column, &mut out);
        column.table.iter().for_each(|table| text::put_us_varchar(&mut out, table));
        text::put_b_varchar(&mut out, &column.name);
    }
    out
}

fn column(name: &str, type_info: TypeInfo) -> Column {
    let mut column = Column::new(name, type_info, true);
    if matches!(column.type_info, TypeInfo::Long(..)) {
        column.table = vec!["dbo.Orders".to_owned()];
    }
    column
}

/// All events of a message fed in chunks of this size.
fn read(message: &[u8], chunk_bytes: usize) -> Result<Vec<BulkEvent>, DecodeError> {
    let mut load = BulkLoad::new(1 << 20);
    let mut events = Vec::new();
    for chunk in message.chunks(chunk_bytes) {
        load.feed(chunk);
        while let Some(event) = load.next_event()? {
            events.push(event);
        }
    }
    load.finish()?;
    Ok(events)
}

proptest! {
    #[test]
    fn any_cut_of_a_load_gives_the_same_rows(
        cells in proptest::collection::vec((typed_value(), "[a-z]{0,9}"), 1..8),
        rows in 0usize..5,
        chunk_bytes in 1usize..50,
        count_bytes in prop_oneof![Just(4usize), Just(8)],
    ) {
        let (columns, values): (Vec<_>, Vec<_>) =
            cells.into_iter().map(|((info, value), name)| (column(&name, info), value)).unzip();
        let mut message = metadata(&columns);
        (0..rows).for_each(|_| write::row(&mut message, &columns, &values).unwrap());
        message.put_u8(id::DONE);
        message.put_bytes(0, 4 + count_bytes);
        let mut want = vec![BulkEvent::Columns(columns)];
        want.extend(std::iter::repeat_n(BulkEvent::Row(values), rows));
        want.push(BulkEvent::Done);
        prop_assert_eq!(read(&message, message.len()), Ok(want.clone()));
        prop_assert_eq!(read(&message, chunk_bytes), Ok(want));
    }

    #[test]
    fn arbitrary_bytes_are_a_load_or_an_error(mut bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        bytes.insert(0, id::COL_METADATA);
        let _ = read(&bytes, 7);
    }
}

#[test]
fn a_long_column_names_its_table_in_one_string() {
    let columns = [column("t", TypeInfo::Long(LongType::Text, 100, Some(Collation::SQL_LATIN1_GENERAL_CP1_CI_AS)))];
    let message = metadata(&columns);
    assert_eq!(read(&message, 1), Ok(vec![BulkEvent::Columns(columns.to_vec())]));
}

#[test]
fn a_load_of_many_rows_keeps_one_row_and_one_chunk() {
    let columns = [column("b", TypeInfo::Binary(BinaryType::BigVarBinary, Length::Max))];
    let mut row = BytesMut::new();
    write::row(&mut row, &columns, &[Value::Binary(Bytes::from(vec![7; 10_000]))]).unwrap();
    let mut load = BulkLoad::new(1 << 20);
    load.feed(&metadata(&columns));
    let (mut rows, mut kept) = (0, 0);
    for chunk in row.repeat(2000).chunks(4088) {
        load.feed(chunk);
        while let Some(event) = load.next_event().unwrap() {
            rows += usize::from(matches!(event, BulkEvent::Row(_)));
        }
        kept = kept.max(load.buffer.capacity());
    }
    load.finish().unwrap();
    assert_eq!(rows, 2000);
    assert!(kept < 64 * 1024, "{kept} bytes kept of 20 MB");
}

#[track_caller]
fn check_refused(message: &[u8]) {
    let result = read(message, 16);
    assert!(result.is_err(), "{result:?}");
}

#[test]
fn what_is_no_load_is_refused() {
    check_refused(&[id::ROW]);
    check_refused(&[id::COL_METADATA, 1, 0]);
    check_refused(&[id::COL_METADATA, 1, 0, 0, 0, 0, 0, 0, 0, 0x1F, 0]);
    let columns = [column("a", TypeInfo::ByteLen(ByteLenType::IntN, 4))];
    let with = |bytes: &[u8]| [&metadata(&columns), bytes].concat();
    check_refused(&with(&[id::ROW, 4, 0]));
    check_refused(&with(&[id::ROW, 3, 0, 0, 0]));
    check_refused(&with(&[id::NBC_ROW, 1]));
}

#[test]
fn a_row_has_a_limit() {
    let columns = [column("b", TypeInfo::Binary(BinaryType::BigVarBinary, Length::Max))];
    let mut load = BulkLoad::new(1000);
    load.feed(&metadata(&columns));
    load.feed(&[id::ROW, 0xFE, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x7F]);
    assert!(matches!(load.next_event(), Ok(Some(BulkEvent::Columns(_)))));
    assert_eq!(load.next_event(), Ok(None));
    load.feed(&[0; 1000]);
    assert_eq!(load.next_event(), Err(DecodeError::TooLarge { what: "a row of a bulk load", limit: 1000 }));
}
