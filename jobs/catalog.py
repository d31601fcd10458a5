"""The tables under their names, for SQL: `silver.trades`, `gold.ohlcv`, `gold.ohlcv_filled`."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from pyspark.sql import DataFrame

from jobs import views
from jobs.bulk.table import bulk_runs
from jobs.context import Context
from jobs.incidents import memory
from lake.tables import TABLES

LAYERS = ("silver", "gold", "ops")
#: Names that stand for what is made only where a statement names them.
VIEWS: Mapping[str, Callable[[Context], DataFrame]] = {
    "gold.ohlcv_filled": views.ohlcv_filled,
    "ops.bulk_runs": bulk_runs,
    "ops.incidents_current": memory.current,
    "ops.missing_minutes": views.missing_minutes,
}
#: A string literal, which stays as it is, or a view's name.
_WORDS = re.compile(
    rf"('(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\")|\b({'|'.join(map(re.escape, VIEWS))})\b",
    re.IGNORECASE,
)


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


def with_views(context: Context, statement: str) -> str:
    """Return the statement with session views in the places of the names in `VIEWS`.

    Spark has no view of a DataFrame inside a named database, so the names are put in their places
    here; text in quotes is left alone. A view is made only where it is asked for.
    """
    named: set[str] = set()

    def placed(match: re.Match[str]) -> str:
        if match[1]:
            return match[1]
        named.add(match[2].lower())
        return _session_name(match[2].lower())

    replaced = _WORDS.sub(placed, statement)
    for name in sorted(named):
        VIEWS[name](context).createOrReplaceTempView(_session_name(name))
    return replaced


def _session_name(name: str) -> str:
    return name.replace(".", "_")
