//! API cursors: opened, moved in, closed, and refused.

use super::parameters::{given, int, output, text};
use super::{called, login, pair};
use crate::engine::front::{CallParameter, EngineSession};
use crate::engine::types::Type;
use tds::value::Value;

const FIVE: &str = "SELECT value AS v FROM GENERATE_SERIES(1, 5)";

fn out(value: i32) -> CallParameter {
    output(given("", Type::Int, Value::Int(value)))
}

/// Opens a cursor and gives what was said.
fn opened(session: &mut dyn EngineSession, sql: &str, scroll: i32, concurrency: i32, rows: i32) -> Vec<String> {
    called(session, "sp_cursoropen", vec![out(0), text(sql), out(scroll), out(concurrency), out(rows)])
}

fn fetched(session: &mut dyn EngineSession, kind: i32, row: i32, rows: i32) -> Vec<String> {
    called(session, "sp_cursorfetch", vec![int(180_150_003), int(kind), int(row), int(rows)])
}

/// Each fetch of a row of the table, in turn, brings these values of the first column.
#[track_caller]
fn check_fetches(scroll: i32, fetches: &[(i32, i32, i32, &[&str])]) {
    let pair = pair();
    let mut session = login(pair.onprem());
    opened(session.as_mut(), FIVE, scroll, 1, 0);
    for (kind, row, rows, expected) in fetches {
        let said = fetched(session.as_mut(), *kind, *row, *rows);
        let values: Vec<String> = said.iter().filter_map(|line| line.strip_suffix("|1")).map(str::to_owned).collect();
        assert_eq!(values, *expected, "fetch {kind:#x} row {row} of {rows}: {said:?}");
    }
}

#[test]
fn a_static_cursor_goes_everywhere() {
    check_fetches(
        8,
        &[
            (2, 0, 2, &["1", "2"]),
            (2, 0, 2, &["3", "4"]),
            (2, 0, 2, &["5"]),
            (2, 0, 2, &[]),
            (4, 0, 2, &["4", "5"]),
            (4, 0, 4, &["1", "2", "3", "4"]),
            (4, 0, 4, &[]),
            (2, 0, 1, &["1"]),
            (8, 0, 2, &["4", "5"]),
            (16, 2, 2, &["2", "3"]),
            (32, 2, 1, &["4"]),
            (16, -1, 3, &["5"]),
            (16, 0, 3, &[]),
            (1, 0, 1, &["1"]),
            (16, 9, 1, &[]),
            (0x200, 0, 9, &["1", "2", "3", "4", "5"]),
            (0x80, 0, 0, &["1", "2", "3", "4", "5"]),
        ],
    );
}

#[test]
fn a_forward_cursor_goes_forward_only() {
    let pair = pair();
    let mut session = login(pair.onprem());
    let said = opened(session.as_mut(), FIVE, 4, 1, 0);
    assert_eq!(said, ["(0)", "status 0", "out 0 =180150003", "out 2 =4", "out 3 =1", "out 4 =-1"]);
    assert_eq!(fetched(session.as_mut(), 2, 0, 1), ["1|1", "(1)", "status 0"]);
    let said = fetched(session.as_mut(), 8, 0, 1);
    let expected = "16911: sp_cursorfetch: The fetch type last cannot be used with forward only cursors.";
    assert_eq!(said.first().map(String::as_str), Some(expected));
}

#[test]
fn what_cannot_be_had_is_negotiated_down() {
    let pair = pair();
    let mut session = login(pair.onprem());
    // A keyset cursor with scroll locks becomes static and read only.
    let said = opened(session.as_mut(), FIVE, 1, 2, 0);
    assert_eq!(said, ["(0)", "status 0", "out 0 =180150003", "out 2 =8", "out 3 =1", "out 4 =5"]);
    let info = called(session.as_mut(), "sp_cursorfetch", vec![int(180_150_003), int(0x100), out(0), out(0)]);
    assert_eq!(info, ["status 0", "out 2 =0", "out 3 =5"]);
    fetched(session.as_mut(), 2, 0, 3);
    let again = called(session.as_mut(), "sp_cursor", vec![int(180_150_003), int(0x28), int(2)]);
    assert_eq!(again, ["2|1", "(1)", "status 0"]);
    let change = called(session.as_mut(), "sp_cursor", vec![int(180_150_003), int(2), int(1)]);
    assert_eq!(change.first().map(String::as_str), Some("16929: The cursor is READ ONLY."));
}

#[test]
fn a_cursor_that_fetches_and_closes_by_itself_has_no_handle() {
    let pair = pair();
    let mut session = login(pair.onprem());
    let said = opened(session.as_mut(), FIVE, 0x6010, 1, 9);
    let rows = ["1|1", "2|1", "3|1", "4|1", "5|1", "(5)"];
    let outputs = ["status 16", "out 0 =0", "out 2 =16", "out 3 =1", "out 4 =5"];
    assert_eq!(said, [rows.as_slice(), outputs.as_slice()].concat());
}

#[test]
fn closed_and_unknown_cursors_are_refused() {
    let pair = pair();
    let mut session = login(pair.onprem());
    let session = session.as_mut();
    opened(session, FIVE, 8, 1, 0);
    assert_eq!(called(session, "sp_cursorclose", vec![int(180_150_003)]), ["status 0"]);
    let expected = "16909: sp_cursorfetch: The cursor identifier value provided (abcdef3) is not valid.";
    assert_eq!(fetched(session, 2, 0, 1).first().map(String::as_str), Some(expected));
    opened(session, FIVE, 8, 1, 0);
    session.reset(false);
    assert_eq!(fetched(session, 2, 0, 1).first().map(String::as_str), Some(expected));
}

#[test]
fn what_is_no_query_runs_directly_where_that_is_allowed() {
    let pair = pair();
    let mut session = login(pair.onprem());
    let sql = "UPDATE Orders SET Total = 1 WHERE OrderID = 1";
    let said = opened(session.as_mut(), sql, 8, 1, 0);
    assert!(said.first().is_some_and(|line| line.starts_with("16937")), "{said:?}");
    let said = opened(session.as_mut(), sql, 8, 0x2001, 0);
    assert_eq!(said.first().map(String::as_str), Some("16954: Executing SQL directly; no cursor."));
    assert!(said.contains(&"(1)".to_owned()) && said.contains(&"out 0 =0".to_owned()), "{said:?}");
}

#[test]
fn prepared_cursors_take_parameters() {
    let pair = pair();
    let mut session = login(pair.onprem());
    let session = session.as_mut();
    let (sql, declared) = ("SELECT @a + 1", "@a int");
    let prepare = vec![out(0), text(declared), text(sql), int(1), out(8), out(1)];
    let said = called(session, "sp_cursorprepare", prepare);
    assert_eq!(said, ["status 0", "out 0 =1073741825", "out 4 =8", "out 5 =1"]);
    let execute = vec![int(1_073_741_825), out(0), out(8), out(1), out(0), int(41)];
    let said = called(session, "sp_cursorexecute", execute);
    assert_eq!(said, ["(0)", "status 0", "out 1 =180150003", "out 2 =8", "out 3 =1", "out 4 =1"]);
    assert_eq!(fetched(session, 1, 0, 9), ["42|1", "(1)", "status 0"]);
    assert_eq!(called(session, "sp_cursorunprepare", vec![int(1_073_741_825)]), ["status 0"]);
    let both = vec![out(0), out(0), text(declared), text(sql), out(8), out(1), out(0), int(1)];
    let said = called(session, "sp_cursorprepexec", both);
    assert!(said.contains(&"out 1 =180150005".to_owned()), "{said:?}");
}
