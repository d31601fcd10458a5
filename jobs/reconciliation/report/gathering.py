"""Collects what the page of a run shows from the lake's tables and from what the run has kept."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from glob import escape
from itertools import groupby
from typing import Any
from urllib.parse import quote

from pyspark.sql import Row as SparkRow
from pyspark.sql import functions as F  # noqa: N812

from jobs import data_docs
from jobs.context import Context
from jobs.coverage.drawing import to_svg
from jobs.coverage.heat_map import heat_map
from jobs.coverage.holdings import holdings
from jobs.options import Segment
from jobs.reconciliation.download import folder_of
from jobs.reconciliation.report.facts import Link, Report, Row, Run
from jobs.reconciliation.report.trend import MOST
from lake.errors import UsageError
from lake.objects import FolderStore
from lake.storage import Slice
from lake.tables import OPS_CONTINUITY, OPS_RECONCILIATION, OPS_RECONCILIATION_DIFFERENCES

#: So many differences are told one by one, and so many lines of the heat map drawn.
SHOWN, LINES = 200, 60
#: What a run keeps beside its page, and what it is.
KEPT: Mapping[str, str] = {
    "compared": "both sides, row beside row, as Parquet",
    "download": "the exchange's answers as they came, asked for by this check alone",
    "notebook.ipynb": "the notebook of this run, with its tables and its chart",
}


@dataclass(frozen=True, slots=True)
class Checked:
    """What a run has checked, and what came of it."""

    check: str
    window: tuple[datetime, datetime]
    certificates: Sequence[SparkRow]
    is_stopped: bool = False


def gather(context: Context, checked: Checked) -> Report:
    """Return all that the page shows of this run."""
    certificates = [_aware(row) for row in checked.certificates]
    certificates.sort(key=_order)
    differences, left_out = _differences(context, certificates)
    coverage, undrawn = _coverage(context, certificates)
    return Report(
        context.run_id,
        checked.check,
        checked.window,
        certificates,
        differences,
        left_out,
        _runs(context, checked.check, certificates),
        coverage,
        undrawn,
        checked.is_stopped,
        list(_links(context)),
    )


def _aware(row: SparkRow) -> Row:
    """Return the row with its times in UTC: Spark hands out naive ones in the machine's zone."""
    return {
        name: value.astimezone(UTC) if isinstance(value, datetime) else value
        for name, value in row.asDict().items()
    }


def _order(row: Row) -> tuple[Any, ...]:
    names = ("dataset", "left_side", "right_side", "exchange", "kind", "instrument", "bar_interval")
    return (-int(row["unexplained"]), *(row[name] or "" for name in names))


def _differences(context: Context, certificates: Sequence[Row]) -> tuple[list[Row], int]:
    """Return the first differences of this run, the open ones first, and how many more it has."""
    table = context.tables.read(OPS_RECONCILIATION_DIFFERENCES)
    # the check is the table's partition
    checks = sorted({row["check_name"] for row in certificates})
    found = table.where(F.col("check_name").isin(checks) & (F.col("run_id") == context.run_id))
    order = ("exchange", "kind", "instrument", "dataset", "bar_interval", "first_id", "field")
    shown = found.orderBy("is_explained", *order, "left_side", "right_side").limit(SHOWN).collect()
    more = found.count() - SHOWN if len(shown) == SHOWN else 0
    return [_aware(row) for row in shown], more


def _runs(context: Context, check: str, certificates: Sequence[Row]) -> list[Run]:
    """Return the last runs of the same check on the same markets, the oldest first."""
    markets = sorted({(row["exchange"], row["kind"]) for row in certificates})
    if not markets:
        return []
    rows = (
        context.tables.read(OPS_RECONCILIATION)
        .where(F.col("check_name") == check)
        .where(Slice(tuple(markets)).predicate())
        .groupBy("run_id")
        .agg(
            F.max("checked_at").alias("checked_at"),
            F.sum(F.coalesce("left_rows", F.lit(0)) + F.col("only_right")).alias("rows"),
            F.sum(F.coalesce("matched", F.lit(0))).alias("matched"),
            F.sum("unexplained").alias("unexplained"),
        )
        .where("rows > 0")
        .orderBy(F.col("checked_at").desc(), F.col("run_id").desc())
        .limit(MOST)
        .collect()
    )
    return [Run(**_aware(row)) for row in reversed(rows)]


def _coverage(context: Context, certificates: Sequence[Row]) -> tuple[str, int]:
    """Return the heat map of the instruments as SVG, and how many lines it lacks."""
    if not certificates or not context.tables.exists(OPS_CONTINUITY):
        return "", 0
    try:
        found = holdings(context, list(_segments(certificates)))
    except UsageError:
        # of what is only streamed or downloaded apart the ledger says nothing
        return "", 0
    return to_svg(heat_map(found[:LINES])), max(0, len(found) - LINES)


def _segments(certificates: Sequence[Row]) -> Iterator[Segment]:
    names = sorted({(row["exchange"], row["kind"], row["instrument"]) for row in certificates})
    for (exchange, kind), rows in groupby(names, key=lambda name: name[:2]):
        yield Segment(exchange, kind, tuple(escape(name[2]) for name in rows))


def _links(context: Context) -> Iterator[Link]:
    place = folder_of(context)
    for name, says in KEPT.items():
        if next(context.store.names(f"{place}/{name}"), None) is not None:
            yield Link(name, quote(name), says)
    site = data_docs.folder_of(context) / "index.html"
    if isinstance(context.store, FolderStore) and site.exists():
        up = "../" * (place.count("/") + 1)
        says = "what the gates found in each table, batch by batch, by Great Expectations"
        yield Link("Data Docs", f"{up}{data_docs.FOLDER}/index.html", says)
