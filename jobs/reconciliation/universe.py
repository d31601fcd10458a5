"""Which instruments of the universe no side of a daily check says anything of."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pyspark.sql import DataFrame
from pyspark.sql import functions as F  # noqa: N812
from pyspark.sql import types as T  # noqa: N812

from jobs.context import Context
from jobs.reconciliation.sides import Part
from lake.frames import local_frame
from lake.schemas_of_certificates import RECONCILIATION, RECONCILIATION_DIFFERENCES
from lake.storage import Slice
from lake.tables import SILVER_INSTRUMENTS
from transform.reconciliation import certificates

UNIVERSE, CAUSE = "universe", "not_held"
#: How Binance and Deribit call a listing that trades.
TRADING = ("TRADING", "open")
_TOTALS = ("exchange", "kind", "instrument", "bar_interval", "unexplained", "causes")
_DIFFERENCES = (
    *("exchange", "kind", "instrument", "bar_interval", "first_id", "last_id", "rows"),
    *("from_timestamp", "until_timestamp", "field", "cause", "is_explained"),
)


def absent(context: Context, part: Part, claims: Sequence[tuple[Any, ...]]) -> list[str]:
    """Return the wanted instruments that traded in the window and of which no file says a word.

    An answer of nothing is a word: a quiet instrument is not absent.
    """
    start, end = (F.lit(moment) for moment in part.window)
    listed = F.coalesce("listed_at", "valid_from") < start
    stands = (F.col("valid_to").isNull() | (F.col("valid_to") >= end)) & (
        F.col("delisted_at").isNull() | (F.col("delisted_at") >= end)
    )
    of_part = Slice(((part.segment.exchange, part.segment.kind),)).predicate()
    rows = context.tables.read(SILVER_INSTRUMENTS).where(of_part)
    trading = rows.where(listed & stands & F.col("status").isin(*TRADING))
    named = {row["instrument"] for row in trading.select("instrument").distinct().collect()}
    told = {claim[3] for claim in claims}
    return sorted(name for name in named - told if part.segment.admits(name))


def with_certificates(
    context: Context, totals: DataFrame, part: Part, names: Sequence[str]
) -> DataFrame:
    """Add to certificates one of nothing for each of these instruments."""
    rows = [(*_listing(part, name), "", 1, {CAUSE: 1}) for name in names]
    more = local_frame(context.spark, rows, _some(RECONCILIATION, _TOTALS))
    return certificates.filled(totals.unionByName(more, allowMissingColumns=True))


def with_evidence(
    context: Context, differences: DataFrame, part: Part, names: Sequence[str]
) -> DataFrame:
    """Add to differences that nothing is held of these instruments."""
    what = (0, 0, 1, *part.window, UNIVERSE, CAUSE, False)
    rows = [(*_listing(part, name), "", *what) for name in names]
    more = local_frame(context.spark, rows, _some(RECONCILIATION_DIFFERENCES, _DIFFERENCES))
    return differences.unionByName(more, allowMissingColumns=True)


def _listing(part: Part, name: str) -> tuple[str, str, str]:
    return part.segment.exchange, part.segment.kind, name


def _some(schema: T.StructType, names: Sequence[str]) -> T.StructType:
    return T.StructType([schema[name] for name in names])
