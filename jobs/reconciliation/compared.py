"""What a check has compared stays to be looked at: both sides, row beside row, as Parquet."""

from __future__ import annotations

import re
from collections.abc import Sequence

from pyspark.sql import DataFrame, Row

from jobs.context import Context
from jobs.options import Segment
from jobs.reconciliation.download import folder_of
from jobs.reconciliation.ledger import About
from transform.reconciliation.side_by_side import side_by_side
from transform.reconciliation.subjects import SUBJECTS

FOLDER = "compared"


def keep_compared(
    context: Context,
    about: About,
    segment: Segment,
    pairs: DataFrame,
    rows: Sequence[Row],
    *,
    is_whole: bool,
) -> None:
    """Keep the pairs of a comparison: all of them, or of very many those that differ.

    Args:
        context: the run.
        about: what was compared.
        segment: of which exchange and kind.
        pairs: as `prints.Compared.pairs`.
        rows: the certificates of the comparison, which have counted the pairs.
        is_whole: whether `pairs` has them all; else those that differ are kept.
    """
    count = sum((row["left_rows"] or 0) + row["only_right"] for row in rows)
    if not count:
        return
    if not is_whole or count > context.settings.reconcile.keep_rows:
        pairs = pairs.where("status <> 'matched'")
    flat = side_by_side(pairs, SUBJECTS[about.dataset])
    context.tables.keep_parquet(flat, f"{folder_of(context)}/{FOLDER}/{_name(about, segment)}")


def _name(about: About, segment: Segment) -> str:
    parts = (segment.exchange, segment.kind, about.dataset, about.left, about.right)
    return "-".join(re.sub(r"\W+", "-", part, flags=re.ASCII) for part in parts) + ".parquet"
