"""Prints to minute bars."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Context, Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F  # noqa: N812

from lake import schemas
from tests.transform.frames import at, frame, records
from transform import bars

pytestmark = pytest.mark.spark

PRICES = ("open", "high", "low", "close")
SUMS = tuple(field.name for field in schemas.BAR_SUMS)


def trade(seq: int, clock: str, price: str, quantity: str, **more: Any) -> dict[str, Any]:
    quote = str(Decimal(price) * Decimal(quantity))
    return {
        "trade_id": str(seq),
        "trade_seq": seq,
        "trade_timestamp": at(clock),
        "price": price,
        "quantity": quantity,
        "quote_quantity": quote,
        **more,
    }


def minutes(spark: SparkSession, *rows: dict[str, Any]) -> DataFrame:
    return bars.minute_bars(frame(spark, schemas.TRADES, rows), "trades")


def test_open_and_close_follow_trade_number_not_time_or_arrival(spark: SparkSession) -> None:
    bar = minutes(
        spark,
        trade(12, "00:00:30.001", "103", "1"),
        trade(10, "00:00:30.001", "101", "1"),
        trade(11, "00:00:30.000", "99", "2", taker_side="sell"),
        trade(13, "00:00:29.000", "98", "1"),
    )

    assert records(bar, "bar_start", *PRICES, "first_trade_seq", "last_trade_seq") == [
        ("2024-01-01T00:00:00", "101", "103", "98", "98", 10, 13)
    ]
    assert records(bar, *SUMS) == [("5", "5", "500", 4, "3", "3", "302")]


def test_a_bar_holds_its_first_microsecond_and_not_its_end(spark: SparkSession) -> None:
    bar = minutes(
        spark,
        trade(1, "00:00:59.999999", "1", "1"),
        trade(2, "00:01:00", "2", "1"),
        trade(3, "00:01:59.999999", "3", "1"),
    )

    assert records(bar, "bar_start", "open", "close") == [
        ("2024-01-01T00:00:00", "1", "1"),
        ("2024-01-01T00:01:00", "2", "3"),
    ]


def test_an_aggregate_counts_as_many_trades_as_it_stands_for(spark: SparkSession) -> None:
    row = {"price": "10", "quantity": "3", "quote_quantity": "30", "trade_timestamp": at("00:00")}
    rows = [
        {**row, "agg_id": 7, "first_trade_seq": 100, "last_trade_seq": 104},
        {**row, "agg_id": 8, "first_trade_seq": 105, "last_trade_seq": 105, "taker_side": "sell"},
    ]

    bar = bars.minute_bars(frame(spark, schemas.AGG_TRADES, rows), "agg_trades")

    assert records(bar, "built_from", "trade_count", "first_trade_seq", "last_trade_seq") == [
        ("agg_trades", 6, 100, 105)
    ]
    assert records(bar, "volume", "taker_buy_volume") == [("6", "3")]


def test_off_book_prints_count_in_volume_and_set_no_price(spark: SparkSession) -> None:
    bar = minutes(
        spark,
        trade(1, "00:00:01", "90", "1", print_kind="block"),
        trade(2, "00:00:02", "100", "1"),
        trade(3, "00:00:03", "120", "1", print_kind="combo_leg"),
        trade(4, "00:01:03", "120", "1", print_kind="rfq"),
    )

    assert records(bar, "bar_start", *PRICES, "volume", "trade_count", "first_trade_seq") == [
        ("2024-01-01T00:00:00", "100", "100", "100", "100", "3", 3, 1),
        ("2024-01-01T00:01:00", None, None, None, None, "1", 1, 4),
    ]


def test_insurance_fund_and_deleveraging_prints_count_nowhere(spark: SparkSession) -> None:
    bar = minutes(
        spark,
        trade(1, "00:00:01", "90", "1", print_kind="insurance_fund"),
        trade(2, "00:00:02", "100", "1"),
        trade(3, "00:01:02", "100", "1", print_kind="adl"),
    )

    assert records(bar, "bar_start", "low", "trade_count", "first_trade_seq") == [
        ("2024-01-01T00:00:00", "100", 1, 2)
    ]


def coinm(seq: int, price: str, contracts: str, quote: str) -> dict[str, Any]:
    units = {"quantity_unit": "contract", "base_unit": "BTC", "quote_unit": "USD"}
    return trade(seq, "00:00:01", price, contracts, kind="coinm", **units) | {
        "quote_quantity": quote
    }


def test_base_amount_of_contracts_is_divided_print_by_print(spark: SparkSession) -> None:
    # 10/3 = 3.333…, 20/3 = 6.666…67, 10/42283.58 = 0.000236498423265012|18…: half up at scale 18
    bar = minutes(
        spark,
        coinm(1, "3", "1", "10"),
        coinm(2, "3", "2", "20"),
        coinm(3, "42283.58", "1", "10"),
    )

    assert records(bar, "volume", "quote_volume", "base_volume", "taker_buy_base_volume") == [
        ("4", "40", "10.000236498423265012", "10.000236498423265012")
    ]


def test_base_amount_of_an_inverse_future_in_quote_units(spark: SparkSession) -> None:
    units = {"quantity_unit": "USD", "base_unit": "BTC", "quote_unit": "USD"}
    row = trade(1, "00:00:01", "80000", "20", exchange="deribit", kind="future", **units)

    bar = minutes(spark, row | {"quote_quantity": "20"})

    assert records(bar, "volume", "quote_volume", "base_volume") == [("20", "20", "0.00025")]


def test_a_combo_at_zero_or_below_adds_no_base_amount(spark: SparkSession) -> None:
    units = {"quantity_unit": "USD", "base_unit": "BTC", "quote_unit": "USD"}
    rows = [
        trade(n, "00:00:01", price, "10", exchange="deribit", kind="future_combo", **units)
        for n, price in ((1, "0"), (2, "-5"))
    ]

    bar = minutes(spark, *rows)

    assert records(bar, *PRICES, "volume", "base_volume") == [("0", "0", "-5", "-5", "20", "0")]


DIVISIONS = [
    ("1", "3"),
    ("2", "3"),
    ("10", "42283.58"),
    # a tie at the 19th digit goes up
    ("0.000000000000000005", "10"),
    # digits 19 to 22 are 4999 and more follows: rounded at 22 first, it came out one too high
    ("0.05014295", "747161.31394713"),
    ("99999999999999999999", "1"),
    ("0.000000000000000001", "9999999999.9999999999"),
]


def test_a_division_rounds_once_half_up_at_scale_18(spark: SparkSession) -> None:
    rows = [
        coinm(n, price, "1", quote) | {"instrument": f"I{n}", "instrument_uid": f"I{n}"}
        for n, (quote, price) in enumerate(DIVISIONS)
    ]

    made = {row.instrument: row.base_volume for row in minutes(spark, *rows).collect()}

    for n, (quote, price) in enumerate(DIVISIONS):
        exact = Context(prec=120).divide(Decimal(quote), Decimal(price))
        assert made[f"I{n}"] == exact.quantize(Decimal("1e-18"), ROUND_HALF_UP, Context(prec=60))


def test_units_come_from_the_prints_that_know_them(spark: SparkSession) -> None:
    bar = minutes(
        spark,
        trade(1, "00:00:01", "1", "1", base_unit=None, contract_size=None),
        trade(2, "00:00:02", "1", "1", contract_size="1"),
    )

    assert records(bar, "quantity_unit", "base_unit", "contract_size", "volume") == [
        ("BTC", "BTC", "1", "2")
    ]


def test_instruments_of_one_name_stay_apart(spark: SparkSession) -> None:
    bar = minutes(
        spark,
        trade(1, "00:00:01", "1", "1"),
        trade(1, "00:00:01", "2", "1", kind="usdm"),
        trade(1, "00:00:01", "3", "1", instrument_uid="BTCUSDT@2"),
    )

    assert records(bar, "kind", "instrument_uid", "open") == [
        ("spot", "BTCUSDT", "1"),
        ("spot", "BTCUSDT@2", "3"),
        ("usdm", "BTCUSDT", "2"),
    ]


def test_a_bar_was_known_when_its_last_print_was(spark: SparkSession) -> None:
    bar = minutes(
        spark,
        trade(1, "00:00:01", "1", "1", knowledge_timestamp=at("09:00:00")),
        trade(2, "00:00:02", "1", "1", knowledge_timestamp=at("08:00:00")),
    )

    assert records(bar, "knowledge_timestamp", "year", "month") == [
        ("2024-01-01T09:00:00", 2024, 1)
    ]


def test_a_sum_too_big_for_its_decimal_stops_the_job(spark: SparkSession) -> None:
    rows = [trade(n, "00:00:01", "1", "1", quote_quantity="9" * 20) for n in (1, 2)]

    with pytest.raises(Exception, match=r"ARITHMETIC_OVERFLOW|NUMERIC_VALUE_OUT_OF_RANGE"):
        minutes(spark, *rows).collect()


def test_bars_have_the_schema_of_their_table(spark: SparkSession) -> None:
    made = minutes(spark).schema

    assert [(f.name, f.dataType) for f in made] == [
        (f.name, f.dataType) for f in schemas.SOURCE_BARS
    ]


def test_prints_are_hashed_and_never_sorted(spark: SparkSession) -> None:
    """A text in an aggregate's buffer would make Spark sort every print first."""
    path = frame(spark, schemas.TRADES, []).repartition(2)

    plan = bars.minute_bars(path, "trades")._jdf.queryExecution().executedPlan().toString()

    over_prints = plan[: plan.rindex("HashAggregate")].rsplit("HashAggregate", 1)[1]
    assert "Sort" not in over_prints + plan[plan.rindex("HashAggregate") :]


PRINTS = st.lists(
    st.tuples(
        st.integers(0, 179),
        st.integers(1, 400).map(lambda cents: str(Decimal(cents) / 100)),
        st.integers(1, 300).map(lambda n: str(Decimal(n) / 1000)),
        st.sampled_from(["buy", "sell"]),
        st.sampled_from(["book", "book", "book", "block", "adl"]),
    ),
    min_size=1,
    max_size=25,
)


def tape(draws: list[tuple[int, str, str, str, str]], name: str) -> list[dict[str, Any]]:
    in_time = sorted(draws, key=lambda draw: draw[0])
    return [
        trade(
            n,
            f"00:{second // 60:02}:{second % 60:02}",
            price,
            quantity,
            taker_side=side,
            print_kind=kind,
            instrument=name,
            instrument_uid=name,
        )
        for n, (second, price, quantity, side, kind) in enumerate(in_time, 1)
    ]


@settings(
    max_examples=2, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(draws=st.lists(PRINTS, min_size=20, max_size=20), mixed=st.randoms(use_true_random=False))
def test_order_and_partitions_never_change_a_bar(
    spark: SparkSession, draws: list[Any], mixed: Any
) -> None:
    rows = [row for n, draw in enumerate(draws) for row in tape(draw, f"I{n}")]
    shuffled = mixed.sample(rows, len(rows))

    first = minutes(spark, *rows)
    second = bars.minute_bars(
        frame(spark, schemas.TRADES, shuffled).repartition(7, "price"), "trades"
    )

    columns = schemas.SOURCE_BARS.fieldNames()
    assert records(first, *columns) == records(second, *columns)


@settings(
    max_examples=2, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(draws=st.lists(PRINTS, min_size=20, max_size=20))
def test_bars_are_what_a_plain_loop_finds(spark: SparkSession, draws: list[Any]) -> None:
    rows = [row for n, draw in enumerate(draws) for row in tape(draw, f"I{n}")]
    expected: dict[tuple[str, int], list[dict[str, Any]]] = {}
    for row in rows:
        if row["print_kind"] != "adl":
            place = (row["instrument"], row["trade_timestamp"].minute)
            expected.setdefault(place, []).append(row)

    made = {
        (row.instrument, row.minute): row
        for row in minutes(spark, *rows).withColumn("minute", F.minute("bar_start")).collect()
    }

    assert made.keys() == expected.keys()
    for place, prints in expected.items():
        book = [Decimal(p["price"]) for p in prints if p["print_kind"] == "book"]
        prices = (book[0], max(book), min(book), book[-1]) if book else (None,) * 4
        assert (made[place].open, made[place].high, made[place].low, made[place].close) == prices
        assert made[place].volume == sum(Decimal(p["quantity"]) for p in prints)
        assert made[place].taker_buy_quote_volume == sum(
            Decimal(p["quote_quantity"]) for p in prints if p["taker_side"] == "buy"
        )
