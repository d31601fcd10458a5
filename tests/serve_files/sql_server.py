"""Runs `serve-sql` as a reader would, and asks it over JDBC's protocol."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pyhive import hive  # type: ignore[import-untyped]

from tests.front_door.commands import ROOT, environment

PATIENCE_SECONDS = 20


@dataclass
class Server:
    """The running command, the addresses that it printed, and where its standard error goes."""

    process: subprocess.Popen[str]
    jdbc: str
    connect: str
    errors: Path

    @property
    def ports(self) -> list[int]:
        """Where it listens: for JDBC, for Spark Connect."""
        return [int(address.rpartition(":")[2]) for address in (self.jdbc, self.connect)]

    def ask(self, statement: str, database: str = "default") -> list[tuple[Any, ...]]:
        """Ask in a session of its own."""
        at = {"host": "127.0.0.1", "port": self.ports[0], "database": database}
        with hive.connect(**at, auth="NONE") as connection:
            cursor = connection.cursor()
            cursor.execute(statement)
            return list(cursor.fetchall())


def command(lake: Path, *words: str) -> list[str]:
    return [str(ROOT / "spark-submit.sh"), "serve-sql", *words, "--set", f"lake.root={lake}"]


def own_environment() -> dict[str, str]:
    return {**environment(), "CANDLELAKE_REQUIREMENTS": "dev"}


@contextmanager
def serving(lake: Path, folder: Path, *words: str) -> Iterator[Server]:
    """Start the command in a folder, in a process group of its own; at the end all of it ends."""
    errors = folder / "errors"
    with errors.open("w") as file:
        process = subprocess.Popen(
            command(lake, "--thrift-port", "0", "--connect-port", "0", *words),
            cwd=folder,
            env=own_environment(),
            stdout=subprocess.PIPE,
            stderr=file,
            text=True,
            start_new_session=True,
        )
    assert process.stdout is not None
    with process.stdout:
        try:
            jdbc, connect = (process.stdout.readline().strip() for _ in range(2))
            assert connect, errors.read_text()[-3000:]
            yield Server(process, jdbc, connect, errors)
        finally:
            if left_of(process):
                os.killpg(process.pid, signal.SIGTERM)
            process.wait(60)


def left_of(process: subprocess.Popen[str]) -> list[str]:
    """Return the command lines that still run in the group of a process."""
    process.poll()
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            group = (folder / "stat").read_text().rpartition(")")[2].split()[2]
            words = (folder / "cmdline").read_bytes()
        except OSError:
            continue
        if group == str(process.pid) and words:
            found.append(words.replace(b"\0", b" ").decode())
    return found


def wait_until_gone(process: subprocess.Popen[str]) -> None:
    """Wait until nothing of the group runs; fail with the command lines of what is left."""
    process.wait(PATIENCE_SECONDS)
    patient_until = time.monotonic() + PATIENCE_SECONDS
    while left := left_of(process):
        assert time.monotonic() < patient_until, left
        time.sleep(0.1)


def listening_on(port: int) -> set[str]:
    """Return the addresses that are listened on, by Linux's own tables."""
    found = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        for line in Path(table).read_text().splitlines()[1:]:
            local, state = line.split()[1], line.split()[3]
            address, _, local_port = local.partition(":")
            if state == "0A" and int(local_port, 16) == port:
                found.add(socket.inet_ntoa(bytes.fromhex(address[-8:])[::-1]))
    return found
