"""Futures' single trades skip numbers: assumed off the book, until aggregates or asking tell."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from extract.coverage import Missing
from jobs import silver
from jobs.context import Context
from jobs.coverage import repair
from jobs.options import segments_of
from lake.tables import GOLD_OHLCV, OPS_CONTINUITY
from tests.jobs.conftest import OpenLake
from tests.jobs.landed import MIDNIGHT, aggregate, held, know, land

pytestmark = [pytest.mark.spark, pytest.mark.slow]

TICKER = ("binance", "usdm", "BTCUSDT", "BTCUSDT", "trades")
#: Trade 3 lies between the two aggregates, trade 5 within the second, trade 8 behind them.
PAGE = (1, 2, 4, 6, 7, 9)
AGGREGATES = f"[{aggregate(1, l='2')},{aggregate(2, f='4', l='7')}]"


def single(number: int) -> str:
    """Return a single trade as Binance's futures write it."""
    amounts = '"price":"42000.10","qty":"0.500","quoteQty":"21000.05"'
    return f'{{"id":{number},{amounts},"time":{MIDNIGHT + number},"isBuyerMaker":true}}'


def land_trades(
    context: Context, numbers: Sequence[int], ids: tuple[int, int], tag: str = ""
) -> None:
    body = f"[{','.join(map(single, numbers))}]"
    land(context, "BTCUSDT", [body], ids=ids, tag=tag, kind="usdm", dataset="trades")


def holes(context: Context) -> list[tuple[int, int, str, str]]:
    rows = held(context, OPS_CONTINUITY, "dataset = 'trades' AND entry = 'hole'")
    return sorted((row["first_id"], row["last_id"], row["cause"], row["state"]) for row in rows)


def complete_minutes(context: Context) -> list[bool]:
    bars = held(context, GOLD_OHLCV, "bar_interval = '1m'")
    return [bar["is_complete"] for bar in bars]


def test_a_skipped_number_is_assumed_off_the_book_until_something_tells(
    open_lake: OpenLake,
) -> None:
    context = open_lake()
    units = {"base_unit": "BTC", "quote_unit": "USDT", "quantity_unit": "BTC"}
    know(context, {"kind": "usdm", **units})
    land_trades(context, PAGE, (1, 9))

    asked = repair.open_holes(context, segments_of("binance", "usdm", None), assumed=True)
    assert asked == {TICKER: [Missing(n, n) for n in (3, 5, 8)]}
    assert holes(context) == [(n, n, "off_book", "assumed") for n in (3, 5, 8)]
    assert complete_minutes(context) == [True]

    land(context, "BTCUSDT", [AGGREGATES], ids=(1, 2), kind="usdm")
    silver.consume(context, "agg_trades")
    assert holes(context) == [
        (3, 3, "off_book", "proved"),
        (5, 5, "left_out", "open"),
        (8, 8, "off_book", "assumed"),
    ]

    # the answers to the questions for just these ids: one comes after all, one does not exist
    land_trades(context, [5], (5, 5), "repair")
    land_trades(context, [9], (8, 8), "repair")
    silver.consume(context, "trades")
    told = [(3, 3, "off_book", "proved"), (8, 8, "exchange_hole", "proved")]
    assert holes(context) == told

    # a page that skips it again, read when aggregates are held already, unproves nothing
    land_trades(context, PAGE, (1, 9), "again")
    silver.consume(context, "trades")
    assert holes(context) == told
