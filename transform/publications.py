"""The exchange's own bars, published more than once: only new final content opens a revision."""

from __future__ import annotations

from functools import reduce

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F  # noqa: N812

from lake.schemas import KLINES

KEY = ("exchange", "kind", "instrument_uid", "bar_interval", "open_time", "source")
#: What the exchange said of a bar; lineage and our own findings are no content.
CONTENT = (
    "close_time",
    "open",
    "high",
    "low",
    "close",
    "volume_sent",
    "quote_volume_sent",
    "trade_count",
    "taker_buy_volume_sent",
    "taker_buy_quote_volume_sent",
)
PLACE = ("knowledge_timestamp", "bronze_file", "bronze_line")


def new_revisions(seen: DataFrame, held: DataFrame) -> DataFrame:
    """Return the bars whose content differs from what was known before, numbered on.

    Args:
        seen: KLINES rows of a batch, in any order; `revision` is ignored.
        held: KLINES rows already in silver, at least all of the keys in `seen`.

    Returns:
        KLINES rows: revision 0 for a bar never seen, else one more than the one before. The same
        bars again give no row.
    """
    old = _newest(held).withColumns({"known": F.col("revision"), "is_new": F.lit(False)})
    new = seen.withColumns({"known": F.lit(-1), "is_new": F.lit(True)})
    order = Window.partitionBy(*KEY).orderBy("is_new", *PLACE)
    before = (
        Window.partitionBy(*KEY)
        .orderBy("is_new", *PLACE)
        .rowsBetween(Window.unboundedPreceding, Window.currentRow)
    )
    marked = old.unionByName(new).withColumn("differs", _differs_from_previous(order))
    opened = marked.withColumn(
        "revision",
        (F.max("known").over(before) + F.count_if(F.expr("is_new AND differs")).over(before)).cast(
            "int"
        ),
    )
    return opened.where("is_new AND differs").select(*KLINES.fieldNames())


def _differs_from_previous(order: object) -> Column:
    first = F.row_number().over(order) == 1  # type: ignore[arg-type]
    changes = [
        ~F.col(name).eqNullSafe(F.lag(name).over(order))  # type: ignore[arg-type]
        for name in CONTENT
    ]
    return first | reduce(Column.__or__, changes)


def _newest(held: DataFrame) -> DataFrame:
    latest = Window.partitionBy(*KEY).orderBy(F.desc("revision"))
    return held.withColumn("rank", F.row_number().over(latest)).where("rank = 1").drop("rank")
