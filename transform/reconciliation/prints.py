"""Two sources of the same trades, aggregates or bars: their certificate and its evidence."""

from __future__ import annotations

from dataclasses import dataclass

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F  # noqa: N812

from transform import spans
from transform.reconciliation import certificates, checksums
from transform.reconciliation.attribution import Frame, attributed
from transform.reconciliation.causes import is_explained
from transform.reconciliation.certificates import SERIES, Keep
from transform.reconciliation.checksums import checksum
from transform.reconciliation.evidence import Evidence
from transform.reconciliation.pairs import SIDES, one_each, paired
from transform.reconciliation.plausibility import implausible
from transform.reconciliation.subjects import Subject

#: The field of a row that one side lacks whole.
WHOLE = "row"
#: What neighbouring ids must share to be told as one run.
_RUN = ("instrument_uid", "status", "cause", "incident_id", "proof")


@dataclass(frozen=True, slots=True)
class Compared:
    """What two sides came to.

    Attributes:
        pairs: as `pairs.paired` returns them, in the window.
        totals: one row a certificate.
        differences: one row a field that differs, or a run of ids that one side lacks.
    """

    pairs: DataFrame
    totals: DataFrame
    differences: DataFrame


def compare(
    left: DataFrame,
    right: DataFrame,
    subject: Subject,
    frame: Frame,
    evidence: Evidence,
    *,
    keep: Keep,
    ledger: DataFrame | None = None,
    settled: DataFrame | None = None,
) -> Compared:
    """Compare two sides row by row and field by field, each difference with its cause.

    Args:
        left: valid rows of the subject's silver schema, of one exchange and kind, some time
            beyond the window included.
        right: likewise.
        subject: what is compared.
        frame: where the sides come from, and the window.
        evidence: what could explain a row that one side lacks.
        keep: given the pairs, those that are not matched, and the differences.
        ledger: rows of `schemas.CONTINUITY` of the dataset, where the rows are to be plausible as
            well: see `plausibility.implausible`.
        settled: rows of `certificates.SETTLED`: of rows that are the same on both sides and not
            among these.
    """
    sides = [
        one_each(rows, subject, newest=source == "archive")
        for rows, source in ((left, frame.left), (right, frame.right))
    ]
    pairs = keep(paired(sides[0], sides[1], subject, frame.window))
    found = keep(attributed(pairs, subject, frame, evidence, settled))
    differences = _fields(found).unionByName(_runs(found))
    inside = pairs.where("is_inside")
    counts = _counted(inside, subject)
    if settled is not None:
        counts = _added(counts, settled)
    if ledger is not None:
        differences = differences.unionByName(keep(implausible(inside, ledger, subject)))
    differences = keep(differences)
    return Compared(inside, _totals(counts, found, differences), differences)


def _counted(pairs: DataFrame, subject: Subject) -> DataFrame:
    both = F.col("left").isNotNull() & F.col("right").isNotNull()
    fields = [_compared(name, subject) for name in subject.fields]
    compared = sum(fields[1:], start=fields[0])
    return pairs.groupBy(*SERIES).agg(
        *[F.count_if(F.col(side).isNotNull()).alias(f"{side}_rows") for side in SIDES],
        *[_of_status(status) for status in ("matched", "only_left", "only_right")],
        F.sum(F.when(both, compared).otherwise(F.lit(0))).alias("compared"),
        F.sum(F.when(both, F.lit(len(subject.fields)) - compared)).alias("not_derivable"),
        F.lit(0).cast("bigint").alias("equal_after_rounding"),
        *[_repeats(side) for side in SIDES],
        *[_checksum(pairs, side, subject) for side in SIDES],
    )


def _added(counts: DataFrame, settled: DataFrame) -> DataFrame:
    """Add up counts of rows that have nothing in common."""
    hashes = [f"{side}_hash" for side in SIDES]
    numbers = [name for name in counts.columns if name not in {*SERIES, *hashes}]
    of_settled = {
        **dict.fromkeys(("left_rows", "right_rows", "matched"), F.col("rows")),
        **dict.fromkeys(hashes, F.col("hash")),
        **{name: F.col(name) for name in ("compared", "not_derivable")},
        **{name: F.col(name) for name in [f"{side}_repeats" for side in SIDES]},
    }
    more = settled.select(*SERIES, *[column.alias(name) for name, column in of_settled.items()])
    return (
        counts.unionByName(more, allowMissingColumns=True)
        .groupBy(*SERIES)
        .agg(
            *[F.coalesce(F.sum(name), F.lit(0)).alias(name) for name in numbers],
            *[checksums.added(name).alias(name) for name in hashes],
        )
    )


def _totals(counted: DataFrame, found: DataFrame, differences: DataFrame) -> DataFrame:
    off = found.groupBy(*SERIES).agg(
        F.sum(F.coalesce(F.size("differing"), F.lit(0))).cast("bigint").alias("different")
    )
    findings = F.map_filter(
        F.create_map(*[part for side in SIDES for part in _finding(side)]), lambda _, n: n > 0
    )
    totals = counted.withColumn("findings", findings)
    for part in (off, certificates.by_cause(differences)):
        totals = totals.join(part, on=list(SERIES), how="left")
    filled = certificates.filled(totals)
    return filled.withColumn("equal", F.col("compared") - F.col("different"))


def _compared(name: str, subject: Subject) -> Column:
    """Return 1 where a field can be compared: what a transport does not carry, nobody can."""
    if name not in subject.where_sent:
        return F.lit(1)
    sent = F.col(f"left.{name}").isNotNull() & F.col(f"right.{name}").isNotNull()
    return F.when(sent, 1).otherwise(0)


def _of_status(status: str) -> Column:
    return F.count_if(F.col("status") == status).alias(status)


def _repeats(side: str) -> Column:
    repeats = F.sum(F.coalesce(F.col(f"{side}.copies") - 1, F.lit(0)))
    return F.coalesce(repeats, F.lit(0)).alias(f"{side}_repeats")


def _finding(side: str) -> tuple[Column, Column]:
    return F.lit(f"{side}_repeats"), F.col(f"{side}_repeats")


def _checksum(pairs: DataFrame, side: str, subject: Subject) -> Column:
    names = ["instrument_uid", "id", *[f"{side}.{name}" for name in subject.sent]]
    return checksum(pairs, names, F.col(side).isNotNull()).alias(f"{side}_hash")


def _fields(found: DataFrame) -> DataFrame:
    """One row a field that differs."""
    of_field = found.where(F.col("status") == "different").withColumn("at", F.explode("differing"))
    return of_field.select(
        *SERIES,
        F.col("id").alias("first_id"),
        F.col("id").alias("last_id"),
        F.lit(1).cast("bigint").alias("rows"),
        F.col("moment").alias("from_timestamp"),
        F.col("until").alias("until_timestamp"),
        "at.*",
        *_answer(),
        *_places(),
    )


def _runs(found: DataFrame) -> DataFrame:
    """One row a run of neighbouring ids that one side lacks for one cause."""
    alone = found.where(F.col("status") != "different")
    key = [*SERIES, *_RUN]
    # a run is the difference between an id and its place among those of its key
    numbered = spans.numbered(
        alone.withColumns({name: F.coalesce(name, F.lit("")) for name in ("incident_id", "proof")}),
        key,
        F.col("id"),
        F.col("id") + 1,
    )
    runs = numbered.groupBy(*key, "island").agg(
        F.min("id").alias("first_id"),
        F.max("id").alias("last_id"),
        F.count(F.lit(1)).alias("rows"),
        F.min("moment").alias("from_timestamp"),
        F.max("until").alias("until_timestamp"),
        *[
            F.min_by(f"{side}.{name}", "id").alias(f"{side}_{name}")
            for side in SIDES
            for name in ("bronze_file", "bronze_line")
        ],
    )
    there = {"left": F.col("status") == "only_left", "right": F.col("status") == "only_right"}
    values = {f"{side}_value": F.when(held, F.lit("present")) for side, held in there.items()}
    told = {name: F.nullif(name, F.lit("")) for name in ("incident_id", "proof")}
    return runs.withColumns({**values, **told, "field": F.lit(WHOLE)}).select(
        *SERIES,
        *("first_id", "last_id", "rows", "from_timestamp", "until_timestamp"),
        *("field", "left_value", "right_value"),
        *_answer(),
        *[f"{side}_{name}" for side in SIDES for name in ("bronze_file", "bronze_line")],
    )


def _answer() -> list[Column]:
    return [
        F.col("cause"),
        is_explained(F.col("cause")).alias("is_explained"),
        F.col("incident_id"),
        F.col("proof").alias("evidence"),
    ]


def _places() -> list[Column]:
    return [
        F.col(f"{side}.{name}").alias(f"{side}_{name}")
        for side in SIDES
        for name in ("bronze_file", "bronze_line")
    ]
