"""Where a soak's lake lies: a folder, or a real S3 server that is made slow, frozen and cut off."""

from __future__ import annotations

import os
import secrets
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

import boto3

from bench.soak.plan import Trouble
from bench.soak.throttle import Throttle

DEPLOY = Path(__file__).resolve().parents[2] / "deploy"
SCRIPT = DEPLOY / "services" / "versitygw.sh"
#: What a pipeline on S3 wants beside the jars that the tests' setup has fetched.
JARS = f"source {DEPLOY / 'front-door.sh'}; fetch_jars jars-s3"
BUCKET = "soak"
#: How long a signal may take to stop the server.
STOPS_SECONDS = 10.0
Kind = Literal["s3", "folder"]


class Storage(Protocol):
    """A lake's storage; its files can be read past everything that makes it slow."""

    @property
    def root(self) -> str:
        """What `lake.root` is set to."""

    @property
    def environment(self) -> Mapping[str, str]:
        """What a process needs to open the lake."""

    @property
    def files(self) -> Path:
        """Where the objects lie as files."""

    def begin(self, trouble: Trouble) -> bool:
        """Be slow, frozen or away from now on; False where it can't be."""

    def end(self) -> None:
        """Be well again."""


@dataclass(frozen=True, slots=True)
class Folder:
    """A lake in a folder: nothing makes it slow."""

    files: Path

    @property
    def root(self) -> str:
        """What `lake.root` is set to."""
        return str(self.files)

    @property
    def environment(self) -> Mapping[str, str]:
        """What a process needs to open the lake."""
        return {}

    def begin(self, trouble: Trouble) -> bool:
        """Do nothing: False."""
        del trouble
        return False

    def end(self) -> None:
        """Do nothing."""


@dataclass(frozen=True, slots=True)
class Server:
    """A real S3 server behind a proxy, started by the project's own script.

    Attributes:
        folder: holds its objects, its log and its process id.
        throttle: the proxy that every client goes through.
        keys: the environment with its credentials.
    """

    folder: Path
    throttle: Throttle
    keys: Mapping[str, str]

    @property
    def root(self) -> str:
        """What `lake.root` is set to."""
        return f"s3a://{BUCKET}/lake"

    @property
    def environment(self) -> Mapping[str, str]:
        """What a process needs to open the lake."""
        return {**self.keys, "AWS_ENDPOINT_URL": self.throttle.endpoint}

    @property
    def files(self) -> Path:
        """Where the objects lie as files."""
        return self.folder / "data" / BUCKET / "lake"

    def begin(self, trouble: Trouble) -> bool:
        """Be slow, frozen or away from now on."""
        if trouble.kind == "slow":
            self.throttle.slow(trouble.latency_seconds, trouble.bytes_per_second)
        elif trouble.kind == "away":
            self.throttle.cut()
        else:
            self._signal(signal.SIGSTOP)
            self._await_stop()
        return True

    def end(self) -> None:
        """Be well again."""
        self.throttle.restore()
        self._signal(signal.SIGCONT)

    def _signal(self, number: signal.Signals) -> None:
        os.kill(self._pid, number)

    def _await_stop(self) -> None:
        """Wait until the kernel has stopped it: on a busy machine it answers for a while."""
        state = Path(f"/proc/{self._pid}/stat")
        until = time.monotonic() + STOPS_SECONDS
        while time.monotonic() < until:
            # the name before the state may hold anything, blanks and brackets too
            if state.read_text(encoding="utf-8").rpartition(")")[2].split()[0] == "T":
                return
            time.sleep(0.01)

    @property
    def _pid(self) -> int:
        return int((self.folder / "pid").read_text(encoding="ascii"))


def fetch_jars(kind: Kind) -> None:
    """Fetch what a pipeline needs for a lake in this storage, where it is not there yet."""
    if kind == "s3":
        subprocess.run(["bash", "-c", JARS], check=True, timeout=900)


@contextmanager
def opened(kind: Kind, folder: Path) -> Iterator[Storage]:
    """Run the storage of a soak below a folder; it is gone at the end, whatever happens."""
    if kind == "folder":
        yield Folder(folder / "lake")
        return
    place, keys = folder / "s3", _keys()
    address = _obeyed("start", place, keys)
    server: Server | None = None
    try:
        _create_bucket(address, keys)
        with Throttle(address) as throttle:
            server = Server(place, throttle, keys)
            yield server
    finally:
        if server is not None:
            # a frozen server does not hear that it is to stop
            server.end()
        _obeyed("stop", place, keys)


def _keys() -> Mapping[str, str]:
    return {
        "AWS_ACCESS_KEY_ID": "candlelake-soak",
        "AWS_SECRET_ACCESS_KEY": secrets.token_hex(16),
        "AWS_REGION": "us-east-1",
        # no profile or instance of whoever runs the soak
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
    }


def _obeyed(command: str, folder: Path, keys: Mapping[str, str]) -> str:
    done = subprocess.run(
        [str(SCRIPT), command, str(folder)],
        env={**os.environ, **keys},
        capture_output=True,
        text=True,
        check=False,
        timeout=900,
    )
    if done.returncode:
        said = done.stderr.strip().splitlines() or ["it said nothing"]
        raise RuntimeError(f"the S3 server did not {command}: {said[-1]}")
    return done.stdout.strip()


def _create_bucket(address: str, keys: Mapping[str, str]) -> None:
    session = boto3.Session(
        keys["AWS_ACCESS_KEY_ID"], keys["AWS_SECRET_ACCESS_KEY"], region_name=keys["AWS_REGION"]
    )
    session.client("s3", endpoint_url=address).create_bucket(Bucket=BUCKET)
