"""The script that installs, starts and stops the S3 server says in one line what it lacks."""

from __future__ import annotations

import os
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from tests.s3.real_server import SCRIPT, SECRET, S3Server, service

pytestmark = pytest.mark.s3


def test_a_second_install_is_instant(installed: None) -> None:
    began = time.monotonic()

    assert service("install").returncode == 0
    assert time.monotonic() - began < 5


def test_the_server_runs_until_it_is_stopped(fresh_server: S3Server) -> None:
    with urllib.request.urlopen(f"{fresh_server.endpoint}/healthz", timeout=5) as answer:
        assert answer.status == 200
    process = fresh_server.process

    fresh_server.stop()

    with pytest.raises(urllib.error.URLError):
        urllib.request.urlopen(f"{fresh_server.endpoint}/healthz", timeout=5)
    assert not Path(f"/proc/{process}").exists()
    assert service("stop", str(fresh_server.folder)).returncode == 0


def test_a_folder_has_one_server(fresh_server: S3Server) -> None:
    done = service("start", str(fresh_server.folder))

    assert done.returncode == 2
    assert done.stderr == (
        f"candlelake: the server of {fresh_server.folder} runs already; stop it first.\n"
    )


def test_a_taken_port_is_told(fresh_server: S3Server, tmp_path: Path) -> None:
    done = service("start", str(tmp_path / "other"), fresh_server.endpoint.rpartition(":")[2])

    assert done.returncode == 2
    assert done.stderr == (
        f"another server answers at {fresh_server.endpoint}/healthz\n"
        f"candlelake: the S3 server of {tmp_path}/other did not start;"
        f" its log is {tmp_path}/other/log.\n"
    )
    assert not (tmp_path / "other" / "endpoint").exists()


def test_the_secret_is_on_no_command_line_and_in_no_log(fresh_server: S3Server) -> None:
    words = Path(f"/proc/{fresh_server.process}/cmdline").read_bytes()

    assert SECRET.encode() not in words
    assert SECRET not in (fresh_server.folder / "log").read_text(encoding="utf-8")


def test_without_credentials_nothing_starts(installed: None, tmp_path: Path) -> None:
    bare = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    done = subprocess.run(
        [str(SCRIPT), "start", str(tmp_path)], env=bare, capture_output=True, text=True, check=False
    )

    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        "candlelake: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY:"
        " they become the server's root user.\n"
    )


def test_a_missing_compiler_is_one_clear_line() -> None:
    command = f"source {SCRIPT.parent}/service.sh; go_install absent example.org/absent v1.0.0"
    done = subprocess.run(
        ["bash", "-c", command],
        env={"PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )

    if Path("/usr/bin/go").exists():
        pytest.skip("Go is among the system's own programs here")
    assert done.returncode == 2
    assert done.stderr == (
        "candlelake: Go is needed to install absent v1.0.0 and was not found."
        " Install it from https://go.dev/dl, or put it on PATH.\n"
    )
