"""What the ledger of continuity proves of a stretch of time: asked by bars and the filled view."""

from __future__ import annotations

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F  # noqa: N812

from lake import schemas
from transform import grid

IDENTITY = [field.name for field in schemas.IDENTITY]
PRINTS = ("trades", "agg_trades")
_ROLES = ("held", "hole", "conflict")


def with_evidence(
    rows: DataFrame, continuity: DataFrame, conflicts: DataFrame | None = None
) -> DataFrame:
    """Put the evidence on an instrument beside each of its rows, for `proves` and `disputes`.

    Args:
        rows: any rows with the identity columns.
        continuity: rows of `schemas.CONTINUITY`, all entries.
        conflicts: rows of `schemas.CONFLICTS`; the open ones count. Not needed for `proves`.
    """
    return rows.join(_evidence(continuity, conflicts), on=IDENTITY, how="left")


def without_evidence(rows: DataFrame) -> DataFrame:
    """Take the columns of `with_evidence` away again."""
    return rows.drop(*[_name(dataset, role) for dataset in PRINTS for role in _ROLES])


def proves(dataset: str, start: Column, end: Column) -> Column:
    """Return whether a dataset is proved whole in [start, end): one held run, no open hole."""
    held = F.exists(
        _name(dataset, "held"), lambda run: (run["from"] <= start) & (run["until"] >= end)
    )
    # a hole's borders are the times of its neighbours, so both may belong to it
    hole = F.exists(
        _name(dataset, "hole"), lambda run: (run["from"] < end) & (run["until"] >= start)
    )
    return F.coalesce(held, F.lit(False)) & ~F.coalesce(hole, F.lit(False))


def disputes(dataset: str, start: Column, end: Column) -> Column:
    """Return whether an open conflict of a dataset lies in [start, end)."""
    conflict = F.exists(
        _name(dataset, "conflict"), lambda run: (run["from"] >= start) & (run["from"] < end)
    )
    return F.coalesce(conflict, F.lit(False))


def _name(dataset: str, role: str) -> str:
    return f"_{dataset}_{role}"


def _evidence(continuity: DataFrame, conflicts: DataFrame | None) -> DataFrame:
    spans = continuity.where((F.col("entry") == "held") | (F.col("state") == "open")).select(
        *IDENTITY,
        "dataset",
        F.col("entry").alias("role"),
        F.struct(F.col("proved_from").alias("from"), F.col("proved_until").alias("until")).alias(
            "span"
        ),
    )
    if conflicts is not None:
        spans = spans.unionByName(_moments(conflicts))
    return spans.groupBy(*IDENTITY).agg(
        *[_collected(dataset, role) for dataset in PRINTS for role in _ROLES]
    )


def _moments(conflicts: DataFrame) -> DataFrame:
    minute = F.col("bar_minute")
    return conflicts.where(F.col("state") == "open").select(
        *IDENTITY,
        "dataset",
        F.lit("conflict").alias("role"),
        F.struct(minute.alias("from"), grid.bar_end(minute, "1m").alias("until")).alias("span"),
    )


def _collected(dataset: str, role: str) -> Column:
    wanted = (F.col("dataset") == dataset) & (F.col("role") == role)
    return F.collect_list(F.when(wanted, F.col("span"))).alias(_name(dataset, role))
