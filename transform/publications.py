"""What an exchange publishes more than once: only new final content opens a revision."""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F  # noqa: N812


@dataclass(frozen=True, slots=True)
class Published:
    """What tells one publication from another, and what an exchange said in it.

    Attributes:
        key: its columns beside `revision`.
        content: what makes a revision where it differs; lineage and our own findings do not.
    """

    key: tuple[str, ...]
    content: tuple[str, ...]


_LISTING = ("exchange", "kind", "instrument_uid")
_BAR = (*_LISTING, "bar_interval", "open_time", "source")
_PRICES = ("open", "high", "low", "close")
KLINES = Published(
    _BAR,
    (
        "close_time",
        *_PRICES,
        "volume_sent",
        "quote_volume_sent",
        "trade_count",
        "taker_buy_volume_sent",
        "taker_buy_quote_volume_sent",
    ),
)
MARK_KLINES = Published(_BAR, ("close_time", *_PRICES))
FUNDING_RATES = Published(
    (*_LISTING, "funding_timestamp", "source"),
    (
        *("funding_rate", "funding_rate_8h", "funding_interval_hours"),
        *("mark_price", "index_price", "previous_index_price", "rate_type"),
    ),
)
PLACE = ("knowledge_timestamp", "bronze_file", "bronze_line")


def new_revisions(seen: DataFrame, held: DataFrame, published: Published = KLINES) -> DataFrame:
    """Return the rows whose content differs from what was known before, numbered on.

    Args:
        seen: rows of a batch, in any order; `revision` is ignored.
        held: rows already in silver, at least all of the keys in `seen`.
        published: what they are; bars of trades where nothing is said.

    Returns:
        Rows as seen: revision 0 for a key never seen, else one more than the one before. The same
        rows again give no row.
    """
    key = published.key
    old = _newest(held, key).withColumns({"known": F.col("revision"), "is_new": F.lit(False)})
    new = seen.withColumns({"known": F.lit(-1), "is_new": F.lit(True)})
    order = Window.partitionBy(*key).orderBy("is_new", *PLACE)
    before = (
        Window.partitionBy(*key)
        .orderBy("is_new", *PLACE)
        .rowsBetween(Window.unboundedPreceding, Window.currentRow)
    )
    differs = _differs_from_previous(order, published.content)
    marked = old.unionByName(new).withColumn("differs", differs)
    opened = marked.withColumn(
        "revision",
        (F.max("known").over(before) + F.count_if(F.expr("is_new AND differs")).over(before)).cast(
            "int"
        ),
    )
    return opened.where("is_new AND differs").select(*seen.columns)


def _differs_from_previous(order: object, content: tuple[str, ...]) -> Column:
    first = F.row_number().over(order) == 1  # type: ignore[arg-type]
    changes = [
        ~F.col(name).eqNullSafe(F.lag(name).over(order))  # type: ignore[arg-type]
        for name in content
    ]
    return first | reduce(Column.__or__, changes)


def _newest(held: DataFrame, key: tuple[str, ...]) -> DataFrame:
    latest = Window.partitionBy(*key).orderBy(F.desc("revision"))
    return held.withColumn("rank", F.row_number().over(latest)).where("rank = 1").drop("rank")
