"""Our bars against the exchange's own."""

from __future__ import annotations

from typing import Any

import pytest
from pyspark.sql import DataFrame, SparkSession

from lake import schemas, schemas_of_certificates
from tests.transform.frames import LONG_AGO, at, frame, records
from transform.reconciliation import candles as reconcile
from transform.reconciliation.certificates import stamped

pytestmark = pytest.mark.spark

SPOT = reconcile.RULES["binance", "spot"]
DIFFERENCE = ("bar_start", "field", "ours", "theirs", "cause")
COUNTS = (
    "compared",
    "equal",
    "equal_after_rounding",
    "not_derivable",
    "different",
    "only_left",
    "only_right",
    "unexplained",
    "causes",
)
PRICES = {"open": "10", "high": "12", "low": "9", "close": "11"}


def ours(clock: str, **more: Any) -> dict[str, Any]:
    return {
        "bar_interval": "1h",
        "bar_start": at(clock),
        **PRICES,
        "volume": "5",
        "base_volume": "5",
        "quote_volume": "55",
        "trade_count": 7,
        "taker_buy_volume": "2",
        "taker_buy_base_volume": "2",
        "taker_buy_quote_volume": "22",
        "built_from": "trades",
        "is_complete": True,
        **more,
    }


def theirs(clock: str, **more: Any) -> dict[str, Any]:
    return {
        "bar_interval": "1h",
        "open_time": at(clock),
        **PRICES,
        "volume_sent": "5",
        "quote_volume_sent": "55",
        "trade_count": 7,
        "taker_buy_volume_sent": "2",
        "taker_buy_quote_volume_sent": "22",
        "end_download_timestamp": at("2024-02-01T00:00:00"),
        **more,
    }


def compared(
    spark: SparkSession,
    left: list[dict[str, Any]],
    right: list[dict[str, Any]],
    rules: tuple[reconcile.Rule, ...] = SPOT,
) -> reconcile.Comparison:
    return reconcile.compare(
        frame(spark, schemas.OHLCV, left),
        frame(spark, schemas.KLINES, right),
        rules,
        keep=DataFrame.persist,
    )


def test_equal_bars_are_equal_in_all_nine_fields(spark: SparkSession) -> None:
    made = compared(spark, [ours("00:00"), ours("01:00")], [theirs("00:00"), theirs("01:00")])

    assert records(made.differences, *DIFFERENCE) == []
    assert records(made.totals, "instrument", "bar_interval", *COUNTS) == [
        ("BTCUSDT", "1h", 18, 18, 0, 0, 0, 0, 0, 0, {})
    ]


def test_each_field_is_compared(spark: SparkSession) -> None:
    left = []
    for hour, rule in enumerate(SPOT):
        changed: Any = 8 if rule.ours == "trade_count" else "3.5"
        left.append(ours(f"0{hour}:00", **{rule.ours: changed}))

    made = compared(spark, left, [theirs(f"0{hour}:00") for hour in range(9)])

    assert records(made.differences, "bar_start", "field", "cause") == [
        (f"2024-01-01T0{hour}:00:00", rule.theirs, "unexplained") for hour, rule in enumerate(SPOT)
    ]
    assert records(made.totals, "compared", "equal", "different", "unexplained", "causes") == [
        (81, 72, 9, 9, {"unexplained": 9})
    ]


def test_a_bar_on_one_side_alone_is_named_with_its_cause(spark: SparkSession) -> None:
    made = compared(
        spark,
        [ours("00:00"), ours("01:00", is_complete=False), ours("02:00")],
        [
            theirs("02:00"),
            theirs("03:00"),
            theirs("04:00", is_closed=False),
            theirs("05:00", end_download_timestamp=at("05:59:59")),
        ],
    )

    assert records(made.differences, *DIFFERENCE) == [
        ("2024-01-01T00:00:00", "bar", "present", None, "only_left"),
        ("2024-01-01T01:00:00", "bar", "present", None, "not_loaded"),
        ("2024-01-01T03:00:00", "bar", None, "present", "only_right"),
        ("2024-01-01T04:00:00", "bar", None, "present", "bar_fetched_too_early"),
        ("2024-01-01T05:00:00", "bar", None, "present", "bar_fetched_too_early"),
    ]
    assert records(made.totals, *COUNTS) == [
        (
            9,
            9,
            0,
            0,
            0,
            2,
            3,
            2,
            {"bar_fetched_too_early": 2, "not_loaded": 1, "only_left": 1, "only_right": 1},
        )
    ]


def test_a_difference_names_what_explains_it(spark: SparkSession) -> None:
    made = compared(
        spark,
        [ours("00:00", close="10.5"), ours("01:00", close="10.5", is_complete=False)],
        [theirs("00:00", end_download_timestamp=at("00:30:00")), theirs("01:00")],
    )

    assert records(made.differences, *DIFFERENCE) == [
        (
            "2024-01-01T00:00:00",
            "close",
            "10.5000000000",
            "11.0000000000",
            "bar_fetched_too_early",
        ),
        ("2024-01-01T01:00:00", "close", "10.5000000000", "11.0000000000", "not_loaded"),
    ]
    assert records(made.totals, "different", "unexplained") == [(2, 0)]


def test_odd_bars_are_findings_and_never_matched(spark: SparkSession) -> None:
    made = compared(
        spark,
        [ours("00:00"), ours("01:00")],
        [
            theirs("00:00", findings=["cut_short"], volume_sent="1"),
            theirs("01:00"),
            theirs("01:28:14", findings=["off_grid", "overlong"]),
        ],
    )

    assert records(made.differences, *DIFFERENCE) == [
        ("2024-01-01T00:00:00", "bar", None, "present", "cut_short"),
        ("2024-01-01T01:28:14", "bar", None, "present", "off_grid"),
    ]
    assert records(made.totals, "compared", "equal", "only_right", "unexplained") == [(9, 9, 0, 0)]


def test_an_aggregate_across_an_edge_is_told_from_a_loss(spark: SparkSession) -> None:
    futures = {"kind": "usdm", "built_from": "agg_trades"}
    left = [
        ours("00:00", volume="6", **futures),
        ours("01:00", volume="4", **futures),
        ours("02:00", **futures),
        ours("03:00", volume="4", **futures),
    ]
    right = [theirs(f"0{hour}:00", kind="usdm") for hour in range(4)]

    made = compared(spark, left, right, reconcile.RULES["binance", "usdm"])

    assert records(made.differences, "bar_start", "cause") == [
        ("2024-01-01T00:00:00", "aggregate_spans_edge"),
        ("2024-01-01T01:00:00", "aggregate_spans_edge"),
        ("2024-01-01T03:00:00", "unexplained"),
    ]


def test_quotes_are_equal_after_the_exchanges_own_cut(spark: SparkSession) -> None:
    made = compared(
        spark,
        [ours("00:00", quote_volume="55.123456789"), ours("01:00", quote_volume="55.123456789")],
        [
            theirs("00:00", quote_volume_sent="55.12345678"),
            theirs("01:00", quote_volume_sent="55.12345679"),
        ],
    )

    assert records(made.totals, "equal", "equal_after_rounding", "different") == [(16, 1, 1)]
    assert records(made.differences, "bar_start") == [("2024-01-01T01:00:00",)]


def test_coin_margined_bars_hold_base_coin_in_the_quotes_place(spark: SparkSession) -> None:
    coinm = {"kind": "coinm"}
    base = {"base_volume": "0.123456785", "taker_buy_base_volume": "0.1"}

    made = compared(
        spark,
        [ours("00:00", **base, **coinm), ours("01:00", **base, **coinm)],
        [
            theirs(
                "00:00", quote_volume_sent="0.12345679", taker_buy_quote_volume_sent="0.1", **coinm
            ),
            theirs(
                "01:00", quote_volume_sent="0.12345677", taker_buy_quote_volume_sent="0.1", **coinm
            ),
        ],
        reconcile.RULES["binance", "coinm"],
    )

    assert records(made.totals, "equal", "equal_after_rounding", "different") == [(16, 1, 1)]


def test_what_deribit_does_not_publish_is_not_derivable(spark: SparkSession) -> None:
    deribit = {"exchange": "deribit", "kind": "future"}
    absent = {"trade_count": None, "taker_buy_volume_sent": None}

    made = compared(
        spark,
        [ours("00:00", base_volume="0.0005", **deribit)],
        [
            theirs(
                "00:00",
                volume_sent="0.0005",
                taker_buy_quote_volume_sent=None,
                **absent,
                **deribit,
            )
        ],
        reconcile.RULES["deribit", "future"],
    )

    assert records(made.totals, "compared", "equal", "not_derivable") == [(9, 6, 3)]


def test_the_certificate_has_the_schema_of_its_table(spark: SparkSession) -> None:
    made = compared(spark, [ours("00:00")], [theirs("00:00")])

    rows = stamped(
        made.totals,
        schemas_of_certificates.RECONCILIATION,
        {
            "run_id": "r",
            "check_name": "bars",
            "window_start": LONG_AGO,
            "window_end": at("01:00"),
            "checked_at": at("02:00"),
        },
    )

    assert [(f.name, f.dataType) for f in rows.schema] == [
        (f.name, f.dataType) for f in schemas_of_certificates.RECONCILIATION
    ]
    assert records(rows, "run_id", "window_end", "equal", "matched", "left_rows") == [
        ("r", "2024-01-01T01:00:00", 9, 1, 1)
    ]
    assert records(rows, "undetermined", "dataset") == [(0, None)]


def test_equal_sides_have_equal_checksums_whatever_their_order(spark: SparkSession) -> None:
    hours = ("00:00", "01:00", "02:00")
    there = compared(spark, [ours(hour) for hour in hours], [theirs(hour) for hour in hours])
    back = compared(
        spark, [ours(hour) for hour in reversed(hours)], [theirs(hour, close="9") for hour in hours]
    )

    (first,), (second,) = (records(one.totals, "left_hash", "right_hash") for one in (there, back))
    assert first[0] == first[1] == second[0]
    assert second[1] != second[0]


def test_a_difference_leads_to_the_line_of_bronze_that_it_stands_in(spark: SparkSession) -> None:
    bar = theirs("00:00", close="10.5", bronze_file="bronze/klines/a", bronze_line=7)
    made = compared(spark, [ours("00:00")], [bar])

    assert records(
        reconcile.evidence(made.differences),
        *("first_id", "field", "left_value", "right_value", "is_explained"),
        *("right_bronze_file", "right_bronze_line"),
    ) == [(1704067200000, "close", "11.0000000000", "10.5000000000", False, "bronze/klines/a", 7)]
