"""Candles against the exchange's own bars, field by field, every difference with its cause."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from types import MappingProxyType
from typing import Literal, NamedTuple

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F  # noqa: N812
from pyspark.sql import types as T  # noqa: N812

from lake import schemas
from transform import grid, intervals

INSTRUMENT = [field.name for field in schemas.IDENTITY[:3]]
BAR = [*INSTRUMENT, "bar_interval", "bar_start"]


class Rule(NamedTuple):
    """How one field of the exchange's bar is compared with a column of ours.

    `exact`: the same number. `cut`: ours cut to `scale` digits, as the exchange cuts its own
    quotes. `rounded`: less than one unit of the last published digit apart, however the exchange
    rounds its sums. `not_derivable`: it publishes none. An exact match always counts as exact.
    """

    theirs: str
    ours: str
    how: Literal["exact", "cut", "rounded", "not_derivable"] = "exact"
    scale: int = 0


_PRICES = tuple(Rule(field.name, field.name) for field in schemas.BAR_PRICES)
_SPOT = (
    *_PRICES,
    Rule("volume_sent", "volume"),
    Rule("quote_volume_sent", "quote_volume", "cut", 8),
    Rule("trade_count", "trade_count"),
    Rule("taker_buy_volume_sent", "taker_buy_volume"),
    Rule("taker_buy_quote_volume_sent", "taker_buy_quote_volume", "cut", 8),
)
_USDM = (
    *_PRICES,
    Rule("volume_sent", "volume"),
    # older USD-M is cut at two digits
    Rule("quote_volume_sent", "quote_volume", "cut", 2),
    Rule("trade_count", "trade_count"),
    Rule("taker_buy_volume_sent", "taker_buy_volume"),
    Rule("taker_buy_quote_volume_sent", "taker_buy_quote_volume", "cut", 2),
)
# the place of the quote volume holds the base coin: sum of contracts * contract size / price
_COINM = (
    *_PRICES,
    Rule("volume_sent", "volume"),
    Rule("quote_volume_sent", "base_volume", "rounded", 8),
    Rule("trade_count", "trade_count"),
    Rule("taker_buy_volume_sent", "taker_buy_volume"),
    Rule("taker_buy_quote_volume_sent", "taker_buy_base_volume", "rounded", 8),
)
# the chart's volume is the base coin and its cost the quote, on every kind
_DERIBIT = (
    *_PRICES,
    Rule("volume_sent", "base_volume", "rounded", 8),
    Rule("quote_volume_sent", "quote_volume", "rounded", 8),
    Rule("trade_count", "trade_count", "not_derivable"),
    Rule("taker_buy_volume_sent", "taker_buy_volume", "not_derivable"),
    Rule("taker_buy_quote_volume_sent", "taker_buy_quote_volume", "not_derivable"),
)
#: The rules of each venue and kind; a kind that is not here is not certified.
RULES: Mapping[tuple[str, str], tuple[Rule, ...]] = MappingProxyType(
    {
        ("binance", "spot"): _SPOT,
        ("binance", "usdm"): _USDM,
        ("binance", "coinm"): _COINM,
        ("deribit", "future"): _DERIBIT,
        ("deribit", "option"): _DERIBIT,
        ("deribit", "spot"): _DERIBIT,
    }
)

#: One row a bar and field that differ; field `bar` where only one side has the bar, or where it
#: can't be compared at all.
DIFFERENCES = T.StructType(
    [
        *schemas.IDENTITY[:3],
        schemas.OHLCV["bar_interval"],
        schemas.OHLCV["bar_start"],
        T.StructField("field", T.StringType(), nullable=False),
        T.StructField("ours", T.StringType()),
        T.StructField("theirs", T.StringType()),
        T.StructField("cause", T.StringType(), nullable=False),
    ]
)

#: Causes that leave a question open.
UNEXPLAINED = ("unexplained", "only_left", "only_right")
#: Bars that the exchange published so; they are never matched.
FINDINGS = ("off_grid", "cut_short")


@dataclass(frozen=True, slots=True)
class Comparison:
    """The differences, and what they and the equal fields come to.

    `totals`: one row an instrument and interval: INSTRUMENT, bar_interval, compared, equal,
    equal_after_rounding, not_derivable, different (all five in fields: nine a bar), only_left,
    only_right (in bars), unexplained (fields and bars) and causes.
    """

    differences: DataFrame
    totals: DataFrame


def compare(ohlcv: DataFrame, klines: DataFrame, rules: tuple[Rule, ...]) -> Comparison:
    """Compare our bars with the exchange's, field by field.

    Bars that open off the grid or were cut short are never matched: they are findings with the
    causes `off_grid` and `cut_short`. Other causes: `bar_fetched_too_early` (before its end),
    `not_loaded` (our bar is not complete), `aggregate_spans_edge`, and the open ones in
    `UNEXPLAINED`.

    Args:
        ohlcv: our side (left): rows of `schemas.OHLCV`, or of `filled.FILLED` where the exchange
            publishes quiet bars, of one exchange and kind, within the window compared.
        klines: the exchange's side (right): rows of `schemas.KLINES`, one a bar and instrument.
        rules: the exchange and kind's own, of `RULES`.
    """
    theirs = _their_side(klines)
    pairs = _pairs(ohlcv, theirs, rules)
    fields = _fields(pairs, rules)
    different = fields.where(F.col("verdict") == "different").select(*DIFFERENCES.fieldNames())
    differences = different.unionByName(_one_sided(pairs)).unionByName(_findings(theirs))
    return Comparison(differences, _totals(fields, differences))


def summary(
    totals: DataFrame,
    *,
    run_id: str,
    check_name: str,
    window: tuple[datetime, datetime],
    checked_at: datetime,
) -> DataFrame:
    """Return the totals of a comparison as rows of `schemas.RECONCILIATION`."""
    named = {
        "run_id": F.lit(run_id),
        "check_name": F.lit(check_name),
        "window_start": F.lit(window[0]),
        "window_end": F.lit(window[1]),
        "checked_at": F.lit(checked_at),
    }
    return totals.withColumns(named).select(*schemas.RECONCILIATION.fieldNames())


def _their_side(klines: DataFrame) -> DataFrame:
    found = F.col("findings")
    finding = F.when(F.array_contains(found, "off_grid"), F.lit("off_grid")).when(
        F.array_contains(found, "cut_short"), F.lit("cut_short")
    )
    end = grid.shifted(F.col("open_time"), intervals.length(F.col("bar_interval")))
    early = ~F.col("is_closed") | (F.col("end_download_timestamp") < end)
    sent = sorted({rule.theirs for rules in RULES.values() for rule in rules})
    return klines.select(
        *INSTRUMENT,
        "bar_interval",
        F.col("open_time").alias("bar_start"),
        F.struct(early.alias("is_early"), finding.alias("finding"), *sent).alias("right"),
    )


def _pairs(ohlcv: DataFrame, theirs: DataFrame, rules: tuple[Rule, ...]) -> DataFrame:
    ours = F.struct("is_complete", "built_from", *sorted({rule.ours for rule in rules}))
    on_grid = theirs.where(~F.col("right.finding").eqNullSafe("off_grid"))
    pairs = ohlcv.select(*BAR, ours.alias("left")).join(on_grid, on=BAR, how="full")
    return pairs.withColumn("spans_edge", _spans_edge(rules))


def _spans_edge(rules: tuple[Rule, ...]) -> Column:
    """Whether what a bar has too much of, the bar beside it lacks.

    A futures aggregate stands for up to 100 ms and carries one time, so that a trade of it can
    lie on the other side of a bar's edge.
    """
    volume = next(rule for rule in rules if rule.theirs == "volume_sent")
    excess = F.col(f"left.{volume.ours}") - F.col("right.volume_sent")
    in_order = Window.partitionBy(*INSTRUMENT, "bar_interval").orderBy("bar_start")
    evened = (F.lag(excess).over(in_order) == -excess) | (F.lead(excess).over(in_order) == -excess)
    from_aggregates = (F.col("left.built_from") == "agg_trades") & (F.col("kind") != "spot")
    return F.coalesce(from_aggregates & (excess != 0) & evened, F.lit(False))


def _fields(pairs: DataFrame, rules: tuple[Rule, ...]) -> DataFrame:
    """One row a field of the bars that both sides have, with its verdict."""
    both = F.col("left").isNotNull() & F.col("right").isNotNull()
    fields = F.array(
        *[
            F.struct(
                F.lit(rule.theirs).alias("field"),
                F.col(f"left.{rule.ours}").cast("string").alias("ours"),
                F.col(f"right.{rule.theirs}").cast("string").alias("theirs"),
                _verdict(rule).alias("verdict"),
            )
            for rule in rules
        ]
    )
    cause = (
        F.when(F.col("right.is_early"), F.lit("bar_fetched_too_early"))
        .when(~F.col("left.is_complete"), F.lit("not_loaded"))
        .when(F.col("spans_edge"), F.lit("aggregate_spans_edge"))
        .otherwise(F.lit("unexplained"))
    )
    matched = pairs.where(both & F.col("right.finding").isNull())
    rows = matched.select(*BAR, cause.alias("cause"), F.explode(fields).alias("of_field"))
    return rows.select(*BAR, "cause", "of_field.*")


def _verdict(rule: Rule) -> Column:
    ours, theirs = F.col(f"left.{rule.ours}"), F.col(f"right.{rule.theirs}")
    if rule.how == "not_derivable":
        return F.lit("not_derivable")
    verdict = F.when(ours.eqNullSafe(theirs), F.lit("equal"))
    if rule.how == "rounded":
        near = F.abs(ours - theirs) < F.lit(Decimal(1).scaleb(-rule.scale))
        verdict = verdict.when(near, F.lit("equal_after_rounding"))
    if rule.how == "cut":
        # no volume is negative, so that the floor is the cut
        cut = F.floor(ours, F.lit(rule.scale))
        verdict = verdict.when(cut == theirs, F.lit("equal_after_rounding"))
    return verdict.otherwise(F.lit("different"))


def _one_sided(pairs: DataFrame) -> DataFrame:
    left, right = F.col("left"), F.col("right")
    cause = (
        F.when(left.isNull() & F.col("right.is_early"), F.lit("bar_fetched_too_early"))
        .when(left.isNull(), F.lit("only_right"))
        .when(~F.col("left.is_complete"), F.lit("not_loaded"))
        .otherwise(F.lit("only_left"))
    )
    alone = (left.isNull() & F.col("right.finding").isNull()) | right.isNull()
    ours = F.when(left.isNotNull(), F.lit("present"))
    theirs = F.when(right.isNotNull(), F.lit("present"))
    return _whole_bars(pairs.where(alone), ours, theirs, cause)


def _findings(theirs: DataFrame) -> DataFrame:
    odd = theirs.where(F.col("right.finding").isNotNull())
    nothing = F.lit(None).cast("string")
    return _whole_bars(odd, nothing, F.lit("present"), F.col("right.finding"))


def _whole_bars(rows: DataFrame, ours: Column, theirs: Column, cause: Column) -> DataFrame:
    return rows.select(
        *BAR,
        F.lit("bar").alias("field"),
        ours.alias("ours"),
        theirs.alias("theirs"),
        cause.alias("cause"),
    )


def _totals(fields: DataFrame, differences: DataFrame) -> DataFrame:
    series = [*INSTRUMENT, "bar_interval"]
    verdicts = [
        F.count_if(F.col("verdict") == name).alias(name)
        for name in ("equal", "equal_after_rounding", "not_derivable", "different")
    ]
    compared = fields.groupBy(*series).agg(F.count(F.lit(1)).alias("compared"), *verdicts)
    is_bar, is_finding = F.col("field") == "bar", F.col("cause").isin(*FINDINGS)
    one_sided = is_bar & ~is_finding
    by_cause = differences.groupBy(*series, "cause").agg(
        F.count(F.lit(1)).alias("rows"),
        F.count_if(one_sided & F.col("theirs").isNull()).alias("only_left"),
        F.count_if(one_sided & F.col("ours").isNull()).alias("only_right"),
    )
    open_rows = F.when(F.col("cause").isin(*UNEXPLAINED), F.col("rows")).otherwise(F.lit(0))
    causes = by_cause.groupBy(*series).agg(
        F.sum("only_left").alias("only_left"),
        F.sum("only_right").alias("only_right"),
        F.sum(open_rows).alias("unexplained"),
        F.map_from_entries(F.sort_array(F.collect_list(F.struct("cause", "rows")))).alias("causes"),
    )
    numbers = [field.name for field in schemas.RECONCILIATION if field.dataType == T.LongType()]
    none = F.create_map().cast(schemas.RECONCILIATION["causes"].dataType)
    return compared.join(causes, on=series, how="full").select(
        *series,
        *[F.coalesce(F.col(name), F.lit(0)).alias(name) for name in numbers],
        F.coalesce(F.col("causes"), none).alias("causes"),
    )
