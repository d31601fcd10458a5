"""A lake in S3 is listed and exported like one in a folder, from a real server of that kind."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from lake.objects import open_store
from tests.front_door.commands import ROOT, command
from tests.s3.real_server import S3Server, new_bucket, require, service
from tests.serve_files.small_lake import small_lake

pytestmark = pytest.mark.s3


def test_files_from_s3_are_those_from_a_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    small_lake(tmp_path / "lake")
    require(service("install"))
    server = S3Server(require(service("start", str(tmp_path / "s3"))), tmp_path / "s3")
    try:
        for name, value in server.environment.items():
            monkeypatch.setenv(name, value)
        root = f"s3a://{new_bucket()}/some/lake"
        uploaded(tmp_path / "lake", root)

        by_s3 = exported(root, tmp_path / "by-s3")
        by_folder = exported(str(tmp_path / "lake"), tmp_path / "by-folder")
    finally:
        server.stop()

    assert len(by_folder) == 2
    assert by_s3 == by_folder


def uploaded(lake: Path, root: str) -> None:
    store = open_store(root)
    for path in lake.rglob("*"):
        if path.is_file():
            assert store.create_file(path.relative_to(lake).as_posix(), path)


def exported(root: str, out: Path) -> dict[str, bytes]:
    done = subprocess.run(
        command("export", "--out", str(out), "--set", f"lake.root={root}"),
        cwd=ROOT,
        env=os.environ,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return {path.name: path.read_bytes() for path in out.iterdir()}
