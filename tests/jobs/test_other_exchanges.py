"""Exchanges of CCXT's from their answers to silver, by settings alone, over real HTTP."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from jobs.context import Context, exchanges_of
from lake.tables import GOLD_OHLCV, OPS_QUARANTINE, OPS_RECONCILIATION, SILVER_KLINES, SILVER_TRADES
from tests.extract.small_server import Route, SmallServer
from tests.jobs.conftest import OpenLake
from tests.jobs.landed import held
from tests.jobs.running import run
from tests.other_exchanges import (
    LONG,
    MIDNIGHT,
    Coinbase,
    Kraken,
    RecordedKraken,
    minutes,
    overrides,
)

pytestmark = [pytest.mark.spark, pytest.mark.slow]

ROOT = Path(__file__).resolve().parents[2]
RECORDED = ROOT / "recordings" / "kraken-OHLC-XXBTZUSD-2023-11-26.json"
PRICES = ("open", "high", "low", "close")
UNTOLD = (
    *("quote_volume_sent", "trade_count", "taker_buy_volume_sent", "close_time_sent"),
    "taker_buy_quote_volume_sent",
)
MINUTES = "extract.bar_interval=1m"


def silver_of(
    open_lake: OpenLake, route: Route, ccxt: str, *, start: str, end: str
) -> tuple[Context, str]:
    """Run every step for a window of `other`; return the lake and the certificate."""
    with SmallServer(route=route) as server:
        context = open_lake(MINUTES, *overrides("other", ccxt, server.url))
        return context, run(context, exchange="other", kind="spot", start=start, end=end)


def bars(context: Context) -> list[dict[str, Any]]:
    return sorted(held(context, SILVER_KLINES), key=lambda row: row["open_time"])


@pytest.mark.parametrize(
    ("ccxt", "name", "route"),
    [
        ("kraken", "XXBTZUSD", Kraken(minutes(0, 1, 2, 9))),
        ("coinbaseexchange", "BTC-USD", Coinbase(minutes(0, 1, 2, 9))),
    ],
    ids=["object of arrays", "list of lists"],
)
def test_bars_of_any_shape_come_to_silver_with_every_digit(
    open_lake: OpenLake, ccxt: str, name: str, route: Route
) -> None:
    window = {"start": "2024-01-01T00:00:00Z", "end": "2024-01-01T00:03:00Z"}

    context, certificate = silver_of(open_lake, route, ccxt, **window)

    found = bars(context)
    assert [row["open_time_sent"] for row in found] == [MIDNIGHT + n * 60_000 for n in range(3)]
    for row in found:
        assert [row[field] for field in (*PRICES, "volume_sent")] == [*map(Decimal, LONG)]
        assert [row[field] for field in UNTOLD] == [None] * len(UNTOLD)
        assert (row["exchange"], row["kind"], row["instrument"]) == ("other", "spot", name)
        assert (row["bar_interval"], row["findings"], row["source"]) == ("1m", [], "history")
    assert found[0]["open_time"].replace(tzinfo=UTC) == datetime(2024, 1, 1, tzinfo=UTC)
    assert f"{found[0]['close_time']:%H:%M:%S.%f}" == "00:00:59.999000"
    assert held(context, OPS_QUARANTINE) == []
    # nothing of our own stands against them
    assert "nothing to compare" in certificate
    for table in (GOLD_OHLCV, SILVER_TRADES, OPS_RECONCILIATION):
        assert held(context, table) == []


def test_a_digit_that_does_not_fit_goes_to_quarantine_and_a_second_run_adds_nothing(
    open_lake: OpenLake,
) -> None:
    odd = (*LONG[:3], "0.12345678901", LONG[4])
    route = Kraken({**minutes(0, 2), **minutes(1, of=odd)})
    with SmallServer(route=route) as server:
        context = open_lake(MINUTES, *overrides("other", "kraken", server.url))
        of = {"exchange": "other", "kind": "spot", "start": "2024-01-01", "end": "1704067380000"}

        run(context, **of)
        run(context, **of)

    assert [row["open_time_sent"] - MIDNIGHT for row in bars(context)] == [0, 120_000]
    (refused,) = held(context, OPS_QUARANTINE)
    assert refused["reasons"] == ["close_exceeds_decimal_20_10"]
    assert json.loads(refused["payload"])[4] == "0.12345678901"


def test_what_ccxt_reads_of_a_recording_is_what_our_own_parser_reads(open_lake: OpenLake) -> None:
    """Binance's recorded hours, asked once by our own venue and once as any exchange of CCXT's."""
    context = open_lake("exchanges.other.ccxt=binance", "universe.other.spot=BTC/USDT")
    of = {"kind": "spot", "start": "2024-01-01", "end": "2024-01-02", "datasets": "klines"}

    with exchanges_of(context.settings) as settings:
        url = settings.exchanges.binance.spot.rest_url
        for_ccxt = open_lake(
            "exchanges.other.ccxt=binance",
            f"exchanges.other.rest_url={url}",
            'exchanges.other.options.fetchMarkets={types = ["spot"]}',
            "universe.other.spot=BTC/USDT",
        )
        run(for_ccxt, exchange="other", **of)
    run(context, exchange="binance", **of)

    ours, through_ccxt = bars(context), bars(for_ccxt)
    compared = ("instrument", "bar_interval", "open_time", "close_time", *PRICES, "volume_sent")
    assert len(ours) == 24
    assert [[row[name] for name in compared] for row in through_ccxt] == [
        [row[name] for name in compared] for row in ours
    ]


def test_a_recorded_answer_of_kraken_comes_to_silver(open_lake: OpenLake) -> None:
    """Seventeen minutes in a row of 720; the answer ends with the bar that was forming."""
    body = RECORDED.read_bytes()
    rows = json.loads(body)["result"]["XXBTZUSD"]
    asked_at = (rows[-1][0] + 40) * 1000
    window = {"start": "2023-11-26T06:31:00Z", "end": "2023-11-26T06:48:00Z"}

    context, _ = silver_of(open_lake, RecordedKraken(body, asked_at), "kraken", **window)

    found = bars(context)
    assert [row["open_time_sent"] for row in found] == [1000 * row[0] for row in rows[:17]]
    for bar, (_, *prices, _, volume, _) in zip(found, rows, strict=False):
        told = [Decimal(text) for text in (*prices, volume)]
        assert [bar[field] for field in (*PRICES, "volume_sent")] == told
    assert f"{found[0]['open_time']:%H:%M}" == "06:31"
    assert sum(row["volume_sent"] for row in found) == Decimal("3.88066274")
    assert held(context, OPS_QUARANTINE) == []
