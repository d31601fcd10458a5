"""The first step of a run: the selection's raw answers land in bronze."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import cast

from extract.client import Client
from extract.discovery import Snapshot, ask_snapshot, requests_of
from extract.foresight import Subject, foresee, weight_per_minute
from extract.history.message import Mode
from extract.history.schedule import Schedule
from extract.landing import Landed
from extract.listing import matching
from extract.plan import EARLIEST_MS, Plan
from extract.pool import Done, Task, run_all
from extract.window import (
    Source,
    bars_since,
    extract_bars,
    extract_instruments,
    extract_trades,
)
from jobs import history, on_celery, on_sqs
from jobs.approval import require_leave
from jobs.context import Lake
from jobs.options import Segment, Selection, default_datasets
from jobs.progress import Watch, watched
from jobs.replayed import is_replayed, require_held
from lake.bronze import Dataset
from lake.clock import to_millis
from lake.settings import Settings

log = logging.getLogger(__name__)

#: So many trade tapes are asked for their ids by the plan; of more, the window's length tells.
PROBED = 20


@dataclass(frozen=True, slots=True)
class Extraction:
    """What an extraction landed, and the instruments that the selection came to.

    Attributes:
        landed: what is in bronze now.
        instruments: exchange, kind and name of each.
        sent: messages that somebody else will work on, None where nobody else does.
    """

    landed: Landed
    instruments: tuple[tuple[str, str, str], ...]
    sent: int | None = None


@dataclass(frozen=True, slots=True)
class Chosen:
    """A segment, what its exchange has, and the venue's names that are wanted of it."""

    segment: Segment
    snapshot: Snapshot
    instruments: Sequence[str]

    @property
    def named(self) -> list[tuple[str, str, str]]:
        """Exchange, kind and instrument of each."""
        return [(self.segment.exchange, self.segment.kind, name) for name in self.instruments]


@dataclass(frozen=True, slots=True)
class Prepared:
    """An extraction that has been looked up, planned and allowed; nothing has landed yet."""

    lake: Lake
    settings: Settings
    client: Client
    chosen: Sequence[Chosen]
    subjects: Sequence[Subject]
    histories: Sequence[Schedule]
    plan: Plan

    def run(self) -> Extraction:
        """Land what bronze has not: instruments first, then trades and bars."""
        lake, settings, client = self.lake, self.settings, self.client
        total = sum((land_snapshot(lake, settings, client, one) for one in self.chosen), Landed())
        messages = [message for one in self.histories for message in one.messages]
        sent = on_sqs.send(settings, messages) if self._goes_to_sqs else None
        total += self._land()
        # the client is shared by the threads: what a task counts of it holds others' requests too
        total = replace(total, requests=client.requests, bytes=client.bytes)
        log.info(
            "bronze files=%d held=%d requests=%d bytes=%d rows=%d",
            total.files_created,
            total.files_held,
            total.requests,
            total.bytes,
            total.rows,
        )
        return Extraction(total, tuple(found for one in self.chosen for found in one.named), sent)

    @property
    def _goes_to_sqs(self) -> bool:
        return bool(self.histories) and self.settings.workers.home == "sqs"

    def _land(self) -> Landed:
        lake, settings, client = self.lake, self.settings, self.client
        busy = [one for one in self.histories if one.messages and not self._goes_to_sqs]
        # an upper bound is no goal to be reached
        rows = 0 if self.plan.bounds else self.plan.rows
        count = len(self.subjects) + len(busy)
        weight = client.used_percent
        with watched(lake.clock, tasks=count, rows_planned=rows, weight=weight) as watch:
            tasks: list[Task] = [
                partial(_whole, lake, settings, client, watch, one) for one in self.subjects
            ]
            if settings.workers.home == "celery":
                messages = [message for one in busy for message in one.messages]
                landed = on_celery.run(lake, settings, messages, watch)
            else:
                landed = Landed()
                for one in busy:
                    tasks += history.tasks(lake, settings, client, one, watch)
            return landed + run_all(tasks, settings.extract.workers, halt=client.stop)


def prepare(
    lake: Lake,
    settings: Settings,
    selection: Selection,
    *,
    yes: bool = False,
    mode: Mode | None = None,
) -> Prepared:
    """Find what the selection names, plan it, and get leave for it.

    Args:
        lake: where to land.
        settings: with the exchanges' addresses, which the replay fills in.
        selection: what to land.
        yes: start a run however big its plan is.
        mode: load trades by id that way, and nothing else. None loads windows of time, and by id,
            upwards, what has no start.

    Raises:
        UsageError: an instrument is unknown, the replay does not hold what is asked for, or a big
            run has nobody's leave.
    """
    client = Client(settings, clock=lake.clock)
    chosen = [choose(lake, settings, client, selection, one) for one in selection.segments]
    by_id = [
        one
        for each in chosen
        for one in _histories(lake, settings, client, selection, each, mode=mode)
    ]
    subjects = [
        subject
        for one in (chosen if mode is None else ())
        for name in one.instruments
        for subject in _subjects(lake, settings, client, selection, one.segment, instrument=name)
    ]
    plan = _plan(lake, settings, client, subjects, by_id)
    require_leave(plan, settings, yes=yes)
    return Prepared(lake, settings, client, chosen, subjects, by_id, plan)


def _histories(
    lake: Lake,
    settings: Settings,
    client: Client,
    selection: Selection,
    chosen: Chosen,
    *,
    mode: Mode | None,
) -> Sequence[Schedule]:
    """Return what is loaded by id: all trades where a mode is given, else those without a start."""
    segment = chosen.segment
    names = selection.datasets or default_datasets(settings, segment)
    if mode is None:
        names = [name for name in names if _has_history(selection, name)]
    elif not selection.datasets:
        names = names[:1]
    found = history.schedules(
        lake,
        settings,
        client,
        selection,
        segment,
        instruments=chosen.instruments,
        datasets=names,
        mode=mode or "start",
    )
    return list(found)


def _has_history(selection: Selection, dataset: str) -> bool:
    """Tell whether a dataset is loaded by id from its first trade on."""
    is_open = selection.start is None and selection.source == "rest"
    return is_open and dataset in history.OF_TRADES


def _plan(
    lake: Lake,
    settings: Settings,
    client: Client,
    subjects: Sequence[Subject],
    histories: Sequence[Schedule],
) -> Plan:
    """Return what the tasks will ask for, after a few questions for ids."""
    probe = sum(subject.dataset != "klines" for subject in subjects) <= PROBED
    estimates = [
        replace(
            foresee(settings, lake.store, client, subject, probe=probe),
            of=(subject.exchange, subject.kind, subject.instrument, subject.dataset),
        )
        for subject in subjects
    ]
    estimates += [history.estimate(settings, one) for one in histories]
    plan = Plan([part for part in estimates if part.requests], weight_per_minute(settings))
    log.info("plan %s", plan)
    return plan


def choose(
    lake: Lake, settings: Settings, client: Client, selection: Selection, segment: Segment
) -> Chosen:
    """Find the wanted instruments among all that the exchange has; nothing lands yet.

    Raises:
        UsageError: an instrument is unknown, or the replay holds nothing of it.
    """
    requests = requests_of(settings, segment.exchange, segment.kind)
    snapshot = ask_snapshot(client, segment.exchange, requests)
    if is_replayed(lake.settings, segment, selection.source):
        require_held(lake.settings, selection, segment, snapshot.listings)
    return Chosen(segment, snapshot, matching(segment.instruments, snapshot.listings))


def land_snapshot(lake: Lake, settings: Settings, client: Client, chosen: Chosen) -> Landed:
    """Land the instruments that the exchange has answered with, where they say anything new."""
    return extract_instruments(
        settings,
        lake.store,
        exchange=chosen.segment.exchange,
        kind=chosen.segment.kind,
        run_id=lake.run_id,
        clock=lake.clock,
        client=client,
        snapshot=chosen.snapshot,
    )


def _subjects(
    lake: Lake,
    settings: Settings,
    client: Client,
    selection: Selection,
    segment: Segment,
    *,
    instrument: str,
) -> list[Subject]:
    """Return the window tasks of one instrument; instruments themselves have landed already."""
    end = selection.end or lake.clock.now()
    return [
        Subject(
            segment.exchange,
            segment.kind,
            instrument,
            cast("Dataset", dataset),
            _start_ms(
                lake,
                settings,
                client,
                selection,
                segment,
                instrument=instrument,
                dataset=dataset,
            ),
            to_millis(end),
            cast("Source", selection.source if dataset != "klines" else "rest"),
        )
        for dataset in selection.datasets or default_datasets(settings, segment)
        if dataset != "instruments" and not _has_history(selection, dataset)
    ]


def _start_ms(
    lake: Lake,
    settings: Settings,
    client: Client,
    selection: Selection,
    segment: Segment,
    *,
    instrument: str,
    dataset: str,
) -> int:
    if selection.start is not None:
        return to_millis(selection.start)
    if dataset != "klines":
        return EARLIEST_MS
    venue = {"exchange": segment.exchange, "kind": segment.kind, "name": instrument}
    return bars_since(settings, lake.store, client, **venue)


def _whole(lake: Lake, settings: Settings, client: Client, watch: Watch, subject: Subject) -> Done:
    landed = _land_one(lake, settings, client, watch, subject)
    watch.task_done()
    return Done(landed)


def _land_one(
    lake: Lake, settings: Settings, client: Client, watch: Watch, subject: Subject
) -> Landed:
    if subject.dataset == "klines":
        extract = partial(extract_bars, settings, lake.store)
    else:
        extract = partial(
            extract_trades, settings, lake.store, dataset=subject.dataset, source=subject.source
        )
    return extract(
        exchange=subject.exchange,
        kind=subject.kind,
        instrument=subject.instrument,
        start_ms=subject.start_ms,
        end_ms=subject.end_ms,
        run_id=lake.run_id,
        clock=lake.clock,
        client=client,
        on_landed=watch.landed,
    )
