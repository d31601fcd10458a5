"""Publications of one bar vote: one that stands alone is outvoted, a tie is nobody's to tell."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from pyspark.sql import DataFrame, SparkSession

from lake import schemas
from tests.transform.frames import at, frame, records
from transform.reconciliation.votes import vote

pytestmark = pytest.mark.spark

WINDOW = (at("00:00:00"), at("06:00:00"))


def bar(hour: int, **changes: Any) -> dict[str, Any]:
    start = at(f"0{hour}:00:00")
    return {
        "bar_interval": "1h",
        "open_time": start,
        "close_time": start + timedelta(milliseconds=3_599_999),
        "open": "10",
        "high": "12",
        "low": "9",
        "close": "11",
        "volume_sent": "5",
        "trade_count": 7,
        **changes,
    }


def test_the_publication_that_stands_alone_is_outvoted(spark: SparkSession) -> None:
    published = {
        "rest": [bar(0), bar(1), bar(2), bar(3), bar(4), bar(6)],
        "archive daily": [bar(0), bar(1, close="8"), bar(2), bar(3, high="13"), bar(4)],
        "archive monthly": [bar(0), bar(1), bar(2, close="7", volume_sent="6"), bar(6, low="1")],
    }

    made = vote(
        {name: frame(spark, schemas.KLINES, rows) for name, rows in published.items()},
        WINDOW,
        keep=DataFrame.persist,
    )

    columns = ("from_timestamp", "field", "left_value", "right_value", "cause", "evidence")
    assert records(made.differences, *columns) == [
        (
            *("2024-01-01T01:00:00", "close", "11.0000000000", "8.0000000000", "outvoted"),
            "right is archive daily; left is archive monthly, rest",
        ),
        (
            *("2024-01-01T02:00:00", "close", "11.0000000000", "7.0000000000", "outvoted"),
            "right is archive monthly; left is archive daily, rest",
        ),
        (
            *("2024-01-01T02:00:00", "volume_sent", "5.000000000000000000"),
            *("6.000000000000000000", "outvoted"),
            "right is archive monthly; left is archive daily, rest",
        ),
        (
            *("2024-01-01T03:00:00", "high", "13.0000000000", "12.0000000000", "undetermined"),
            "right is rest; left is archive daily, rest",
        ),
    ]
    counts = ("left_rows", "matched", "different", "compared", "unexplained", "undetermined")
    assert records(made.totals, *counts, "causes") == [
        (5, 2, 4, 80, 0, 1, {"outvoted": 3, "undetermined": 1})
    ]


def said(*values: str) -> dict[str, list[dict[str, Any]]]:
    """Return one bar that the publications, in the order of their names, close at these prices."""
    names = ("archive daily", "archive monthly", "rest")
    return {
        name: [bar(0, close=value, bronze_file=f"bronze/{name}", bronze_line=place)]
        for place, (name, value) in enumerate(zip(names, values, strict=True))
    }


def test_each_publication_has_one_voice_and_none_is_judged_alone(spark: SparkSession) -> None:
    """Of a file published anew the newest version counts; three opinions are nobody's to tell."""
    late = {"knowledge_timestamp": at("23:00:00"), "bronze_file": "bronze/anew"}
    scenarios = {
        "agreed": said("1", "1", "1"),
        "alone": {"rest": [bar(0, close="1")]},
        "anew": {
            **said("1", "2", "2"),
            "archive daily": [bar(0, close="1"), bar(0, close="2", **late)],
        },
        "outvoted": said("1", "1", "2"),
        "stubborn": {**said("1", "2", "2"), "archive daily": [bar(0, close="1")] * 5},
        "three": said("3", "2", "1"),
    }
    voters = {
        name: frame(
            spark,
            schemas.KLINES,
            [
                {**row, "instrument": instrument, "instrument_uid": instrument}
                for instrument, published in scenarios.items()
                for row in published.get(name, [])
            ],
        )
        for name in ("archive daily", "archive monthly", "rest")
    }

    made = vote(voters, WINDOW, keep=DataFrame.persist)

    columns = ("instrument", "cause", "evidence", "left_bronze_file", "right_bronze_file")
    daily, rest = "bronze/archive daily", "bronze/rest"
    everybody = "archive daily, archive monthly, rest"
    assert records(made.differences, *columns) == [
        (
            *("outvoted", "outvoted", "right is rest; left is archive daily, archive monthly"),
            *(daily, rest),
        ),
        (
            *("stubborn", "outvoted", "right is archive daily; left is archive monthly, rest"),
            *("bronze/archive monthly", ""),
        ),
        *[
            ("three", "undetermined", f"right is {name}; left is {everybody}", daily, place)
            for name, place in (
                ("archive monthly", "bronze/archive monthly"),
                ("rest", rest),
            )
        ],
    ]
    counts = ("instrument", "left_rows", "matched", "compared", "undetermined", "unexplained")
    assert records(made.totals, *counts) == [
        ("agreed", 1, 1, 20, 0, 0),
        ("anew", 1, 1, 20, 0, 0),
        ("outvoted", 1, 0, 20, 0, 0),
        ("stubborn", 1, 0, 20, 0, 0),
        ("three", 1, 0, 20, 2, 0),
    ]
