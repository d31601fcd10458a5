"""The first step of every silver row: lines of bronze files to envelopes, answers to elements."""

from __future__ import annotations

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F  # noqa: N812
from pyspark.sql import types as T  # noqa: N812

from lake.schemas import ENVELOPE
from transform import columns
from transform.columns import Fault

_TIMES = ("end_download_timestamp", "knowledge_timestamp")
_NEEDED = ("exchange", "kind", "dataset", "mode", "region", "sequence", *_TIMES)
_ZONED = r"(?:Z|[-+]\d\d:?\d\d)\z"
_CLAIM = r"~i(-?\d+)_(-?\d+)~"
#: The first and the last id that the name of a bronze file claims: read once an answer, not a row.
CLAIM = ("claimed_from", "claimed_until")
#: In a packed file, the name under which an answer would stand alone; else null.
PACKED_AS = "packed_as"
#: What an exploded answer keeps of its envelope.
LINEAGE = (
    "exchange",
    "kind",
    "dataset",
    "instrument",
    "mode",
    "region",
    *_TIMES,
    "bronze_file",
    "bronze_line",
    *CLAIM,
    PACKED_AS,
)


def read(lines: DataFrame) -> DataFrame:
    """Read lines of bronze files as envelopes; none is lost.

    Args:
        lines: `value` STRING (one envelope), `bronze_file` STRING.

    Returns:
        The columns of `lake.schemas.ENVELOPE`, `bronze_file`, `bronze_line` BIGINT (the sequence;
        where a line has none, a negative hash of its text stands in, to tell such lines apart),
        `claimed_from` and `claimed_until` BIGINT (the ids that the name of the file, or of the
        file that a packed answer stands for, claims, or null),
        `envelope_text` STRING (the line) and `faults` ARRAY<STRING>: what forbids parsing it.
    """
    parsed = lines.select("bronze_file", "value", F.from_json("value", _as_text()).alias("it"))
    typed = parsed.select(
        *[_typed(field) for field in ENVELOPE.fields if field.name != "body"],
        _body(),
        F.col("bronze_file"),
        *_claim(),
        F.col("value").alias("envelope_text"),
    )
    unnumbered = F.coalesce("sequence", -F.abs(F.xxhash64("envelope_text") % 10**18) - 1)
    return typed.select(
        "*", unnumbered.alias("bronze_line"), columns.reasons(_faults()).alias("faults")
    )


def explode(
    envelopes: DataFrame, *, exchange: str, dataset: str, elements: Column, fault: Column
) -> DataFrame:
    """Explode each answer into its elements, one row each.

    Args:
        envelopes: as `read` returns them.
        exchange: the only exchange that the caller can read.
        dataset: the only dataset that the caller can read.
        elements: ARRAY<STRING> of the answer's elements, null where it can't be parsed.
        fault: STRING, the reason in that case.

    Returns:
        The lineage columns and any other that the caller adds to `envelopes`, `row_position`
        (from 0), `element` STRING and `answer_faults`. A faulty answer is one row with
        `row_position` -1 and its whole body as element; an empty answer is no row.
    """
    split = envelopes.withColumn("elements", F.when(F.size("faults") == 0, elements))
    judged = split.withColumn(
        "answer_faults",
        F.when(F.size("faults") > 0, F.col("faults"))
        .when(F.col("exchange") != exchange, F.array(F.lit("exchange_unknown")))
        .when(F.col("dataset") != dataset, F.array(F.lit("dataset_differs")))
        .when(F.col("elements").isNull(), F.array(fault))
        .otherwise(columns.no_reasons()),
    )
    broken = F.size("answer_faults") > 0
    whole = F.array(F.coalesce("body", "envelope_text"))
    rows = judged.select("*", F.posexplode(F.when(broken, whole).otherwise(F.col("elements"))))
    return rows.withColumns(
        {
            "row_position": F.when(broken, F.lit(-1)).otherwise(F.col("pos")),
            "element": F.coalesce("col", F.lit("null")),
        }
    ).drop("faults", "elements", "pos", "col", "body", "body_base64", "envelope_text")


def _as_text() -> T.StructType:
    return T.StructType([T.StructField(field.name, T.StringType()) for field in ENVELOPE.fields])


def _typed(field: T.StructField) -> Column:
    text = F.col(f"it.{field.name}")
    if isinstance(field.dataType, T.TimestampType):
        text = F.when(text.rlike(_ZONED), text)
    return text.try_cast(field.dataType).alias(field.name)


def claim() -> Column:
    """Return the name that says what an answer covers: its file's, or the one it is packed as."""
    return F.coalesce(PACKED_AS, "bronze_file")


def _claim() -> list[Column]:
    name = F.coalesce(F.col(f"it.{PACKED_AS}"), F.col("bronze_file"))
    ids = [F.regexp_extract(name, _CLAIM, group) for group in (1, 2)]
    return [text.try_cast("bigint").alias(name) for name, text in zip(CLAIM, ids, strict=True)]


def _body() -> Column:
    decoded = F.try_to_binary(F.col("it.body_base64"), F.lit("base64"))
    valid = F.try_validate_utf8(decoded.cast("string"))
    return F.coalesce(F.col("it.body"), valid).alias("body")


def _faults() -> list[Fault]:
    no_envelope = F.coalesce(*[F.col(field.name).cast("string") for field in ENVELOPE.fields])
    incomplete = F.concat(*[F.col(name).cast("string") for name in _NEEDED]).isNull()
    return [
        Fault(no_envelope.isNull(), "envelope_not_json"),
        Fault(no_envelope.isNotNull() & incomplete, "envelope_incomplete"),
        Fault(F.col("body").isNull() & F.col("body_base64").isNull(), "body_missing"),
        Fault(F.col("body").isNull() & F.col("body_base64").isNotNull(), "body_not_utf8"),
        Fault(~F.coalesce("status", F.lit(0)).isin(0, 200), "http_status"),
    ]
