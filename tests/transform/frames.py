"""Rows of the tables' own schemas for tests: name only the columns that matter."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import types as T  # noqa: N812

LONG_AGO = datetime(2024, 1, 1, tzinfo=UTC)
DEFAULTS: Mapping[str, Any] = {
    "exchange": "binance",
    "kind": "spot",
    "instrument": "BTCUSDT",
    "instrument_uid": "BTCUSDT",
    "print_kind": "book",
    "taker_side": "buy",
    "quantity_unit": "BTC",
    "base_unit": "BTC",
    "quote_unit": "USDT",
    "findings": [],
    "differing": [],
    "is_closed": True,
    "source": "history",
    "region": "local",
    "state": "proved",
}
BY_TYPE: Mapping[type[T.DataType], Any] = {
    T.StringType: "",
    T.LongType: 0,
    T.IntegerType: 0,
    T.BooleanType: False,
    T.TimestampType: LONG_AGO,
    T.DecimalType: Decimal(0),
}


def at(clock: str) -> datetime:
    """Return a moment of 2024-01-01 UTC, such as `00:01:59.999`, or any ISO date and time."""
    text = clock if "T" in clock else f"2024-01-01T{clock}"
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def frame(
    spark: SparkSession, schema: T.StructType, rows: Sequence[Mapping[str, Any]]
) -> DataFrame:
    """Return a frame of a table's schema; text in a decimal's place is that decimal."""
    for row in rows:
        unknown = set(row) - set(schema.fieldNames())
        assert not unknown, f"no such columns: {unknown}"
    return spark.createDataFrame([[_value(f, row) for f in schema] for row in rows], schema)


def _value(field: T.StructField, row: Mapping[str, Any]) -> Any:
    if field.name in row:
        value = row[field.name]
        return Decimal(value) if isinstance(field.dataType, T.DecimalType) and value else value
    if field.name in DEFAULTS:
        return DEFAULTS[field.name]
    return None if field.nullable else BY_TYPE[type(field.dataType)]


def records(rows: DataFrame, *columns: str) -> list[tuple[Any, ...]]:
    """Collect columns as sorted plain tuples: times as ISO text, decimals without their zeros."""
    selected = rows.select(*columns).collect()
    return sorted((tuple(_plain(value) for value in row) for row in selected), key=repr)


def _plain(value: Any) -> Any:
    if isinstance(value, Decimal):
        return f"{value.normalize():f}" if value else "0"
    return value.isoformat() if isinstance(value, datetime) else value
