"""Frames of Deribit's chart: the last one of a bar is the bar, once a later bar has begun."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from pyspark.sql import SparkSession

from lake import schemas
from tests.rows import line, listings, read
from tests.transform.frames import at, records
from transform import deribit_klines, rows

pytestmark = pytest.mark.spark

#: 2024-01-01T00:05:00Z
TICK = 1_704_067_500_000
MINUTE = 60_000


def framed(minute: int, second: int, volume: str, **named: Any) -> str:
    """Return a line with the state of a bar, as it came in a second of its minute."""
    number = 100 * minute + second
    instrument = named.get("instrument", "BTC-PERPETUAL")
    body = (
        '{"jsonrpc":"2.0","method":"subscription","params":{"channel":'
        f'"chart.trades.{instrument}.1","data":{{"volume":{volume},"tick":{TICK + minute * MINUTE},'
        f'"open":9.5,"low":9.0,"high":12.0,"cost":{number}.0,"close":11.0}}}}}}'
    )
    of: dict[str, Any] = {
        "exchange": "deribit",
        "kind": "future",
        "dataset": "klines",
        "instrument": instrument,
        "mode": "live",
        "status": 0,
        "request": {"params": {"resolution": "1"}},
        "sequence": number,
        "end_download_timestamp": at(f"00:{5 + minute:02}:{second:02}"),
    }
    return line(named.pop("body", body), **{**of, **named})


def test_the_last_frame_of_a_bar_counts_and_the_newest_bar_is_left_out(spark: SparkSession) -> None:
    lines = [
        framed(0, 50, "0.07"),
        framed(0, 10, "0.05"),
        # over another connection
        framed(0, 50, "0.07", sequence=999),
        framed(1, 1, "1"),
        framed(2, 5, "5"),
        framed(0, 59, "3", instrument="ETH-PERPETUAL"),
        framed(1, 2, '"much"', sequence=7),
        framed(1, 3, "1", sequence=8, body="{}"),
    ]

    found = deribit_klines.streamed(read(spark, *lines), listings(spark)).persist()

    bars = rows.valid(found, schemas.KLINES)
    assert records(bars, "instrument", "open_time", "volume_sent", "quote_volume_sent") == [
        ("BTC-PERPETUAL", "2024-01-01T00:05:00", "0.07", "50"),
    ]
    (bar,) = bars.collect()
    prices = [bar[name] for name in ("open", "high", "low", "close")]
    assert prices == [Decimal(text) for text in ("9.5", "12", "9", "11")]
    assert (bar["bar_interval"], bar["source"], bar["trade_count"]) == ("1m", "live", None)
    assert records(rows.refused(found), "bronze_line", "reasons") == [
        (7, ["volume_sent_not_a_number"]),
        (8, ["answer_not_understood"]),
    ]
