//! Calls with parameters: sp_executesql, prepared statements, bulk loads.

use super::{Transcript, called, login, pair, transcript};
use crate::engine::front::CallParameter;
use crate::engine::types::{CharKind, Type};
use tds::value::Value;

pub(super) fn given(name: &str, type_: Type, value: Value) -> CallParameter {
    CallParameter {
        name: name.into(),
        type_info: type_.type_info(true),
        value,
        output: false,
        default: false,
        table: None,
    }
}

pub(super) fn text(value: &str) -> CallParameter {
    given("", Type::Text(CharKind::NVarChar, Some(4000)), Value::Text(value.into()))
}

pub(super) fn int(value: i32) -> CallParameter {
    given("", Type::Int, Value::Int(value))
}

pub(super) fn output(parameter: CallParameter) -> CallParameter {
    CallParameter { output: true, ..parameter }
}

#[test]
fn sp_executesql_takes_and_returns_parameters() {
    let pair = pair();
    let mut session = login(pair.onprem());
    let parameters = vec![
        text("SELECT @n = COUNT(*) FROM Orders WHERE CustomerID = @c"),
        text("@c int, @n int OUTPUT"),
        given("@c", Type::Int, Value::Int(1)),
        output(given("@n", Type::Int, Value::Null)),
    ];
    assert_eq!(called(session.as_mut(), "sp_executesql", parameters), ["(1)", "status 0", "out 3 @n=2"]);
}

#[test]
fn prepared_statements_live_until_unprepared() {
    let pair = pair();
    let mut session = login(pair.onprem());
    let session = session.as_mut();
    let prepare = vec![output(given("", Type::Int, Value::Null)), text("@a int"), text("SELECT @a + 1")];
    assert_eq!(called(session, "sp_prepare", prepare), ["status 0", "out 0 =1"]);
    let execute = |handle| vec![given("", Type::Int, Value::Int(handle)), given("", Type::Int, Value::Int(41))];
    assert_eq!(called(session, "sp_execute", execute(1)), ["42", "(1)", "status 0"]);
    let again = vec![
        output(given("", Type::Int, Value::Int(1))),
        text("@a int"),
        text("SELECT @a * 2"),
        given("@a", Type::Int, Value::Int(5)),
    ];
    assert_eq!(called(session, "sp_prepexec", again), ["10", "(1)", "status 0", "out 0 =2"]);
    let gone = called(session, "sp_execute", execute(1));
    assert_eq!(gone.first().map(String::as_str), Some("8179: Could not find prepared statement with handle 1."));
    assert_eq!(called(session, "sp_unprepare", vec![given("", Type::Int, Value::Int(2))]), ["status 0"]);
}

#[test]
fn undeclared_parameters_get_the_type_of_what_they_meet() {
    let pair = pair();
    let mut session = login(pair.onprem());
    let sql = "UPDATE Orders SET Total = @P1 WHERE CustomerID = @P2 AND CAST(@P3 AS nvarchar(5)) = N'x'";
    let said = called(session.as_mut(), "sp_describe_undeclared_parameters", vec![text(sql)]);
    let names: Vec<String> = said.iter().map(|line| line.split('|').take(4).collect::<Vec<_>>().join("|")).collect();
    assert_eq!(names, ["1|@P1|106|decimal(10,2)", "2|@P2|56|int", "3|@P3|231|nvarchar(5)", "(3)", "status 0"]);
}

#[test]
fn the_first_type_for_times_keeps_their_fraction() {
    let pair = pair();
    let mut session = login(pair.onprem());
    let said = called(session.as_mut(), "sys.sp_datatype_info_100", vec![int(93), int(4)]);
    let names: Vec<String> = said.iter().map(|line| line.split('|').take(4).collect::<Vec<_>>().join("|")).collect();
    assert_eq!(names, ["datetime2|93|27|'", "datetime|93|23|'", "smalldatetime|93|16|'", "(3)", "status 0"]);
    let said = called(session.as_mut(), "sp_datatype_info", vec![int(4), int(2)]);
    assert!(said.iter().any(|line| line.contains("versions of ODBC before 3")), "{said:?}");
}

#[test]
fn a_missing_parameter_is_named() {
    let pair = pair();
    let mut session = login(pair.onprem());
    let said = called(session.as_mut(), "sp_executesql", vec![text("SELECT @a"), text("@a int")]);
    let expected = "8178: The parameterized query expects the parameter '@a', which was not supplied.";
    assert_eq!(said.first().map(String::as_str), Some(expected));
}

#[test]
fn a_bulk_load_stores_rows_and_an_aborted_one_none() {
    let pair = pair();
    let mut session = login(pair.onprem());
    let session = session.as_mut();
    let columns = [
        tds::token::Column::new("CustomerID", Type::Int.type_info(true), true),
        tds::token::Column::new("Total", Type::Float.type_info(true), true),
    ];
    let announce = "INSERT BULK Orders (CustomerID int, Total float) WITH (TABLOCK)";
    for keep in [false, true] {
        transcript(session, announce);
        session.begin_bulk(&columns).expect("it may begin");
        for row in 0..1000 {
            session.bulk_row(&[Value::Int(77), Value::Float(f64::from(row) / 4.0)]).expect("a good row");
        }
        if keep {
            let mut said = Transcript::default();
            session.end_bulk(&mut said).expect("not stopped");
            assert_eq!(said.lines, ["(1000)"]);
        } else {
            session.abort_bulk();
        }
    }
    let said = transcript(session, "SELECT COUNT(*), SUM(Total), MAX(OrderID) FROM Orders WHERE CustomerID = 77");
    assert_eq!(said, ["1000|124875.00|2003", "(1)"]);
}
