"""Microsoft ODBC Driver 18 through pyodbc, and what every ODBC driver does the same there.

The runner registers the drivers and sets ODBCSYSINI.
"""

import os
import pathlib
import re
import threading
from contextlib import closing

import mssql_python_odbc
import pyodbc

# `Encrypt=no` still encrypts the login: this driver cannot do without.
MODES = {
    "login": "Encrypt=no",
    "trust": "Encrypt=yes;TrustServerCertificate=yes",
    "verify": "Encrypt=yes",
    "strict": "Encrypt=strict",
}
PARAMETER = re.compile(r"@p\d+")
NUMBER = re.compile(r"\(([1-9]\d*)\) \(SQL")

pyodbc.pooling = False


def version():
    file = pathlib.Path(mssql_python_odbc.__file__).parent
    library = next(file.glob("libs/linux/debian_ubuntu/*/lib/libmsodbcsql-*"))
    return f"msodbcsql {library.name.removeprefix('libmsodbcsql-').replace('.so', '')}, pyodbc {pyodbc.version}"


def error_number(raised):
    """The server's number stands before the ODBC function; the driver's own errors have 0 or -1 there."""
    found = NUMBER.search(str(raised)) if isinstance(raised, pyodbc.Error) else None
    return int(found[1]) if found else None


class OdbcSession:
    """One connection of pyodbc."""

    def __init__(self, parts):
        self.connection = pyodbc.connect(";".join(parts), autocommit=True, timeout=10)

    def run(self, sql, parameters):
        # `with` on the cursor itself would commit at its end.
        with closing(self.connection.cursor()) as cursor:
            cursor.execute(PARAMETER.sub("?", sql), *parameters)
            rows = cursor.rowcount
            sets = []
            while True:
                if cursor.description:
                    sets.append(([column[0] for column in cursor.description], [list(row) for row in cursor.fetchall()]))
                if not cursor.nextset():
                    return sets, rows

    def begin(self):
        self.connection.autocommit = False

    def commit(self):
        self.connection.commit()
        self.connection.autocommit = True

    def rollback(self):
        self.connection.rollback()
        self.connection.autocommit = True

    def cancel(self, sql, after):
        with closing(self.connection.cursor()) as cursor:
            timer = threading.Timer(after, cursor.cancel)
            timer.start()
            try:
                return stopped(cursor, sql, "HY008")
            finally:
                # The statement may be over before its cancel is, and a cancel of a closed statement ends the process.
                timer.cancel()
                timer.join()

    def timeout(self, sql, after):
        self.connection.timeout = int(after)
        with closing(self.connection.cursor()) as cursor:
            raised = stopped(cursor, sql, "HYT00")
        self.connection.timeout = 0
        return raised

    def close(self):
        self.connection.close()


class Session(OdbcSession):
    def __init__(self, job, mode, read_only):
        # The driver verifies against OpenSSL's default store, which this variable names. Set once: its threads read the environment.
        if os.environ.get("SSL_CERT_FILE") != job["ca_file"]:
            os.environ["SSL_CERT_FILE"] = job["ca_file"]
        parts = [
            "Driver={driver18}",
            f"Server=tcp:{job['host']},{job['port']}",
            f"Database={job['database']}",
            f"UID={job['user']}",
            "PWD={%s}" % job["password"],
            MODES[mode],
            "ApplicationIntent=ReadOnly" if read_only else "ApplicationIntent=ReadWrite",
            "ConnectRetryCount=0",
        ]
        super().__init__(parts)


def stopped(cursor, sql, state):
    """The error of this SQLSTATE, None if the statement ended by itself."""
    try:
        cursor.execute(sql)
    except pyodbc.Error as raised:
        if raised.args[0] == state:
            return raised
        raise
    return None
