"""Which source a candle comes from, and whether it is whole."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F  # noqa: N812

from lake import schemas
from tests.transform.frames import at, frame, records
from transform import assemble, bars, grid

pytestmark = pytest.mark.spark

PRICES = ("open", "high", "low", "close")
SUMS = tuple(field.name for field in schemas.BAR_SUMS)
IDENTITY = tuple(field.name for field in schemas.IDENTITY)
END_OF_DAY = at("2024-01-02T00:00:00")


def minute(clock: str, built_from: str = "trades", **more: Any) -> dict[str, Any]:
    price = more.pop("price", "100")
    row = dict.fromkeys(PRICES, price) | dict.fromkeys(SUMS, "1")
    start = at(clock)
    return row | {
        "built_from": built_from,
        "bar_start": start,
        "trade_count": 1,
        "year": start.year,
        "month": start.month,
        **more,
    }


def held(since: str, until: str, dataset: str = "trades", **more: Any) -> dict[str, Any]:
    times = {"proved_from": at(since), "proved_until": at(until)}
    return {"dataset": dataset, "entry": "held", **times, **more}


def candles(
    spark: SparkSession,
    minutes: list[dict[str, Any]],
    ledger: list[dict[str, Any]],
    *,
    conflicts: list[dict[str, Any]] | None = None,
    until: str = "2024-01-02T00:00:00",
) -> DataFrame:
    return assemble.candidates(
        frame(spark, schemas.SOURCE_BARS, minutes),
        frame(spark, schemas.CONTINUITY, ledger),
        frame(spark, schemas.CONFLICTS, conflicts or []),
        at(until),
    )


def of(interval: str, made: DataFrame) -> DataFrame:
    return made.where(F.col("bar_interval") == interval)


def verdicts(made: DataFrame) -> dict[tuple[str, str, str], tuple[str, bool]]:
    return {
        (row.instrument, row.bar_interval, row.clock): (row.built_from, row.is_complete)
        for row in made.withColumn("clock", F.date_format("bar_start", "HH:mm")).collect()
    }


def named(name: str, *rows: dict[str, Any]) -> list[dict[str, Any]]:
    return [row | {"instrument": name, "instrument_uid": name} for row in rows]


def test_a_large_bar_merges_its_minutes(spark: SparkSession) -> None:
    minutes = [
        minute("00:00", open="10", high="15", low="8", close="12", volume="2", first_trade_seq=1),
        minute("00:02", open="12", high="30", low="11", close="20", last_trade_seq=99),
        minute("00:01", open=None, high=None, low=None, close=None, volume="0.5", trade_count=7),
        minute("00:05", open="20", high="20", low="5", close="6"),
    ]

    made = candles(spark, minutes, [held("00:00", "2024-01-02T00:00:00")]).cache()

    assert records(of("5m", made), "bar_start", "bar_end", *PRICES, "volume", "trade_count") == [
        ("2024-01-01T00:00:00", "2024-01-01T00:05:00", "10", "30", "8", "20", "3.5", 9),
        ("2024-01-01T00:05:00", "2024-01-01T00:10:00", "20", "20", "5", "6", "1", 1),
    ]
    assert records(of("1d", made), "bar_end", *PRICES, "volume", "first_trade_seq") == [
        ("2024-01-02T00:00:00", "10", "30", "5", "6", "4.5", 0)
    ]
    assert records(of("1m", made), "open", "trade_count")[-1] == (None, 7)
    assert [(f.name, f.dataType) for f in made.schema] == [
        (f.name, f.dataType) for f in schemas.OHLCV
    ]
    made.unpersist()


def test_a_bar_comes_from_the_source_that_is_proved_whole(spark: SparkSession) -> None:
    both = [minute("00:00"), minute("00:00", "agg_trades", trade_count=5)]
    minutes = [row for name in ("T", "A", "B", "N", "E") for row in named(name, *both)]
    minutes += named("Q", minute("00:01", "agg_trades"))
    ledger = [
        *named("T", held("00:00", "00:01")),
        *named("A", held("00:00", "00:01", "agg_trades")),
        *named("B", held("00:00", "00:01"), held("00:00", "00:01", "agg_trades")),
        *named("Q", held("00:00", "00:02")),
    ]
    minutes = [row | {"trade_count": 5} if row["instrument"] == "E" else row for row in minutes]

    made = verdicts(of("1m", candles(spark, minutes, ledger)))

    assert made == {
        ("T", "1m", "00:00"): ("trades", True),
        ("A", "1m", "00:00"): ("agg_trades", True),
        ("B", "1m", "00:00"): ("trades", True),
        ("N", "1m", "00:00"): ("agg_trades", False),
        ("E", "1m", "00:00"): ("trades", False),
    }


def test_a_large_bar_takes_all_minutes_from_one_source(spark: SparkSession) -> None:
    minutes = [
        minute("00:00", volume="1"),
        minute("00:00", "agg_trades", volume="1"),
        minute("00:01", "agg_trades", volume="2"),
    ]
    ledger = [held("00:00", "00:01"), held("00:00", "00:05", "agg_trades")]

    made = candles(spark, minutes, ledger).where(F.col("bar_interval").isin("1m", "5m", "15m"))

    assert records(made, "bar_interval", "bar_start", "built_from", "volume", "is_complete") == [
        ("15m", "2024-01-01T00:00:00", "agg_trades", "3", False),
        ("1m", "2024-01-01T00:00:00", "trades", "1", True),
        ("1m", "2024-01-01T00:01:00", "agg_trades", "2", True),
        ("5m", "2024-01-01T00:00:00", "agg_trades", "3", True),
    ]


def test_two_runs_that_touch_do_not_prove_what_spans_them(spark: SparkSession) -> None:
    ledger = [held("00:00", "00:02", first_id=1), held("00:02", "00:05", first_id=9)]

    made = verdicts(candles(spark, [minute("00:02")], ledger))

    assert made["BTCUSDT", "1m", "00:02"] == ("trades", True)
    assert made["BTCUSDT", "5m", "00:00"] == ("trades", False)


def test_an_open_hole_or_conflict_leaves_its_bars_incomplete(spark: SparkSession) -> None:
    hole = {"entry": "hole", "cause": "quarantined"}
    clocks = ("00:00", "00:01", "00:02", "00:03")
    minutes = [minute(clock) for clock in clocks]
    ledger = [
        held("00:00", "00:15"),
        held("00:00:30", "00:01:00", **hole, state="open"),
        held("00:02:10", "00:02:20", **hole, state="proved"),
    ]
    conflicts = [
        {"dataset": "trades", "bar_minute": at("00:03"), "state": "open"},
        {"dataset": "trades", "bar_minute": at("00:02"), "state": "decided"},
        {"dataset": "agg_trades", "bar_minute": at("00:02"), "state": "open"},
    ]

    made = verdicts(candles(spark, minutes, ledger, conflicts=conflicts))

    assert [made["BTCUSDT", "1m", clock][1] for clock in clocks] == [False, False, True, False]
    assert made["BTCUSDT", "5m", "00:00"] == ("trades", False)


def test_a_bar_is_left_out_until_it_has_ended(spark: SparkSession) -> None:
    minutes = [minute("00:03"), minute("00:04"), minute("00:05")]

    made = candles(spark, minutes, [held("00:00", "00:06")], until="00:05:59.999999")

    assert sorted(verdicts(made)) == [
        ("BTCUSDT", "1m", "00:03"),
        ("BTCUSDT", "1m", "00:04"),
        ("BTCUSDT", "5m", "00:00"),
    ]


@settings(
    max_examples=1, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    draws=st.lists(
        st.tuples(
            st.integers(0, 3),
            st.integers(0, 86_399),
            st.integers(1, 10**6),
            st.sampled_from(["buy", "sell"]),
            st.sampled_from(["book", "book", "block"]),
        ),
        min_size=60,
        max_size=120,
    )
)
def test_merged_minutes_equal_direct_aggregation(spark: SparkSession, draws: list[Any]) -> None:
    rows = [
        {
            "instrument": f"I{place}",
            "instrument_uid": f"I{place}",
            "trade_seq": seq,
            "trade_timestamp": at(f"{second // 3600:02}:{second // 60 % 60:02}:{second % 60:02}"),
            "price": str(cents),
            "quantity": str(cents % 97 + 1),
            "quote_quantity": str(cents * (cents % 97 + 1)),
            "taker_side": side,
            "print_kind": kind,
        }
        for seq, (place, second, cents, side, kind) in enumerate(sorted(draws, key=lambda d: d[1]))
    ]
    prints = frame(spark, schemas.TRADES, rows)
    columns = (*IDENTITY, "bar_interval", "bar_start", *PRICES, *SUMS, "last_trade_seq")

    merged = assemble.merged_intervals(bars.minute_bars(prints, "trades"))

    for interval in ("5m", "4h", "1d"):
        # moving each print to the start of its interval makes that its minute
        moved = prints.withColumn(
            "trade_timestamp", grid.bar_start(F.col("trade_timestamp"), interval)
        )
        direct = bars.minute_bars(moved, "trades").withColumn("bar_interval", F.lit(interval))
        assert records(of(interval, merged), *columns) == records(direct, *columns)
