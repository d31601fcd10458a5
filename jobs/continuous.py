"""Keeps silver and gold fresh: the steps of the batch again and again, until it is told to stop."""

from __future__ import annotations

import logging
import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from threading import Event
from types import FrameType

from jobs import gold, gold_of_perpetuals, information_bars, instruments, silver
from jobs.context import Context, Lake, open_context
from jobs.status.publishing import publish_pass, publish_stop
from lake.clock import to_iso
from lake.errors import CandlelakeError
from lake.lease import lent
from lake.tables import STANDING, TABLES

log = logging.getLogger(__name__)

MINUTE = timedelta(minutes=1)
#: Behind a minute's end, when collectors have landed what came until then.
LANDED = timedelta(seconds=1.5)
#: Brings what is new to the serving database.
Publish = Callable[[Context], None]
#: What candles are made of: the rest, such as the exchange's own bars, waits until they are out.
BEFORE_CANDLES = frozenset({"instruments", *gold.SOURCES})


@dataclass(slots=True)
class Keeper:
    """What one process keeps fresh, and how far it has looked.

    Silver takes what has landed at each pass. Gold is looked at when a minute has ended since, by
    our clock less the grace time: a minute that goes on has no bar yet.

    Attributes:
        seen: the bronze files of each dataset at the last pass.
        minute: the minute up to which gold was last looked at.
        hour: the one in which the days of information bars were last looked at.
        stopping: where it is set, the steps that are left wait for the next start.
    """

    context: Context
    stopping: Event = field(default_factory=Event)
    seen: dict[str, int] = field(default_factory=dict)
    minute: datetime | None = None
    hour: datetime | None = None

    def refresh(self) -> bool:
        """Bring what has landed to silver, and what has ended to gold; tell whether anything was.

        Raises:
            GateError: a batch was stopped; nothing of it was written.
            CandlelakeError: as the jobs' own steps.
        """
        news = [name for name in ("instruments", *silver.FACTS) if self._has_news(name)]
        self._consume([name for name in news if name in BEFORE_CANDLES])
        ended = gold.until(self.context).replace(second=0, microsecond=0)
        is_due = ended != self.minute
        if is_due and not self.stopping.is_set():
            gold.follow(self.context)
        self._consume([name for name in news if name not in BEFORE_CANDLES])
        if not is_due or self.stopping.is_set():
            return bool(news)
        gold_of_perpetuals.follow(self.context)
        hour = ended.replace(minute=0)
        if hour != self.hour:
            information_bars.follow(self.context)
            self.hour = hour
        self.minute = ended
        log.info("gold is fresh until=%s", to_iso(ended))
        return True

    def _consume(self, datasets: Sequence[str]) -> None:
        for name in datasets:
            if self.stopping.is_set():
                return
            if name == "instruments":
                instruments.consume(self.context)
            else:
                silver.consume(self.context, name)

    def due(self) -> datetime:
        """Return when the next minute has ended by our clock less the grace time."""
        ended = self.minute or gold.until(self.context).replace(second=0, microsecond=0)
        return ended + MINUTE + timedelta(seconds=self.context.settings.gold.grace_seconds)

    def _has_news(self, dataset: str) -> bool:
        count = sum(1 for _ in self.context.store.names(f"bronze/{dataset}/"))
        known, self.seen[dataset] = self.seen.get(dataset, 0), count
        return count != known


def run_continuously(lake: Lake, publish: Publish | None = None) -> None:
    """Keep silver and gold fresh until a signal comes; it extracts nothing: collectors do.

    `publish` is called behind each pass that brought something.

    Raises:
        KeyboardInterrupt: it was SIGINT.
        CandlelakeError: as `Keeper.refresh`, and where the lake can't be opened for writing.
    """
    with (
        stopped_by_signals() as (stopping, signals),
        open_context("pipeline", lake, writes=tuple(TABLES.values())) as context,
    ):
        context.tables.ensure(*STANDING)
        seconds = lake.settings.continuous.interval_seconds
        passes = keep_fresh(context, stopping, seconds, publish)
        log.info("stopped after passes=%d", passes)
    if signal.SIGINT in signals:
        raise KeyboardInterrupt


def keep_fresh(
    context: Context, stopping: Event, interval_seconds: float, publish: Publish | None = None
) -> int:
    """Refresh every so many seconds until `stopping` is set; return how many passes that were.

    A pass that takes longer is followed by the next at once, or behind the next minute's end. What
    is being written when the signal comes is written to its end. Between two passes maintenance may
    have the tables that it asks for.

    Raises:
        CandlelakeError: as `Keeper.refresh`, unless it is stopping anyway.
    """
    keeper, passes = Keeper(context, stopping), 0
    without_gold = timedelta(0)
    while not stopping.is_set():
        began, minute = context.clock.now(), keeper.minute
        try:
            changed = keeper.refresh()
            publish_pass(context, began, changed=changed)
            if changed and publish is not None and not stopping.is_set():
                publish(context)
        except CandlelakeError as error:
            publish_stop(context, began, error)
            if not stopping.is_set():
                raise
            # the signal went to Spark as well: what it had not committed, the next start does
            log.info("stopped within a pass: %s", error)
            break
        passes += 1
        now = context.clock.now()
        if keeper.minute == minute:
            without_gold = now - began
        look = max(now, began + timedelta(seconds=interval_seconds))
        look = min(next_look(look, without_gold), max(now, keeper.due()))
        with lent(context.leases):
            stopping.wait((look - now).total_seconds())
    return passes


def next_look(look: datetime, takes: timedelta) -> datetime:
    """Return when to look: at `look`, but where a minute would end meanwhile, right behind its end.

    What collectors land there is the end of a minute's candles: a look that is still busy with
    what came before would hold them up.
    """
    ends = look.replace(second=0, microsecond=0) + MINUTE
    return ends + LANDED if look + takes > ends else look


@contextmanager
def stopped_by_signals() -> Iterator[tuple[Event, list[int]]]:
    """Give an event that SIGTERM or SIGINT sets, and the signals that came."""
    stopping, came = Event(), list[int]()

    def stop(number: int, _: FrameType | None) -> None:
        came.append(number)
        stopping.set()
        log.info("told to stop; the step that is under way ends first")

    before = {number: signal.signal(number, stop) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield stopping, came
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
