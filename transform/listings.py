"""What a row's instrument was at its time: identity and units from `silver.instruments`."""

from __future__ import annotations

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F  # noqa: N812

_KEY = ["exchange", "kind", "instrument"]
_TAKEN = (
    "instrument_uid",
    "direction",
    "base_unit",
    "quote_unit",
    "quantity_unit",
    "contract_size",
)
#: The first and the last microsecond of a bigint.
_ALWAYS = (-(2**63), 2**63 - 1)


def attach(rows: DataFrame, instruments: DataFrame, *, at: str) -> DataFrame:
    """Add `listing`, a struct of the instrument's fields as valid at the time in column `at`.

    It is the last listing that began by then, else the earliest one: history reaches back further
    than what was observed. Null where the instrument is unknown. Rows are never multiplied, as
    the listings of a name part all of time between them.
    """
    moment = F.unix_micros(at)
    joined = rows.alias("row").join(
        F.broadcast(_parted(instruments)).alias("of"),
        on=[
            *[F.col(f"row.{name}") == F.col(f"of.{name}") for name in _KEY],
            moment >= F.col("of.begins"),
            moment < F.col("of.ends"),
        ],
        how="left",
    )
    return joined.select("row.*", F.col("of.listing"))


def uid() -> Column:
    """Return the instrument's uid, its name where no listing is known."""
    return F.coalesce("listing.instrument_uid", "instrument")


def steady(instruments: DataFrame) -> DataFrame:
    """Return what holds of an instrument whenever it is asked: one row a name.

    `is_steady` BOOLEAN: all its listings are alike and none of its uid has another name;
    `instrument_uid` and `contract_size` are of one of them.
    """
    taken = F.struct(*_TAKEN)
    named = instruments.withColumn(
        "names", F.size(F.collect_set("instrument").over(Window.partitionBy(*_KEY[:2], _TAKEN[0])))
    )
    of_name = named.groupBy(*_KEY).agg(
        F.min(taken).alias("listing"),
        ((F.min(taken) == F.max(taken)) & (F.max("names") == 1)).alias("is_steady"),
    )
    return of_name.select(*_KEY, "is_steady", "listing.instrument_uid", "listing.contract_size")


def _parted(instruments: DataFrame) -> DataFrame:
    """Return the listings with their shares of time in microseconds, [begins, ends)."""
    of_name = Window.partitionBy(*_KEY).orderBy("valid_from", "instrument_uid")
    start = F.unix_micros("valid_from")
    first = F.row_number().over(of_name) == 1
    return instruments.select(
        *_KEY,
        F.when(first, F.lit(_ALWAYS[0])).otherwise(start).alias("begins"),
        F.coalesce(F.lead(start).over(of_name), F.lit(_ALWAYS[1])).alias("ends"),
        F.struct(*_TAKEN).alias("listing"),
    )
