//! Errors: numbers, texts, and what they end.

use super::{check, login, pair};
use crate::engine::front::{Engine, LoginOptions};

#[test]
fn a_wrong_password_or_database_is_refused() {
    let pair = pair();
    let wrong = pair.onprem().login("app", "no", None, LoginOptions::default()).err().expect("refused");
    assert_eq!((wrong.number, wrong.text.as_str()), (18456, "Login failed for user 'app'."));
    let missing =
        pair.onprem().login("APP", "App_User_1", Some("Nope"), LoginOptions::default()).err().expect("refused");
    assert_eq!(missing.number, 4060);
}

#[test]
fn mistakes_have_sql_servers_numbers() {
    check("SELEC 1", &["2812: Could not find stored procedure 'SELEC'."]);
    check("SELECT 1 +", &["102: Incorrect syntax near '+'."]);
    check("SELECT FROM Orders", &["156: Incorrect syntax near the keyword 'FROM'."]);
    check("SELECT 'abc", &["105: Unclosed quotation mark after the character string 'abc'."]);
    check("SELECT * FROM Nope", &["208: Invalid object name 'Nope'."]);
    check("SELECT Nope FROM Orders", &["207: Invalid column name 'Nope'."]);
    check("SELECT x.Nope FROM Orders o", &["4104: The multi-part identifier \"x.Nope\" could not be bound."]);
    check("SELECT @x", &["137: Must declare the scalar variable \"@x\"."]);
    check("USE Nope", &["911: Database 'Nope' does not exist. Make sure that the name is entered correctly."]);
    check("EXEC nope", &["2812: Could not find stored procedure 'nope'."]);
    check(
        "SELECT CustomerID, Total FROM Orders GROUP BY CustomerID",
        &[
            "8120: Column 'Total' is invalid in the select list because it is not contained in either an aggregate function or the GROUP BY clause.",
        ],
    );
    check("SET ANSI_NULLS OFF", &["40517: The sandbox does not support SET ANSI_NULLS OFF."]);
    check(
        "DECLARE @n int = -1 SELECT TOP (@n) * FROM Orders",
        &["1060: The number of rows provided for a TOP or FETCH clauses row count parameter must be an integer."],
    );
    check("DECLARE @n int = 1 SELECT TOP (@n) OrderID FROM Orders", &["1", "(1)"]);
    check("MERGE Orders AS t", &["40517: The sandbox does not support MERGE."]);
}

#[test]
fn a_statement_error_ends_only_the_statement() {
    check(
        "SELECT 1 / 0; SELECT 2",
        &["8134: Divide by zero error encountered.", "3621: The statement has been terminated.", "2", "(1)"],
    );
    check(
        "SET IDENTITY_INSERT Orders ON; INSERT Orders (OrderID, CustomerID, Total) VALUES (1, 1, 1); SELECT 2",
        &[
            "2627: Violation of PRIMARY KEY constraint 'PK_Orders'. Cannot insert duplicate key in object 'dbo.Orders'.",
            "3621: The statement has been terminated.",
            "2",
            "(1)",
        ],
    );
    check(
        "INSERT Orders (CustomerID, Total) VALUES (NULL, 1)",
        &[
            "515: Cannot insert the value NULL into column 'CustomerID', table 'SalesDB.dbo.Orders'; column does not allow nulls. INSERT fails.",
            "3621: The statement has been terminated.",
        ],
    );
    check(
        "CREATE TABLE #c (a int CONSTRAINT positive CHECK (a > 0)); INSERT #c VALUES (0)",
        &[
            "547: The statement conflicted with the CHECK constraint \"positive\".",
            "3621: The statement has been terminated.",
        ],
    );
    check(
        "CREATE TABLE #c (a varchar(3)); INSERT #c VALUES ('abcd')",
        &[
            "2628: String or binary data would be truncated in table '#c', column 'a'. Truncated value: 'abc'.",
            "3621: The statement has been terminated.",
        ],
    );
    check(
        "SELECT 2147483647 + 1",
        &[
            "8115: Arithmetic overflow error converting expression to data type int.",
            "3621: The statement has been terminated.",
        ],
    );
}

#[test]
fn a_conversion_error_ends_the_batch() {
    check(
        "SELECT CAST('x' AS int); SELECT 2",
        &["245: Conversion failed when converting the varchar value 'x' to data type int."],
    );
}

#[test]
fn catch_blocks_see_the_error() {
    check(
        "BEGIN TRY SELECT 1 / 0 END TRY BEGIN CATCH SELECT ERROR_NUMBER(), ERROR_MESSAGE(), ERROR_SEVERITY() END CATCH SELECT ERROR_NUMBER()",
        &["8134|Divide by zero error encountered.|16", "(1)", "NULL", "(1)"],
    );
    check("BEGIN TRY THROW 50001, 'mine', 3 END TRY BEGIN CATCH THROW END CATCH SELECT 1", &["50001: mine"]);
    check(
        "BEGIN TRY RAISERROR('no %s, %d', 16, 1, 'way', 5) END TRY BEGIN CATCH PRINT ERROR_MESSAGE() END CATCH",
        &["0: no way, 5"],
    );
    check(
        "RAISERROR('hello', 0, 1) WITH NOWAIT; RAISERROR('bad', 16, 2); SELECT @@ERROR",
        &["50000: hello", "50000: bad", "50000", "(1)"],
    );
}

#[test]
fn a_session_goes_on_after_an_error() {
    let pair = pair();
    let mut session = login(pair.onprem());
    super::transcript(session.as_mut(), "SELECT * FROM Nope");
    assert_eq!(super::transcript(session.as_mut(), "SELECT @@ERROR"), ["208", "(1)"]);
}
