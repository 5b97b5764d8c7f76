//! The secondary follows the primary and refuses writes.

use std::time::Duration;

use super::{login, pair, transcript};
use crate::engine::Role;

const SOON: Duration = Duration::from_secs(20);

#[test]
fn commits_reach_the_secondary_and_rollbacks_do_not() {
    let pair = pair();
    let (mut primary, mut secondary) = (login(pair.onprem()), login(pair.mi()));
    let sql = "INSERT Orders VALUES (5, 5.5) UPDATE Orders SET Total = 1 WHERE OrderID = 1 DELETE Orders WHERE OrderID = 2 \
        CREATE TABLE Notes (id int PRIMARY KEY, note nvarchar(max)) INSERT Notes VALUES (1, N'ä') ALTER TABLE Notes ADD more int NULL";
    transcript(primary.as_mut(), sql);
    transcript(primary.as_mut(), "BEGIN TRAN DELETE Orders DROP TABLE Notes ROLLBACK");
    assert!(pair.wait_until_equal(SOON));
    let said = transcript(
        secondary.as_mut(),
        "SELECT OrderID, CustomerID, Total FROM Orders ORDER BY 1; SELECT * FROM Notes; SELECT @@SERVERNAME",
    );
    assert_eq!(said, ["1|1|1.00", "3|1|7.50", "4|5|5.50", "(3)", "1|ä|NULL", "(1)", "mi", "(1)"]);
}

#[test]
fn keys_may_be_swapped_within_a_transaction() {
    let pair = pair();
    let (mut primary, mut secondary) = (login(pair.onprem()), login(pair.mi()));
    transcript(primary.as_mut(), "CREATE TABLE k (id int PRIMARY KEY, v int) INSERT k VALUES (1, 1), (2, 2)");
    let swap = "BEGIN TRAN UPDATE k SET id = 3 WHERE id = 1 SAVE TRAN s UPDATE k SET id = 1 WHERE id = 2 UPDATE k SET id = 2 WHERE id = 3 COMMIT";
    transcript(primary.as_mut(), swap);
    assert!(pair.wait_until_equal(SOON));
    assert_eq!(transcript(secondary.as_mut(), "SELECT id, v FROM k ORDER BY id"), ["1|2", "2|1", "(2)"]);
}

#[test]
fn the_secondary_refuses_writes_but_takes_temporary_tables() {
    let pair = pair();
    let mut secondary = login(pair.mi());
    let refusal = "3906: Failed to update database \"SalesDB\" because the database is read-only.";
    for sql in [
        "INSERT Orders VALUES (1, 1)",
        "UPDATE Orders SET Total = 0",
        "DELETE Orders",
        "CREATE TABLE x (a int)",
        "TRUNCATE TABLE Orders",
        "DROP TABLE Orders",
    ] {
        assert_eq!(transcript(secondary.as_mut(), sql), [refusal], "{sql}");
    }
    let said = transcript(
        secondary.as_mut(),
        "CREATE TABLE #t (a int) INSERT #t SELECT OrderID FROM Orders SELECT COUNT(*), DATABASEPROPERTYEX('SalesDB', 'Updateability') FROM #t",
    );
    assert_eq!(said, ["(3)", "3|READ_ONLY", "(1)"]);
}

#[test]
fn a_frozen_secondary_stays_behind_until_it_is_let_go() {
    let pair = pair();
    let (mut primary, mut secondary) = (login(pair.onprem()), login(pair.mi()));
    pair.set_frozen(true);
    transcript(primary.as_mut(), "DELETE Orders");
    assert_eq!(transcript(secondary.as_mut(), "SELECT COUNT(*) FROM Orders"), ["3", "(1)"]);
    let position = pair.position();
    assert_eq!(position.committed, position.redone + 1);
    pair.set_frozen(false);
    assert!(pair.wait_until_equal(SOON));
    assert_eq!(transcript(secondary.as_mut(), "SELECT COUNT(*) FROM Orders"), ["0", "(1)"]);
}

#[test]
fn the_role_is_the_databases_and_can_change() {
    let pair = pair();
    let mut secondary = login(pair.mi());
    pair.mi().set_role("SalesDB", Role::Primary);
    assert_eq!(
        transcript(secondary.as_mut(), "INSERT Orders VALUES (6, 6) SELECT MAX(OrderID) FROM Orders"),
        ["(1)", "4", "(1)"]
    );
}
