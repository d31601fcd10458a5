"""Gold to the serving database: bars, index prices, trades and what proves them.

Run by `./spark-submit.sh publish`. Nothing of the lake is written, so it may run beside every job.
"""

from __future__ import annotations

import asyncio
import logging
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, get_args

import typer

from jobs.application import run_job
from jobs.context import Context, open_context, open_lake
from jobs.options import Env, Exchange, Instruments, Kind, Sets, names_in, segments_of
from jobs.publishing import bars, indexes, runs, whole
from jobs.publishing import trades as trades_of_days
from jobs.publishing.trades import Choice, choices_of
from lake.clock import from_millis, to_iso, to_millis
from lake.errors import ServeError, UsageError
from lake.setting_sections import BarInterval
from serve.database.address import address_of
from serve.publishing.publisher import Publisher, finish, publishing, versions_held

log = logging.getLogger(__name__)

INTERVALS: tuple[str, ...] = get_args(BarInterval)
Intervals = Annotated[
    str | None, typer.Option(help="Bar intervals, parted by commas; all by default.")
]
Incomplete = Annotated[
    bool, typer.Option("--incomplete", help="Publish bars behind their complete-until mark too.")
]
Trades = Annotated[
    str | None,
    typer.Option(help="Of which instruments trades are published too: exchange/kind/instrument."),
]
Days = Annotated[str | None, typer.Option(help="Of which UTC days: 2024-01-01, or first..last.")]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a run has published: the number of its publication, None where nothing was new."""

    number: int | None
    counts: dict[str, int]
    waiting: Sequence[str]


def publish(
    *,
    exchange: Exchange = None,
    kind: Kind = None,
    instruments: Instruments = None,
    intervals: Intervals = None,
    trades: Trades = None,
    days: Days = None,
    incomplete: Incomplete = False,
    env: Env = "replay",
    sets: Sets = None,
) -> None:
    """Publish what is new in gold to the serving database, whole or not at all.

    Example: ./spark-submit.sh publish --exchange binance --kind spot --instruments BTCUSDT
    """
    lake = open_lake(env, sets or ())
    wanted = bars.Wanted(
        segments_of(exchange, kind, instruments), _intervals(intervals), incomplete
    )
    choices = choices_of(trades, days)
    address_of(lake.settings)
    with open_context("publish", lake) as context:
        outcome = run(context, wanted, choices)
    for line in outcome.waiting:
        print(line, file=sys.stderr)
    print(_told(outcome))


def run(context: Context, wanted: bars.Wanted, choices: Sequence[Choice] = ()) -> Outcome:
    """Publish what is new.

    Raises:
        ServeError: another run publishes, or the database refuses.
        DatabaseGoneError: it can't be asked.
    """
    return asyncio.run(_published(context, wanted, choices))


def follow(context: Context) -> None:
    """Publish all that is new; where the database refuses, the next call brings it as well."""
    wanted = bars.Wanted(segments_of(None, None, None), INTERVALS, is_incomplete=False)
    try:
        outcome = run(context, wanted)
    except ServeError as error:
        log.warning("not published, the next pass tries again: %s", error)
        return
    if outcome.number is not None:
        log.info("%s", _told(outcome))


async def _published(context: Context, wanted: bars.Wanted, choices: Sequence[Choice]) -> Outcome:
    async with publishing(address_of(context.settings)) as publisher:
        return await _filled(publisher, context, wanted, choices)


async def _filled(
    publisher: Publisher, context: Context, wanted: bars.Wanted, choices: Sequence[Choice]
) -> Outcome:
    held = await versions_held(publisher)
    marks = bars.marks_of(context)
    published = await bars.publish(publisher, context, wanted, marks, held)
    continuity = await runs.publish(publisher, context, published, held)
    await indexes.publish(publisher, context, wanted, held)
    await whole.publish(publisher, context, held, continuity)
    late = await trades_of_days.publish(
        publisher, context, choices, is_incomplete=wanted.is_incomplete
    )
    waiting = [*map(_wait_of, published.waiting), *map(_day_of, late)]
    if not publisher.is_changed:
        return Outcome(None, {}, waiting)
    await bars.conclude(publisher, published)
    number = await finish(publisher, context.run_id, to_millis(context.clock.now()))
    return Outcome(number, publisher.counts, waiting)


def _intervals(text: str | None) -> tuple[str, ...]:
    names = names_in(text) or INTERVALS
    for name in names:
        if name not in INTERVALS:
            raise UsageError(f"--intervals is of {', '.join(INTERVALS)}, was '{name}'")
    return names


def _wait_of(waiting: bars.Waiting) -> str:
    if waiting.mark is None:
        mark = "which it has not yet"
    else:
        mark = f"which stands at {to_iso(from_millis(waiting.mark))}"
    count = f"{waiting.bars} bar{'s' if waiting.bars != 1 else ''}"
    verb = "wait" if waiting.bars != 1 else "waits"
    return f"{'/'.join(waiting.listing)}: {count} {verb} for the complete-until mark, {mark}"


def _day_of(choice: Choice) -> str:
    where = "/".join(choice.listing)
    return f"{where}: the trades of {choice.day} wait for the complete-until mark to pass the day"


def _told(outcome: Outcome) -> str:
    if outcome.number is None:
        return "nothing new: the database holds all that is complete"
    counts = (f"{name}={outcome.counts[name]}" for name in sorted(outcome.counts))
    return f"publication {outcome.number}: {' '.join(counts)}"


if __name__ == "__main__":
    run_job(publish)
