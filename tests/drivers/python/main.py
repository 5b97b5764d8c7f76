"""Runs the checks of one JSON job with one Python client and prints what it saw as one JSON document.

The job file is the first argument: {client, host, port, read_only_port, ca_file, user, password, database, work_dir, checks}.
"""

import importlib
import json
import sys
import time

import values

CLIENTS = {
    "ms-odbc-18": "ms_odbc",
    "freetds-odbc": "freetds_odbc",
    "mssql-python": "mssql_python_client",
    "pymssql": "pymssql_client",
    "python-tds": "pytds_client",
    "sqlalchemy-pyodbc": "sqlalchemy_pyodbc",
    "sqlalchemy-pymssql": "sqlalchemy_pymssql",
}


def failed(client, raised):
    """The outcome of a step that raised: the server's error number if it has one."""
    number = client.error_number(raised)
    if number is None:
        return {"failure": f"{type(raised).__name__}: {raised}"}
    return {"error": number, "message": str(raised)}


def interrupted(session, step):
    """Runs a statement that the client must stop, and says whether it was stopped in time."""
    started = time.monotonic()
    raised = getattr(session, step["do"])(step["sql"], step["after_ms"] / 1000)
    elapsed_ms = (time.monotonic() - started) * 1000
    return {"interrupted": raised is not None, "in_time": step["after_ms"] - 50 <= elapsed_ms <= step["within_ms"]}


def perform(session, step):
    """One step; see `runner/checks.py` for the verbs."""
    verb = step["do"]
    if verb in ("begin", "commit", "rollback"):
        getattr(session, verb)()
        return {"done": True}
    if verb in ("cancel", "timeout"):
        return interrupted(session, step)
    sets, rows = session.run(step["sql"], [values.parameter(kind, text) for kind, text in step["params"]])
    if verb == "execute":
        return {"affected": rows}
    return {"sets": [{"columns": names, "rows": [[values.text(cell) for cell in row] for row in found]} for names, found in sets]}


def examine(client, job, check):
    """One check, on a connection of its own."""
    password = "not the password" if check["wrong_password"] else job["password"]
    port = job["read_only_port"] if check["read_only"] else job["port"]
    try:
        session = client.Session({**job, "port": port, "password": password, "database": check["database"] or job["database"]}, check["mode"], check["read_only"])
    except Exception as raised:  # whatever a client raises is its outcome
        return {"connect": failed(client, raised), "steps": []}
    steps = []
    try:
        for step in check["steps"]:
            try:
                steps.append(perform(session, step))
            except Exception as raised:  # likewise
                steps.append(failed(client, raised))
    finally:
        try:
            session.close()
        except Exception as raised:  # a connection that broke before may say so once more
            print(f"close: {raised}", file=sys.stderr)
    return {"connect": {"done": True}, "steps": steps}


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        job = json.load(file)
    client = importlib.import_module(CLIENTS[job["client"]])
    outcomes = {identity: examine(client, job, check) for identity, check in job["checks"].items()}
    print(json.dumps({"client": job["client"], "version": client.version(), "outcomes": outcomes}))


main()
