"""FreeTDS's ODBC driver through pyodbc. What a connection string does not offer (verification) comes from a freetds.conf."""

import os
import pathlib
import subprocess

import pyodbc
from ms_odbc import OdbcSession, error_number  # noqa: F401

# Debian's 1.3 came before FreeTDS learnt strict.
MODES = {"none": "off", "login": "request", "trust": "require", "verify": "require"}


def version():
    package = subprocess.run(["dpkg-query", "--show", "--showformat=${Version}", "tdsodbc"], capture_output=True, text=True)
    return f"FreeTDS {package.stdout or 'of unknown version'}, pyodbc {pyodbc.version}"


class Session(OdbcSession):
    def __init__(self, job, mode, read_only):
        settings = ["[global]", "tds version = 7.4", f"encryption = {MODES[mode]}", "client charset = UTF-8"]
        if mode == "verify":
            settings += [f"ca file = {job['ca_file']}", "check certificate hostname = yes"]
        file = pathlib.Path(job["work_dir"], "freetds.conf")
        file.write_text("\n".join(settings) + "\n", encoding="utf-8")
        os.environ["FREETDSCONF"] = str(file)
        super().__init__([
            "Driver={freetds}",
            f"Server={job['host']}",
            f"Port={job['port']}",
            f"Database={job['database']}",
            f"UID={job['user']}",
            f"PWD={job['password']}",
            f"Encryption={MODES[mode]}",
            "TDS_Version=7.4",
            "ApplicationIntent=ReadOnly" if read_only else "ApplicationIntent=ReadWrite",
        ])
