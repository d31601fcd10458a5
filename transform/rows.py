"""The rules that a single row must keep, and the split into valid rows and rejected ones."""

from __future__ import annotations

from collections.abc import Iterable
from functools import reduce
from operator import or_

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F  # noqa: N812
from pyspark.sql import types as T  # noqa: N812

from lake import schemas
from transform import columns
from transform.columns import Fault
from transform.envelopes import CLAIM, PACKED_AS

#: What `refused` returns of a rejected row; the job adds run_id, quarantined_at and state.
REJECTED = [
    field.name
    for field in schemas.QUARANTINE.fields
    if field.name not in {"run_id", "quarantined_at", "state"}
]
#: The only kinds whose prices may be zero or negative.
COMBOS = ("future_combo", "option_combo")
#: How far an exchange's clock may be ahead of ours.
CLOCK_SKEW_MICROS = 60_000_000
#: No exchange is older than 2009.
EARLIEST_MICROS = 1_230_768_000_000_000
#: Holds a filter above the parsing. Spark pushes a filter below a projection, whose columns it then
#: computes twice, but not below one with a number that differs each time.
FENCE = "fence"
_NEUTRAL: dict[type[T.DataType], str] = {
    T.StringType: "''",
    T.TimestampType: "timestamp_micros(0)",
    T.ArrayType: "array()",
    T.BooleanType: "false",
    # one digit: Spark takes it for possible that an INT does not fit, and the column for nullable
    T.DecimalType: "0BD",
}


def trade_rules() -> list[Fault]:
    """Return the rules of `silver.trades`, on the columns of its schema."""
    return [
        *_identity(),
        *_priced_print(),
        *_timed("trade_timestamp", "trade_time"),
        Fault(F.col("trade_seq") < 0, "trade_id_negative"),
        Fault(F.col("quantity") <= 0, "quantity_not_positive"),
    ]


def agg_trade_rules() -> list[Fault]:
    """Return the rules of `silver.agg_trades`, on the columns of its schema.

    What Binance invalidated stays in its data with quantity 0 or ids of -1
    (binance-spot-api-docs, CHANGELOG 2022-04-12).
    """
    first, last = F.col("first_trade_seq"), F.col("last_trade_seq")
    invalidated = (F.col("quantity") == 0) | ((first == -1) & (last == -1))
    sound = ~F.coalesce(invalidated, F.lit(False))
    return [
        Fault(invalidated, "invalidated_by_the_exchange"),
        *_identity(),
        *[Fault(sound & fault.holds, fault.reason) for fault in _priced_print()],
        *_timed("trade_timestamp", "trade_time"),
        Fault(F.col("agg_id") < 0, "agg_id_negative"),
        Fault(sound & (F.least(first, last) < 0), "trade_id_negative"),
        Fault(last < first, "last_trade_before_first"),
        Fault(F.col("quantity") < 0, "quantity_not_positive"),
    ]


def kline_rules() -> list[Fault]:
    """Return the rules of `silver.klines`; an odd bar is a finding, not a fault."""
    return [
        *_identity(),
        *_timed("open_time", "open_time"),
        Fault(F.col("bar_interval").isNull(), "bar_interval_unknown"),
    ]


def forming(end_micros: Column, answered_micros: Column) -> Column:
    """Return whether a bar had begun but not ended when the exchange answered; never null.

    One that had not even begun is no forming bar but a fault.
    """
    begun = F.unix_micros("open_time") <= answered_micros + CLOCK_SKEW_MICROS
    return F.coalesce(begun & (end_micros > answered_micros), F.lit(False))


def kline_findings(length_micros: Column, grid_offset_micros: Column, *, tick: Column) -> Column:
    """Return what is odd about a bar of trades as published; arguments as of `bar_findings`."""
    disagree = (F.col("trade_count") == 0) != (F.col("volume_sent") == 0)
    odd = _odd_bar(length_micros, grid_offset_micros, tick)
    return columns.reasons([*odd, Fault(disagree, "volume_and_count_disagree")])


def bar_findings(length_micros: Column, grid_offset_micros: Column, *, tick: Column) -> Column:
    """Return what is odd about a bar's times and prices as published, as ARRAY<STRING>.

    Args:
        length_micros: the bar interval, null where it has no fixed length (a month).
        grid_offset_micros: where its grid begins after the epoch.
        tick: one unit of the exchange's clock in microseconds: a bar closes one before the next.
    """
    return columns.reasons(_odd_bar(length_micros, grid_offset_micros, tick))


def funding_rules() -> list[Fault]:
    """Return the rules of `silver.funding_rates`, on the columns of its schema."""
    return [
        *_identity(),
        *_timed("funding_timestamp", "funding_time"),
        Fault(F.col("funding_interval_hours") <= 0, "funding_interval_not_positive"),
    ]


def index_price_rules() -> list[Fault]:
    """Return the rules of `silver.index_prices`, on the columns of its schema."""
    return [
        *_identity(),
        *_timed("price_timestamp", "price_time"),
        Fault(F.col("price") <= 0, "price_not_positive"),
    ]


def _odd_bar(length_micros: Column, grid_offset_micros: Column, tick: Column) -> list[Fault]:
    opened, closed = F.unix_micros("open_time"), F.unix_micros("close_time")
    highest, lowest = F.greatest("open", "close", "low"), F.least("open", "close", "high")
    return [
        Fault(F.pmod(opened - grid_offset_micros, length_micros) != 0, "off_grid"),
        Fault(closed < opened + length_micros - tick, "cut_short"),
        Fault(closed > opened + length_micros - tick, "overlong"),
        Fault((F.col("high") < highest) | (F.col("low") > lowest), "ohlc_illogical"),
    ]


def candidates(
    rows: DataFrame, *, text: Iterable[Fault], rules: Iterable[Fault], schema: T.StructType
) -> DataFrame:
    """Hold typed rows against what they must keep, and return them as candidates.

    Args:
        rows: with the schema's columns, `dataset`, `row_position`, `payload`, `answer_faults`
            ARRAY<STRING>, and `text_is_sound` BOOLEAN: whether none of `text` holds.
        text: what can be wrong with the text that the columns came from.
        rules: what the typed columns are held against.
        schema: of the silver table. A required column that is null is a fault too.

    Returns:
        The schema's columns, all nullable, `dataset` STRING, `row_position` INT, `payload` STRING
        of a row with a fault, `is_sound` BOOLEAN, `faults` ARRAY<STRING>, empty where the row is
        sound, `claimed_from` and `claimed_until` BIGINT, `packed_as` STRING, and `fence`.
    """
    required = [F.col(name).isNull() for name in _required(schema)]
    rules = list(rules)
    answered = F.size("answer_faults") == 0
    unsound = [~answered, ~F.col("text_is_sound"), reduce(or_, required)]
    judged = rows.withColumn(
        "is_sound", columns.none_holds([*[Fault(it, "") for it in unsound], *rules])
    )
    named = columns.reasons([*text, *rules])
    faults = (
        F.when(F.col("is_sound"), columns.no_reasons())
        .when(~answered, F.col("answer_faults"))
        .when(F.size(named) > 0, named)
        .otherwise(F.array(F.lit("required_field_null")))
    )
    return judged.select(
        *[F.col(field.name).cast(field.dataType) for field in schema.fields],
        "dataset",
        F.col("row_position").cast("int"),
        F.when(~F.col("is_sound"), F.col("payload")).alias("payload"),
        "is_sound",
        faults.alias("faults"),
        *CLAIM,
        PACKED_AS,
        F.monotonically_increasing_id().alias(FENCE),
    )


def claimed(candidates: DataFrame, id_column: str) -> DataFrame:
    """Leave aside the sound rows that the name of their own bronze file does not claim.

    The last page of a window runs on beyond its end. Those rows stay in bronze, and come to
    silver from the file that was asked for them; so a file's rows are exactly its claim.
    """
    first, last = CLAIM
    beyond = (F.col(id_column) < F.col(first)) | (F.col(id_column) > F.col(last))
    unclaimed = F.col("is_sound") & F.coalesce(beyond, F.lit(False))
    return candidates.where(_fenced(~unclaimed))


def valid(candidates: DataFrame, schema: T.StructType) -> DataFrame:
    """Return the valid rows in exactly `schema`, nullability included."""
    sound = candidates.where(_fenced(F.col("is_sound")))
    return sound.select(*[_exact(field) for field in schema.fields])


def faulty(candidates: DataFrame) -> DataFrame:
    """Return the rejected rows as candidates."""
    return candidates.where(_fenced(~F.col("is_sound")))


def refused(candidates: DataFrame) -> DataFrame:
    """Return the rejected rows, with the columns of `QUARANTINE` that are not the run's.

    Their reasons are sorted.
    """
    reasons = F.array_sort(F.array_distinct("faults")).alias("reasons")
    return faulty(candidates).select(
        *[reasons if name == "reasons" else F.col(name) for name in REJECTED]
    )


def _fenced(condition: Column) -> Column:
    return condition & (F.col(FENCE) >= 0)


def _required(schema: T.StructType) -> list[str]:
    """Return the required columns that parsing fills; a sound envelope has filled the lineage."""
    given = {field.name for field in (*schemas.LINEAGE, *schemas.DAY)}
    return [it.name for it in schema.fields if not it.nullable and it.name not in given]


def _exact(field: T.StructField) -> Column:
    """Give a required column the schema's nullability; a valid row has no null in it."""
    if field.nullable:
        return F.col(field.name)
    neutral = F.expr(_NEUTRAL.get(type(field.dataType), "0")).cast(field.dataType)
    return F.coalesce(F.col(field.name), neutral).alias(field.name)


def _identity() -> list[Fault]:
    return [Fault(F.coalesce("instrument", F.lit("")) == "", "instrument_missing")]


def _priced_print() -> list[Fault]:
    below = (F.col("price") <= 0) & ~F.col("kind").isin(*COMBOS)
    return [
        Fault(below, "price_not_positive"),
        Fault(
            F.col("quote_quantity").isNull()
            & F.col("price").isNotNull()
            & F.col("quantity").isNotNull(),
            "quote_quantity_not_computable",
        ),
    ]


def _timed(column: str, name: str) -> list[Fault]:
    moment = F.unix_micros(column)
    latest = F.unix_micros("end_download_timestamp") + CLOCK_SKEW_MICROS
    return [
        Fault(moment < EARLIEST_MICROS, f"{name}_before_2009"),
        Fault(moment > latest, f"{name}_in_the_future"),
    ]
