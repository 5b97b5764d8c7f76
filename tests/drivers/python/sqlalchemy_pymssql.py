"""SQLAlchemy over pymssql."""

import pymssql_client
import sqlalchemy
import sqlalchemy_client
from pymssql_client import error_number  # noqa: F401


def version():
    return f"SQLAlchemy {sqlalchemy.__version__}, {pymssql_client.version()}"


class Session(sqlalchemy_client.Session):
    def __init__(self, job, mode, read_only):
        super().__init__(("pymssql", pymssql_client), job, mode, read_only)
