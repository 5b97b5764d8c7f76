"""Starts the sandbox on free ports and ends it again."""

import contextlib
import dataclasses
import json
import select
import subprocess
import tempfile

from clients import cargo_binary

START_SECONDS = 60


@dataclasses.dataclass(frozen=True)
class Address:
    host: str
    port: int
    read_only_port: int


def port(address):
    """The port of `host:port`, or of a bare number."""
    return int(str(address).rpartition(":")[2])


@contextlib.contextmanager
def running(program=None, servers_only=False):
    """Yields the sandbox's routes by name and the file of its CA, and stops the sandbox afterwards."""
    program = program or cargo_binary("sandbox")
    command = [program, *(["servers"] if servers_only else []), "--json", "--onprem-port", "0", "--mi-port", "0"]
    if not servers_only:
        command += ["--proxy-port", "0", "--admin-port", "0"]
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log)
        try:
            ready, _, _ = select.select([process.stdout], [], [], START_SECONDS)
            line = process.stdout.readline() if ready else b""
            if not line:
                log.seek(0)
                raise SystemExit(f"the sandbox did not start:\n{log.read().decode(errors='replace')}")
            said = json.loads(line)
            # localhost, not an address, so that every client has a name to verify the certificate by.
            routes = {"direct": Address("localhost", port(said["onprem"]), port(said["mi"]))}
            if not servers_only:
                routes["proxied"] = Address("localhost", port(said["proxy"]), port(said["proxy"]))
            yield routes, said["ca"]
            if process.poll() is not None:
                log.seek(0)
                raise SystemExit(f"the sandbox ended by itself:\n{log.read().decode(errors='replace')}")
        finally:
            process.terminate()
            try:
                process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            process.stdout.close()
