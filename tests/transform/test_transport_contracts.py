"""One trade, three transports: the same side, price, quantity, worth and unit from each."""

from __future__ import annotations

import csv
import gzip
import io
import zipfile
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import Row, SparkSession

from lake.clock import to_millis
from tests.rows import line, listing, parsed
from tests.transform.transports import (
    Trade,
    assert_sides_follow_the_price,
    bronze_lines,
    by_transport,
)

pytestmark = [pytest.mark.spark, pytest.mark.slow]

RECORDINGS = Path(__file__).parents[2] / "recordings"
DAY = RECORDINGS / "BTCUSDT-aggTrades-2024-01-01.zip"
HOURS = RECORDINGS / "BTCUSDT-1h-klines-2017-08-17_2024-01-01.csv.gz"
STREAM = RECORDINGS / "spot-trades-BTCUSDT-ETHUSDT-SOLUSDT-2025-03-25.csv.gz"
#: The quietest hour of the recorded day, in ms, and as its bar writes it.
HOUR, HOUR_OF_BAR = 1704096000000, "2024-01-01 08:00"
SOURCES = {"live", "history", "archive"}

BASE = {"base_unit": "BTC", "quote_unit": "USDT"}
KNOWN = [
    listing(**BASE),
    listing(kind="usdm", **BASE),
    listing(
        kind="coinm",
        instrument="BTCUSD_PERP",
        direction="inverse",
        base_unit="BTC",
        quote_unit="USD",
        contract_size=Decimal(100),
    ),
]
USDT = ("BTC", "BTC", "USDT", Decimal(1))
USD = ("contract", "BTC", "USD", Decimal(100))
#: A trade, and what it is: `m` true is a buyer who waited, so that the taker sold.
TRADES = {
    # the archive is in ms before 2025, in µs from then on
    Trade("spot", "BTCUSDT", 1, "42283.58000000", "0.00069000", 1704067200000, True): (
        ("sell", "29.1756702", *USDT)
    ),
    Trade("spot", "BTCUSDT", 2, "87232.01000000", "0.02026000", 1742944020911, False): (
        ("buy", "1767.3205226", *USDT)
    ),
    # USD-M cuts what it sends at 2 digits, and here it is whole
    Trade("usdm", "BTCUSDT", 3, "11494.06", "0.007", 1602819641313, False): (
        ("buy", "80.45842", *USDT)
    ),
    Trade("usdm", "BTCUSDT", 4, "11494.05", "0.080", 1602819642335, True): (
        ("sell", "919.524", *USDT)
    ),
    # 1 and 40 contracts of 100 USD
    Trade("coinm", "BTCUSD_PERP", 5, "19100.5", "1", 1607294296479, True): ("sell", "100", *USD),
    Trade("coinm", "BTCUSD_PERP", 6, "19099.7", "40", 1607294296510, False): ("buy", "4000", *USD),
}
AGGREGATES = {
    replace(one, ids=(10 * one.id, 10 * one.id + 3)): said for one, said in TRADES.items()
}


DERIBIT = {
    "exchange": "deribit",
    "kind": "future",
    "instrument": "BTC-PERPETUAL",
    "direction": "inverse",
    "base_unit": "BTC",
    "quote_unit": "USD",
    "contract_size": Decimal(10),
}
LINEAR = {"direction": "linear", "quote_unit": "USDC", "contract_size": Decimal("0.001")}
OPTION = {"direction": "inverse", "quote_unit": "BTC", "contract_size": Decimal(1)}
#: Instrument -> its listing, price, amount and direction as sent; worth and unit.
DERIBIT_TRADES: dict[str, tuple[dict[str, Any], tuple[str, str, str], tuple[str, str]]] = {
    # inverse: the amount is the worth, in USD
    "BTC-PERPETUAL": (DERIBIT, ("87456.5", "20.0", "sell"), ("20", "USD")),
    "BTC_USDC-PERPETUAL": (DERIBIT | LINEAR, ("87456.5", "0.5", "buy"), ("43728.25", "BTC")),
    # an option's price is in its base coin, and so is its amount
    "BTC-19MAY26-75000-C": (
        DERIBIT | OPTION | {"kind": "option"},
        ("0.0174", "0.1", "buy"),
        ("0.00174", "BTC"),
    ),
    "BTC_USDC": (
        DERIBIT | LINEAR | {"kind": "spot"},
        ("87456.5", "0.02", "sell"),
        ("1749.13", "BTC"),
    ),
}


@pytest.fixture(scope="module")
def trades(spark: SparkSession) -> list[Row]:
    """All single trades of this module, of both exchanges and from each transport."""
    sent = [*TRADES, *map(_of_recording, recorded())]
    lines = [*bronze_lines(sent), *_deribit_lines()]
    known = [listing(**of | {"instrument": name}) for name, (of, _, _) in DERIBIT_TRADES.items()]
    valid, rejected = parsed(spark, "trades", *lines, known=[*KNOWN, *known])
    assert rejected == []
    return valid


@pytest.fixture(scope="module")
def aggregates(spark: SparkSession) -> list[Row]:
    """All aggregates of this module: those written down here, and an hour of the archive's."""
    lines = bronze_lines(list(AGGREGATES))
    if DAY.exists():
        lines.append(line("".join(hour_of_the_day()), mode="archive", region="recorded"))
    valid, rejected = parsed(spark, "agg_trades", *lines, known=KNOWN)
    assert rejected == []
    return valid


def recorded() -> list[dict[str, str]]:
    """Return a part of the recorded stream, none where the recordings are not in this checkout."""
    if not STREAM.exists():
        return []
    with gzip.open(STREAM, "rt", encoding="utf-8") as file:
        return [row for row in csv.DictReader(file) if row["instrument"] == "BTCUSDT"][:1500]


def hour_of_the_day() -> list[str]:
    with zipfile.ZipFile(DAY) as archive, archive.open(archive.namelist()[0]) as file:
        text = io.TextIOWrapper(file, encoding="utf-8")
        return [row for row in text if HOUR <= int(row.split(",")[5]) < HOUR + 3_600_000]


@pytest.mark.parametrize("said", [TRADES, AGGREGATES], ids=["trades", "agg_trades"])
def test_a_trade_of_binance_is_the_same_from_stream_rest_and_archive(
    trades: list[Row], aggregates: list[Row], said: dict[Trade, tuple[Any, ...]]
) -> None:
    found = {**by_transport(trades, "trade_seq"), **by_transport(aggregates, "agg_id")}

    for trade, (side, worth, *units) in said.items():
        sources = found[trade.kind, trade.instrument, trade.id]
        assert set(sources) == SOURCES
        (one,) = set(sources.values())
        price, quantity = Decimal(trade.price), Decimal(trade.quantity)
        assert one[:-1] == (trade.instrument, side, price, quantity, Decimal(worth), *units)


def test_an_aggregate_stands_for_the_same_trades_from_each_transport(
    aggregates: list[Row],
) -> None:
    ids = {(row["agg_id"], row["first_trade_seq"], row["last_trade_seq"]) for row in aggregates}

    assert ids >= {(trade.id, *(trade.ids or ())) for trade in AGGREGATES}
    assert len([one for one in ids if one[0] < 1000]) == len(AGGREGATES)


def test_a_trade_of_deribit_is_the_same_from_stream_and_rest(trades: list[Row]) -> None:
    found = by_transport(trades, "trade_seq")

    for name, (listed, (price, amount, direction), (worth, unit)) in DERIBIT_TRADES.items():
        sources = found[listed["kind"], name, 7]
        assert set(sources) == {"live", "history"}
        (one,) = set(sources.values())
        assert one[1:6] == (direction, Decimal(price), Decimal(amount), Decimal(worth), unit)
        assert one[-1] == "2025-12-21T15:47:20.636"


@pytest.mark.skipif(not STREAM.exists(), reason="the recordings are not in this checkout")
def test_recorded_trades_of_the_stream_are_the_same_from_rest_and_archive(
    trades: list[Row],
) -> None:
    """Their side was written down by another program, which is no word of ours."""
    sides = {int(row["trade_id"]): row["taker_side"] for row in recorded()}

    mine = [row for row in trades if row["trade_seq"] in sides]

    found = by_transport(mine, "trade_seq")
    assert len(found) == len(sides) > 1000
    for (_, _, number), sources in found.items():
        assert set(sources) == SOURCES
        assert {one[1] for one in sources.values()} == {sides[number]}
        assert len(set(sources.values())) == 1
    for source in SOURCES:
        assert_sides_follow_the_price([row for row in mine if row["source"] == source])


@pytest.mark.skipif(not DAY.exists(), reason="the recordings are not in this checkout")
def test_the_archives_takers_bought_what_the_exchange_says_that_takers_bought(
    aggregates: list[Row],
) -> None:
    """An hour of the recorded day against the exchange's own bar.

    Were sides inverted, its volume of buying takers would be that of selling ones.
    """
    with gzip.open(HOURS, "rt", encoding="utf-8") as file:
        bar = next(row.split(",") for row in file if row.startswith(HOUR_OF_BAR))

    hour = [row for row in aggregates if row["region"] == "recorded"]

    bought = [row for row in hour if row["taker_side"] == "buy"]
    assert sum(row["quantity"] for row in hour) == Decimal(bar[5])
    assert sum(row["quantity"] for row in bought) == Decimal(bar[9])
    assert sum(row["quote_quantity"] for row in bought) == Decimal(bar[10])
    assert_sides_follow_the_price(hour)


def _of_recording(row: dict[str, str]) -> Trade:
    time = to_millis(datetime.fromisoformat(row["time_exchange"]))
    of_seller = row["taker_side"] == "sell"
    place = (row["instrument"], int(row["trade_id"]))
    return Trade("spot", *place, row["price"], row["quantity"], time, of_seller)


def _deribit_lines() -> list[str]:
    lines = []
    for name, (listed, (price, amount, direction), _) in DERIBIT_TRADES.items():
        trade = (
            f'{{"timestamp":1766332040636,"price":{price},"amount":{amount},"trade_seq":7,'
            f'"direction":"{direction}","instrument_name":"{name}","trade_id":"284830839"}}'
        )
        answer = f'{{"jsonrpc":"2.0","result":{{"trades":[{trade}],"has_more":true}}}}'
        notice = (
            '{"jsonrpc":"2.0","method":"subscription",'
            f'"params":{{"channel":"trades.{name}.100ms","data":[{trade}]}}}}'
        )
        named = {"exchange": "deribit", "kind": listed["kind"], "dataset": "trades"}
        lines += [
            line(answer, **named, instrument=name),
            line(notice, **named, instrument="", mode="live", status=0),
        ]
    return lines
