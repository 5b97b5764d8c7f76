"""What every client must see: the checks, once, for all clients and languages.

A check is a connection and a list of steps. The runner expands CHECKS for each client and encryption mode, hands the steps to the
client program and compares what the program saw with `expect`. So a new check is one entry here and no line in any client.

Texts name their parameters @p1, @p2, ... in order, each once, because half of the clients bind by position.
Values travel as text in one notation (`values.*` in each client program): None is NULL, `double()` is the IEEE pattern.
"""

import struct

# The steps a client program understands; each returns one step as it is sent, with what must come back.


def query(sql, *params, expect):
    """All result sets of a statement."""
    return {"do": "query", "sql": sql, "params": list(params), "expect": expect}


def execute(sql, *params, expect):
    """The number of rows a statement touched."""
    return {"do": "execute", "sql": sql, "params": list(params), "expect": expect}


def begin():
    return {"do": "begin", "expect": {"done": True}}


def commit():
    return {"do": "commit", "expect": {"done": True}}


def rollback():
    return {"do": "rollback", "expect": {"done": True}}


def cancel(sql, after_ms=300, within_ms=5000):
    """The statement is cancelled by the program after `after_ms`; all is over after `within_ms`."""
    return interrupted("cancel", sql, after_ms, within_ms)


def timeout(sql, after_ms=1000, within_ms=6000):
    """The same by the client's own command timeout."""
    return interrupted("timeout", sql, after_ms, within_ms)


def interrupted(verb, sql, after_ms, within_ms):
    expect = {"interrupted": True, "in_time": True}
    return {"do": verb, "sql": sql, "params": [], "after_ms": after_ms, "within_ms": within_ms, "expect": expect}


# What comes back.


def table(columns, *rows):
    return {"columns": columns, "rows": [list(row) for row in rows]}


def sets(*tables):
    return {"sets": list(tables)}


def affected(rows):
    return {"affected": rows}


def error(number):
    return {"error": number}


def double(value):
    return "double:" + struct.pack(">d", value).hex()


ONE = query("SELECT 1 AS one", expect=sets(table(["one"], ["1"])))
NAME = "SELECT @@SERVERNAME AS name"
WAIT = "WAITFOR DELAY '00:00:30'"
INSERT = "INSERT INTO Orders (CustomerID, Total) VALUES (@p1, @p2)"
COUNT = "SELECT COUNT(*) AS orders FROM Orders WHERE CustomerID = @p1"
# Every run of a check works on a customer of its own, so that clients can run side by side. The runner fills it in.
CUSTOMER = ("int", "$customer")
EMPTY = query("DELETE FROM Orders WHERE CustomerID = @p1", CUSTOMER, expect={"sets": []})


def counted(orders):
    return query(COUNT, CUSTOMER, expect=sets(table(["orders"], [orders])))


def check(name, *steps, group, read_only=False, wrong_password=False, database=None, connect=None, needs=None, once=False):
    """`connect` is what the login must give if not a session; `needs` an ability a client may lack (`clients.py`).

    `once` is for what is too much work for every mode: the client's last, which encrypts most.
    """
    return {
        "name": name,
        "group": group,
        "database": database,
        "once": once,
        "steps": list(steps),
        "read_only": read_only,
        "wrong_password": wrong_password,
        "connect": connect or {"done": True},
        "needs": needs,
        "refused": False,
    }


# The only check of a client that no server of ours takes: it is told why, by each in its own words.
REFUSED = {**check("refused", group="login"), "refused": True}


def value(kind, *texts, title=None, needs=None):
    """A value of every kind goes out as a parameter and comes back as a column of that very type."""
    name = kind.split("(")[0]
    steps = [
        query(f"SELECT CAST(@p1 AS {kind}) AS value", (name, text), expect=sets(table(["value"], [text])))
        for text in (*texts, None)
    ]
    return check(title or f"value {kind}", *steps, group="values", needs=needs)


def both_ways(characters):
    """A text of this many characters, two bytes each on the wire, goes out and comes back."""
    text = ("0123456789abcdef" * (characters // 16 + 1))[:characters]
    found = sets(table(["value"], [text]))
    return [query("SELECT CAST(@p1 AS nvarchar(max)) AS value", ("nvarchar", text), expect=found)]


# What the boundaries of packets, of nvarchar(4000) and of 64 kB are.
SIZES = (1, 2000, 3999, 4000, 4001, 32767, 32768)
CAUGHT = sets(table(["b"], ["50001"]))
OTHERS = [
    ("CAST(255 AS tinyint)", "255"),
    ("CAST(-32768 AS smallint)", "-32768"),
    ("CAST('ab' AS varchar(10))", "ab"),
    ("CAST('ab' AS char(3))", "ab "),
    ("CAST(N'aé' AS nchar(3))", "aé "),
    ("CAST(0x01 AS binary(3))", "0x010000"),
    ("CAST('<a/>' AS xml)", "<a/>"),
]
KINDS = (
    "bit tinyint smallint int bigint real float decimal(38,10) smallmoney money char(3) varchar(10) varchar(max) nchar(3) nvarchar(10) "
    "nvarchar(max) binary(3) varbinary(10) varbinary(max) date time(7) smalldatetime datetime datetime2(7) "
    "uniqueidentifier xml"
).split()

CHECKS = [
    check("connect", query(NAME, expect=sets(table(["name"], ["onprem"]))), group="login"),
    check("login failure", wrong_password=True, connect=error(18456), group="login"),
    check(
        "orders",
        EMPTY,
        execute(INSERT, CUSTOMER, ("decimal", "12.50"), expect=affected(1)),
        execute(INSERT, CUSTOMER, ("decimal", "99.99"), expect=affected(1)),
        query(
            "SELECT CustomerID, Total FROM Orders WHERE CustomerID = @p1 AND Total > @p2 ORDER BY OrderID",
            CUSTOMER,
            ("decimal", "10.00"),
            expect=sets(table(["CustomerID", "Total"], ["$customer", "12.50"], ["$customer", "99.99"])),
        ),
        execute("UPDATE Orders SET Total = @p1 WHERE CustomerID = @p2", ("decimal", "1.00"), CUSTOMER, expect=affected(2)),
        group="statements",
    ),
    check(
        "commit",
        EMPTY,
        begin(),
        execute(INSERT, CUSTOMER, ("decimal", "1.25"), expect=affected(1)),
        commit(),
        counted("1"),
        group="transactions",
    ),
    check(
        "rollback",
        EMPTY,
        begin(),
        execute(INSERT, CUSTOMER, ("decimal", "1.25"), expect=affected(1)),
        counted("1"),
        rollback(),
        counted("0"),
        group="transactions",
    ),
    check("cancel", cancel(WAIT), ONE, needs="cancel", group="cancel, timeout"),
    check("timeout", timeout(WAIT), ONE, needs="timeout", group="cancel, timeout"),
    check(
        "read-only intent",
        query(NAME, expect=sets(table(["name"], ["mi"]))),
        execute(INSERT, CUSTOMER, ("decimal", "1.25"), expect=error(3906)),
        query(NAME, expect=sets(table(["name"], ["mi"]))),
        read_only=True,
        group="intent",
    ),
    check(
        "several results",
        query(
            "SELECT 1 AS a; SELECT 2 AS b, N'zwei' AS c; SELECT 3 AS d",
            expect=sets(table(["a"], ["1"]), table(["b", "c"], ["2", "zwei"]), table(["d"], ["3"])),
        ),
        needs="several",
        group="statements",
    ),
    check("error, then on", query("SELECT * FROM no_such_table", expect=error(208)), ONE, group="errors"),
    check("database missing", database="no_such_database", connect=error(4060), needs="database missing", group="login"),
    check(
        "rows, then an error",
        query("SELECT 1 AS a; SELECT 1 / 0 AS b", expect=error(8134)),
        ONE,
        query("RAISERROR('stop', 16, 1)", expect=error(50000)),
        ONE,
        query("THROW 50001, 'thrown', 1", expect=error(50001)),
        ONE,
        needs="several",
        group="errors",
    ),
    check(
        "messages beside results",
        query("PRINT 'printed'; SELECT 1 AS a", expect=sets(table(["a"], ["1"]))),
        query("RAISERROR('said', 5, 1); SELECT 2 AS b", expect=sets(table(["b"], ["2"]))),
        group="errors",
    ),
    check(
        "errors caught by the statement",
        query("BEGIN TRY THROW 50001, 'caught', 1 END TRY BEGIN CATCH SELECT ERROR_NUMBER() AS b END CATCH", expect=CAUGHT),
        group="errors",
    ),
    check(
        "savepoint",
        EMPTY,
        begin(),
        execute(INSERT, CUSTOMER, ("decimal", "1.25"), expect=affected(1)),
        query("SAVE TRANSACTION here", expect=sets()),
        execute(INSERT, CUSTOMER, ("decimal", "2.50"), expect=affected(1)),
        counted("2"),
        query("ROLLBACK TRANSACTION here", expect=sets()),
        counted("1"),
        commit(),
        counted("1"),
        group="transactions",
    ),
    check(
        "isolation levels",
        *(
            query(f"SET TRANSACTION ISOLATION LEVEL {level}; SELECT 1 AS one", expect=sets(table(["one"], ["1"])))
            for level in ("READ UNCOMMITTED", "REPEATABLE READ", "SERIALIZABLE", "READ COMMITTED")
        ),
        group="transactions",
    ),
    check(
        "implicit transactions",
        EMPTY,
        query("SET IMPLICIT_TRANSACTIONS ON", expect=sets()),
        execute(INSERT, CUSTOMER, ("decimal", "1.25"), expect=affected(1)),
        query("SELECT @@TRANCOUNT AS depth", expect=sets(table(["depth"], ["1"]))),
        query("IF @@TRANCOUNT > 0 ROLLBACK TRANSACTION", expect=sets()),
        query("SET IMPLICIT_TRANSACTIONS OFF", expect=sets()),
        counted("0"),
        needs="autocommit",
        group="transactions",
    ),
    check(
        "temporary table",
        query("CREATE TABLE #kept (number int, name nvarchar(20))", expect=sets()),
        query("INSERT INTO #kept VALUES (1, N'eins'), (2, NULL)", expect=sets()),
        query("SELECT number, name FROM #kept ORDER BY number", expect=sets(table(["number", "name"], ["1", "eins"], ["2", None]))),
        query("DROP TABLE #kept", expect=sets()),
        query("SELECT number FROM #kept", expect=error(208)),
        group="statements",
    ),
    check(
        "output parameter in a statement",
        query(
            "DECLARE @twice int; EXEC sp_executesql N'SET @o = @i * 2', N'@i int, @o int OUTPUT', @i = 21, @o = @twice OUTPUT; "
            "SELECT @twice AS twice",
            expect=sets(table(["twice"], ["42"])),
        ),
        group="statements",
    ),
    check("values of 1 B to 64 kB", *(step for characters in SIZES for step in both_ways(characters)), group="large values"),
    check("values of 1 MB and 16 MB", *both_ways(500_000), *both_ways(8 << 20), once=True, group="large values"),
    check(
        "results of other types",
        *(query(f"SELECT {cast} AS value", expect=sets(table(["value"], [text]))) for cast, text in OTHERS),
        group="values",
    ),
    check(
        "NULL datetimeoffset",
        query("SELECT CAST(NULL AS datetimeoffset(7)) AS value", expect=sets(table(["value"], [None]))),
        needs="datetimeoffset",
        group="values",
    ),
    check(
        "NULL of every type",
        *(query(f"SELECT CAST(NULL AS {kind}) AS value", expect=sets(table(["value"], [None]))) for kind in KINDS),
        group="values",
    ),
    value("bit", "true", "false"),
    value("int", "0", "42", "-2147483648", "2147483647"),
    value("bigint", "-9223372036854775808", "9223372036854775807"),
    value("decimal(18,4)", "0.0000", "-12.3450", "1234567.8901"),
    value("float", double(0.0), double(-1.5), double(0.1), double(1e300)),
    value("nvarchar(200)", "", "Zürich", "漢字 ☃ 🙂", " it's "),
    value("varbinary(100)", "0x", "0x00FF10"),
    value("date", "1753-01-01", "2026-11-23", "9999-12-31"),
    value("date", "0001-01-01", "1752-12-31", title="value date before 1753", needs="early dates"),
    value("datetime2(7)", "1900-01-01T00:00:00.0000000", "2026-11-23T05:06:07.1230000"),
    value("datetime", "1900-01-01T00:00:00.0000000", "2026-11-23T05:06:07.1230000"),
    value("uniqueidentifier", "6F9619FF-8B86-D011-B42D-00C04FC964FF"),
]


def filled(part, customer):
    """The same steps with `$customer` replaced."""
    if isinstance(part, (list, tuple)):
        return [filled(item, customer) for item in part]
    if isinstance(part, dict):
        return {key: filled(item, customer) for key, item in part.items()}
    return customer if part == "$customer" else part


def expand(number, client):
    """The checks of one client in all its modes, by id. Customers are numbered so that no two runs share one."""
    expanded = {}
    for mode in client.modes:
        for item in [REFUSED] if client.refused else CHECKS:
            if item["needs"] not in client.lacks and (not item["once"] or mode == client.modes[-1]):
                customer = str(1_000_000 * (number + 1) + len(expanded))
                expanded[f"{mode}/{item['name']}"] = {**filled(item, customer), "mode": mode}
    return expanded
