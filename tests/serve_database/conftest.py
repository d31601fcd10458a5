"""Databases of both kinds, empty, one a test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from serve.database.address import Address, in_memory
from tests.jobs.conftest import empty_tables, open_lake  # noqa: F401 - fixtures
from tests.serve_database.databases import new_database, start_postgres, stop_postgres


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Address]:
    """A real PostgreSQL, started by the project's own script."""
    folder = tmp_path_factory.mktemp("postgres")
    address = start_postgres(folder)
    try:
        yield address
    finally:
        stop_postgres(folder)


@pytest.fixture(params=["file", "postgresql"])
def address(request: pytest.FixtureRequest, tmp_path: Path) -> Address:
    """An empty database that other processes see too: a file, and one of PostgreSQL."""
    if request.param == "postgresql":
        return new_database(request.getfixturevalue("postgres"))
    return Address(str(tmp_path / "serve.sqlite"), 10)


@pytest.fixture(params=["memory", "file", "postgresql"])
def any_address(request: pytest.FixtureRequest, tmp_path: Path) -> Address:
    """An empty database of each kind."""
    if request.param == "memory":
        return in_memory(uuid4().hex)
    if request.param == "postgresql":
        return new_database(request.getfixturevalue("postgres"))
    return Address(str(tmp_path / "serve.sqlite"), 10)
