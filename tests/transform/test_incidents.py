"""Which incident explains a row: the most specific one that overlaps it, never one withdrawn."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import types as T  # noqa: N812

from lake.schemas_of_incidents import INCIDENTS
from tests.transform.frames import at, records
from transform import incidents

pytestmark = pytest.mark.spark

ROWS = T.StructType(
    [
        T.StructField("row", T.StringType()),
        T.StructField("kind", T.StringType()),
        T.StructField("exchange", T.StringType()),
        T.StructField("instrument", T.StringType()),
        T.StructField("hole_from", T.TimestampType()),
        T.StructField("hole_until", T.TimestampType()),
    ]
)
TOLD = (
    {"incident_id": "exchange", "started_at": at("01:00:00"), "ended_at": at("02:00:00")},
    {
        "incident_id": "kind",
        "kind": "spot",
        "started_at": at("01:30:00"),
        "ended_at": at("02:30:00"),
        "cause": "maintenance",
    },
    {
        "incident_id": "later",
        "kind": "spot",
        "instrument": "BTCUSDT",
        "started_at": at("01:50:00"),
        "ended_at": at("01:55:00"),
        "cause": "our_outage",
    },
    {
        "incident_id": "earlier",
        "kind": "spot",
        "instrument": "BTCUSDT",
        "started_at": at("01:40:00"),
        "ended_at": at("01:55:00"),
        "cause": "our_outage",
    },
    {"incident_id": "goes_on", "exchange": "deribit", "started_at": at("05:00:00")},
    {
        "incident_id": "withdrawn",
        "started_at": at("06:00:00"),
        "ended_at": at("07:00:00"),
        "state": "withdrawn",
    },
)


def told(spark: SparkSession, *rows: Mapping[str, Any]) -> DataFrame:
    common = {
        "revision": 1,
        "exchange": "binance",
        "cause": "exchange_down",
        "title": "it was down",
        "state": "closed",
        "created_at": at("00:00:00"),
        "updated_at": at("00:00:00"),
    }
    filled = [{**common, **row} for row in rows]
    return spark.createDataFrame(
        [tuple(row.get(name) for name in INCIDENTS.fieldNames()) for row in filled], INCIDENTS
    )


def test_a_row_gets_the_most_specific_incident_that_overlaps_it(spark: SparkSession) -> None:
    expected: dict[str, tuple[tuple[Any, ...], str | None, str | None]] = {
        # what: kind, exchange, instrument, from, until; the incident, its cause
        "of the instrument, the earliest": (
            ("spot", "binance", "BTCUSDT", at("01:45:00"), at("01:52:00")),
            "earlier",
            "our_outage",
        ),
        "of another instrument": (
            ("spot", "binance", "ETHUSDT", at("01:45:00"), at("01:52:00")),
            "kind",
            "maintenance",
        ),
        "of another kind": (
            ("usdm", "binance", "BTCUSDT", at("01:45:00"), at("01:52:00")),
            "exchange",
            "exchange_down",
        ),
        "of a kind as a whole": (
            ("spot", "binance", None, at("01:45:00"), at("01:52:00")),
            "kind",
            "maintenance",
        ),
        "of an exchange as a whole": (
            (None, "binance", None, at("01:45:00"), at("01:52:00")),
            "exchange",
            "exchange_down",
        ),
        "ends where it starts": (
            ("usdm", "binance", "BTCUSDT", at("00:30:00"), at("01:00:00")),
            None,
            None,
        ),
        "starts where it ends": (
            ("usdm", "binance", "BTCUSDT", at("02:00:00"), at("02:10:00")),
            None,
            None,
        ),
        "holds it whole": (
            ("usdm", "binance", "BTCUSDT", at("00:30:00"), at("09:10:00")),
            "exchange",
            "exchange_down",
        ),
        "a moment at its start": (
            ("usdm", "binance", "BTCUSDT", at("01:00:00"), at("01:00:00")),
            "exchange",
            "exchange_down",
        ),
        "a moment at its end": (
            ("usdm", "binance", "BTCUSDT", at("02:00:00"), at("02:00:00")),
            None,
            None,
        ),
        "goes on before it": (
            ("usdm", "binance", "BTCUSDT", at("00:30:00"), None),
            "exchange",
            "exchange_down",
        ),
        "both go on": (
            ("future", "deribit", "BTC-PERPETUAL", at("23:00:00"), None),
            "goes_on",
            "exchange_down",
        ),
        "before one that goes on": (
            ("future", "deribit", "BTC-PERPETUAL", at("04:00:00"), at("05:00:00")),
            None,
            None,
        ),
        "one that was withdrawn": (
            ("spot", "binance", "BTCUSDT", at("06:00:00"), at("07:00:00")),
            None,
            None,
        ),
        "another exchange": (
            ("spot", "kraken", "BTC/USD", at("01:45:00"), at("01:52:00")),
            None,
            None,
        ),
        "no exchange": ((None, None, None, at("01:45:00"), at("01:52:00")), None, None),
    }
    rows = spark.createDataFrame([(what, *row) for what, (row, _, _) in expected.items()], ROWS)

    made = incidents.covering(rows, told(spark, *TOLD), start="hole_from", end="hole_until")

    assert made.columns == [*rows.columns, "incident_id", "incident_cause"]
    found = {row["row"]: (row["incident_id"], row["incident_cause"]) for row in made.collect()}
    assert found == {what: (name, cause) for what, (_, name, cause) in expected.items()}
    assert made.count() == len(expected)


def test_without_incidents_no_row_has_one(spark: SparkSession) -> None:
    times: tuple[datetime, datetime] = (at("01:00:00"), at("02:00:00"))
    rows = spark.createDataFrame([("a", "spot", "binance", "BTCUSDT", *times)], ROWS)

    made = incidents.covering(rows, told(spark), start="hole_from", end="hole_until")

    assert records(made, "row", "incident_id", "incident_cause") == [("a", None, None)]


def test_the_newest_revision_is_current(spark: SparkSession) -> None:
    first = {"incident_id": "a", "started_at": at("01:00:00"), "state": "open"}
    second = {**first, "revision": 2, "ended_at": at("02:00:00"), "state": "closed"}
    other = {"incident_id": "b", "started_at": at("01:00:00"), "state": "withdrawn"}

    made = incidents.current(told(spark, second, first, other))

    assert made.schema.fieldNames() == INCIDENTS.fieldNames()
    assert records(made, "incident_id", "revision", "state") == [
        ("a", 2, "closed"),
        ("b", 1, "withdrawn"),
    ]
