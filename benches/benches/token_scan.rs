//! The scanner over responses as packets bring them: a small answer, and results of 100,000 rows in several shapes.

#![allow(
    clippy::unwrap_used,
    missing_docs,
    reason = "a bench stops at the first surprise, and criterion writes `main`"
)]

use bytes::BytesMut;
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use std::hint::black_box;
use tds::scan::Scanner;
use tds::token::{Agreed, Column, ColumnMetadata, Done, DoneKind, DoneStatus};
use tds::types::{ByteLenType, CharType, Collation, DecimalType, FixedType, Length, TypeInfo};
use tds::value::Value;
use tds::write;

const ROWS: u32 = 100_000;
/// What a packet of 8,000 bytes carries.
const CHUNK_BYTES: usize = 7992;

fn int() -> TypeInfo {
    TypeInfo::ByteLen(ByteLenType::IntN, 4)
}

fn nvarchar(length: Length) -> TypeInfo {
    TypeInfo::Char(CharType::NVarChar, length, Collation::SQL_LATIN1_GENERAL_CP1_CI_AS)
}

fn text(text: String) -> Value {
    Value::Text(text)
}

/// A result of these columns with rows that `row` makes, in which NULLs are left out if `without_nulls`.
fn result(types: &[TypeInfo], rows: u32, without_nulls: bool, row: impl Fn(u32) -> Vec<Value>) -> BytesMut {
    let columns: Vec<_> = types.iter().map(|info| Column::new("column", info.clone(), true)).collect();
    let mut out = BytesMut::new();
    ColumnMetadata::new(columns.clone()).encode(Agreed::default(), &mut out);
    for index in 0..rows {
        let put = if without_nulls { write::nbc_row } else { write::row };
        put(&mut out, &columns, &row(index)).unwrap();
    }
    let (kind, status) = (DoneKind::Done, DoneStatus::COUNT);
    Done { kind, status, command: 0xC1, rows: u64::from(rows) }.encode(&mut out);
    out
}

fn shapes() -> Vec<(&'static str, BytesMut)> {
    let number = |index: u32| Value::Int(index.cast_signed());
    let fixed = [FixedType::Int4, FixedType::Int8, FixedType::Float8, FixedType::DateTime].map(TypeInfo::Fixed);
    let decimal = TypeInfo::Decimal { kind: DecimalType::NumericN, max: 9, precision: 18, scale: 2 };
    let order =
        [int(), int(), nvarchar(Length::Bytes(200)), decimal, TypeInfo::DateTime2(7), nvarchar(Length::Bytes(400))];
    let order_row = |index: u32| {
        vec![
            number(index),
            number(index % 977),
            text(format!("Customer {}", index % 977)),
            Value::Decimal { unscaled: i128::from(index) * 7, scale: 2 },
            Value::DateTime2(738_000 + index % 400, u64::from(index) * 1_000),
            text("a remark ".repeat((index % 9) as usize)),
        ]
    };
    let sparse: Vec<_> = (0..20).map(|_| int()).collect();
    let sparse_row = |index: u32| {
        let cell = |column: u32| if (index + column).is_multiple_of(4) { number(index) } else { Value::Null };
        (0..20).map(cell).collect::<Vec<_>>()
    };
    vec![
        (
            "small",
            result(&[int(), nvarchar(Length::Bytes(100))], 1, false, |_| vec![number(1), text("one".to_owned())]),
        ),
        (
            "fixed",
            result(&fixed, ROWS, false, |index| {
                vec![number(index), Value::BigInt(i64::from(index)), Value::Float(1.5), Value::DateTime(45_000, index)]
            }),
        ),
        ("ints", result(&[int(), int(), int(), int()], ROWS, false, |index| vec![number(index); 4])),
        ("mixed", result(&order, ROWS, false, order_row)),
        (
            "max",
            result(&[int(), nvarchar(Length::Max)], ROWS, false, |index| {
                vec![number(index), text("x".repeat((index % 500) as usize))]
            }),
        ),
        ("sparse", result(&sparse, ROWS, true, sparse_row)),
    ]
}

fn scan(c: &mut Criterion) {
    let mut group = c.benchmark_group("token_scan");
    for (name, response) in shapes() {
        group.throughput(Throughput::Bytes(response.len() as u64));
        group.bench_with_input(BenchmarkId::from_parameter(name), &response, |b, response| {
            let mut scanner = Scanner::new(Agreed::default());
            b.iter(|| {
                for chunk in response.chunks(CHUNK_BYTES) {
                    scanner.scan(chunk, &mut |event| _ = black_box(event)).unwrap();
                }
                scanner.end_of_message(&mut |event| _ = black_box(event)).unwrap();
            });
        });
    }
    group.finish();
}

criterion_group!(benches, scan);
criterion_main!(benches);
