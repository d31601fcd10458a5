"""A lake in a folder, settings that point at a replay exchange, a clock that moves by sleep."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from extract.client import Client
from extract.host import Hosts
from extract.replay.exchange import ReplayExchange
from lake.objects import FolderStore
from lake.settings import Settings, load_settings
from tests.extract.asking import Extraction
from tests.extract.small_server import SmallServer

NOON = datetime(2025, 9, 3, 12, tzinfo=UTC)


class SleepingClock:
    """A clock that moves only by sleeping, and remembers how long."""

    def __init__(self, start: datetime = NOON) -> None:
        self.sleeps: list[float] = []
        self._now = start

    def now(self) -> datetime:
        return self._now

    def sleep(self, seconds: float) -> None:
        self.sleeps.append(seconds)
        self._now += timedelta(seconds=seconds)


MakeSettings = Callable[..., Settings]


@pytest.fixture(scope="session")
def exchange() -> Iterator[ReplayExchange]:
    """One replay exchange for all tests that order no fault and count no request."""
    with ReplayExchange() as running:
        yield running


@pytest.fixture
def own_exchange() -> Iterator[ReplayExchange]:
    """A fresh replay exchange, for faults and counts."""
    with ReplayExchange() as running:
        yield running


@pytest.fixture
def clock() -> SleepingClock:
    return SleepingClock()


@pytest.fixture
def store(tmp_path: Path) -> FolderStore:
    return FolderStore(tmp_path / "lake")


@pytest.fixture
def hosts() -> Iterator[Hosts]:
    """Hosts of this test alone, so that a ban stays in it."""
    made = Hosts()
    yield made
    made.close()


#: No key, and the exchange's own limits: the replay environment has them otherwise.
AS_AT_THE_EXCHANGE = [
    "exchanges.binance.usdm.api_key=",
    "exchanges.binance.coinm.api_key=",
    "exchanges.binance.spot.weight_limit_per_minute=6000",
    "exchanges.binance.usdm.weight_limit_per_minute=2400",
    "exchanges.binance.coinm.weight_limit_per_minute=2400",
]


@pytest.fixture
def settings_of() -> MakeSettings:
    """Settings that point at an exchange, with overrides as of --set."""

    def make(exchange: ReplayExchange | None = None, *overrides: str) -> Settings:
        urls = exchange.urls.settings() if exchange else {}
        sets = [f"{name}={url}" for name, url in urls.items()]
        return load_settings("replay", [*AS_AT_THE_EXCHANGE, *sets, *overrides], environ={})

    return make


@pytest.fixture
def client_of(hosts: Hosts, clock: SleepingClock) -> Callable[[Settings], Client]:
    def make(settings: Settings) -> Client:
        return Client(settings, clock=clock, hosts=hosts)

    return make


Open = Callable[..., Extraction]


@pytest.fixture
def opened(
    store: FolderStore, settings_of: MakeSettings, clock: SleepingClock, hosts: Hosts
) -> Open:
    """What opens a lake whose archive is a small server, or whose exchange is the replay's."""

    def open_(
        server: SmallServer | ReplayExchange, *overrides: str, kind: str = "spot"
    ) -> Extraction:
        if isinstance(server, SmallServer):
            overrides += (f"exchanges.binance.archive_url={server.url}",)
            settings = settings_of(None, *overrides)
        else:
            settings = settings_of(server, *overrides)
        client = Client(settings, clock=clock, hosts=hosts)
        return Extraction(settings, store, client, kind=kind)

    return open_
