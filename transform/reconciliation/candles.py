"""Candles against the exchange's own bars, field by field, every difference with its cause."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from types import MappingProxyType
from typing import Literal, NamedTuple

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F  # noqa: N812
from pyspark.sql import types as T  # noqa: N812

from lake import schemas
from transform import grid, intervals
from transform.reconciliation import certificates
from transform.reconciliation.causes import is_explained
from transform.reconciliation.certificates import SERIES, Keep
from transform.reconciliation.checksums import checksum

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
#: can't be compared at all. The file and line are those of the exchange's bar.
DIFFERENCES = T.StructType(
    [
        *schemas.IDENTITY[:3],
        schemas.OHLCV["bar_interval"],
        schemas.OHLCV["bar_start"],
        T.StructField("field", T.StringType(), nullable=False),
        T.StructField("ours", T.StringType()),
        T.StructField("theirs", T.StringType()),
        T.StructField("cause", T.StringType(), nullable=False),
        T.StructField("bronze_file", T.StringType()),
        T.StructField("bronze_line", T.LongType()),
    ]
)

#: Bars that the exchange published so; they are never matched.
FINDINGS = ("off_grid", "cut_short")
_PLACE = ("bronze_file", "bronze_line")


@dataclass(frozen=True, slots=True)
class Comparison:
    """The differences, and what they and the equal fields come to.

    `totals`: one row an instrument and interval: INSTRUMENT, bar_interval, left_rows, right_rows,
    matched, only_left, only_right (these five in bars), compared, equal, equal_after_rounding,
    not_derivable, different (in fields: nine a bar), unexplained, undetermined (fields and bars),
    causes, left_hash and right_hash: checksums of the fields compared.
    """

    differences: DataFrame
    totals: DataFrame


def compare(
    ohlcv: DataFrame, klines: DataFrame, rules: tuple[Rule, ...], *, keep: Keep
) -> Comparison:
    """Compare our bars with the exchange's, field by field.

    Bars that open off the grid or were cut short are never matched: they are findings with the
    causes `off_grid` and `cut_short`. Other causes: `bar_fetched_too_early` (before its end),
    `not_loaded` (our bar is not complete), `aggregate_spans_edge`, and the open ones.

    Args:
        ohlcv: our side (left): rows of `schemas.OHLCV`, or of `filled.FILLED` where the exchange
            publishes quiet bars, of one exchange and kind, within the window compared.
        klines: the exchange's side (right): rows of `schemas.KLINES`, one a bar and instrument.
        rules: the exchange and kind's own, of `RULES`.
        keep: given the bars of both sides, put together.
    """
    theirs = _their_side(klines)
    pairs = keep(_pairs(ohlcv, theirs, rules))
    fields = _fields(pairs, rules)
    different = fields.where(F.col("verdict") == "different").select(*DIFFERENCES.fieldNames())
    differences = different.unionByName(_one_sided(pairs)).unionByName(_findings(theirs))
    return Comparison(differences, _totals(pairs, theirs, fields, differences, rules))


def evidence(differences: DataFrame) -> DataFrame:
    """Return differences in the shape that every check keeps them in."""
    start = F.unix_millis("bar_start")
    end = grid.shifted(F.col("bar_start"), intervals.length(F.col("bar_interval")))
    return differences.select(
        *SERIES,
        start.alias("first_id"),
        start.alias("last_id"),
        F.lit(1).cast("bigint").alias("rows"),
        F.col("bar_start").alias("from_timestamp"),
        F.coalesce(end, "bar_start").alias("until_timestamp"),
        "field",
        F.col("ours").alias("left_value"),
        F.col("theirs").alias("right_value"),
        "cause",
        is_explained(F.col("cause")).alias("is_explained"),
        F.col("bronze_file").alias("right_bronze_file"),
        F.col("bronze_line").alias("right_bronze_line"),
    )


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
        F.struct(early.alias("is_early"), finding.alias("finding"), *_PLACE, *sent).alias("right"),
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
    place = [F.col(f"right.{name}").alias(name) for name in _PLACE]
    rows = matched.select(*BAR, cause.alias("cause"), *place, F.explode(fields).alias("of_field"))
    return rows.select(*BAR, "cause", *_PLACE, "of_field.*")


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
        *[F.col(f"right.{name}").alias(name) for name in _PLACE],
    )


def _totals(
    pairs: DataFrame,
    theirs: DataFrame,
    fields: DataFrame,
    differences: DataFrame,
    rules: tuple[Rule, ...],
) -> DataFrame:
    verdicts = [
        F.count_if(F.col("verdict") == name).alias(name)
        for name in ("equal", "equal_after_rounding", "not_derivable", "different")
    ]
    compared = fields.groupBy(*SERIES).agg(F.count(F.lit(1)).alias("compared"), *verdicts)
    in_bars = fields.groupBy(*SERIES, "bar_start").agg(
        F.count_if(F.col("verdict") == "different").alias("off")
    )
    matched = in_bars.groupBy(*SERIES).agg(F.count_if(F.col("off") == 0).alias("matched"))
    is_bar, is_finding = F.col("field") == "bar", F.col("cause").isin(*FINDINGS)
    one_sided = differences.where(is_bar & ~is_finding).groupBy(*SERIES)
    alone = one_sided.agg(
        F.count_if(F.col("theirs").isNull()).alias("only_left"),
        F.count_if(F.col("ours").isNull()).alias("only_right"),
    )
    caused = certificates.by_cause(differences.withColumn("rows", F.lit(1)))
    totals = _side(pairs.where(F.col("left").isNotNull()), "left", [rule.ours for rule in rules])
    right = _side(theirs, "right", [rule.theirs for rule in rules])
    for part in (right, compared, matched, alone, caused):
        totals = totals.join(part, on=list(SERIES), how="full")
    return certificates.filled(totals)


def _side(bars: DataFrame, side: str, names: Sequence[str]) -> DataFrame:
    """Count a side's bars and sum up what they say."""
    values = ["bar_start", *[f"{side}.{name}" for name in sorted(set(names))]]
    return bars.groupBy(*SERIES).agg(
        F.count(F.lit(1)).alias(f"{side}_rows"),
        checksum(bars, values, F.lit(True)).alias(f"{side}_hash"),
    )
