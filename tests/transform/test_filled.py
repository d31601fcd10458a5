"""The view without gaps."""

from __future__ import annotations

from typing import Any

import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import types as T  # noqa: N812

from lake import schemas
from tests.transform.frames import at, frame, records
from transform import filled

pytestmark = pytest.mark.spark

HALTS = T.StructType(
    [
        *schemas.IDENTITY,
        T.StructField("halted_from", T.TimestampType()),
        T.StructField("halted_until", T.TimestampType()),
    ]
)
MARKS = T.StructType([*schemas.IDENTITY[:3], T.StructField("complete_until", T.TimestampType())])
SEEN = ("bar_start", "close", "trade_count", "is_filled", "is_complete")


def bar(clock: str, price: str | None, interval: str = "1m", **more: Any) -> dict[str, Any]:
    return {
        "bar_interval": interval,
        "bar_start": at(clock),
        "open": price,
        "high": price,
        "low": price,
        "close": price,
        "volume": "2",
        "trade_count": 3,
        "is_complete": True,
        "built_from": "trades",
        **more,
    }


def held(since: str, until: str, **more: Any) -> dict[str, Any]:
    times = {"proved_from": at(since), "proved_until": at(until)}
    return {"dataset": "trades", "entry": "held", **times, **more}


def view(
    spark: SparkSession,
    bars: list[dict[str, Any]],
    ledger: list[dict[str, Any]],
    *,
    until: str,
    halts: tuple[str, str] | None = None,
    listing: dict[str, Any] | None = None,
    interval: str = "1m",
) -> DataFrame:
    pauses = [{"halted_from": at(halts[0]), "halted_until": at(halts[1])}] if halts else []
    return filled.filled(
        frame(spark, schemas.OHLCV, bars),
        frame(spark, schemas.INSTRUMENTS, [listing or {}]),
        frame(spark, schemas.CONTINUITY, ledger),
        frame(spark, HALTS, pauses),
        frame(spark, MARKS, [{"complete_until": at(until)}]),
        interval=interval,
    )


def of(clock: str, *rest: Any) -> tuple[Any, ...]:
    return (f"2024-01-01T{clock}:00", *rest)


def test_quiet_minutes_are_flat_at_the_previous_close(spark: SparkSession) -> None:
    bars = [bar("00:01", "10"), bar("00:04", "20", open="12")]

    made = view(spark, bars, [held("00:00", "00:10")], until="00:06:30").cache()

    assert records(made, *SEEN) == [
        of("00:01", "10", 3, False, True),
        of("00:02", "10", 0, True, True),
        of("00:03", "10", 0, True, True),
        of("00:04", "20", 3, False, True),
        of("00:05", "20", 0, True, True),
    ]
    quiet = made.where("is_filled").where("minute(bar_start) = 5")
    assert records(
        quiet, "bar_end", "open", "high", "low", "volume", "quote_unit", "first_trade_seq"
    ) == [of("00:06", "20", "20", "20", "0", "USDT", None)]
    assert [(f.name, f.dataType) for f in made.schema] == [
        (f.name, f.dataType) for f in filled.FILLED
    ]
    made.unpersist()


def test_unknown_minutes_have_no_price_and_nothing_follows_from_them(spark: SparkSession) -> None:
    bars = [bar("00:00", "10"), bar("00:04", "20")]
    ledger = [held("00:00", "00:01"), held("00:03", "00:06")]

    made = view(spark, bars, ledger, until="00:06")

    assert records(made, *SEEN) == [
        of("00:00", "10", 3, False, True),
        of("00:01", None, 0, False, False),
        of("00:02", None, 0, False, False),
        of("00:03", None, 0, False, False),
        of("00:04", "20", 3, False, True),
        of("00:05", "20", 0, True, True),
    ]


def test_a_bar_of_off_book_prints_alone_shows_the_previous_close(spark: SparkSession) -> None:
    bars = [bar("00:00", None), bar("00:01", "10"), bar("00:02", None), bar("00:03", "11")]

    made = view(spark, bars, [held("00:00", "00:10")], until="00:05")

    assert records(made, "bar_start", "open", "close", "volume", "is_filled") == [
        of("00:00", None, None, "2", False),
        of("00:01", "10", "10", "2", False),
        of("00:02", "10", "10", "2", False),
        of("00:03", "11", "11", "2", False),
        of("00:04", "11", "11", "0", True),
    ]


def test_minutes_inside_a_halt_have_no_bar(spark: SparkSession) -> None:
    made = view(
        spark,
        [bar("00:00", "10"), bar("00:05", "11")],
        [held("00:00", "00:10")],
        until="00:06",
        halts=("00:01:41.999", "00:05:00"),
    )

    assert records(made, *SEEN) == [
        of("00:00", "10", 3, False, True),
        of("00:01", "10", 0, True, True),
        of("00:05", "11", 3, False, True),
    ]


@pytest.mark.parametrize("end", ["expiry", "delisted_at"])
def test_nothing_is_filled_from_the_end_of_a_listing_on(spark: SparkSession, end: str) -> None:
    made = view(
        spark,
        [bar("00:00", "10")],
        [held("00:00", "01:00")],
        until="00:30",
        listing={end: at("00:02")},
    )

    assert records(made, "bar_start") == [of("00:00"), of("00:01")]


def test_a_large_bar_is_flat_only_if_all_of_it_is_known(spark: SparkSession) -> None:
    bars = [bar("00:00", "10", "5m"), bar("00:00", "99", "1m"), bar("00:15", "11", "5m")]
    hole = {"entry": "hole", "cause": "quarantined", "state": "open"}
    ledger = [held("00:00", "01:00"), held("00:12:30", "00:12:31", **hole)]

    made = view(spark, bars, ledger, until="00:25", interval="5m")

    assert records(made, *SEEN) == [
        of("00:00", "10", 3, False, True),
        of("00:05", "10", 0, True, True),
        of("00:10", None, 0, False, False),
        of("00:15", "11", 3, False, True),
        of("00:20", "11", 0, True, True),
    ]


def test_a_doubtful_close_makes_no_certain_bar(spark: SparkSession) -> None:
    made = view(
        spark, [bar("00:00", "10", is_complete=False)], [held("00:01", "00:09")], until="00:02"
    )

    assert records(made, *SEEN) == [
        of("00:00", "10", 3, False, False),
        of("00:01", "10", 0, True, False),
    ]
