"""Prints to tick, volume and dollar bars, and their sums against the day's candle."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyspark.sql import DataFrame, SparkSession

from lake import schemas
from lake.schemas_of_information_bars import INFORMATION_BARS
from tests.transform.frames import LONG_AGO, at, frame, records
from transform import assemble, bars, information_days
from transform.information_bars import BarType, Series, information_bars

pytestmark = pytest.mark.spark

DAYS = (date(2024, 1, 1), date(2024, 1, 2))
DAY = "exchange string, kind string, instrument string, instrument_uid string, bar_date date,"
DAY += " built_from string, is_complete boolean"
SUMS = tuple(field.name for field in schemas.BAR_SUMS)


def trade(seq: int, clock: str, price: str, quantity: str, **more: Any) -> dict[str, Any]:
    return {
        "trade_id": str(seq),
        "trade_seq": seq,
        "trade_timestamp": at(clock),
        "price": price,
        "quantity": quantity,
        "quote_quantity": str(Decimal(price) * Decimal(quantity)),
        **more,
    }


def aggregate(agg_id: int, first: int, last: int, **more: Any) -> dict[str, Any]:
    row = trade(agg_id, "00:00:01", "10", "1", **more)
    del row["trade_id"], row["trade_seq"]
    return {**row, "agg_id": agg_id, "first_trade_seq": first, "last_trade_seq": last}


def days(spark: SparkSession, source: str = "trades", *names: str) -> DataFrame:
    rows = [
        ("binance", "spot", name, name, day, source, True)
        for name in names or ("BTCUSDT",)
        for day in DAYS
    ]
    return spark.createDataFrame(rows, DAY)


def cut(spark: SparkSession, bar_type: BarType, threshold: str, *rows: dict[str, Any]) -> DataFrame:
    prints = frame(spark, schemas.TRADES, rows)
    return information_bars(prints, "trades", days(spark), Series(bar_type, Decimal(threshold)))


def test_a_bar_closes_with_the_print_that_reaches_a_multiple_and_each_day_begins_anew(
    spark: SparkSession,
) -> None:
    made = cut(
        spark,
        "volume",
        "10",
        # 4, 9, 12: passes 10 and is not split; 20: reaches it; 55: passes 30, 40 and 50; 56
        trade(1, "00:00:01", "100", "4"),
        trade(3, "00:00:03", "90", "3", taker_side="sell"),
        trade(2, "00:00:02.5", "120", "5"),
        trade(4, "00:00:04", "101", "8"),
        trade(5, "09:00:00", "102", "35"),
        trade(6, "23:59:59.999999", "103", "1"),
        trade(7, "2024-01-02T00:00:00", "104", "2"),
    )

    columns = ("bar_date", "bar_number", "first_trade_seq", "last_trade_seq", "volume")
    assert [(str(row[0]), *row[1:]) for row in records(made, *columns, "is_last_of_day")] == [
        ("2024-01-01", 1, 1, 3, "12", False),
        ("2024-01-01", 2, 4, 4, "8", False),
        ("2024-01-01", 3, 5, 5, "35", False),
        ("2024-01-01", 4, 6, 6, "1", True),
        ("2024-01-02", 1, 7, 7, "2", True),
    ]
    first = made.where("first_trade_seq = 1")
    assert records(first, "bar_start", "bar_end", "open", "high", "low", "close") == [
        ("2024-01-01T00:00:01", "2024-01-01T00:00:03", "100", "120", "90", "90")
    ]
    assert records(first, *SUMS) == [("12", "12", "1270", 3, "9", "9", "1000")]
    assert records(first, "bar_type", "threshold", "built_from", "is_complete", "month") == [
        ("volume", "10", "trades", True, 1)
    ]


def test_sums_are_divided_exactly(spark: SparkSession) -> None:
    """2.999999999999999999 / 3 would be rounded to 1, and end the bar a print too early."""
    made = cut(
        spark,
        "dollar",
        "3",
        trade(1, "00:00:01", "1", "1", quote_quantity="2.999999999999999999"),
        trade(2, "00:00:02", "1", "1", quote_quantity="0.000000000000000001"),
        trade(3, "00:00:03", "1", "1", quote_quantity="1"),
    )

    assert records(made, "bar_number", "quote_volume", "first_trade_seq") == [
        (1, "3", 1),
        (2, "1", 3),
    ]


def test_an_aggregate_is_a_print_of_all_its_trades(spark: SparkSession) -> None:
    rows = [aggregate(1, 1, 2), aggregate(2, 3, 7), aggregate(3, 8, 8), aggregate(4, 9, 9)]
    prints = frame(spark, schemas.AGG_TRADES, rows)

    made = information_bars(
        prints, "agg_trades", days(spark, "agg_trades"), Series("tick", Decimal(4))
    )
    others = information_bars(
        prints, "agg_trades", days(spark, "trades"), Series("tick", Decimal(4))
    )

    assert records(made, "bar_number", "first_trade_seq", "last_trade_seq", "trade_count") == [
        (1, 1, 7, 7),
        (2, 8, 8, 1),
        (3, 9, 9, 1),
    ]
    assert others.isEmpty(), "a day that is built from trades has no bar of aggregates"


def test_off_book_prints_count_and_set_no_price_and_a_negative_price_adds(
    spark: SparkSession,
) -> None:
    made = cut(
        spark,
        "dollar",
        "100",
        trade(1, "00:00:01", "50", "1", print_kind="block"),
        trade(2, "00:00:02", "50", "1", print_kind="combo_leg"),
        trade(3, "00:00:03", "900", "1", print_kind="adl"),
        trade(4, "00:00:04", "-60", "1"),
        trade(5, "00:00:05", "-60", "1"),
        trade(6, "00:00:06", "7", "1"),
    )

    assert records(made, "bar_number", "open", "close", "trade_count", "quote_volume") == [
        (1, None, None, 2, "100"),
        (2, "-60", "-60", 2, "-120"),
        (3, "7", "7", 1, "7"),
    ]


TAPE = (
    trade(1, "00:00:01", "100", "4"),
    trade(2, "00:00:02", "120", "5"),
    trade(3, "00:01:02", "90", "3", taker_side="sell"),
    trade(4, "2024-01-02T00:00:00", "104", "2"),
    trade(5, "2024-01-02T10:00:00", "107", "1", print_kind="block"),
)
#: Of an instrument whose trade numbers run against the minutes.
BACKWARDS = tuple(
    trade(seq, clock, price, "6", instrument="BACK", instrument_uid="BACK")
    for seq, clock, price in ((2, "00:00:59.999", "100"), (1, "00:01:00", "120"))
)


@pytest.fixture(scope="module")
def of_days(spark: SparkSession) -> DataFrame:
    """The days' candles as gold makes them."""
    held = {"dataset": "trades", "entry": "held", "proved_from": LONG_AGO}
    ledger = [
        {**held, "proved_until": at("2024-01-03T00:00:00"), "instrument": n, "instrument_uid": n}
        for n in ("BTCUSDT", "BACK")
    ]
    made = assemble.candidates(
        bars.minute_bars(frame(spark, schemas.TRADES, (*TAPE, *BACKWARDS)), "trades"),
        frame(spark, schemas.CONTINUITY, ledger),
        frame(spark, schemas.CONFLICTS, []),
        at("2024-01-03T00:00:00"),
    )
    return information_days.days(made.localCheckpoint()).localCheckpoint()


def differing(made: DataFrame, of_days: DataFrame) -> list[tuple[Any, ...]]:
    found = information_days.compared(made, of_days).where(information_days.DIFFERS)
    return [(str(row[0]), row[1]) for row in records(found, "bar_date", "field")]


def test_the_bars_of_a_day_add_up_to_its_candle_or_the_field_is_named(
    spark: SparkSession, of_days: DataFrame
) -> None:
    prints = frame(spark, schemas.TRADES, (*TAPE, *BACKWARDS, TAPE[3]))
    series = Series("volume", Decimal(5))
    made = information_bars(prints.distinct(), "trades", of_days, series).localCheckpoint()
    again = information_bars(prints, "trades", of_days, series)

    assert made.count() == 5
    assert differing(made, of_days) == []
    lost = differing(made.where("last_trade_seq <> 2"), of_days)
    assert {row[0] for row in lost} == {"2024-01-01"}
    assert {"open", "volume", "trade_count", "first_trade_seq"} <= {row[1] for row in lost}
    assert ("2024-01-02", "volume") in differing(again, of_days)
    assert ("2024-01-02", "is_complete") in differing(made.where("day(bar_date) = 1"), of_days)


def test_open_and_close_are_compared_where_trade_numbers_run_with_the_minutes(
    spark: SparkSession, of_days: DataFrame
) -> None:
    made = information_bars(
        frame(spark, schemas.TRADES, BACKWARDS), "trades", of_days, Series("volume", Decimal(6))
    )
    known = of_days.where("instrument = 'BACK'")

    assert records(known, "open", "close", "is_in_order") == [("100", "120", False)]
    assert records(made, "bar_number", "open") == [(1, "120"), (2, "100")]
    assert differing(made, known) == []
    others = of_days.where("instrument = 'BTCUSDT'")
    assert records(others, "is_in_order") == [(True,), (True,)]


def test_bars_have_the_schema_of_their_table(spark: SparkSession) -> None:
    made = cut(spark, "tick", "1").schema

    assert [(f.name, f.dataType) for f in made] == [(f.name, f.dataType) for f in INFORMATION_BARS]


PRINTS = st.lists(
    st.tuples(
        st.integers(0, 2 * 1440 - 1),
        st.integers(1, 400).map(lambda cents: str(Decimal(cents) / 100)),
        st.integers(1, 3000).map(lambda n: str(Decimal(n) / 1000)),
        st.sampled_from(["buy", "sell"]),
        st.sampled_from(["book", "book", "book", "block", "adl"]),
    ),
    min_size=1,
    max_size=25,
)
MEASURES = {"tick": None, "volume": "quantity", "dollar": "quote_quantity"}


def tape(draws: list[Any], name: str) -> list[dict[str, Any]]:
    in_time = sorted(draws, key=lambda draw: draw[0])
    return [
        trade(
            n,
            f"2024-01-0{1 + minute // 1440}T{minute // 60 % 24:02}:{minute % 60:02}:00",
            price,
            quantity,
            taker_side=side,
            print_kind=kind,
            instrument=name,
            instrument_uid=name,
        )
        for n, (minute, price, quantity, side, kind) in enumerate(in_time, 1)
    ]


def by_a_loop(rows: list[dict[str, Any]], series: Series) -> list[tuple[Any, ...]]:
    """Cut bars one print after another: instrument, day, number, first, last, volume."""
    found: dict[tuple[str, date], list[list[Any]]] = {}
    sums: dict[tuple[str, date], Decimal] = {}
    for row in rows:
        if row["print_kind"] == "adl":
            continue
        day = (row["instrument"], row["trade_timestamp"].date())
        measure = MEASURES[series.bar_type]
        before = sums.get(day, Decimal(0))
        sums[day] = before + (Decimal(row[measure]) if measure else 1)
        of_day, seq = found.setdefault(day, []), row["trade_seq"]
        if not of_day or of_day[-1][0] != before // series.threshold:
            of_day.append([before // series.threshold, seq, seq, Decimal(0)])
        of_day[-1][2] = seq
        of_day[-1][3] += Decimal(row["quantity"])
    return sorted(
        (name, day, number, first, last, volume)
        for (name, day), of_day in found.items()
        for number, (_, first, last, volume) in enumerate(of_day, 1)
    )


@settings(
    max_examples=2, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    draws=st.lists(PRINTS, min_size=20, max_size=20),
    bar_type=st.sampled_from(["tick", "volume", "dollar"]),
    threshold=st.integers(1, 12),
    mixed=st.randoms(use_true_random=False),
)
def test_bars_are_what_a_loop_finds_whatever_the_order_and_the_partitions(
    spark: SparkSession, draws: list[Any], bar_type: BarType, threshold: int, mixed: Any
) -> None:
    names = [f"I{n}" for n in range(len(draws))]
    rows = [row for name, draw in zip(names, draws, strict=True) for row in tape(draw, name)]
    series = Series(bar_type, Decimal(threshold))
    shuffled = frame(spark, schemas.TRADES, mixed.sample(rows, len(rows)))

    made = information_bars(
        shuffled.repartition(7, "price"), "trades", days(spark, "trades", *names), series
    )

    columns = ("instrument", "bar_date", "bar_number", "first_trade_seq", "last_trade_seq")
    assert sorted(map(tuple, made.select(*columns, "volume").collect())) == by_a_loop(rows, series)
