"""The sides of a check, read from bronze by mode and region through silver's own parsers."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import reduce
from types import MappingProxyType
from typing import Any

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F  # noqa: N812
from pyspark.sql import types as T  # noqa: N812

from jobs.batches import Fact, candidates_of
from jobs.context import Context
from jobs.options import Segment
from jobs.streams import lines_of
from lake.bronze import ALL_INSTRUMENTS, BronzeName, Dataset, Mode, folder
from lake.clock import from_millis, to_millis
from lake.frames import local_frame
from lake.objects import ObjectStore
from lake.packs import names_below
from lake.tables import SILVER_INSTRUMENTS
from transform import deribit_answers, deribit_klines, envelopes, rows
from transform.reconciliation.attribution import Source
from transform.reconciliation.certificates import Keep
from transform.reconciliation.evidence import CLAIMS
from transform.reconciliation.subjects import SUBJECTS

MODES: Mapping[Source, Mode] = MappingProxyType(
    {"live": "live", "rest": "history", "archive": "archive"}
)
#: How the zips of the archive are named that a part of one names in its request.
PERIODS: Mapping[str, str] = MappingProxyType(
    {"daily": r"-\d{4}-\d{2}-\d{2}\.zip", "monthly": r"-\d{4}-\d{2}\.zip"}
)
#: So much beyond the window is read too: a time may differ, and a side be there before it.
MARGIN = timedelta(minutes=1)
#: So much beyond the window may the first frame of the bar behind it come, that of a quiet minute.
LATER_BAR = timedelta(minutes=2)
#: The bars that streams carry.
STREAMED = "1m"
PRINTS: tuple[Dataset, ...] = ("trades", "agg_trades")
REJECTED = T.StructType(
    [
        *[
            T.StructField(name, T.StringType())
            for name in ("side", "exchange", "kind", "instrument_uid")
        ],
        T.StructField("id", T.LongType()),
        T.StructField("reasons", T.ArrayType(T.StringType())),
        T.StructField("bronze_file", T.StringType()),
        T.StructField("bronze_line", T.LongType()),
    ]
)


@dataclass(frozen=True, slots=True)
class Side:
    """Where a side comes from, and the places in which its bronze files lie.

    Attributes:
        source: the stream, REST or the archive.
        stores: the lake, or what was downloaded for the check alone, or both.
        region: of the stream's collectors; empty is all.
        period: of the archive's files, `daily` or `monthly`; empty is both.
    """

    source: Source
    stores: tuple[ObjectStore, ...]
    region: str = ""
    period: str = ""

    @property
    def name(self) -> str:
        """What certificates call it."""
        return " ".join(word for word in (self.source, self.region, self.period) if word)


@dataclass(frozen=True, slots=True)
class Part:
    """What is read of a side: a dataset of one exchange and kind, in a window [start, end).

    `interval` is that of the bars that are compared; empty is all.
    """

    fact: Fact
    segment: Segment
    window: tuple[datetime, datetime]
    interval: str = ""


@dataclass(frozen=True, slots=True)
class Rows:
    """What a side says of a dataset, some time around the window included.

    Attributes:
        valid: rows of the silver schema.
        rejected: rows of `REJECTED`.
        claims: what its files claim, as rows of `CLAIMS`.
    """

    valid: DataFrame
    rejected: DataFrame
    claims: Sequence[tuple[Any, ...]]


def held(side: Side, part: Part) -> Mapping[ObjectStore, Sequence[BronzeName]]:
    """Return the names of a side's files that may have a row around the window, by place."""
    return {
        store: list(_names(store, part.fact.dataset, MODES[side.source], part))
        for store in side.stores
    }


def _as_it_is(frame: DataFrame) -> DataFrame:
    return frame


def read(context: Context, side: Side, which: str, part: Part) -> Rows:
    """Parse what a side holds; `which` of the two it is: `left` or `right`."""
    return parsed(context, side, which, part, lines(context, side, part))


def lines(
    context: Context, side: Side, part: Part, *, of: Collection[str] | None = None
) -> DataFrame | None:
    """Return the lines of the side's files, or `of` these alone; None where there are none."""
    parts = []
    for store, found in held(side, part).items():
        files = {name.file for name in found if of is None or name.file in of}
        if files:
            parts.append(lines_of(replace(context, store=store), sorted(files)))
    return reduce(DataFrame.unionByName, parts) if parts else None


def parsed(
    context: Context,
    side: Side,
    which: str,
    part: Part,
    found: DataFrame | None,
    *,
    keep: Keep = _as_it_is,
) -> Rows:
    """Parse these lines of a side, and `keep` what they hold; the claims are of all its files."""
    names = [name for of_store in held(side, part).values() for name in of_store]
    claims = [_claim(which, name, is_refill=False) for name in names]
    fact = part.fact
    if found is None:
        empty = local_frame(context.spark, [], fact.table.schema)
        return Rows(empty, local_frame(context.spark, [], REJECTED), claims)
    answers = _answers(side, found)
    if _is_chart(part, fact.dataset, MODES[side.source]):
        candidates, wanted = _charted(context, side, part, answers)
    else:
        candidates = keep(candidates_of(context, fact, answers, [part.segment.exchange]))
        # a pack holds other instruments as well
        wanted = F.col("instrument").isin(sorted({name.instrument for name in names}))
        if side.region:
            wanted &= F.col("region") == side.region
    if part.interval:
        wanted &= F.col("bar_interval") == part.interval
    valid = rows.valid(candidates, fact.table.schema).where(wanted & _around(part))
    return Rows(valid, _rejected(candidates, which, fact), claims)


def _charted(
    context: Context, side: Side, part: Part, answers: DataFrame
) -> tuple[DataFrame, Column]:
    """Return candidates of a chart's frames, and which of them are asked for."""
    # of one region's collectors before anything else: the last frame of a bar is looked for
    of_region = answers.where(F.col("region") == side.region) if side.region else answers
    candidates = deribit_klines.streamed(of_region, context.tables.read(SILVER_INSTRUMENTS))
    told = of_region.select("instrument").distinct().na.drop().collect()
    names = sorted({row[0] for row in told if part.segment.admits(row[0])})
    return candidates, F.col("instrument").isin(names)


def around(window: tuple[datetime, datetime]) -> tuple[datetime, datetime]:
    """Return the window with what is read beyond it."""
    return window[0] - MARGIN, window[1] + MARGIN


def refills(store: ObjectStore, part: Part) -> list[tuple[Any, ...]]:
    """Return what was asked for again by exactly its ids: those files carry a run's name."""
    return [
        _claim("", name, is_refill=True)
        for dataset in PRINTS
        for name in _names(store, dataset, "history", part)
        if name.tag
    ]


def claims_of(context: Context, claims: Sequence[tuple[Any, ...]]) -> DataFrame:
    """Return claims as a frame."""
    return local_frame(context.spark, claims, CLAIMS)


def _names(store: ObjectStore, dataset: Dataset, mode: Mode, part: Part) -> Iterator[BronzeName]:
    segment, is_chart = part.segment, _is_chart(part, dataset, mode)
    start = to_millis(part.window[0] - MARGIN)
    end = to_millis(part.window[1] + (LATER_BAR if is_chart else MARGIN))
    for name in names_below(store, folder(dataset, segment.exchange, segment.kind)):
        overlaps = name.coverage.from_ms <= end and name.coverage.until_ms >= start
        if name.mode != mode or not overlaps:
            continue
        if is_chart:
            is_wanted = name.instrument == ALL_INSTRUMENTS
        else:
            of_interval = dataset != "klines" or part.interval in ("", name.tag.partition("-")[0])
            is_wanted = segment.admits(name.instrument) and of_interval
        if is_wanted:
            yield name


def _is_chart(part: Part, dataset: Dataset, mode: Mode) -> bool:
    """Tell whether it is Deribit's chart: its frames claim nothing, and lie in packs of nothing."""
    return (part.segment.exchange, dataset, mode) == (deribit_answers.EXCHANGE, "klines", "live")


def _claim(which: str, name: BronzeName, *, is_refill: bool) -> tuple[Any, ...]:
    held = name.coverage
    return (
        which,
        name.exchange,
        name.kind,
        name.instrument,
        held.first_id,
        held.last_id,
        from_millis(held.from_ms),
        from_millis(held.until_ms),
        is_refill,
        name.file,
    )


def _answers(side: Side, found: DataFrame) -> DataFrame:
    """Return the envelopes of the side: the archive's days and months lie side by side."""
    answers = envelopes.read(found)
    return answers.where(F.col("request").rlike(PERIODS[side.period])) if side.period else answers


def _around(part: Part) -> Column:
    moment = F.col(SUBJECTS[part.fact.dataset].moment)
    start, end = around(part.window)
    return (moment >= F.lit(start)) & (moment < F.lit(end))


def _rejected(candidates: DataFrame, which: str, fact: Fact) -> DataFrame:
    return rows.faulty(candidates).select(
        F.lit(which).alias("side"),
        *("exchange", "kind", "instrument_uid"),
        F.expr(SUBJECTS[fact.dataset].identifier).alias("id"),
        F.col("faults").alias("reasons"),
        *("bronze_file", "bronze_line"),
    )
