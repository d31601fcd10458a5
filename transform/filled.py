"""Candles without gaps, as the exchanges publish them: quiet flat, halted absent, unknown empty."""

from __future__ import annotations

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F  # noqa: N812
from pyspark.sql import types as T  # noqa: N812

from lake import schemas
from transform import grid, proof

IDENTITY = [field.name for field in schemas.IDENTITY]
PRICES = [field.name for field in schemas.BAR_PRICES]
SUMS = schemas.BAR_SUMS
UNITS = [field.name for field in schemas.UNITS]
#: What a quiet bar takes over from the bars before it.
CARRIED = ["close", "is_complete", *UNITS]

#: The view's rows: as `schemas.OHLCV`; a bar without prints has no trade number, no moment when
#: it was known, and revision 0.
FILLED = T.StructType(
    [
        *[T.StructField(field.name, field.dataType) for field in schemas.OHLCV],
        T.StructField("is_filled", T.BooleanType()),
    ]
)


def filled(
    ohlcv: DataFrame,
    instruments: DataFrame,
    continuity: DataFrame,
    halts: DataFrame,
    complete_until: DataFrame,
    *,
    interval: str,
) -> DataFrame:
    """Return the candles of one interval without gaps, as the exchange's own bars are.

    A bar with prints stands; one of off-book prints alone gets the previous price-setting close.
    Where there is none, from the first bar to the earlier of expiry (or delisting) and the
    complete-until mark: a slot that lies in a halt has no bar; one proved whole is flat at the
    previous close, with trade_count 0 and is_filled; any other is unknown: no price, not
    complete, and what follows knows no close until the next price. Nothing looks ahead.

    Args:
        ohlcv: rows of `schemas.OHLCV`; those of other intervals are left aside.
        instruments: rows of `schemas.INSTRUMENTS`.
        continuity: rows of `schemas.CONTINUITY` for trades and agg_trades.
        halts: identity, halted_from, halted_until: times without a market.
        complete_until: exchange, kind, instrument, complete_until.
        interval: one of `grid.INTERVALS`.

    Returns:
        Rows of `FILLED`.
    """
    bars = ohlcv.where(F.col("bar_interval") == interval)
    slots = _slots(bars, instruments, complete_until, interval)
    empty = slots.join(bars, on=[*IDENTITY, "bar_start"], how="left_anti")
    judged = _judged(_not_halted(empty, halts), continuity, interval)
    rows = bars.withColumn("is_quiet", F.lit(None).cast("boolean")).unionByName(
        judged, allowMissingColumns=True
    )
    return _priced(rows).select(*FILLED.fieldNames())


def _slots(
    bars: DataFrame, instruments: DataFrame, complete_until: DataFrame, interval: str
) -> DataFrame:
    length = grid.INTERVALS[interval]
    listed = instruments.groupBy(*IDENTITY).agg(
        F.max(F.least("expiry", "delisted_at")).alias("ended_at")
    )
    mark = F.unix_micros("complete_until")
    # a bar that holds the expiry is the last one, the mark must have passed a bar's end
    ended = F.coalesce(F.unix_micros("ended_at") - 1, mark)
    last = F.least(mark - length, ended)
    bounds = (
        bars.groupBy(*IDENTITY)
        .agg(F.min(F.unix_micros("bar_start")).alias("first"))
        .join(listed, on=IDENTITY, how="left")
        .join(complete_until, on=["exchange", "kind", "instrument"], how="inner")
        .where(last >= F.col("first"))
    )
    starts = F.explode(F.sequence(F.col("first"), last, F.lit(length)))
    return bounds.select(*IDENTITY, starts.alias("start")).select(
        *IDENTITY, F.timestamp_micros("start").alias("bar_start")
    )


def _not_halted(slots: DataFrame, halts: DataFrame) -> DataFrame:
    pauses = halts.groupBy(*IDENTITY).agg(
        F.collect_list(F.struct("halted_from", "halted_until")).alias("pauses")
    )
    return slots.join(pauses, on=IDENTITY, how="left")


def _judged(slots: DataFrame, continuity: DataFrame, interval: str) -> DataFrame:
    start, end = F.col("bar_start"), grid.bar_end(F.col("bar_start"), interval)
    halted = F.exists(
        "pauses", lambda halt: (halt["halted_from"] <= start) & (halt["halted_until"] >= end)
    )
    known = proof.with_evidence(slots.where(~F.coalesce(halted, F.lit(False))), continuity, None)
    by_trades = proof.proves("trades", start, end)
    by_aggregates = proof.proves("agg_trades", start, end)
    nothing = [F.lit(0).cast(field.dataType).alias(field.name) for field in SUMS]
    return known.select(
        *IDENTITY,
        F.lit(interval).alias("bar_interval"),
        "bar_start",
        end.alias("bar_end"),
        *nothing,
        F.when(by_trades | ~by_aggregates, "trades").otherwise("agg_trades").alias("built_from"),
        (by_trades | by_aggregates).alias("is_quiet"),
        F.lit(0).alias("revision"),
        grid.year(start).alias("year"),
        grid.month(start).alias("month"),
    )


def _priced(rows: DataFrame) -> DataFrame:
    before = (
        Window.partitionBy(*IDENTITY)
        .orderBy("bar_start")
        .rowsBetween(Window.unboundedPreceding, -1)
    )
    state = F.struct(*CARRIED)
    has_prints, is_priced = F.col("is_quiet").isNull(), F.col("close").isNotNull()
    unknown = F.struct(*[F.lit(None).cast(rows.schema[n].dataType).alias(n) for n in CARRIED])
    marks = F.when(has_prints & is_priced, state).when(~F.col("is_quiet"), unknown)
    carried = F.last(marks, ignorenulls=True).over(before)
    rows = rows.withColumn("carried", carried)
    flat = F.when(has_prints | F.col("is_quiet"), F.col("carried.close"))
    certain = F.col("is_quiet") & F.coalesce("carried.is_complete", F.lit(False))
    return rows.withColumns(
        {name: F.coalesce(F.col(name), flat) for name in PRICES}
        | {name: F.coalesce(F.col(name), F.col(f"carried.{name}")) for name in UNITS}
        | {
            "is_complete": F.coalesce(F.col("is_complete"), certain),
            "is_filled": F.coalesce(
                F.col("is_quiet") & F.col("carried.close").isNotNull(), F.lit(False)
            ),
        }
    )
