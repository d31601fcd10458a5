"""Bars of the mark price: kept as published, their volumes not looked at."""

from __future__ import annotations

import json
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession

from tests.rows import as_json, line, parsed, refused

REFERENCE = Path(__file__).parents[3] / "shared" / "data" / "reference"
MOCKS = REFERENCE / "binance_rest_ws_mocks" / "http.json"
BODY = REFERENCE / "binance_bodies" / "http_futures_market_mark_price_klines.json"
BAR: list[Any] = [
    1_704_067_200_000,
    "42313.90000000",
    "42320.51234567",
    "42310.00000001",
    "42315.25000000",
    "0",
    1_704_067_259_999,
    "0",
    60,
    "0",
    "0",
    "0",
]
MINUTE = {"params": {"interval": "1m", "symbol": "BTCUSDT"}}


def mark(*bars: Any, **named: Any) -> str:
    return line(
        as_json(list(bars)),
        **{"dataset": "mark_klines", "kind": "usdm", "request": MINUTE, **named},
    )


def test_a_bar_keeps_its_prices_to_the_last_digit(spark: SparkSession) -> None:
    valid, rejected = parsed(spark, "mark_klines", mark(BAR))

    assert rejected == []
    (row,) = valid
    assert (row["bar_interval"], row["open_time"]) == ("1m", datetime(2024, 1, 1))
    assert [row[name] for name in ("open", "high", "low", "close")] == [
        Decimal("42313.9"),
        Decimal("42320.51234567"),
        Decimal("42310.00000001"),
        Decimal("42315.25"),
    ]
    assert (row["close_time_sent"], row["findings"], row["revision"]) == (1_704_067_259_999, [], 0)


def test_a_count_beside_no_volume_is_no_finding_and_an_odd_volume_no_fault(
    spark: SparkSession,
) -> None:
    odd = [*BAR[:5], "none", BAR[6], "", "x", "", "", ""]

    valid, rejected = parsed(spark, "mark_klines", mark(BAR, odd))

    assert rejected == []
    assert [row["findings"] for row in valid] == [[], []]


def test_a_bar_that_is_forming_or_whose_price_does_not_fit(spark: SparkSession) -> None:
    early = datetime.fromisoformat("2024-01-01T00:00:59+00:00")
    forming = mark(BAR, end_download_timestamp=early, knowledge_timestamp=early)
    long = mark([BAR[0], "42313.90000000001", *BAR[2:]], sequence=2)

    valid, rejected = parsed(spark, "mark_klines", forming, long)

    assert valid == []
    assert refused(rejected) == [(0, ["open_exceeds_decimal_20_10"])]


def test_lines_of_the_archive(spark: SparkSession) -> None:
    header = "open_time,open,high,low,close,volume,close_time,quote_volume,count,a,b,ignore\n"
    zipped = "bronze/archive/binance/usdm/mark_klines/2024-01/BTCUSDT-1m-2024-01-01.zip"
    text = header + ",".join(map(str, BAR)) + "\n"
    lines = line(text, dataset="mark_klines", kind="usdm", mode="archive", request={"zip": zipped})

    valid, rejected = parsed(spark, "mark_klines", lines)

    assert rejected == []
    assert [(row["bar_interval"], row["source"], row["close"]) for row in valid] == [
        ("1m", "archive", Decimal("42315.25"))
    ]


@pytest.mark.skipif(not MOCKS.exists(), reason="the recorded reference bodies are not here")
def test_recorded_bars(spark: SparkSession) -> None:
    routes = json.loads(MOCKS.read_text(encoding="utf-8"), parse_float=str)["routes"]
    pages = [answer["data"] for answer in routes["/dapi/v1/markPriceKlines"]["GET"]]
    lines = [
        mark(*page, kind="coinm", request={"params": {"interval": "1M"}}, sequence=place)
        for place, page in enumerate(pages, start=1)
    ]
    usdm = mark(*json.loads(BODY.read_text(encoding="utf-8"), parse_float=str), sequence=9)

    valid, rejected = parsed(spark, "mark_klines", *lines, usdm)

    assert rejected == []
    assert len(valid) == sum(map(len, pages)) + 1 == 10
    assert Decimal("9653.29201333") in {row["open"] for row in valid}
