"""mssql-python, Microsoft's own module over its ODBC driver."""

import os

import mssql_python
from ms_odbc import MODES, PARAMETER

# Its exceptions carry the server's text but not its number, so the text tells which error this is.
NUMBERS = {
    "Login failed for user": 18456,
    "Cannot open database": 4060,
    "Invalid object name": 208,
    "Divide by zero": 8134,
    "[SQL Server]stop": 50000,
    "[SQL Server]thrown": 50001,
    "because the database is read-only": 3906,
}

mssql_python.pooling(enabled=False)


def version():
    return f"mssql-python {mssql_python.__version__}"


def error_number(raised):
    return next((number for text, number in NUMBERS.items() if text in str(raised)), None)


class Session:
    def __init__(self, job, mode, read_only):
        if os.environ.get("SSL_CERT_FILE") != job["ca_file"]:
            os.environ["SSL_CERT_FILE"] = job["ca_file"]
        parts = [
            f"Server=tcp:{job['host']},{job['port']}",
            f"Database={job['database']}",
            f"UID={job['user']}",
            "PWD={%s}" % job["password"],
            MODES[mode],
            "ApplicationIntent=ReadOnly" if read_only else "ApplicationIntent=ReadWrite",
            "ConnectRetryCount=0",
        ]
        self.connection = mssql_python.connect(";".join(parts), autocommit=True, timeout=10)

    def run(self, sql, parameters):
        cursor = self.connection.cursor()
        try:
            cursor.execute(PARAMETER.sub("?", sql), *parameters)
            rows = cursor.rowcount
            sets = []
            while True:
                if cursor.description:
                    sets.append(([column[0] for column in cursor.description], [list(row) for row in cursor.fetchall()]))
                if not cursor.nextset():
                    return sets, rows
        finally:
            cursor.close()

    def begin(self):
        self.connection.autocommit = False

    def commit(self):
        self.connection.commit()
        self.connection.autocommit = True

    def rollback(self):
        self.connection.rollback()
        self.connection.autocommit = True

    def timeout(self, sql, after):
        self.connection.timeout = int(after)
        cursor = self.connection.cursor()
        try:
            cursor.execute(sql)
        except mssql_python.OperationalError as raised:
            if "Timeout expired" in str(raised):
                return raised
            raise
        finally:
            cursor.close()
            self.connection.timeout = 0
        return None

    def close(self):
        self.connection.close()
