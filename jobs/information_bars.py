"""Silver to gold for bars that close by what was traded: each day anew, held against its candle.

Run by `./spark-submit.sh information-bars --type dollar --threshold 10000000 --start … --end …`.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from datetime import date, datetime, timedelta
from functools import reduce
from typing import Annotated, NamedTuple

import typer
from pydantic import ValidationError
from pyspark.sql import DataFrame

from expectations import information_bars as suites
from jobs import gates, gold, rebuild
from jobs.application import run_job
from jobs.context import Context, open_context, open_lake
from jobs.gold import InstrumentDay, Touched
from jobs.options import (
    End,
    Env,
    Exchange,
    Instruments,
    Kind,
    Segment,
    Selection,
    Sets,
    Start,
    select,
)
from jobs.runs import recorded
from jobs.silver import FACTS
from jobs.streams import KEPT
from lake.errors import GateError, UsageError
from lake.frames import local_frame
from lake.setting_sections import InformationBars, InformationSeries
from lake.settings import Settings
from lake.storage import MOST_INSTRUMENTS, Slice
from lake.tables import GOLD_INFORMATION_BARS, GOLD_OHLCV, OPS_GATE_RESULTS, OPS_RUNS
from transform import information_bars as bars
from transform import information_days
from transform.information_bars import Series

log = logging.getLogger(__name__)

TABLE = GOLD_INFORMATION_BARS
WRITES = (TABLE, OPS_GATE_RESULTS, OPS_RUNS)
#: The gate of a day's sums, in the results.
BY_DAY = f"{TABLE.name} by day"


class Order(NamedTuple):
    """A series, and the instruments and the window that it is wanted of."""

    series: Series
    selection: Selection


class Built(NamedTuple):
    """The days that have a candle, the bars of these days, and how many of them are new."""

    days: int
    bars: int
    changed: int


def information_bars(
    *,
    bar_type: Annotated[
        str | None,
        typer.Option("--type", help="tick, volume or dollar; those of the settings by default."),
    ] = None,
    threshold: Annotated[
        str | None,
        typer.Option(help="What makes a bar: a number of trades, a volume, or a quote volume."),
    ] = None,
    env: Env = "replay",
    exchange: Exchange = None,
    kind: Kind = None,
    instruments: Instruments = None,
    start: Start = None,
    end: End = None,
    sets: Sets = None,
) -> None:
    """Build the tick, volume or dollar bars of each ended UTC day that a window touches.

    Example: ./spark-submit.sh information-bars --type dollar --threshold 10000000
    """
    lake = open_lake(env, sets or ())
    options = {"exchange": exchange, "kind": kind, "instruments": instruments}
    orders = orders_of(lake.settings, bar_type, threshold, **options, start=start, end=end)
    with open_context("information-bars", lake, writes=WRITES) as context:
        context.tables.ensure(*WRITES)
        with recorded(context, "information-bars") as counts:
            for order in orders:
                built = run(context, order)
                name = f"{order.series.bar_type} {order.series.threshold:f}"
                counts[name] = built.changed
                typer.echo(f"{name}: days={built.days} bars={built.bars} changed={built.changed}")


def orders_of(
    settings: Settings, bar_type: str | None, threshold: str | None, **options: str | None
) -> list[Order]:
    """Return what is wanted: the series that is named, or those of the settings.

    `options` are those of `select`; they narrow the series of the settings.

    Raises:
        UsageError: half a series is named, a wrong one, or none and the settings have none.
    """
    if (bar_type is None) != (threshold is None):
        raise UsageError("--type and --threshold go together")
    if bar_type is not None:
        return [Order(_named(bar_type, threshold), select(settings, **_texts(options)))]
    orders = [
        Order(
            Series(one.bar_type, one.threshold),
            select(settings, **_texts({**_names(one), **_texts(options)})),
        )
        for one in settings.gold.information_bars
        if options.get("exchange") in (None, one.exchange)
        and options.get("kind") in (None, one.kind)
    ]
    if not orders:
        raise UsageError(
            "no series of information bars is named",
            hint="Name one with --type and --threshold, or in gold.information_bars of conf/.",
        )
    return orders


def _texts(options: dict[str, str | None]) -> dict[str, str]:
    return {name: text for name, text in options.items() if text is not None}


def _names(one: InformationBars) -> dict[str, str | None]:
    return {
        "exchange": one.exchange,
        "kind": one.kind,
        "instruments": ",".join(one.instruments),
    }


def _named(bar_type: str, threshold: str | None) -> Series:
    try:
        one = InformationSeries.model_validate({"bar_type": bar_type, "threshold": threshold})
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise UsageError(
            f"--type {bar_type} --threshold {threshold} can't be used: {first['msg']}"
        ) from error
    return Series(one.bar_type, one.threshold)


def run(context: Context, order: Order) -> Built:
    """Build what is wanted, whole days of it.

    Raises:
        UsageError: the window is open, or bronze holds nothing of the selection.
        GateError: as `build`.
    """
    start, end = order.selection.start, order.selection.end
    if start is None or end is None:
        raise UsageError("information bars need --start and --end")
    dates = _dates(start, end)
    built = []
    for segment in rebuild.held_of(context, order.selection).segments:
        listings = ((segment.exchange, segment.kind, name) for name in segment.instruments)
        rows = [(*listing, day) for listing in listings for day in dates]
        built += [build(context, order.series, touched) for touched in _parted(rows)]
    total = Built(*(sum(counts) for counts in zip(*built, strict=True)))
    if not total.days:
        log.warning("no day of this selection has ended and has a candle: run the pipeline first")
    return total


def follow(context: Context) -> None:
    """Build the days of the settings' series that differ from their candle, or are not there.

    Raises:
        GateError: as `build`.
    """
    for one in context.settings.gold.information_bars:
        context.tables.ensure(TABLE)
        series = Series(one.bar_type, one.threshold)
        for touched in _parted(_stale(context, one, series)):
            build(context, series, touched)


def build(context: Context, series: Series, touched: Touched) -> Built:
    """Cut these days of one exchange's kind anew, and write them where a bar has changed.

    Which prints they are cut from, and whether all of them are there, is as the day's candle says.

    Raises:
        GateError: the bars of a day do not add up to its candle; nothing has been written.
    """
    candles = context.tables.read(GOLD_OHLCV).where(touched.gold())
    days = information_days.days(candles.where("bar_interval IN ('1m', '1d')")).persist(KEPT)
    fresh = _cut(context, series, touched, days).persist(KEPT)
    within = f"{_of(series, 't')} AND {touched.gold('t')}"
    held = context.tables.read(TABLE).alias("t").where(within)
    changed = gold.differing(fresh, held).persist(KEPT)
    try:
        _require_sums(context, fresh, days)
        rows = changed.count()
        if rows:
            checks = [gates.Check(TABLE.name, changed, suites.suite())]
            _keep(context, checks, rows)
        if rows or not held.join(fresh, list(TABLE.key), "left_anti").isEmpty():
            compared = [name for name in TABLE.schema.names if name not in TABLE.key]
            context.tables.correct(fresh, TABLE, within, compared)
        built = Built(days.count(), fresh.count(), rows)
        log.info("%s %s %s", TABLE.name, series, built)
        return built
    finally:
        for frame in (changed, fresh, days):
            frame.unpersist()


def _cut(context: Context, series: Series, touched: Touched, days: DataFrame) -> DataFrame:
    """Return the bars of these days, each day from the source that its candle is built from."""
    sources = {row["built_from"] for row in days.select("built_from").distinct().collect()}
    parts = [
        bars.information_bars(
            context.tables.read(FACTS[source].table).where(touched.silver().predicate()),
            source,
            days,
            series,
        )
        for source in gold.SOURCES
        if source in sources
    ]
    return reduce(DataFrame.unionByName, parts, local_frame(context.spark, [], TABLE.schema))


def _keep(context: Context, checks: Sequence[gates.Check], rows: int) -> None:
    """Keep what the gates find, before anything is written; GateError where one fails."""
    outcomes = gates.judged(context, checks, batch_id=rebuild.OUTSIDE_A_STREAM, rows=rows)
    gates.keep(context, outcomes)


def _require_sums(context: Context, fresh: DataFrame, days: DataFrame) -> None:
    compared = information_days.compared(fresh, days)
    checks = [gates.Check(BY_DAY, compared, suites.reconciled())]
    try:
        _keep(context, checks, compared.count())
    except GateError as error:
        raise GateError(
            error.what,
            where=TABLE.name,
            hint="Run ./spark-submit.sh pipeline first: gold.ohlcv may be behind silver. What"
            " differs stands in ops.gate_results.",
        ) from error


def _parted(rows: Sequence[InstrumentDay]) -> Iterator[Touched]:
    """Part days of one exchange's kind by instrument: a slice names only so many in literals."""
    names = sorted({instrument for _, _, instrument, _ in rows})
    for first in range(0, len(names), MOST_INSTRUMENTS):
        some = set(names[first : first + MOST_INSTRUMENTS])
        yield Touched(tuple(row for row in rows if row[2] in some))


def _stale(context: Context, one: InformationBars, series: Series) -> list[InstrumentDay]:
    """Return the days of a series that differ from their candle, or that only one side has."""
    venue, admits = ((one.exchange, one.kind),), Segment(one.exchange, one.kind, one.instruments)
    candles = context.tables.read(GOLD_OHLCV).where("bar_interval = '1d'")
    candles = candles.where(Slice(venue).predicate())
    listed = [row["instrument"] for row in candles.select("instrument").distinct().collect()]
    names = tuple(sorted(name for name in listed if admits.admits(name)))
    if not names:
        return []
    wanted = Slice(venue, (), names).predicate()
    held = context.tables.read(TABLE).where(_of(series)).where(wanted)
    compared = information_days.compared(held, information_days.days(candles.where(wanted)))
    days = compared.where(information_days.DIFFERS).select("instrument", "bar_date").distinct()
    return [
        (one.exchange, one.kind, row["instrument"], row["bar_date"])
        for row in days.collect()
        if row["instrument"] in names
    ]


def _of(series: Series, alias: str = "") -> str:
    """Return the rows of a series as a predicate over the columns of `alias`."""
    dot = f"{alias}." if alias else ""
    threshold = f"CAST('{series.threshold:f}' AS DECIMAL(38, 18))"
    return f"{dot}bar_type = '{series.bar_type}' AND {dot}threshold = {threshold}"


def _dates(start: datetime, end: datetime) -> list[date]:
    """Return the UTC days that [start, end) touches."""
    last = (end - timedelta(microseconds=1)).date()
    return [start.date() + timedelta(days=step) for step in range((last - start.date()).days + 1)]


if __name__ == "__main__":
    run_job(information_bars)
