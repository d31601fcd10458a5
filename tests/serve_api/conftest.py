"""What the API's tests stand on: databases that hold a known market, and the API over real HTTP."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, NamedTuple
from uuid import uuid4

import httpx
import pytest
import uvicorn
import uvloop

from lake.setting_sections import Serve
from lake.settings import load_settings
from serve.api.application import Api, build
from serve.api.server import Entrance, configured, listening
from serve.database.address import Address, in_memory
from serve.database.repository import repository_at
from tests.serve_api.filled import fill
from tests.serve_api.listed import ListedRepository
from tests.serve_api.market import INTERVALS, filled_repository
from tests.serve_database.databases import new_database, start_postgres, stop_postgres


def serve_settings(**changes: Any) -> Serve:
    """Return the settings of conf/ with some changed."""
    values = load_settings("replay", (), environ={}).serve.model_dump()
    return Serve.model_validate({**values, **changes})


class Running(NamedTuple):
    """An API that answers, and what it stands on."""

    url: str
    client: httpx.Client
    api: Api
    repository: ListedRepository
    loop: asyncio.AbstractEventLoop

    def get(self, path: str, **parameters: Any) -> httpx.Response:
        return self.client.get(path, params=parameters or None)

    def json(self, path: str, **parameters: Any) -> Any:
        answer = self.get(path, **parameters)
        assert answer.status_code == 200, answer.text
        return answer.json()


Start = Callable[..., Running]


@contextmanager
def running(repository: Any, static: Path | None = None, **changes: Any) -> Iterator[Running]:
    """Run the API on a free port in a thread, on a real socket, as `candlelake serve` does."""
    settings = serve_settings(port=0, **changes)
    taken = listening("127.0.0.1", 0)
    url = f"http://127.0.0.1:{taken.getsockname()[1]}"
    extra = {} if static is None else {"static": static}
    api = build(repository, settings, INTERVALS, **extra)
    config = configured(lambda: Entrance(api))
    server = uvicorn.Server(config)
    loops: list[asyncio.AbstractEventLoop] = []

    async def run() -> None:
        loops.append(asyncio.get_running_loop())
        await server.serve(sockets=[taken])

    def serve() -> None:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(run())

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    with httpx.Client(base_url=url, timeout=20) as client:
        client.get("/api/v1/health")
        yield Running(url, client, api, repository, loops[0])
    loops[0].call_soon_threadsafe(api.watcher.stopping.set)
    server.should_exit = True
    thread.join(20)
    taken.close()
    assert not thread.is_alive()


@pytest.fixture(scope="session")
def memory() -> Iterator[Address]:
    """The market in SQLite's memory: it is gone with its last connection, so one is kept."""
    address = in_memory(uuid4().hex)
    kept = sqlite3.connect(address.file, uri=True)
    fill(address, filled_repository())
    yield address
    kept.close()


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Address]:
    """The market in a real PostgreSQL, started by the project's own script."""
    folder = tmp_path_factory.mktemp("postgres")
    server = start_postgres(folder)
    try:
        address = new_database(server)
        fill(address, filled_repository())
        yield address
    finally:
        stop_postgres(folder)


@pytest.fixture
def repository() -> ListedRepository:
    """The market on lists, for tests that change it while it is served."""
    return filled_repository()


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run what only reads on every kind of database; what changes the market, on lists.

    A module with `KINDS` runs on these.
    """
    if "kind" in metafunc.fixturenames:
        every = getattr(metafunc.module, "KINDS", ("lists", "memory", "postgresql"))
        kinds = ("lists",) if "repository" in metafunc.fixturenames else every
        metafunc.parametrize("kind", kinds, scope="session")


@pytest.fixture(scope="module")
def reading(kind: str, request: pytest.FixtureRequest) -> Iterator[Running | None]:
    """An API that a whole module reads from, on a database of this kind."""
    if kind == "lists":
        yield None
        return
    address = request.getfixturevalue("postgres" if kind == "postgresql" else "memory")
    with running(repository_at(address, 4)) as started:
        yield started


@pytest.fixture
def api(kind: str, reading: Running | None, request: pytest.FixtureRequest) -> Iterator[Running]:
    """An API on the known market."""
    if reading is not None:
        yield reading
        return
    with running(request.getfixturevalue("repository")) as started:
        yield started


@pytest.fixture
def start() -> Iterator[Start]:
    """Start APIs with other settings: each ends with the test."""
    with ExitStack() as stack:

        def begin(repository: ListedRepository, **changes: Any) -> Running:
            return stack.enter_context(running(repository, **changes))

        yield begin
