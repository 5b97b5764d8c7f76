"""The clients: their encryption modes, what they lack, how they get here and how they are started.

Adding one is an entry in CLIENTS and, if its language is new, an `install` function and a program that speaks the steps of
`checks.py`. Modes are named by what happens on the wire: `none` (no TLS), `login` (only the login is encrypted), `trust` (all of
it, certificate not verified), `verify` (verified against the sandbox's CA), `strict` (TDS 8.0, verified).
"""

import dataclasses
import hashlib
import json
import os
import pathlib
import shutil
import subprocess

HERE = pathlib.Path(__file__).resolve().parent.parent
CACHE = HERE / ".cache"
ROOT = HERE.parent.parent
APT = {"unixodbc": "libodbc.so.2", "libltdl7": "libltdl.so.7", "libgssapi-krb5-2": "libgssapi_krb5.so.2"}
FREETDS = pathlib.Path(f"/usr/lib/{os.uname().machine}-linux-gnu/odbc/libtdsodbc.so")


class Missing(Exception):
    """A client that cannot be had on this machine, and why."""


@dataclasses.dataclass(frozen=True)
class Client:
    name: str
    modes: tuple
    install: callable  # returns the command to start, without the job file, and what it wants in its environment
    lacks: dict = dataclasses.field(default_factory=dict)  # ability -> why; see `needs` in checks.py
    refused: str = None  # why no server of ours takes it: every login must fail, soon and with an answer


def call(*command, cwd=None, env=None):
    """Runs an installer quietly; its output is shown only if it fails."""
    if shutil.which(command[0]) is None:
        raise Missing(f"{command[0]} is not on this machine")
    done = subprocess.run(
        command, cwd=cwd, env={**os.environ, **(env or {})}, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=900
    )
    if done.returncode:
        raise Missing(f"`{' '.join(map(str, command))}` ended with {done.returncode}:\n{done.stdout}{done.stderr}".rstrip())
    return done.stdout


def fresh(name, sources, build):
    """Builds CACHE/name anew if one of its sources changed since it was built."""
    target = CACHE / name
    digest = hashlib.sha256()
    for source in sorted(sources):
        digest.update(source.name.encode() + b"\0" + source.read_bytes() + b"\0")
    stamp = target / ".stamp"
    if not stamp.exists() or stamp.read_text(encoding="utf-8") != digest.hexdigest():
        shutil.rmtree(target, ignore_errors=True)
        target.mkdir(parents=True)
        build(target)
        stamp.write_text(digest.hexdigest(), encoding="utf-8")
    return target


def python(environment=lambda venv: {}):
    def install():
        requirements = HERE / "python/requirements.txt"

        def build(target):
            call("python3", "-m", "venv", target)
            call(target / "bin/python", "-m", "pip", "install", "--quiet", "--no-input", "--requirement", requirements)

        venv = fresh("python", [requirements], build)
        return [venv / "bin/python", HERE / "python/main.py"], environment(venv)

    return install


def odbc(venv):
    """Registers Microsoft's driver and FreeTDS's in an ODBC configuration of our own."""
    loadable = call("/sbin/ldconfig", "-p")
    missing = [package for package, library in APT.items() if library not in loadable]
    missing += [] if FREETDS.exists() else ["tdsodbc"]
    if missing and os.geteuid() == 0:
        quiet = {"DEBIAN_FRONTEND": "noninteractive"}
        call("apt-get", "update", "--quiet", env=quiet)
        call("apt-get", "install", "--quiet", "--yes", "--no-install-recommends", *missing, env=quiet)
    elif missing:
        raise Missing(f"install {' '.join(missing)} first")
    wheel = f"lib/python*/site-packages/mssql_python_odbc/libs/linux/debian_ubuntu/{os.uname().machine}/lib/libmsodbcsql-18*"
    found = sorted(venv.glob(wheel))
    if not found:
        raise Missing(f"mssql-python-odbc has no driver for {os.uname().machine}")
    directory = CACHE / "odbc"
    directory.mkdir(exist_ok=True)
    drivers = f"[driver18]\nDriver = {found[0]}\n[freetds]\nDriver = {FREETDS}\n"
    (directory / "odbcinst.ini").write_text(drivers, encoding="utf-8")
    return {"ODBCSYSINI": str(directory), "ODBCINI": str(directory / "odbc.ini")}


def node():
    sources = [HERE / "node/package.json", HERE / "node/package-lock.json"]

    def build(target):
        for source in sources:
            shutil.copy(source, target)
        call("npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts", cwd=target)

    modules = fresh("node", sources, build) / "node_modules"
    return ["node", HERE / "node/main.js"], {"NODE_PATH": str(modules)}


def java(directory, *properties):
    """The programs and jars in a directory of their own; properties choose another version of a jar."""

    def install():
        def build(target):
            maven = ["mvn", "--batch-mode", "--quiet", *properties, "--file", HERE / "java/pom.xml"]
            call(*maven, "dependency:copy-dependencies", f"-DoutputDirectory={target / 'jars'}")
            sources = sorted(HERE.glob("java/*.java"))
            call("javac", "-Xlint:all", "-Werror", "-d", target / "classes", "-classpath", f"{target / 'jars'}/*", *sources)

        target = fresh(directory, [*HERE.glob("java/*.java"), HERE / "java/pom.xml"], build)
        return ["java", "-classpath", f"{target / 'classes'}:{target / 'jars'}/*", "Main"], {}

    return install


def go():
    def build(target):
        call("go", "build", "-mod=readonly", "-o", target / "driver", ".", cwd=HERE / "go")

    target = fresh("go", [*HERE.glob("go/*.go"), HERE / "go/go.mod", HERE / "go/go.sum"], build)
    return [target / "driver"], {}


def rust():
    return [cargo_binary("driver-tiberius")], {}


def cargo_binary(name):
    """Builds one of the workspace's programs and says where it is."""
    # With --workspace the features are those `cargo test --workspace` has, so what that built is not built again.
    call("cargo", "build", "--workspace", "--locked", "--quiet", "--bin", name, cwd=ROOT)
    metadata = call("cargo", "metadata", "--format-version=1", "--no-deps", "--locked", cwd=ROOT)
    return pathlib.Path(json.loads(metadata)["target_directory"], "debug", name)


ONE_RESULT = "its core hands out the first result of a statement; further ones are for the module below"
NO_OFFSET = "pyodbc: `ODBC SQL type -155 is not yet supported`"
LAST_ERROR = "it tells of 18456, which follows 4060 in the same answer, direct and proxied"
ITS_OWN = "it begins and ends every transaction itself"
NO_CANCEL = "it leaves both to the module below"
CLIENTS = [
    Client("ms-odbc-18", ("login", "trust", "verify", "strict"), python(odbc), lacks={"datetimeoffset": NO_OFFSET}),
    Client(
        "freetds-odbc",
        ("none", "login", "trust", "verify"),
        python(odbc),
        lacks={
            "early dates": "its 1.3.17 gives 0001-01-02 back as the day before, and sends 0001-01-01 as day 0xFFFFFF (TDSDUMP)",
            "datetimeoffset": NO_OFFSET,
        },
    ),
    Client(
        "mssql-python",
        ("login", "trust", "verify", "strict"),
        python(odbc),
        lacks={
            "cancel": "its cursors have no cancel",
            "early dates": "it refuses a date before 1753 itself: `Date out of range for SQL Server (1753-9999)`",
        },
    ),
    Client("mssql-jdbc", ("login", "trust", "verify", "strict"), java("java")),
    Client("mssql-jdbc-12", ("login", "trust", "verify", "strict"), java("java12", "-Dmssql-jdbc.version=12.10.2.jre11")),
    Client(
        "jtds",
        ("none", "trust"),
        java("java"),
        refused="it speaks TDS 7.1, and the proxy and the sandbox speak 7.2 to 8.0",
    ),
    Client(
        "go-mssqldb",
        ("none", "login", "trust", "verify", "strict"),
        go,
        lacks={"timeout": "it takes its own context.DeadlineExceeded for a net.Error and gives the connection up"},
    ),
    Client("tedious", ("none", "trust", "verify", "strict"), node),
    Client("node-mssql", ("none", "trust", "verify", "strict"), node),
    Client(
        "pymssql",
        ("none", "login", "trust", "verify", "strict"),
        python(),
        lacks={"timeout": "db-lib closes the connection when a statement takes too long", "database missing": LAST_ERROR},
    ),
    Client(
        "python-tds",
        ("none", "login", "verify"),
        python(),
        lacks={
            "cancel": "its cancel reads the answer in the calling thread, beside the thread that waits for it",
            "database missing": "it raises TimeoutError at the end of its login timeout, direct and proxied",
        },
    ),
    Client(
        "sqlalchemy-pyodbc",
        ("login", "trust", "verify", "strict"),
        python(odbc),
        lacks={"several": ONE_RESULT, "cancel": NO_CANCEL, "timeout": NO_CANCEL, "autocommit": ITS_OWN},
    ),
    Client(
        "sqlalchemy-pymssql",
        ("none", "login", "trust", "verify", "strict"),
        python(),
        lacks={"several": ONE_RESULT, "cancel": NO_CANCEL, "timeout": NO_CANCEL, "autocommit": ITS_OWN, "database missing": LAST_ERROR},
    ),
    Client(
        "tiberius",
        ("none", "login", "trust", "verify", "strict"),
        rust,
        lacks={"timeout": "by its documentation a command timeout leaves the connection out of step"},
    ),
]
