"""The project's own S3 server, started by its script, as the tests handle it."""

from __future__ import annotations

import os
import signal
import subprocess
import uuid
from dataclasses import dataclass
from pathlib import Path

import pytest

from lake.s3 import open_client

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "deploy" / "services" / "versitygw.sh"
ACCESS_KEY = "candlelake-tests"
SECRET = "kept-from-every-message"


@dataclass(frozen=True)
class S3Server:
    """A running server: its address, its folder, and the environment that opens it."""

    endpoint: str
    folder: Path

    @property
    def environment(self) -> dict[str, str]:
        return {
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_ACCESS_KEY_ID": ACCESS_KEY,
            "AWS_SECRET_ACCESS_KEY": SECRET,
            "AWS_REGION": "us-east-1",
            # no profile or instance of whoever runs the tests
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    def stop(self) -> None:
        service("stop", str(self.folder))

    def start_again(self) -> None:
        service("start", str(self.folder), self.endpoint.rpartition(":")[2])

    def freeze(self) -> None:
        os.kill(self.process, signal.SIGSTOP)

    def thaw(self) -> None:
        os.kill(self.process, signal.SIGCONT)

    @property
    def process(self) -> int:
        return int((self.folder / "pid").read_text(encoding="ascii"))


def service(*words: str) -> subprocess.CompletedProcess[str]:
    """Run the service's script with the tests' credentials."""
    return subprocess.run(
        [str(SCRIPT), *words],
        env={**os.environ, "AWS_ACCESS_KEY_ID": ACCESS_KEY, "AWS_SECRET_ACCESS_KEY": SECRET},
        capture_output=True,
        text=True,
        check=False,
        timeout=900,
    )


def require(done: subprocess.CompletedProcess[str]) -> str:
    """Return what a script printed; where it failed the test is skipped, in CI an error."""
    if done.returncode == 0:
        return done.stdout.strip()
    reason = done.stderr.strip().splitlines()[-1] if done.stderr.strip() else "it said nothing"
    if os.environ.get("CI") == "true":
        pytest.fail(f"S3 can't be tried here: {reason}")
    pytest.skip(f"S3 can't be tried here: {reason}")


def new_bucket() -> str:
    """Create a bucket where the environment points to."""
    name = f"lake-{uuid.uuid4().hex[:12]}"
    open_client().create_bucket(Bucket=name)
    return name
