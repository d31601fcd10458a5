"""The page in a real browser: one browser a module, a server and a tab a test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from websockets.sync.client import ClientConnection

from tests.browser.browser import install
from tests.browser.candle_server import CandleServer, Row, recorded_hours, running
from tests.browser.devtools import Tab, browser, tab


@pytest.fixture(scope="session")
def hours() -> list[Row]:
    return recorded_hours()


@pytest.fixture(scope="module")
def chromium() -> Iterator[ClientConnection]:
    install()
    with browser() as socket:
        yield socket


@pytest.fixture
def server(hours: list[Row]) -> Iterator[CandleServer]:
    """Recorded hours of BTCUSDT, and every 24th of them as days that were not recorded."""
    with running(CandleServer(bars={"BTCUSDT": {"1h": hours, "1d": hours[::24]}})) as started:
        yield started


@pytest.fixture
def page(chromium: ClientConnection, server: CandleServer) -> Iterator[Tab]:
    """A tab that must not have complained, nor asked another origin, when the test ends."""
    with tab(chromium) as opened:
        yield opened
        opened.evaluate("0")
        foreign = [one for one in opened.requests if not one.startswith((server.url, "data:"))]
        assert foreign == []
        assert opened.complaints == []
