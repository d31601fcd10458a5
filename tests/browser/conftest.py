"""The page in a real browser, on the real API: one browser a module, a server and a tab a test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from websockets.sync.client import ClientConnection

from tests.browser.browser import install
from tests.browser.devtools import Tab, browser, tab
from tests.browser.recorded_market import RecordedMarket, recorded_bars
from tests.serve_api.conftest import Running, running


@pytest.fixture(scope="module")
def chromium() -> Iterator[ClientConnection]:
    install()
    with browser() as socket:
        yield socket


@pytest.fixture
def market() -> RecordedMarket:
    """Recorded hours of BTCUSDT, and what they make of 4 hours and of days."""
    made = RecordedMarket()
    made.put("BTCUSDT", recorded_bars())
    return made


@pytest.fixture
def server(market: RecordedMarket) -> Iterator[Running]:
    with running(market) as started:
        yield started


@pytest.fixture
def page(chromium: ClientConnection, server: Running) -> Iterator[Tab]:
    """A tab that must not have complained, nor asked another origin, when the test ends."""
    with tab(chromium) as opened:
        yield opened
        opened.evaluate("0")
        foreign = [one for one in opened.requests if not one.startswith((server.url, "data:"))]
        assert foreign == []
        assert opened.complaints == []
