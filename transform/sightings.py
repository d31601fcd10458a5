"""Rows seen more than once: reduced by key within a batch, and compared with what is held."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F  # noqa: N812

from lake import schemas
from transform import grid, spans

IDENTITY = [field.name for field in schemas.IDENTITY]
#: A second sighting may differ in nothing of this; times of sources agree at the millisecond.
COMPARED = ("price", "quantity", "taker_side", "trade_millisecond")
OF_AGGREGATES = ("first_trade_seq", "last_trade_seq")
#: Ids a block that one bigint has a bit for each of.
BITS = 64


@dataclass(frozen=True, slots=True)
class Reduced:
    """A batch by key: the row that counts, and the others, to be compared with it."""

    first: DataFrame
    others: DataFrame


@dataclass(frozen=True, slots=True)
class Compared:
    """Second sightings: `schemas.SIGHTINGS` where equal, `schemas.CONFLICTS` where not."""

    sightings: DataFrame
    conflicts: DataFrame


def first_by_key(batch: DataFrame, key: Sequence[str]) -> Reduced:
    """Part a batch into the first row of each key and the rest.

    First is the lowest knowledge_timestamp, then bronze_file, bronze_line, then the content, so
    that the choice never depends on order or partitioning.

    Args:
        batch: rows of `schemas.TRADES` or `schemas.AGG_TRADES`.
        key: the table's key; its last column is the numeric id.
    """
    *owner, identifier = key
    block = F.call_function("div", F.col(identifier), F.lit(BITS)).alias("_block")
    blocked = batch.select("*", block)
    crowded = _crowded_blocks(blocked, [*owner, "_block"], identifier)
    rank = F.row_number().over(Window.partitionBy(*key).orderBy(*_precedence(batch)))
    ranked = (
        blocked.join(crowded, on=[*owner, "_block"], how="left_semi")
        .withColumn("_place", rank)
        .drop("_block")
    )
    alone = blocked.join(crowded, on=[*owner, "_block"], how="left_anti").drop("_block")
    leading = ranked.where(F.col("_place") == 1).drop("_place")
    others = ranked.where(F.col("_place") > 1).drop("_place")
    columns = batch.columns
    return Reduced(alone.unionByName(leading).select(*columns), others.select(*columns))


def _crowded_blocks(blocked: DataFrame, block: list[str], identifier: str) -> DataFrame:
    """Find blocks of 64 ids with more rows than different ids, by hashing and without a sort."""
    bit = F.call_function("shiftleft", F.lit(1).cast("bigint"), _offset(identifier))
    counted = blocked.groupBy(*block).agg(
        F.count(F.lit(1)).alias("rows"), F.bit_count(F.bit_or(bit)).alias("different")
    )
    return counted.where(F.col("rows") > F.col("different")).select(*block)


def _offset(identifier: str) -> Column:
    return F.pmod(F.col(identifier), F.lit(BITS)).cast("int")


def _precedence(batch: DataFrame) -> list[str]:
    leading = ["knowledge_timestamp", "bronze_file", "bronze_line"]
    content = [name for name in _fields(batch) if name != "trade_millisecond"]
    rest = [*content, "exchange_timestamp", "quote_quantity"]
    return leading + rest


def _fields(rows: DataFrame) -> list[str]:
    return [*COMPARED, *(OF_AGGREGATES if "agg_id" in rows.columns else ())]


def compare(batch: DataFrame, held: DataFrame, id_column: str, dataset: str) -> Compared:
    """Compare rows with the ones that hold their keys already.

    Args:
        batch: rows of `schemas.TRADES` or `schemas.AGG_TRADES`.
        held: rows of the same schema, unique by key; those of other keys are left aside.
        id_column: trade_seq or agg_id.
        dataset: trades or agg_trades.

    Returns:
        Equal rows from another source or region, as runs of ids a file, and rows that differ in
        price, quantity, side, millisecond or, of aggregates, the trades that they stand for. An
        equal row from the same source and region is neither.
    """
    key = ["exchange", "kind", "instrument_uid", id_column]
    names = _fields(batch)
    pairs = _aligned(batch, "seen", key, names).join(
        _aligned(held, "held", key, names), on=key, how="inner"
    )
    pairs = pairs.withColumn("differing", _differing(names))
    differs = F.size("differing") > 0
    elsewhere = (F.col("seen.source") != F.col("held.source")) | (
        F.col("seen.region") != F.col("held.region")
    )
    return Compared(
        _sightings(pairs.where(~differs & elsewhere), id_column, dataset),
        _conflicts(pairs.where(differs), id_column, dataset, names),
    )


def seen_by(batch: DataFrame, conflicts: DataFrame, id_column: str) -> DataFrame:
    """Return the rows of a batch that are the later side of these conflicts.

    Args:
        batch: rows of `schemas.TRADES` or `schemas.AGG_TRADES`, of the conflicts' bronze files.
        conflicts: rows of `schemas.CONFLICTS` of the same dataset.
        id_column: trade_seq or agg_id.
    """
    wanted = conflicts.select(
        "exchange",
        "kind",
        "instrument_uid",
        F.col("id").alias(id_column),
        F.col("seen_bronze_file").alias("bronze_file"),
        F.col("seen_bronze_line").alias("bronze_line"),
        F.col("seen").alias("_seen"),
    )
    written = _timed(batch).withColumn("_seen", _written("", _fields(batch)))
    return written.join(wanted, on=wanted.columns, how="left_semi").select(*batch.columns)


def corrected(first: DataFrame, decided: DataFrame, key: Sequence[str]) -> DataFrame:
    """Put rows that were decided for in the place of the ones with their keys.

    Args:
        first: the first row of each key.
        decided: rows of the same schema, each key once.
        key: the table's key.
    """
    rest = first.join(decided.select(*key), on=list(key), how="left_anti")
    return rest.select(*first.columns).unionByName(decided)


def _aligned(rows: DataFrame, side: str, key: list[str], names: list[str]) -> DataFrame:
    place = ["instrument", "source", "region", "bronze_file", "bronze_line"]
    content = ["trade_timestamp", "knowledge_timestamp", *names]
    return _timed(rows).select(*key, F.struct(*place, *content).alias(side))


def _timed(rows: DataFrame) -> DataFrame:
    return rows.withColumn("trade_millisecond", F.unix_millis("trade_timestamp"))


def _differing(names: list[str]) -> Column:
    found = [F.when(F.col(f"seen.{name}") != F.col(f"held.{name}"), F.lit(name)) for name in names]
    return F.array_compact(F.array(*found))


def _sightings(pairs: DataFrame, id_column: str, dataset: str) -> DataFrame:
    seen = pairs.select(
        "exchange", "kind", "instrument_uid", F.col(id_column).alias("id"), "seen.*"
    )
    run = [*IDENTITY, "source", "region", "bronze_file"]
    return (
        spans.numbered(seen, run, F.col("id"), F.col("id") + 1)
        .groupBy(*run, "island")
        .agg(
            F.min("id").alias("first_id"),
            F.max("id").alias("last_id"),
            F.count(F.lit(1)).alias("rows"),
            F.max("knowledge_timestamp").alias("knowledge_timestamp"),
        )
        .withColumn("dataset", F.lit(dataset))
        .select(*schemas.SIGHTINGS.fieldNames())
    )


def _conflicts(pairs: DataFrame, id_column: str, dataset: str, names: Sequence[str]) -> DataFrame:
    return pairs.select(
        "exchange",
        "kind",
        F.col("held.instrument").alias("instrument"),
        "instrument_uid",
        F.lit(dataset).alias("dataset"),
        F.col(id_column).alias("id"),
        grid.bar_start(F.col("held.trade_timestamp"), "1m").alias("bar_minute"),
        "differing",
        _written("held.", names).alias("held"),
        _written("seen.", names).alias("seen"),
        F.col("held.bronze_file").alias("held_bronze_file"),
        F.col("seen.bronze_file").alias("seen_bronze_file"),
        F.col("seen.bronze_line").alias("seen_bronze_line"),
        F.col("seen.knowledge_timestamp").alias("knowledge_timestamp"),
        F.lit("open").alias("state"),
    )


def _written(prefix: str, names: Sequence[str]) -> Column:
    """Write the compared fields as JSON of texts: a number there would lose digits."""
    return F.to_json(F.struct(*[F.col(prefix + name).cast("string").alias(name) for name in names]))
