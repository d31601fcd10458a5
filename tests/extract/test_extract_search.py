"""Finding the first trade at a time by id, where the exchange offers no other way."""

from __future__ import annotations

import json
from collections.abc import Callable
from urllib.parse import parse_qs, urlsplit

import pytest

from extract.client import Client
from extract.pages import Row
from extract.venues.binance import BinanceTrades
from lake.settings import Settings
from tests.extract.small_server import Scripted, SmallServer

NEWEST = 199_999


def time_of(trade_id: int) -> int:
    """Return a bursty tape's time: slow, then 100,000 trades in 4 ms, then slow again."""
    if trade_id < 50_000:
        return trade_id * 10
    if trade_id < 150_000:
        return 500_000 + (trade_id - 50_000) // 25_000
    return 600_000 + (trade_id - 150_000) * 7


def served(path: str) -> Scripted:
    parts = urlsplit(path)
    query = parse_qs(parts.query)
    limit = int(query["limit"][0])
    first = NEWEST - limit + 1
    if parts.path.endswith("historicalTrades"):
        first = int(query["fromId"][0])
    ids = range(first, min(first + limit, NEWEST + 1))
    return Scripted(json.dumps([{"id": n, "time": time_of(n)} for n in ids]).encode())


@pytest.mark.parametrize(
    ("time_ms", "first_id"),
    [
        (0, 0),
        (1, 1),
        (499_990, 49_999),
        (499_991, 50_000),
        (500_002, 100_000),
        (500_003, 125_000),
        (500_004, 150_000),
        (600_001, 150_001),
        (949_986, 199_998),
        (949_993, 199_999),
    ],
)
def test_the_first_trade_at_a_time_is_found_in_few_probes_on_a_bursty_tape(
    settings_of: Callable[..., Settings],
    client_of: Callable[[Settings], Client],
    time_ms: int,
    first_id: int,
) -> None:
    with SmallServer(route=served) as server:
        address = f"exchanges.binance.usdm.rest_url={server.url}"
        settings = settings_of(None, address, "exchanges.binance.usdm.api_key=k")
        source = BinanceTrades(
            client_of(settings), settings, kind="usdm", symbol="BTCUSDT", dataset="trades"
        )

        assert source.first_at(time_ms) == Row(first_id, time_of(first_id))
        assert source.first_at(949_994) is None

    # twice the binary logarithm of 200,000, and the question that finds nothing
    assert len(server.paths) <= 36 + 1
