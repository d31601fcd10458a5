"""The catalog that all sessions of a process share: the lake's tables and views by name."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from pyspark.sql import DataFrame

from jobs import catalog
from jobs.context import Context
from lake.errors import StorageError

#: Where Spark keeps views that all sessions see; the named views read them.
GLOBAL = "global_temp"
#: The views that the functions of a moment filter: every value, with known_from and known_until.
KNOWN: Mapping[str, str] = {
    "ohlcv_as_of": "gold.ohlcv_known",
    "trades_as_of": "silver.trades_known",
    "agg_trades_as_of": "silver.agg_trades_known",
}
#: What a view's entry in Spark's catalog says of the temporary views that it may read.
MAY_READ = "view.referredTempViewNames"
#: The places of an entry's values, as Spark 4.1 has them.
VALUES, PROPERTIES, VIEW_TEXT = 21, 11, 13


def share(context: Context) -> None:
    """Make tables, views and the functions of a moment known to every session of this process.

    Called again, it adds tables that are new, and collects anew what views had collected. A view or
    a function whose tables this lake has not made yet is left out.
    """
    catalog.register(context)
    for name, make in catalog.VIEWS.items():
        _share_view(context, name, make)
    for name, known in KNOWN.items():
        if _share_view(context, known, catalog.AS_OF[name]):
            _share_function(context, name, known)


def _share_function(context: Context, name: str, known: str) -> None:
    """Make a function in each database: Spark takes no database's name before such a function."""
    for database in ("default", *catalog.LAYERS):
        if not context.spark.catalog.functionExists(f"{database}.{name}"):
            function = catalog.of_a_moment(name, known)
            context.spark.sql(f"CREATE FUNCTION {database}.{function}")


def _share_view(context: Context, name: str, make: Callable[[Context], DataFrame]) -> bool:
    """Put a DataFrame under a name of a database; tell whether its tables are there.

    In Spark only SQL can be a named view, and none that reads a temporary one. So the frame becomes
    a global temporary view, and a named view of the same columns is then told to read it.
    """
    hidden = name.replace(".", "_")
    try:
        frame = make(context)
    except StorageError:
        return False
    frame.createOrReplaceGlobalTempView(hidden)
    if context.spark.catalog.tableExists(name):
        return True
    columns = ", ".join(
        f"CAST(NULL AS {field.dataType.simpleString()}) AS `{field.name}`" for field in frame.schema
    )
    context.spark.sql(f"CREATE VIEW {name} AS SELECT {columns}")
    _redirect(context, name, hidden)
    return True


def _redirect(context: Context, name: str, hidden: str) -> None:
    # the entries of Spark's catalog can be reached in its JVM alone
    jvm: Any = context.spark._jvm  # noqa: SLF001
    entries = context.spark._jsparkSession.sharedState().externalCatalog()  # noqa: SLF001
    entry = entries.getTable(*name.split("."))
    values = [getattr(entry, f"copy$default${place}")() for place in range(1, VALUES + 1)]
    values[PROPERTIES] = entry.properties().updated(MAY_READ, json.dumps([[GLOBAL, hidden]]))
    query = f"SELECT * FROM {GLOBAL}.{hidden}"  # noqa: S608 - the name is ours
    values[VIEW_TEXT] = jvm.scala.Some(query)
    entries.alterTable(entry.copy(*values))
