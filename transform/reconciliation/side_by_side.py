"""The rows of a comparison as they are kept for people: both sides in one flat row."""

from __future__ import annotations

from pyspark.sql import DataFrame
from pyspark.sql import functions as F  # noqa: N812

from transform.reconciliation.pairs import PLACE, SIDES
from transform.reconciliation.subjects import Subject


def side_by_side(pairs: DataFrame, subject: Subject) -> DataFrame:
    """Put the sides of each pair beside one another.

    Args:
        pairs: as `prints.Compared.pairs`.
        subject: what was compared.

    Returns:
        exchange, kind, instrument, instrument_uid, bar_interval, id, moment, `status` (matched,
        different, only_left, only_right), then of each field and of PLACE `left_` and `right_`:
        null where that side lacks the row.
    """
    both = [
        F.col(f"{side}.{name}").alias(f"{side}_{name}")
        for name in (*subject.fields, *PLACE)
        for side in SIDES
    ]
    named = ("exchange", "kind", "instrument", "instrument_uid", "bar_interval")
    return pairs.select(*named, "id", "moment", "status", *both)
