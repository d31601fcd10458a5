"""Names for SQL: tables, views such as `gold.ohlcv_filled`, functions such as `ohlcv_as_of(t)`."""

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
    "gold.ohlcv_by_end": views.ohlcv_by_end,
    "gold.ohlcv_by_start": views.ohlcv_by_start,
    "gold.ohlcv_filled": views.ohlcv_filled,
    "ops.bulk_runs": bulk_runs,
    "ops.incidents_current": memory.current,
    "ops.missing_minutes": views.missing_minutes,
}
#: Table functions of one moment: the rows that were known then. Spark has none inside a database.
AS_OF: Mapping[str, Callable[[Context], DataFrame]] = {
    "ohlcv_as_of": views.ohlcv_known,
    "trades_as_of": views.trades_known,
    "agg_trades_as_of": views.agg_trades_known,
}
#: A string literal, which stays as it is, a view's name, or a function's.
_WORDS = re.compile(
    rf"('(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\")|\b({'|'.join(map(re.escape, VIEWS))})\b"
    rf"|\b({'|'.join(AS_OF)})\b",
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
    here; text in quotes is left alone. A view or a function of `AS_OF` is made only where it is
    asked for.
    """
    named: set[str] = set()
    functions: set[str] = set()

    def placed(match: re.Match[str]) -> str:
        if match[1]:
            return match[1]
        if match[3]:
            functions.add(match[3].lower())
            return match[3]
        named.add(match[2].lower())
        return _session_name(match[2].lower())

    replaced = _WORDS.sub(placed, statement)
    for name in sorted(named):
        VIEWS[name](context).createOrReplaceTempView(_session_name(name))
    for name in sorted(functions):
        _make_function(context, name)
    return replaced


def _make_function(context: Context, name: str) -> None:
    known = f"{name}_known"
    AS_OF[name](context).createOrReplaceTempView(known)
    context.spark.sql(f"CREATE OR REPLACE TEMPORARY FUNCTION {of_a_moment(name, known)}")


def of_a_moment(name: str, known: str) -> str:
    """Return what follows CREATE FUNCTION for one of `AS_OF` that filters the view `known`."""
    return (
        f"{name}(t TIMESTAMP) RETURNS TABLE"  # noqa: S608 - the names are ours
        f" RETURN SELECT * EXCEPT (known_from, known_until) FROM {known}"
        f" WHERE known_from <= {name}.t AND (known_until IS NULL OR known_until > {name}.t)"
    )


def _session_name(name: str) -> str:
    return name.replace(".", "_")
