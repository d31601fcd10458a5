"""Which incident explains a time: the corporate memory put beside rows that need a cause."""

from __future__ import annotations

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F  # noqa: N812

from lake.schemas_of_incidents import WITHDRAWN

_OF_EXCHANGE = "_incidents"
_FIRST = "_incident"


def current(revisions: DataFrame) -> DataFrame:
    """Return the newest revision of each incident, those that were withdrawn too.

    Args:
        revisions: rows of `schemas_of_incidents.INCIDENTS`.
    """
    newest = Window.partitionBy("incident_id").orderBy(F.desc("revision"))
    ranked = revisions.withColumn("_place", F.row_number().over(newest))
    return ranked.where(F.col("_place") == 1).drop("_place")


def covering(rows: DataFrame, incidents: DataFrame, *, start: str, end: str) -> DataFrame:
    """Attach to each row the incident that overlaps its time, null where there is none.

    Of several it is the most specific one (of the instrument, then of the kind, then of the whole
    exchange), then the one that started earliest, then the lowest id. Both times are half-open:
    what only touches does not overlap; a row whose start is its end stands for that moment.

    Args:
        rows: with `exchange`, `kind` and `instrument`; a null there is matched only by an incident
            of all kinds, or of all instruments.
        incidents: the newest revision of each, as `current` returns them; those that were
            withdrawn are left aside.
        start: the TIMESTAMP column in which a row's time starts, never null.
        end: the one in which it ends, excluded; null where it goes on.

    Returns:
        The rows, none more and none less, with `incident_id` and `incident_cause` STRING.
    """
    held = F.broadcast(_by_exchange(incidents))
    known = rows.join(held, on="exchange", how="left")
    # beyond the last place `get` is null
    first = F.get(
        F.filter(_OF_EXCHANGE, lambda incident: _covers(incident, F.col(start), F.col(end))),
        F.lit(0),
    )
    return known.withColumn(_FIRST, first).select(
        *rows.columns,
        F.col(f"{_FIRST}.incident_id").alias("incident_id"),
        F.col(f"{_FIRST}.cause").alias("incident_cause"),
    )


def _by_exchange(incidents: DataFrame) -> DataFrame:
    """Gather the incidents of each exchange in one array, the one that goes first first."""
    width = F.when(F.col("instrument").isNotNull(), 0).when(F.col("kind").isNotNull(), 1)
    incident = F.struct(
        width.otherwise(2).alias("width"),
        "started_at",
        "incident_id",
        "ended_at",
        "kind",
        "instrument",
        "cause",
    )
    standing = incidents.where(F.col("state") != WITHDRAWN)
    return standing.groupBy("exchange").agg(
        F.sort_array(F.collect_list(incident)).alias(_OF_EXCHANGE)
    )


def _covers(incident: Column, start: Column, end: Column) -> Column:
    begun = (incident["started_at"] <= start) | F.coalesce(
        incident["started_at"] < end,
        F.lit(True),
    )
    goes_on = incident["ended_at"].isNull() | (incident["ended_at"] > start)
    return _is_of(incident, "kind") & _is_of(incident, "instrument") & begun & goes_on


def _is_of(incident: Column, name: str) -> Column:
    return incident[name].isNull() | F.coalesce(incident[name] == F.col(name), F.lit(False))
