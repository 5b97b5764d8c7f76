"""pymssql, which is FreeTDS's db-lib. What its keywords do not offer (verification, strict) comes from a freetds.conf."""

import os
import pathlib
import re
import select

import pymssql
from pymssql import _mssql

MODES = {"none": "off", "login": "request", "trust": "require", "verify": "require", "strict": "strict"}
PARAMETER = re.compile(r"@p\d+")


class Cancelled(Exception):
    """Raised in the wait callback, which is how a program takes the control back from a running statement."""


def version():
    return f"pymssql {pymssql.__version__}, {_mssql.get_dbversion()}"


def error_number(raised):
    """The server's number; db-lib's own are from 20000 on, and a login failure is wrapped once more."""
    first = raised.args[0] if isinstance(raised, pymssql.Error) and raised.args else None
    if isinstance(first, tuple):
        first = first[0]
    return first if isinstance(first, int) and (0 < first < 20000 or first >= 50000) else None


class Session:
    def __init__(self, job, mode, read_only):
        settings = ["[global]", "tds version = 7.4", f"encryption = {MODES[mode]}"]
        if mode in ("verify", "strict"):
            settings += [f"ca file = {job['ca_file']}", "check certificate hostname = yes"]
        file = pathlib.Path(job["work_dir"], "freetds.conf")
        file.write_text("\n".join(settings) + "\n", encoding="utf-8")
        os.environ["FREETDSCONF"] = str(file)
        self.connection = pymssql.connect(
            server=job["host"],
            port=str(job["port"]),
            user=job["user"],
            password=job["password"],
            database=job["database"],
            read_only=read_only,
            login_timeout=10,
            autocommit=True,
            use_datetime2=True,
        )

    def run(self, sql, parameters):
        with self.connection.cursor() as cursor:
            cursor.execute(PARAMETER.sub("%s", sql), tuple(parameters) or None)
            rows = cursor.rowcount
            sets = []
            while True:
                if cursor.description:
                    sets.append(([column[0] for column in cursor.description], cursor.fetchall()))
                if not cursor.nextset():
                    return sets, rows

    def begin(self):
        self.connection.autocommit(False)

    def commit(self):
        self.connection.commit()
        self.connection.autocommit(True)

    def rollback(self):
        self.connection.rollback()
        self.connection.autocommit(True)

    def cancel(self, sql, after):
        def wait(descriptor):
            if not select.select([descriptor], [], [], after)[0]:
                raise Cancelled

        _mssql.set_wait_callback(wait)
        try:
            self.connection._conn.execute_non_query(sql)
        except Cancelled as raised:
            _mssql.set_wait_callback(None)
            self.connection._conn.cancel()
            return raised
        finally:
            _mssql.set_wait_callback(None)
        return None

    def close(self):
        self.connection.close()
