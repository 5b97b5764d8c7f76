//! Table types and table-valued parameters.

use super::parameters::{given, text};
use super::{called, check, login, pair, transcript};
use crate::engine::front::{CallParameter, EngineSession};
use crate::engine::types::Type;
use tds::rpc::{TableColumn, TableValue};
use tds::value::Value;

const CREATE: &str = "CREATE TYPE dbo.Pairs AS TABLE (Id int NOT NULL PRIMARY KEY, Name nvarchar(10))";

fn column(type_: Type) -> TableColumn {
    TableColumn { user_type: 0, flags: 1, type_info: type_.type_info(true), name: String::new() }
}

fn pairs(rows: &[(i32, &str)]) -> CallParameter {
    let value = TableValue {
        database: String::new(),
        schema: "dbo".into(),
        type_name: "Pairs".into(),
        columns: vec![column(Type::Int), column(Type::nvarchar(4000))],
        ordering: Vec::new(),
        rows: rows.iter().map(|(id, name)| vec![Value::Int(*id), Value::Text((*name).to_owned())]).collect(),
    };
    CallParameter { table: Some(value), ..given("@t", Type::Null, Value::Null) }
}

#[track_caller]
fn check_call(session: &mut dyn EngineSession, sql: &str, rows: &[(i32, &str)], expected: &[&str]) {
    let parameters = vec![text(sql), text("@t dbo.Pairs READONLY"), pairs(rows)];
    assert_eq!(called(session, "sp_executesql", parameters), expected, "{sql}");
}

#[test]
fn a_table_is_a_parameter() {
    let pair = pair();
    let mut session = login(pair.onprem());
    let session = session.as_mut();
    assert_eq!(transcript(session, CREATE), Vec::<String>::new());
    let sum = "SELECT COUNT(*), SUM(Id), MAX(Name) FROM @t";
    check_call(session, sum, &[(1, "one"), (2, "two")], &["2|3|two", "(1)", "status 0"]);
    check_call(session, sum, &[], &["0|NULL|NULL", "(1)", "status 0"]);
    let joined = "SELECT o.OrderID, t.Name FROM Orders o JOIN @t t ON t.Id = o.OrderID ORDER BY 1";
    check_call(session, joined, &[(2, "two")], &["2|two", "(1)", "status 0"]);
    transcript(session, "CREATE PROCEDURE Count2 @t dbo.Pairs READONLY AS SELECT COUNT(*) FROM @t");
    assert_eq!(called(session, "Count2", vec![pairs(&[(1, "a"), (2, "b")])]), ["2", "(1)", "status 0"]);
    assert_eq!(called(session, "Count2", vec![]), ["0", "(1)", "status 0"]);
}

#[test]
fn a_table_parameter_obeys_its_type() {
    let pair = pair();
    let mut session = login(pair.onprem());
    let session = session.as_mut();
    transcript(session, CREATE);
    let cases = [
        ("SELECT 1", vec![(1, "a"), (1, "b")], "2627"),
        ("SELECT 1", vec![(1, "much too long")], "2628"),
        ("DELETE FROM @t", vec![(1, "a")], "10700"),
    ];
    for (sql, rows, number) in cases {
        let said = called(session, "sp_executesql", vec![text(sql), text("@t Pairs READONLY"), pairs(&rows)]);
        assert!(said.first().is_some_and(|line| line.starts_with(number)), "{number}: {said:?}");
    }
}

#[test]
fn a_table_variable_of_a_type_goes_into_a_procedure() {
    let sql = "CREATE TYPE Pairs AS TABLE (Id int, Name nvarchar(10));
        EXEC('CREATE PROCEDURE Names @t Pairs READONLY AS SELECT Name FROM @t WHERE Id > 1');
        DECLARE @p AS Pairs; INSERT INTO @p VALUES (1, N'a'), (2, N'b'); EXEC Names @p; EXEC Names @t = @p;
        SELECT COUNT(*) FROM @p; DROP TYPE Pairs; DROP TYPE IF EXISTS Pairs";
    check(sql, &["(2)", "b", "(1)", "b", "(1)", "2", "(1)"]);
}

#[test]
fn types_that_are_missing_or_there_twice_are_refused() {
    check("DECLARE @p dbo.Nothing", &["2715: Column, parameter, or variable: Cannot find data type dbo.Nothing."]);
    check(
        "DROP TYPE Nothing",
        &["3701: Cannot drop the type 'Nothing', because it does not exist or you do not have permission."],
    );
    check(
        "CREATE TYPE T AS TABLE (a int); CREATE TYPE T AS TABLE (a int)",
        &["219: The type 'T' already exists, or you do not have permission to create it."],
    );
}
