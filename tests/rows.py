"""Builders of inputs: envelopes as bronze holds them, and listings, only what matters named."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from pyspark.sql import DataFrame, Row, SparkSession

from lake import bronze, schemas, schemas_of_indexes, schemas_of_perpetuals
from transform import envelopes, parsing, rows

#: After every trade of the tests, where a test names no other moment.
RECEIVED = datetime(2026, 11, 21, tzinfo=UTC)
SCHEMAS = {
    "trades": schemas.TRADES,
    "agg_trades": schemas.AGG_TRADES,
    "klines": schemas.KLINES,
    "mark_klines": schemas_of_perpetuals.MARK_KLINES,
    "funding_rates": schemas_of_perpetuals.FUNDING_RATES,
    "index_prices": schemas_of_indexes.INDEX_PRICES,
}


def line(body: str | bytes, **named: Any) -> str:
    """Return one line of a bronze file around this body."""
    envelope: dict[str, Any] = {
        "exchange": "binance",
        "kind": "spot",
        "dataset": "agg_trades",
        "instrument": "BTCUSDT",
        "mode": "history",
        "region": "eu",
        "request": {},
        "status": 200,
        "end_download_timestamp": RECEIVED,
        "knowledge_timestamp": RECEIVED,
        "run_id": "run",
        "sequence": 1,
        **named,
    }
    content = body if isinstance(body, bytes) else body.encode()
    return bronze.to_line(bronze.Envelope(**envelope, body=content)).decode().rstrip("\n")


def read(spark: SparkSession, *lines: str) -> DataFrame:
    """Return lines as envelopes."""
    found = spark.createDataFrame([(text, "bronze/file") for text in lines], _LINES)
    return envelopes.read(found)


def listing(**named: Any) -> dict[str, Any]:
    """Return a row of `silver.instruments`."""
    known = {
        "exchange": "binance",
        "kind": "spot",
        "instrument": "BTCUSDT",
        "instrument_uid": named.get("instrument", "BTCUSDT"),
        "valid_from": datetime(2020, 1, 1, tzinfo=UTC),
        "valid_from_observed": False,
        "status": "TRADING",
        "direction": "linear",
        "attributes": "{}",
        "end_download_timestamp": RECEIVED,
        "knowledge_timestamp": RECEIVED,
        "source": "history",
        "region": "eu",
        "bronze_file": "bronze/file",
        "bronze_line": 1,
        "parser_version": 1,
        **named,
    }
    return {field.name: known.get(field.name) for field in schemas.INSTRUMENTS.fields}


def listings(spark: SparkSession, *held: dict[str, Any]) -> DataFrame:
    """Return rows of `silver.instruments`."""
    return spark.createDataFrame([tuple(row.values()) for row in held], schemas.INSTRUMENTS)


def parsed(
    spark: SparkSession, dataset: str, *lines: str, known: Sequence[dict[str, Any]] = ()
) -> tuple[list[Row], list[Row]]:
    """Parse lines, and return the valid rows and the rejected ones, in the order of bronze."""
    found = parsing.parse(dataset, read(spark, *lines), listings(spark, *known)).persist()
    try:
        valid, rejected = rows.valid(found, SCHEMAS[dataset]), rows.refused(found)
        assert valid.schema == SCHEMAS[dataset]
        return valid.collect(), sorted(rejected.collect(), key=_place)
    finally:
        found.unpersist()


def refused(rejected: list[Row]) -> list[tuple[int, list[str]]]:
    """Return the place and the reasons of each rejected row."""
    return [(row["row_position"], row["reasons"]) for row in rejected]


def as_json(value: Any) -> str:
    """Return compact JSON text."""
    return json.dumps(value, separators=(",", ":"))


def _place(row: Row) -> tuple[int, int]:
    return row["bronze_line"], row["row_position"]


_LINES = "value STRING, bronze_file STRING"
