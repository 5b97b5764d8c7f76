"""SQLAlchemy's core over one of the other clients, whose sessions make the connections: modes and certificates are theirs."""

import re

import sqlalchemy
from sqlalchemy import pool

PARAMETER = re.compile(r"@(p\d+)")


class Session:
    def __init__(self, client, job, mode, read_only):
        name, self.below = client
        # The module's connections commit by themselves; SQLAlchemy wants to say when.
        self.engine = sqlalchemy.create_engine(
            f"mssql+{name}://", creator=lambda: self.open(job, mode, read_only), poolclass=pool.NullPool
        )
        self.transaction = None
        try:
            self.connection = self.engine.connect()
        except sqlalchemy.exc.DBAPIError as raised:
            raise raised.orig from raised

    def open(self, job, mode, read_only):
        connection = self.below.Session(job, mode, read_only).connection
        if callable(connection.autocommit):
            connection.autocommit(False)
        else:
            connection.autocommit = False
        return connection

    def run(self, sql, parameters):
        bound = {f"p{index + 1}": value for index, value in enumerate(parameters)}
        try:
            found = self.connection.execute(sqlalchemy.text(PARAMETER.sub(r":\1", sql)), bound)
            rows = found.rowcount
            sets = [(list(found.keys()), [list(row) for row in found])] if found.returns_rows else []
        except sqlalchemy.exc.DBAPIError as raised:
            if self.transaction is None:
                self.connection.rollback()
            raise raised.orig from raised
        if self.transaction is None:
            self.connection.commit()
        return sets, rows

    def begin(self):
        self.transaction = self.connection.begin()

    def commit(self):
        self.transaction.commit()
        self.transaction = None

    def rollback(self):
        self.transaction.rollback()
        self.transaction = None

    def close(self):
        self.connection.close()
        self.engine.dispose()
