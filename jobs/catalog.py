"""The tables under their names, for SQL: `silver.trades`, `gold.ohlcv`, `ops.runs` and the views."""

from __future__ import annotations

from jobs.context import Context
from lake.tables import TABLES

LAYERS = ("silver", "gold", "ops")


def register(context: Context) -> None:
    """Make every table of the lake known by its name in this session; nothing is written.

    The catalog lives in memory: the lake's own paths are the truth.
    """
    for layer in LAYERS:
        context.spark.sql(f"CREATE DATABASE IF NOT EXISTS {layer}")
    for table in TABLES.values():
        if context.tables.exists(table):
            location = context.tables.location(table).replace("'", "\\'")
            context.spark.sql(
                f"CREATE TABLE IF NOT EXISTS {table.name} USING delta LOCATION '{location}'"
            )
