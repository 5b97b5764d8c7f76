"""SQLAlchemy over pyodbc and Microsoft's ODBC driver."""

import ms_odbc
import sqlalchemy
import sqlalchemy_client
from ms_odbc import error_number  # noqa: F401


def version():
    return f"SQLAlchemy {sqlalchemy.__version__}, {ms_odbc.version()}"


class Session(sqlalchemy_client.Session):
    def __init__(self, job, mode, read_only):
        super().__init__(("pyodbc", ms_odbc), job, mode, read_only)
