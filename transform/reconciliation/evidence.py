"""What is known beside two sides that could explain a difference, and how it is put to a row."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F  # noqa: N812
from pyspark.sql import types as T  # noqa: N812

from lake.schemas import IDENTITY
from transform.incidents import covering
from transform.reconciliation.subjects import Subject

_LISTING = [field.name for field in IDENTITY[:3]]
#: What a bronze file claims to hold of an instrument, and of which side it is; a refill is asked
#: for by exactly its ids, with the name of the run that asked.
CLAIMS = T.StructType(
    [
        T.StructField("side", T.StringType()),
        *IDENTITY[:3],
        T.StructField("first_id", T.LongType()),
        T.StructField("last_id", T.LongType()),
        T.StructField("from_timestamp", T.TimestampType()),
        T.StructField("until_timestamp", T.TimestampType()),
        T.StructField("is_refill", T.BooleanType()),
        T.StructField("bronze_file", T.StringType()),
    ]
)


@dataclass(frozen=True, slots=True)
class Evidence:
    """What could explain why a side lacks a row.

    Attributes:
        claims: rows of `CLAIMS`: the files of each side, `left` and `right`, and the refills of
            either, whoever asked for them.
        rejected: rows that came and that a rule turned away: side, exchange, kind,
            instrument_uid, id, reasons ARRAY<STRING>, bronze_file, bronze_line.
        incidents: as `transform.incidents.current` returns them.
    """

    claims: DataFrame
    rejected: DataFrame
    incidents: DataFrame


def presented(pairs: DataFrame, subject: Subject, evidence: Evidence) -> DataFrame:
    """Put to each pair that is not matched what is known of the side that lacks it.

    Args:
        pairs: as `pairs.paired` returns them, with `until` TIMESTAMP: where the row's time ends.
        subject: what is compared.
        evidence: see there.

    Returns:
        The pairs with `lacking` (left, right or null), `claim` and `refill` (STRUCT of `CLAIMS`'
        columns, or null), `rejection` (STRUCT<reasons, bronze_file, bronze_line>, or null),
        `incident_id` and `incident_cause`.
    """
    lacking = F.when(F.col("status") == "only_left", F.lit("right")).when(
        F.col("status") == "only_right", F.lit("left")
    )
    told = _rejections(pairs.withColumn("lacking", lacking), evidence.rejected)
    known = told.join(F.broadcast(_gathered(evidence.claims)), on=_LISTING, how="left")
    found = known.withColumns(
        {
            "claim": _first("claims", lambda it: _of_side(it) & ~it["is_refill"] & _at(it)),
            "refill": _first("claims", lambda it: it["is_refill"] & _asked_for(it, subject)),
        }
    ).drop("claims")
    return covering(found, evidence.incidents, start="moment", end="until")


def _rejections(pairs: DataFrame, rejected: DataFrame) -> DataFrame:
    key = ("lacking", "exchange", "kind", "instrument_uid", "id")
    place = ("bronze_file", "bronze_line")
    by_row = rejected.withColumnRenamed("side", "lacking").groupBy(*key)
    first = by_row.agg(F.min(F.struct("reasons", *place)).alias("rejection"))
    return pairs.join(first, on=list(key), how="left")


def _gathered(claims: DataFrame) -> DataFrame:
    """Gather an instrument's claims in one array: a few files a side and day."""
    rest = [field.name for field in CLAIMS if field.name not in _LISTING]
    return claims.groupBy(*_LISTING).agg(
        F.sort_array(F.collect_list(F.struct(*rest))).alias("claims")
    )


def _first(array: str, condition: Callable[[Column], Column]) -> Column:
    return F.get(F.filter(array, condition), F.lit(0))


def _of_side(claim: Column) -> Column:
    return claim["side"] == F.col("lacking")


def _at(claim: Column) -> Column:
    moment = F.col("moment")
    return (claim["from_timestamp"] <= moment) & (moment < claim["until_timestamp"])


def _asked_for(claim: Column, subject: Subject) -> Column:
    """Return whether a refill asked for the row's id; of a bar, for trades around its end."""
    if not subject.series:
        return F.col("id").between(claim["first_id"], claim["last_id"])
    # a closed bar is pushed right behind its end: a connection that was lost then has lost it
    until = F.col("until")
    begins, ends = until - F.expr("INTERVAL 1 SECOND"), until + F.expr("INTERVAL 5 SECONDS")
    return (claim["from_timestamp"] < ends) & (claim["until_timestamp"] > begins)
