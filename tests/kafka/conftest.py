"""One broker for the tests of this room, on a free port of loopback, stopped by its process id."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.jobs.conftest import empty_tables, open_lake
from tests.kafka.broker import Broker, Topic
from tests.live.conftest import settings_of, store

__all__ = ["empty_tables", "open_lake", "settings_of", "store"]


@pytest.fixture(scope="session")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    running = Broker(tmp_path_factory.mktemp("broker"))
    running.start()
    yield running
    running.stop()


@pytest.fixture
def topic(broker: Broker) -> Topic:
    return broker.topic()
