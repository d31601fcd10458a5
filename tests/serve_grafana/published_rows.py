"""Rows of the serving database as they would stand an hour ago: what panels ask for."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

from serve.database.schema import SUMS

Rows = Sequence[Mapping[str, Any]]
HOUR = 3_600_000
#: The start of the hour before this one, in ms.
BEFORE = time.time_ns() // 1_000_000 // HOUR * HOUR - HOUR
BTCUSDT = {"exchange": "binance", "kind": "spot", "instrument": "BTCUSDT"}
UNITS = {"quantity_unit": "BTC", "base_unit": "BTC", "quote_unit": "USDT", "contract_size": None}
TIMES = {"first_time": BEFORE, "last_time": BEFORE, "complete_until": BEFORE + HOUR}


def series(number: int, series_type: str, kind: str, instrument: str) -> Mapping[str, Any]:
    identity = {"exchange": "binance", "kind": kind, "instrument": instrument}
    return {
        "series_id": number,
        "series_type": series_type,
        **identity,
        "instrument_uid": instrument,
        **UNITS,
        **TIMES,
    }


def hole(first: int, state: str) -> Mapping[str, Any]:
    return {
        **BTCUSDT,
        "instrument_uid": "BTCUSDT",
        "dataset": "trades",
        "entry": "hole",
        "first_id": first,
        "last_id": first + 5,
        "proved_from": BEFORE,
        "proved_until": BEFORE + 60_000,
        "cause": None,
        "state": state,
    }


def gate(expectation: str, met: int) -> Mapping[str, Any]:
    return {
        "run_id": "run-1",
        "table_name": "silver.trades",
        "expectation": expectation,
        "severity": "critical",
        "attempts": 2,
        "met": met,
        "rows": 100,
        "rejected_rows": 0,
        "checked_at": BEFORE,
    }


def certificate(checked_at: int, unexplained: int) -> Mapping[str, Any]:
    counts = ("equal_after_rounding", "not_derivable", "different", "only_left", "only_right")
    return {
        "run_id": "run-1",
        **BTCUSDT,
        "check_name": "bars",
        "bar_interval": "1h",
        "window_start": BEFORE,
        "window_end": BEFORE + HOUR,
        "checked_at": checked_at,
        "compared": 9,
        "equal": 9 - unexplained,
        **dict.fromkeys(counts, 0),
        "unexplained": unexplained,
        "causes": "{}",
    }


ROWS: Mapping[str, Rows] = {
    "series": [
        series(1, "bars", "spot", "BTCUSDT"),
        series(2, "index", "index", "btc_usd"),
    ],
    "bars": [
        {
            "series_id": 1,
            "bar_minutes": 60,
            "bar_start": BEFORE,
            "trade_count": 3,
            "first_trade_seq": 1,
            "last_trade_seq": 3,
            "knowledge_us": BEFORE * 1000,
            "revision": 0,
            "is_complete": True,
            "built_from": "trades",
            "open": "42283.58",
            "high": "42300",
            "low": "42280",
            "close": "42299.99",
            **dict.fromkeys(SUMS, "1.5"),
        }
    ],
    "index_prices": [
        {
            "series_id": 2,
            "minute": BEFORE,
            "price_time_us": BEFORE * 1000,
            "price": "42281.1234",
            "timestamp_source": "exchange",
            "price_source": "live",
        }
    ],
    "marks": [
        {
            **BTCUSDT,
            "table_name": "gold.ohlcv",
            "complete_until": BEFORE + HOUR,
            "updated_at": BEFORE + HOUR,
        }
    ],
    "stretches": [hole(10, "open"), hole(20, "explained")],
    "gate_results": [gate("expect_good", 2), gate("expect_bad", 1)],
    # the older certificate's differences have been explained since
    "certificates": [certificate(BEFORE, 4), certificate(BEFORE + 1000, 1)],
    "publications": [
        {
            "published_at": BEFORE,
            "run_id": "run-1",
            "bars": 1,
            "index_prices": 1,
            "trades": 0,
        }
    ],
}
