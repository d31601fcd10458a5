"""A real S3 server for the tests of this room, with a bucket of its own for each."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from lake.objects import ObjectStore, open_store
from tests.s3.real_server import S3Server, new_bucket, require, service


@pytest.fixture(scope="session")
def installed() -> None:
    """The server's program is in .tools."""
    require(service("install"))


@pytest.fixture
def fresh_server(installed: None, tmp_path: Path) -> Iterator[S3Server]:
    """A server that the test may stop and freeze."""
    server = S3Server(require(service("start", str(tmp_path / "s3"))), tmp_path / "s3")
    yield server
    if (server.folder / "pid").exists():
        server.thaw()
    server.stop()


@pytest.fixture(scope="session")
def shared_server(installed: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    """One server for all tests that leave it running."""
    folder = tmp_path_factory.mktemp("s3")
    server = S3Server(require(service("start", str(folder))), folder)
    yield server
    server.stop()


@pytest.fixture
def enter(monkeypatch: pytest.MonkeyPatch) -> Callable[[S3Server], None]:
    """Return what points this process at a server."""

    def enter(server: S3Server) -> None:
        for name in ("AWS_ENDPOINT_URL_S3", "AWS_SESSION_TOKEN", "AWS_PROFILE"):
            monkeypatch.delenv(name, raising=False)
        for name, value in server.environment.items():
            monkeypatch.setenv(name, value)

    return enter


@pytest.fixture
def server(shared_server: S3Server, enter: Callable[[S3Server], None]) -> S3Server:
    """The shared server, with this process pointed at it."""
    enter(shared_server)
    return shared_server


@pytest.fixture
def bucket(server: S3Server) -> str:
    """A new bucket of the shared server."""
    return new_bucket()


@pytest.fixture
def store(bucket: str) -> ObjectStore:
    """A store below a prefix of a new bucket."""
    return open_store(f"s3a://{bucket}/lake/one")
