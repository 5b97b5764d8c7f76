//! Queries and procedural statements.

use super::{check, check_scalars};

#[test]
fn scalars_are_what_sql_server_gives() {
    check_scalars(&[
        ("1", "1"),
        ("1 + 2 * 3", "7"),
        ("7 / 2", "3"),
        ("7 % 3", "1"),
        ("-7 / 2", "-3"),
        ("1.0 / 3", "0.333333"),
        ("7.0 / 2", "3.500000"),
        ("1.10 + 2.205", "3.305"),
        ("10.50 * 2.00", "21.0000"),
        ("'a' + 'b'", "ab"),
        ("'a' + NULL", "NULL"),
        ("CASE WHEN 1 = 1 THEN 'x' ELSE 'yy' END", "x"),
        ("CASE 2 WHEN 1 THEN 'a' WHEN 2 THEN 'b' END", "b"),
        ("IIF(1 > 2, 'a', 'b')", "b"),
        ("ISNULL(NULL, 5)", "5"),
        ("COALESCE(NULL, NULL, 'z')", "z"),
        ("NULLIF(3, 3)", "NULL"),
        ("LEN('ab  ')", "2"),
        ("DATALENGTH(N'ab')", "4"),
        ("SUBSTRING('hello', 2, 3)", "ell"),
        ("SUBSTRING('hello', 0, 3)", "he"),
        ("LEFT('hello', 2) + RIGHT('hello', 2)", "helo"),
        ("UPPER('abc')", "ABC"),
        ("LTRIM(RTRIM('  x  '))", "x"),
        ("REPLACE('aXbx', 'x', '-')", "a-b-"),
        ("REPLICATE('ab', 3)", "ababab"),
        ("CHARINDEX('L', 'hello')", "3"),
        ("CONCAT('a', NULL, 1, 2.5)", "a12.5"),
        ("STUFF('abcdef', 2, 3, 'X')", "aXef"),
        ("ABS(-5)", "5"),
        ("ROUND(2.567, 2)", "2.570"),
        ("CEILING(1.2)", "2"),
        ("FLOOR(-1.2)", "-2"),
        ("POWER(2, 10)", "1024"),
    ]);
}

#[test]
fn conversions_and_server_functions_are_what_sql_server_gives() {
    check_scalars(&[
        ("CAST('12' AS int)", "12"),
        ("CAST(12.7 AS int)", "12"),
        ("CAST(12.345 AS decimal(10,2))", "12.35"),
        ("TRY_CAST('x' AS int)", "NULL"),
        ("CONVERT(varchar(10), 5)", "5"),
        ("CAST('2024-02-29' AS date)", "Date(738944)"),
        ("CONVERT(varchar(30), CAST('2024-02-29T13:14:15.123' AS datetime), 121)", "2024-02-29 13:14:15.123"),
        ("CONVERT(varchar(30), CAST('2024-02-29T13:14:15.123' AS datetime))", "Feb 29 2024  1:14PM"),
        ("CONVERT(varchar(30), DATEADD(month, 1, CAST('2024-01-31' AS date)), 23)", "2024-02-29"),
        ("DATEDIFF(day, '2024-01-01', '2024-03-01')", "60"),
        ("DATEPART(weekday, CAST('2024-02-29' AS date))", "5"),
        ("YEAR('2024-02-29')", "2024"),
        ("CAST(0x0102 AS int)", "258"),
        ("CAST('abc' AS varbinary(10))", "616263"),
        (
            "CAST('6F9619FF-8B86-D011-B42D-00C04FC964FF' AS uniqueidentifier)",
            "Guid([255, 25, 150, 111, 134, 139, 17, 208, 180, 45, 0, 192, 79, 201, 100, 255])",
        ),
        ("CAST(1e0 / 3 AS varchar(20))", "0.333333"),
        ("CAST(1234567.0e0 AS varchar(30))", "1.23457e+006"),
        ("CAST($12.3456 AS varchar(20))", "12.35"),
        ("@@SERVERNAME", "onprem"),
        ("@@TRANCOUNT", "0"),
        ("DB_NAME()", "SalesDB"),
        ("SUSER_SNAME()", "app"),
        ("DATABASEPROPERTYEX('SalesDB', 'Updateability')", "READ_WRITE"),
        ("SERVERPROPERTY('EngineEdition')", "3"),
        ("CASE WHEN 'ABC ' = 'abc' THEN 1 ELSE 0 END", "1"),
        ("CASE WHEN 'abc' LIKE 'A[a-c]_%' THEN 1 ELSE 0 END", "1"),
        ("CASE WHEN NULL = NULL THEN 1 ELSE 0 END", "0"),
        ("5 & 3 | 8", "9"),
        ("5 ^ 3", "6"),
        ("~5", "-6"),
        ("2147483647 + 0", "2147483647"),
        ("CAST(9223372036854775807 AS bigint)", "9223372036854775807"),
        ("(SELECT MAX(OrderID) FROM Orders)", "3"),
        ("STR(3.14159, 6, 2)", "  3.14"),
    ]);
}

#[test]
fn orders_are_selected_filtered_and_sorted() {
    check("SELECT * FROM Orders ORDER BY OrderID", &["1|1|19.99", "2|2|250.00", "3|1|7.50", "(3)"]);
    check("SELECT TOP (1) OrderID FROM dbo.Orders WHERE CustomerID = 1 ORDER BY Total DESC", &["1", "(1)"]);
    check("SELECT OrderID FROM Orders ORDER BY OrderID OFFSET 1 ROWS FETCH NEXT 1 ROWS ONLY", &["2", "(1)"]);
    check("SELECT DISTINCT CustomerID FROM SalesDB.dbo.Orders o ORDER BY 1", &["1", "2", "(2)"]);
    check("SELECT OrderID FROM Orders WHERE Total BETWEEN 7 AND 20 AND OrderID IN (1, 2, 3)", &["1", "3", "(2)"]);
    check(
        "SELECT o.OrderID FROM Orders o WHERE EXISTS (SELECT 1 FROM Orders x WHERE x.CustomerID = o.CustomerID AND x.OrderID <> o.OrderID)",
        &["1", "3", "(2)"],
    );
}

#[test]
fn rows_are_grouped_and_summed() {
    check(
        "SELECT CustomerID, COUNT(*) AS n, SUM(Total) s, AVG(Total) FROM Orders GROUP BY CustomerID HAVING COUNT(*) > 0 ORDER BY n DESC",
        &["1|2|27.49|13.745000", "2|1|250.00|250.000000", "(2)"],
    );
    check("SELECT COUNT(*), MIN(Total), MAX(Total) FROM Orders WHERE OrderID > 99", &["0|NULL|NULL", "(1)"]);
    check(
        "SELECT STRING_AGG(CAST(OrderID AS varchar(10)), ',') WITHIN GROUP (ORDER BY OrderID DESC) FROM Orders",
        &["3,2,1", "(1)"],
    );
}

#[test]
fn tables_are_joined_and_combined() {
    check(
        "SELECT a.OrderID, b.OrderID FROM Orders a LEFT JOIN Orders b ON b.OrderID = a.OrderID + 1 ORDER BY a.OrderID",
        &["1|2", "2|3", "3|NULL", "(3)"],
    );
    check("SELECT 1 AS a UNION ALL SELECT 2.5 UNION SELECT 1 ORDER BY a", &["1.0", "2.5", "(2)"]);
    check("WITH w AS (SELECT CustomerID c FROM Orders) SELECT COUNT(DISTINCT c) FROM w", &["2", "(1)"]);
    check("SELECT x.a, x.b FROM (VALUES (1, 'p'), (2, 'q')) AS x(a, b)", &["1|p", "2|q", "(2)"]);
    check("SELECT SUM(value) FROM GENERATE_SERIES(1, 1000)", &["500500", "(1)"]);
    check(
        "WITH n AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM n WHERE i < 200) SELECT MAX(i) FROM n OPTION (MAXRECURSION 300)",
        &["200", "(1)"],
    );
    check(
        "SELECT OrderID, ROW_NUMBER() OVER (PARTITION BY CustomerID ORDER BY Total) FROM Orders ORDER BY 1",
        &["1|2", "2|1", "3|1", "(3)"],
    );
}

#[test]
fn rows_are_inserted_updated_and_deleted() {
    check(
        "INSERT INTO Orders (CustomerID, Total) VALUES (9, 1.5), (9, 2.555); SELECT SCOPE_IDENTITY(), @@ROWCOUNT; \
         UPDATE Orders SET Total += 1 WHERE CustomerID = 9; SELECT Total FROM Orders WHERE CustomerID = 9; \
         DELETE FROM Orders WHERE CustomerID = 9; SELECT COUNT(*) FROM Orders",
        &["(2)", "5|2", "(1)", "(2)", "2.50", "3.56", "(2)", "(2)", "3", "(1)"],
    );
    check(
        "INSERT INTO Orders (CustomerID, Total) OUTPUT INSERTED.OrderID, inserted.Total VALUES (4, 4); DELETE Orders OUTPUT deleted.CustomerID WHERE OrderID = 4",
        &["4|4.00", "(1)", "4", "(1)"],
    );
    check(
        "UPDATE o SET Total = o.Total + x.CustomerID FROM Orders o JOIN Orders x ON x.OrderID = o.OrderID WHERE o.OrderID = 2; SELECT Total FROM Orders WHERE OrderID = 2",
        &["(1)", "252.00", "(1)"],
    );
    check(
        "INSERT INTO Orders SELECT CustomerID + 10, Total FROM Orders; SELECT COUNT(*) FROM Orders",
        &["(3)", "6", "(1)"],
    );
    check(
        "DELETE TOP (1) FROM Orders; TRUNCATE TABLE Orders; INSERT Orders VALUES (1, 1); SELECT OrderID FROM Orders",
        &["(1)", "(1)", "1", "(1)"],
    );
}

#[test]
fn temporary_tables_and_table_variables_hold_rows() {
    check(
        "CREATE TABLE #t (id int IDENTITY PRIMARY KEY, name nvarchar(20) DEFAULT N'new', at bit NULL) \
         INSERT #t (at) VALUES (1) INSERT INTO #t DEFAULT VALUES SELECT * FROM #t DROP TABLE #t",
        &["(1)", "(1)", "1|new|1", "2|new|NULL", "(2)"],
    );
    check(
        "SELECT OrderID, Total INTO #c FROM Orders WHERE CustomerID = 1; SELECT COUNT(*) FROM #c",
        &["(2)", "2", "(1)"],
    );
    check("DECLARE @t TABLE (a int); INSERT @t VALUES (1), (2); SELECT SUM(a) FROM @t", &["(2)", "3", "(1)"]);
    check(
        "DECLARE @ids TABLE (id int); INSERT Orders (CustomerID, Total) OUTPUT inserted.OrderID INTO @ids VALUES (5, 5); SELECT id FROM @ids",
        &["(1)", "4", "(1)"],
    );
}

#[test]
fn statements_flow_without_semicolons() {
    check(
        "DECLARE @i int = 0, @s varchar(10) WHILE @i < 3 BEGIN SET @i += 1 IF @i = 2 CONTINUE PRINT @i END SELECT @s = 'done' PRINT @s",
        &["0: 1", "0: 3", "(1)", "0: done"],
    );
    check("IF EXISTS (SELECT 1 FROM Orders WHERE OrderID = 1) PRINT 'yes' ELSE PRINT 'no'", &["0: yes"]);
    check("SET NOCOUNT ON SELECT 1 SELECT 2", &["1", "2"]);
    check("EXEC('SELECT 1 AS a'); EXEC sp_executesql N'SELECT @x + 1', N'@x int', @x = 4", &["1", "(1)", "5", "(1)"]);
    check(
        "USE master; SELECT DB_NAME()",
        &["database master", "5701: Changed database context to 'master'.", "master", "(1)"],
    );
    check("SET FMTONLY ON SELECT * FROM Orders SET FMTONLY OFF", &["(0)"]);
}

#[test]
fn procedures_take_parameters_and_return() {
    let sql = "EXEC('CREATE PROCEDURE p @a int, @b int = 5 OUTPUT AS SET @b = @a + @b; SELECT @b AS r; RETURN 7') \
        DECLARE @out int = 1, @st int EXEC @st = p @a = 2, @b = @out OUTPUT SELECT @out, @st EXEC p 3 DROP PROCEDURE p";
    check(sql, &["3", "(1)", "3|7", "(1)", "8", "(1)"]);
}

#[test]
fn catalog_views_answer() {
    check("SELECT TYPE_NAME(56), OBJECT_NAME(OBJECT_ID('Orders')), TYPE_NAME(1)", &["int|Orders|NULL", "(1)"]);
    check("SELECT name FROM sys.tables", &["Orders", "(1)"]);
    check(
        "SELECT c.name, t.name, c.is_identity FROM sys.columns c JOIN sys.types t ON t.user_type_id = c.user_type_id WHERE c.object_id = OBJECT_ID('dbo.Orders') ORDER BY c.column_id",
        &["OrderID|int|1", "CustomerID|int|0", "Total|decimal|0", "(3)"],
    );
    check(
        "SELECT COLUMN_NAME, DATA_TYPE FROM INFORMATION_SCHEMA.COLUMNS WHERE TABLE_NAME = 'orders' AND ORDINAL_POSITION = 3",
        &["Total|decimal", "(1)"],
    );
}
