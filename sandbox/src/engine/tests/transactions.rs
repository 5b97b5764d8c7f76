//! Transactions: nesting, savepoints, XACT_ABORT, the writer lock, attention.

use std::sync::mpsc;
use std::time::{Duration, Instant};

use super::{Transcript, check, login, pair, transcript};
use tds::request::{Begin, IsolationLevel, TransactionRequest};

#[test]
fn the_outermost_begin_and_end_are_announced() {
    check(
        "BEGIN TRAN SELECT @@TRANCOUNT BEGIN TRAN SELECT @@TRANCOUNT COMMIT COMMIT SELECT @@TRANCOUNT",
        &["begin", "1", "(1)", "2", "(1)", "commit", "0", "(1)"],
    );
    check("BEGIN TRAN BEGIN TRAN ROLLBACK SELECT @@TRANCOUNT", &["begin", "rollback", "0", "(1)"]);
    check("COMMIT", &["3902: The COMMIT TRANSACTION request has no corresponding BEGIN TRANSACTION."]);
    check("ROLLBACK", &["3903: The ROLLBACK TRANSACTION request has no corresponding BEGIN TRANSACTION."]);
}

#[test]
fn rollback_undoes_rows_tables_and_temporary_tables() {
    check(
        "BEGIN TRAN DELETE Orders CREATE TABLE made (a int) CREATE TABLE #m (a int) ROLLBACK \
         SELECT COUNT(*), OBJECT_ID('made'), OBJECT_ID('tempdb..#m') FROM Orders",
        &["begin", "(3)", "rollback", "3|NULL|NULL", "(1)"],
    );
}

#[test]
fn savepoints_undo_what_came_after_them() {
    check(
        "BEGIN TRAN INSERT Orders VALUES (8, 1) SAVE TRAN s INSERT Orders VALUES (8, 2) ROLLBACK TRAN s INSERT Orders VALUES (8, 3) COMMIT \
         SELECT Total FROM Orders WHERE CustomerID = 8",
        &["begin", "(1)", "(1)", "(1)", "commit", "1.00", "3.00", "(2)"],
    );
    check(
        "BEGIN TRAN SAVE TRAN s DELETE Orders ROLLBACK TRAN s SELECT COUNT(*) FROM Orders COMMIT",
        &["begin", "(3)", "3", "(1)", "commit"],
    );
}

#[test]
fn xact_abort_rolls_back_and_ends_the_batch() {
    check(
        "SET XACT_ABORT ON BEGIN TRAN INSERT Orders VALUES (1, 1) SELECT 1 / 0 SELECT 2",
        &[
            "begin",
            "(1)",
            "8134: Divide by zero error encountered.",
            "3621: The statement has been terminated.",
            "rollback",
        ],
    );
    check(
        "SET XACT_ABORT ON BEGIN TRAN BEGIN TRY SELECT 1 / 0 END TRY BEGIN CATCH SELECT XACT_STATE() COMMIT END CATCH",
        &[
            "begin",
            "-1",
            "(1)",
            "3930: The current transaction cannot be committed and cannot support operations that write to the log file. Roll back the transaction.",
            "rollback",
        ],
    );
}

#[test]
fn implicit_transactions_begin_at_the_first_table() {
    check(
        "SET IMPLICIT_TRANSACTIONS ON SELECT 1 SELECT COUNT(*) FROM Orders IF @@TRANCOUNT > 0 COMMIT TRAN",
        &["1", "(1)", "begin", "3", "(1)", "commit"],
    );
}

#[test]
fn the_transaction_manager_begins_the_next_with_commit() {
    let pair = pair();
    let mut session = login(pair.onprem());
    let begin = Begin { isolation: IsolationLevel::ReadCommitted, name: String::new() };
    let mut said = Transcript::default();
    session.transaction(TransactionRequest::Begin(begin.clone()), &mut said).expect("not stopped");
    let first = session.descriptor();
    assert_ne!(first, 0);
    let commit = TransactionRequest::Commit { name: String::new(), then: Some(begin) };
    session.transaction(commit, &mut said).expect("not stopped");
    assert_ne!(session.descriptor(), first);
    let rollback = TransactionRequest::Rollback { name: String::new(), then: None };
    session.transaction(rollback, &mut said).expect("not stopped");
    assert_eq!(said.lines, ["begin", "commit", "begin", "rollback"]);
    assert_eq!(session.descriptor(), 0);
}

#[test]
fn a_second_writer_waits_and_times_out() {
    let pair = pair();
    let (mut first, mut second) = (login(pair.onprem()), login(pair.onprem()));
    transcript(first.as_mut(), "BEGIN TRAN UPDATE Orders SET Total = 1");
    let said =
        transcript(second.as_mut(), "SELECT COUNT(*) FROM Orders WHERE Total = 1; SET LOCK_TIMEOUT 20; DELETE Orders");
    assert_eq!(said, ["0", "(1)", "1222: Lock request time out period exceeded."]);
    transcript(first.as_mut(), "COMMIT");
    assert_eq!(transcript(second.as_mut(), "DELETE Orders"), ["(3)"]);
}

#[test]
fn an_attention_ends_a_wait_a_query_and_a_lock() {
    let pair = pair();
    let mut writer = login(pair.onprem());
    transcript(writer.as_mut(), "BEGIN TRAN DELETE Orders");
    let endless =
        "WITH n AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM n) SELECT COUNT_BIG(*) FROM n OPTION (MAXRECURSION 0)";
    for sql in ["WAITFOR DELAY '00:01:00'", "DELETE Orders", endless, "WHILE 1 = 1 SELECT 1"] {
        let mut session = login(pair.onprem());
        transcript(session.as_mut(), "BEGIN TRAN");
        let interrupt = session.interrupt();
        let (send, receive) = mpsc::channel();
        let thread = std::thread::spawn(move || {
            send.send(()).expect("the test listens");
            let stopped = session.batch(sql, &mut Transcript::default()).is_err();
            (stopped, session.descriptor() != 0)
        });
        receive.recv().expect("the thread runs");
        let began = Instant::now();
        // The thread may not have begun its batch yet, which an interrupt before it does not end.
        while !thread.is_finished() && began.elapsed() < Duration::from_secs(20) {
            interrupt.interrupt();
            std::thread::yield_now();
        }
        assert_eq!(thread.join().expect("no panic"), (true, true), "{sql}: stopped, and its transaction open");
        assert!(began.elapsed() < Duration::from_secs(10), "{sql} took {:?}", began.elapsed());
    }
}

/// Raises the session's own interrupt at the first OUTPUT row of a statement, as an attention would.
struct StopsAtFirstRow(std::sync::Arc<dyn crate::engine::front::Interrupt>, Transcript);

impl crate::engine::sink::Sink for StopsAtFirstRow {
    fn columns(&mut self, columns: &[crate::engine::sink::Column]) -> Result<(), crate::engine::sink::Stop> {
        self.1.columns(columns)
    }

    fn row(&mut self, _: &[tds::value::Value]) -> Result<(), crate::engine::sink::Stop> {
        self.0.interrupt();
        Err(crate::engine::sink::Stop)
    }

    fn message(&mut self, message: crate::engine::sink::Message) -> Result<(), crate::engine::sink::Stop> {
        self.1.message(message)
    }

    fn environment(&mut self, change: crate::engine::sink::Environment) -> Result<(), crate::engine::sink::Stop> {
        self.1.environment(change)
    }

    fn end(&mut self, end: crate::engine::sink::StatementEnd) -> Result<(), crate::engine::sink::Stop> {
        self.1.end(end)
    }

    fn return_value(&mut self, value: crate::engine::sink::ReturnValue) -> Result<(), crate::engine::sink::Stop> {
        self.1.return_value(value)
    }

    fn return_status(&mut self, status: i32) -> Result<(), crate::engine::sink::Stop> {
        self.1.return_status(status)
    }

    fn stopped(&self) -> bool {
        false
    }
}

#[test]
fn an_attention_leaves_earlier_work_of_the_transaction() {
    let pair = pair();
    let mut session = login(pair.onprem());
    let mut sink = StopsAtFirstRow(session.interrupt(), Transcript::default());
    let sql = "BEGIN TRAN INSERT Orders VALUES (42, 1) SELECT OrderID FROM Orders";
    assert!(session.batch(sql, &mut sink).is_err());
    assert_eq!(sink.1.lines, ["begin", "(1)"]);
    let said =
        transcript(session.as_mut(), "SELECT @@TRANCOUNT COMMIT SELECT CustomerID FROM Orders WHERE CustomerID = 42");
    assert_eq!(said, ["1", "(1)", "commit", "42", "(1)"]);
}

#[test]
fn an_interrupted_write_costs_the_transaction_nothing_it_had() {
    let pair = pair();
    for (before, kept) in [("", "0"), ("INSERT Orders VALUES (-1, 1) ", "1")] {
        let mut session = login(pair.onprem());
        transcript(session.as_mut(), &format!("BEGIN TRAN {before}"));
        let interrupt = session.interrupt();
        let writing = std::thread::spawn(move || {
            let sql = "INSERT Orders SELECT value, 1 FROM GENERATE_SERIES(1, 100000)";
            let stopped = session.batch(sql, &mut Transcript::default()).is_err();
            (session, stopped)
        });
        while !writing.is_finished() {
            interrupt.interrupt();
            std::thread::yield_now();
        }
        let (mut session, _) = writing.join().expect("no panic");
        let said = transcript(
            session.as_mut(),
            "SELECT @@TRANCOUNT, COUNT(*) FROM Orders WHERE CustomerID = -1 ROLLBACK SELECT COUNT(*) FROM Orders",
        );
        assert_eq!(said, [&format!("1|{kept}"), "(1)", "rollback", "3", "(1)"], "after {before:?}");
    }
}

#[test]
fn reset_forgets_the_session_but_not_its_database_rows() {
    let pair = pair();
    let mut session = login(pair.onprem());
    transcript(session.as_mut(), "BEGIN TRAN DELETE Orders CREATE TABLE #t (a int) SET NOCOUNT ON USE master");
    session.reset(false);
    assert_eq!(session.descriptor(), 0);
    let said = transcript(session.as_mut(), "SELECT COUNT(*), OBJECT_ID('tempdb..#t') FROM Orders");
    assert_eq!(said, ["3|NULL", "(1)"]);
}
