//! What columns of a result are described as, and every type's way in and out.

use super::{Transcript, called, login, pair};
use crate::engine::front::CallParameter;
use crate::engine::types::{CharKind, Type};
use tds::value::Value;

#[track_caller]
fn check_type(expression: &str, expected: Type, nullable: bool) {
    let pair = pair();
    let mut session = login(pair.onprem());
    let mut said = Transcript::default();
    session.batch(&format!("SELECT {expression}"), &mut said).expect("not stopped");
    let column = said.columns.first().unwrap_or_else(|| panic!("{expression}: {:?}", said.lines));
    assert_eq!((&column.type_info, column.nullable), (&expected.type_info(nullable), nullable), "{expression}");
}

#[test]
fn expressions_have_sql_servers_types() {
    check_type("1", Type::Int, false);
    check_type("NULL", Type::Int, true);
    check_type("3000000000", Type::Decimal(10, 0), false);
    check_type("1.50", Type::Decimal(3, 2), false);
    check_type("1e0", Type::Float, false);
    check_type("'abc'", Type::varchar(3), false);
    check_type("N'abc'", Type::nvarchar(3), false);
    check_type("'abc' + N'de'", Type::nvarchar(5), false);
    check_type("0x01", Type::Binary(false, Some(1)), false);
    check_type("$1", Type::Money, false);
    check_type("COUNT(*) FROM Orders", Type::Int, true);
    check_type("SUM(Total) FROM Orders", Type::Decimal(38, 2), true);
    check_type("Total * 2 FROM Orders", Type::Decimal(12, 2), false);
    check_type("OrderID FROM Orders", Type::Int, false);
    check_type("GETDATE()", Type::DateTime, true);
    check_type("CAST(1 AS bit)", Type::Bit, false);
    check_type("@@SPID", Type::SmallInt, false);
    check_type("SCOPE_IDENTITY()", Type::Decimal(38, 0), true);
    check_type("CONVERT(nvarchar(max), 'x')", Type::Text(CharKind::NVarChar, None), false);
}

#[test]
fn every_type_comes_back_as_it_went_in() {
    let pair = pair();
    let mut session = login(pair.onprem());
    let text = |text: &str| Value::Text(text.into());
    let cases: Vec<(&str, Type, Value)> = vec![
        ("bit", Type::Bit, Value::Bit(true)),
        ("tinyint", Type::TinyInt, Value::TinyInt(255)),
        ("smallint", Type::SmallInt, Value::SmallInt(i16::MIN)),
        ("int", Type::Int, Value::Int(i32::MIN)),
        ("bigint", Type::BigInt, Value::BigInt(i64::MIN)),
        ("decimal(38,10)", Type::Decimal(38, 10), Value::Decimal { unscaled: -(10_i128.pow(38) - 1), scale: 10 }),
        ("money", Type::Money, Value::Money(i64::MIN)),
        ("smallmoney", Type::SmallMoney, Value::Money(-2_147_483_648)),
        ("real", Type::Real, Value::Real(f32::MIN)),
        ("float", Type::Float, Value::Float(f64::MAX)),
        ("char(3)", Type::Text(CharKind::Char, Some(3)), text("a  ")),
        ("varchar(10)", Type::varchar(10), text("€uro")),
        ("nvarchar(10)", Type::nvarchar(10), text("日本\0x")),
        ("nvarchar(max)", Type::NVARCHAR_MAX, Value::Text("x".repeat(100_000))),
        ("varbinary(max)", Type::Binary(false, None), Value::Binary(vec![0, 1, 255].into())),
        ("uniqueidentifier", Type::Guid, Value::Guid([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16])),
        ("date", Type::Date, Value::Date(3_652_058)),
        ("time(7)", Type::Time(7), Value::Time(863_999_999_999)),
        ("smalldatetime", Type::SmallDateTime, Value::SmallDateTime(u16::MAX, 1439)),
        ("datetime", Type::DateTime, Value::DateTime(-53_690, 25_919_999)),
        ("datetime2(7)", Type::DateTime2(7), Value::DateTime2(0, 1)),
        ("datetimeoffset(7)", Type::DateTimeOffset(7), Value::DateTimeOffset(700_000, 5, -840)),
    ];
    for (name, type_, value) in cases {
        for value in [value, Value::Null] {
            let nvarchar = Type::NVARCHAR_MAX.type_info(true);
            let parameter = |name: &str, type_info, value| CallParameter {
                table: None,
                name: name.into(),
                type_info,
                value,
                output: false,
                default: false,
            };
            let sql = format!(
                "CREATE TABLE #t (a {name}); INSERT #t VALUES (@a); SELECT a FROM #t WHERE a = @a OR @a IS NULL; DROP TABLE #t"
            );
            let call = crate::engine::front::Call {
                procedure: "sp_executesql".into(),
                parameters: vec![
                    parameter("", nvarchar.clone(), text(&sql)),
                    parameter("", nvarchar, text(&format!("@a {name}"))),
                    parameter("@a", type_.type_info(true), value.clone()),
                ],
            };
            let mut rows = Rows(Vec::new());
            session.call(call, &mut rows).expect("not stopped");
            assert_eq!(rows.0, [value], "{name}");
        }
    }
    assert_eq!(called(session.as_mut(), "sp_unprepare", vec![]).len(), 2);
}

/// Keeps the first value of each row.
struct Rows(Vec<Value>);

impl crate::engine::sink::Sink for Rows {
    fn columns(&mut self, _: &[crate::engine::sink::Column]) -> Result<(), crate::engine::sink::Stop> {
        Ok(())
    }

    fn row(&mut self, values: &[Value]) -> Result<(), crate::engine::sink::Stop> {
        self.0.extend(values.first().cloned());
        Ok(())
    }

    fn message(&mut self, message: crate::engine::sink::Message) -> Result<(), crate::engine::sink::Stop> {
        panic!("{}", message.text)
    }

    fn environment(&mut self, _: crate::engine::sink::Environment) -> Result<(), crate::engine::sink::Stop> {
        Ok(())
    }

    fn end(&mut self, _: crate::engine::sink::StatementEnd) -> Result<(), crate::engine::sink::Stop> {
        Ok(())
    }

    fn return_value(&mut self, _: crate::engine::sink::ReturnValue) -> Result<(), crate::engine::sink::Stop> {
        Ok(())
    }

    fn return_status(&mut self, _: i32) -> Result<(), crate::engine::sink::Stop> {
        Ok(())
    }

    fn stopped(&self) -> bool {
        false
    }
}
