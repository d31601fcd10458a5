"""What the newest certificates leave open: the ids that one side lacks and nothing explains."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F  # noqa: N812

from extract.coverage import Missing, joined
from jobs.context import Context
from jobs.coverage.holdings import Of
from jobs.options import Segment
from jobs.reconciliation.sides import PRINTS
from lake.bronze import Coverage
from lake.tables import OPS_CONTINUITY, OPS_RECONCILIATION, OPS_RECONCILIATION_DIFFERENCES
from transform.reconciliation.plausibility import GAP
from transform.reconciliation.prints import WHOLE

_LISTING = ("exchange", "kind", "instrument")
#: A certificate of the same is superseded by a newer one.
_SAME = (
    *("check_name", *_LISTING, "dataset", "bar_interval"),
    *("left_side", "right_side", "window_start", "window_end"),
)


def unexplained_ids(
    context: Context, segments: Sequence[Segment]
) -> Mapping[Of, Sequence[Missing]]:
    """Return the ids of prints that a side lacks, by the newest certificate of each window.

    Bars have no ids: they come with the next extraction of their window.
    """
    found: defaultdict[Of, list[Coverage]] = defaultdict(list)
    uids = _uids(context)
    rows = _newest(context).where(
        F.col("field").isin(WHOLE, GAP) & ~F.col("is_explained") & F.col("dataset").isin(*PRINTS)
    )
    for row in rows.select(*_LISTING, "dataset", "first_id", "last_id").distinct().collect():
        listing = (row["exchange"], row["kind"], row["instrument"])
        if any(_is_of(segment, listing) for segment in segments):
            of = (*listing, uids.get(listing, listing[2]), row["dataset"])
            found[of].append(Coverage(row["first_id"], row["last_id"], 0, 0))
    return {
        of: [Missing(span.first_id, span.last_id) for span in joined(spans)]
        for of, spans in found.items()
    }


def _newest(context: Context) -> DataFrame:
    """Return the evidence of the newest certificates alone."""
    newest = Window.partitionBy(*_SAME).orderBy(F.desc("checked_at"), F.desc("run_id"))
    certificates = (
        context.tables.read(OPS_RECONCILIATION)
        .withColumn("place", F.row_number().over(newest))
        .where("place = 1")
        .select("run_id", *_SAME)
    )
    evidence = context.tables.read(OPS_RECONCILIATION_DIFFERENCES)
    return evidence.join(certificates, on=["run_id", *_SAME], how="left_semi")


def _uids(context: Context) -> Mapping[tuple[str, str, str], str]:
    rows = context.tables.read(OPS_CONTINUITY).select(*_LISTING, "instrument_uid").distinct()
    return {
        (row["exchange"], row["kind"], row["instrument"]): row["instrument_uid"]
        for row in rows.collect()
    }


def _is_of(segment: Segment, listing: tuple[str, str, str]) -> bool:
    of_segment = (segment.exchange, segment.kind) == listing[:2]
    return of_segment and segment.admits(listing[2])
