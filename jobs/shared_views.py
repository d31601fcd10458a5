"""The catalog that all sessions of a process share: the lake's tables and views by name."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from pyspark.sql import DataFrame

from jobs import catalog, views
from jobs.context import Context
from lake.errors import StorageError

#: Where Spark keeps views that all sessions see; the named views read them.
GLOBAL = "global_temp"
#: The values of every moment, with known_from and known_until, that the functions filter.
KNOWN: Mapping[str, Callable[[Context], DataFrame]] = {
    "gold.ohlcv_known": views.ohlcv_known,
    "silver.trades_known": views.trades_known,
    "silver.agg_trades_known": views.agg_trades_known,
}
#: What a view's entry in Spark's catalog says of the temporary views that it may read.
MAY_READ = "view.referredTempViewNames"
#: The places of an entry's values, as Spark 4.1 has them.
VALUES, PROPERTIES, VIEW_TEXT = 21, 11, 13


def share(context: Context) -> list[str]:
    """Make the tables and views known to every session of this process, by name.

    Called again, it adds tables that are new, and collects anew what views had collected.

    Returns:
        The names of the views; one whose tables this lake has not made yet is left out.
    """
    catalog.register(context)
    made = []
    for name, make in {**catalog.VIEWS, **KNOWN}.items():
        try:
            frame = make(context)
        except StorageError:
            continue
        _share_view(context, name, frame)
        made.append(name)
    return made


def _share_view(context: Context, name: str, frame: DataFrame) -> None:
    """Put a DataFrame under a name of a database.

    In Spark only SQL can be a named view, and none that reads a temporary one. So the frame becomes
    a global temporary view, and a named view of the same columns is then told to read it.
    """
    hidden = name.replace(".", "_")
    frame.createOrReplaceGlobalTempView(hidden)
    if context.spark.catalog.tableExists(name):
        return
    columns = ", ".join(
        f"CAST(NULL AS {field.dataType.simpleString()}) AS `{field.name}`" for field in frame.schema
    )
    context.spark.sql(f"CREATE VIEW {name} AS SELECT {columns}")
    _redirect(context, name, hidden)


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
