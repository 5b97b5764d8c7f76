"""python-tds, written in Python throughout; its TLS is pyOpenSSL. It has no mode that encrypts without verifying, and no strict."""

import decimal
import importlib.metadata
import re

import pytds

PARAMETER = re.compile(r"@p\d+")


def version():
    return f"python-tds {importlib.metadata.version('python-tds')}"


def error_number(raised):
    return getattr(raised, "msg_no", None) or None


def scaled(value, scale):
    """It drops a decimal's last zeros; the column knows how many there were."""
    return value.quantize(decimal.Decimal(1).scaleb(-scale)) if isinstance(value, decimal.Decimal) else value


class Session:
    def __init__(self, job, mode, read_only):
        self.arguments = {
            "dsn": job["host"],
            "port": job["port"],
            "user": job["user"],
            "password": job["password"],
            "database": job["database"],
            "cafile": None if mode == "none" else job["ca_file"],
            "enc_login_only": mode == "login",
            "readonly": read_only,
            "login_timeout": 10,
            "autocommit": True,
            "disable_connect_retry": True,
        }
        self.connection = pytds.connect(**self.arguments)

    def run(self, sql, parameters):
        with self.connection.cursor() as cursor:
            # Plain bytes it takes for text.
            bound = tuple(pytds.Binary(value) if isinstance(value, bytes) else value for value in parameters)
            cursor.execute(PARAMETER.sub("%s", sql), bound)
            rows = cursor.rowcount
            sets = []
            while True:
                if cursor.description:
                    scales = [column[5] for column in cursor.description]
                    cells = [[scaled(value, scale) for value, scale in zip(row, scales)] for row in cursor.fetchall()]
                    sets.append(([column[0] for column in cursor.description], cells))
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

    def timeout(self, sql, after):
        """The timeout belongs to a connection, so this session goes on with one that has it.

        There is no `cancel`: it reads the answer in the calling thread, while the one that waits reads it too.
        """
        self.connection.close()
        self.connection = pytds.connect(**self.arguments, timeout=after)
        with self.connection.cursor() as cursor:
            try:
                cursor.execute(sql)
            except pytds.TimeoutError as raised:
                cursor.cancel()
                return raised
        return None

    def close(self):
        self.connection.close()
