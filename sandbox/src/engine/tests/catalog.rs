//! Catalog views and functions, as drivers and ORMs ask for them.

use super::{check, check_scalars, login, pair, transcript};
use crate::engine::front::{Engine, LoginOptions};

const TABLE: &str = "CREATE TABLE T (Id int IDENTITY(5,2) CONSTRAINT PK_T PRIMARY KEY, a varchar(10) NOT NULL UNIQUE, b int DEFAULT 7, CONSTRAINT UQ_T UNIQUE (a, b)); CREATE INDEX ix ON T (b);";

#[track_caller]
fn check_table(sql: &str, expected: &[&str]) {
    check(&format!("{TABLE} {sql}"), expected);
}

#[test]
fn keys_and_indexes_are_listed() {
    check_table(
        "SELECT k.name, k.type, i.index_id, i.type_desc FROM sys.key_constraints k JOIN sys.indexes i ON i.object_id = k.parent_object_id AND i.index_id = k.unique_index_id WHERE k.parent_object_id = OBJECT_ID('T') AND k.is_system_named = 0 ORDER BY 1",
        &["PK_T|PK|1|CLUSTERED", "UQ_T|UQ|3|NONCLUSTERED", "(2)"],
    );
    check_table(
        "SELECT i.name, c.name, ic.key_ordinal FROM sys.indexes i JOIN sys.index_columns ic ON ic.object_id = i.object_id AND ic.index_id = i.index_id JOIN sys.columns c ON c.object_id = ic.object_id AND c.column_id = ic.column_id WHERE i.object_id = OBJECT_ID('dbo.T') AND i.name IN ('ix', 'UQ_T') ORDER BY 1, 3",
        &["ix|b|1", "UQ_T|a|1", "UQ_T|b|2", "(3)"],
    );
    check_table(
        "SELECT CONSTRAINT_NAME, COLUMN_NAME, ORDINAL_POSITION FROM INFORMATION_SCHEMA.KEY_COLUMN_USAGE WHERE CONSTRAINT_NAME = 'UQ_T' ORDER BY 3",
        &["UQ_T|a|1", "UQ_T|b|2", "(2)"],
    );
    check_table("SELECT COUNT(*) FROM sys.foreign_keys", &["0", "(1)"]);
    check(
        "CREATE TABLE H (a int); SELECT type_desc FROM sys.indexes WHERE object_id = OBJECT_ID('H')",
        &["HEAP", "(1)"],
    );
}

#[test]
fn defaults_and_identities_are_listed() {
    check_table(
        "SELECT d.definition FROM sys.columns c JOIN sys.default_constraints d ON d.object_id = c.default_object_id WHERE c.object_id = OBJECT_ID('T')",
        &["(7)", "(1)"],
    );
    check_table(
        "SELECT name, seed_value, increment_value, last_value FROM sys.identity_columns WHERE object_id = OBJECT_ID('T')",
        &["Id|5|2|NULL", "(1)"],
    );
}

#[test]
fn objects_are_found_by_names_in_variables() {
    check_table(
        "DECLARE @n nvarchar(99) = N'[dbo].[T]'; SELECT CASE WHEN OBJECT_ID(@n, 'U') = OBJECT_ID('T') THEN 1 END, OBJECTPROPERTY(OBJECT_ID(@n), 'IsTable'), COLUMNPROPERTY(OBJECT_ID(@n), 'Id', 'IsIdentity'), COL_LENGTH('T', 'a'), COL_LENGTH('T', 'none')",
        &["1|1|1|10|NULL", "(1)"],
    );
    check(
        "CREATE TABLE #x (a int); DECLARE @n nvarchar(99) = N'tempdb..[#x]'; SELECT CASE WHEN OBJECT_ID(@n) IS NULL THEN 0 ELSE 1 END; SET @n = N'none'; SELECT OBJECT_ID(@n)",
        &["1", "(1)", "NULL", "(1)"],
    );
    check_scalars(&[("OBJECTPROPERTY(-5, 'IsTable')", "NULL"), ("TYPE_NAME(56)", "int")]);
}

#[test]
fn a_union_is_ordered_by_columns_of_its_first_select() {
    check("SELECT o.OrderID FROM Orders o UNION SELECT 9 ORDER BY o.OrderID DESC", &["9", "3", "2", "1", "(4)"]);
    let said = "104: ORDER BY items must appear in the select list if the statement contains a UNION, INTERSECT or EXCEPT operator.";
    check("SELECT o.OrderID AS Total FROM Orders o UNION SELECT 9 ORDER BY o.Total", &[said]);
}

#[test]
fn sessions_see_each_other_until_they_are_gone() {
    let pair = pair();
    let mut session = login(pair.onprem());
    let sql = "SELECT session_id, login_name, program_name, host_name, status, transaction_isolation_level, open_transaction_count FROM sys.dm_exec_sessions ORDER BY 1";
    let options = LoginOptions {
        session_id: 60,
        application_name: "other".into(),
        host_name: "desk".into(),
        ..LoginOptions::default()
    };
    let mut other = pair.onprem().login("app", "App_User_1", Some("SalesDB"), options).expect("the login is known");
    transcript(other.as_mut(), "SET TRANSACTION ISOLATION LEVEL SERIALIZABLE; BEGIN TRANSACTION");
    let said = transcript(session.as_mut(), sql);
    assert_eq!(said, ["51|app|||running|2|0", "60|app|other|desk|sleeping|4|1", "(2)"]);
    let requests = transcript(session.as_mut(), "SELECT session_id FROM sys.dm_exec_requests");
    assert_eq!(requests, ["51", "(1)"]);
    drop(other);
    assert_eq!(transcript(session.as_mut(), sql), ["51|app|||running|2|0", "(1)"]);
}

#[test]
fn a_reset_keeps_the_isolation_level() {
    let pair = pair();
    let mut session = login(pair.onprem());
    transcript(session.as_mut(), "SET TRANSACTION ISOLATION LEVEL SNAPSHOT");
    session.reset(false);
    let sql = "SELECT transaction_isolation_level FROM sys.dm_exec_sessions WHERE session_id = @@SPID";
    assert_eq!(transcript(session.as_mut(), sql), ["5", "(1)"]);
}

#[test]
fn odbc_catalog_procedures_answer() {
    check_table("EXEC sp_tables @table_name = N'T'", &["SalesDB|dbo|T|TABLE|NULL", "(1)"]);
    check_table("EXEC sp_tables N'O%', @table_type = N'''VIEW'''", &["(0)"]);
    check_table("EXEC sp_pkeys N'T', N'dbo'", &["SalesDB|dbo|T|Id|1|PK_T", "(1)"]);
    check_table(
        "EXEC sys.sp_columns_100 N'T', N'dbo', NULL, N'a'",
        &["SalesDB|dbo|T|a|12|varchar|10|10|NULL|NULL|0|NULL|NULL|12|NULL|10|2|NO|NULL", "(1)"],
    );
    check_table(
        "EXEC sp_columns @table_name = N'T', @column_name = N'Id'",
        &["SalesDB|dbo|T|Id|4|int identity|10|4|0|10|0|NULL|NULL|4|NULL|NULL|1|NO|NULL", "(1)"],
    );
    check_table(
        "EXEC sp_statistics_100 N'T', @is_unique = 'Y', @index_name = N'PK%'",
        &["SalesDB|dbo|T|0|T|PK_T|1|1|Id|A|NULL|NULL|NULL", "(1)"],
    );
    check(
        "EXEC sp_databases",
        &["master|NULL|NULL", "model|NULL|NULL", "msdb|NULL|NULL", "SalesDB|NULL|NULL", "tempdb|NULL|NULL", "(5)"],
    );
}

#[test]
fn a_first_result_is_described_without_running() {
    check(
        "EXEC sp_describe_first_result_set N'SELECT OrderID, Total AS t FROM Orders WHERE Total > @n', N'@n int'",
        &["0|1|OrderID|0|56|int|4|10|0|NULL|1|0|38|4", "0|2|t|0|106|decimal(10,2)|9|10|2|NULL|0|0|106|9", "(2)"],
    );
    check("EXEC sp_describe_first_result_set N'PRINT 1'", &["(0)"]);
}
