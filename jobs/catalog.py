"""The tables under their names, for SQL: `silver.trades`, `gold.ohlcv`, `gold.ohlcv_filled`."""

from __future__ import annotations

import re

from jobs import views
from jobs.context import Context
from lake.tables import TABLES

LAYERS = ("silver", "gold", "ops")
FILLED = "gold.ohlcv_filled"
#: A string literal, which stays as it is, or the view's name.
_WORDS = re.compile(
    r"('(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\")|\bgold\.ohlcv_filled\b", re.IGNORECASE
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
    """Return the statement with `gold.ohlcv_filled` in the place of which stands its session view.

    Spark has no view of a DataFrame inside a named database, so the name is put in its place
    here; text in quotes is left alone. The view is made only where it is asked for.
    """
    view = FILLED.replace(".", "_")
    replaced = _WORDS.sub(lambda match: match[1] or view, statement)
    if replaced != statement:
        views.ohlcv_filled(context).createOrReplaceTempView(view)
    return replaced
