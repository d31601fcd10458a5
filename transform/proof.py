"""What the ledger of continuity proves of a stretch of time: asked by bars and the filled view."""

from __future__ import annotations

from datetime import datetime

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


def complete_until(continuity: DataFrame, conflicts: DataFrame, until: datetime) -> DataFrame:
    """Return the end of the newest minute that is proved complete of each instrument.

    Minutes before it may not be: their bars say so themselves. The minute right before it always
    is, by the trades or by the aggregates: no open hole and no open conflict touches it.

    Args:
        continuity: rows of `schemas.CONTINUITY`, all entries.
        conflicts: rows of `schemas.CONFLICTS`; the open ones count.
        until: no minute that ends later is looked at.

    Returns:
        exchange, kind, instrument, complete_until; no row where no minute is proved.
    """
    ends = F.concat(*[_proved_ends(dataset, until) for dataset in PRINTS])
    listing = ("exchange", "kind", "instrument")
    return (
        _evidence(continuity, conflicts)
        .groupBy(*listing)
        .agg(F.max(F.array_max(ends)).alias("complete_until"))
        .where("complete_until IS NOT NULL")
    )


def _proved_ends(dataset: str, until: datetime) -> Column:
    """Return of each held run of a dataset the end of its newest minute that is proved."""
    # a conflict's own minute is open, the one after it is not
    disputed = F.transform(
        _name(dataset, "conflict"),
        lambda run: _from_newest(run, grid.shifted(run["until"], F.lit(-1))),
    )
    holes = F.transform(_name(dataset, "hole"), lambda run: _from_newest(run, run["until"]))
    newest_first = F.reverse(F.array_sort(F.concat(holes, disputed)))

    def before(end: Column, hole: Column) -> Column:
        touches = (hole["from"] < end) & (hole["until"] >= _a_minute_before(end))
        return F.when(touches, grid.bar_start(hole["from"], "1m")).otherwise(end)

    def proved(run: Column) -> Column:
        newest = grid.bar_start(F.least(run["until"], F.lit(until)), "1m")
        end = F.aggregate(newest_first, newest, before)
        return F.when(run["from"] <= _a_minute_before(end), end)

    return F.transform(_name(dataset, "held"), proved)


def _from_newest(run: Column, until: Column) -> Column:
    return F.struct(until.alias("until"), run["from"].alias("from"))


def _a_minute_before(moment: Column) -> Column:
    return grid.shifted(moment, F.lit(-grid.MINUTE))


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
