"""The first step of a run: the selection's raw answers land in bronze."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache, partial
from typing import cast

from extract.client import Client
from extract.discovery import look
from extract.foresight import foresee, weight_per_minute
from extract.held import Held
from extract.history.message import Mode
from extract.history.schedule import Schedule
from extract.landing import Landed
from extract.listing import matching
from extract.packing import Packer
from extract.plan import EARLIEST_MS, Plan
from extract.pool import Task, run_all
from extract.subject import BY_TIME, Source, Subject, interval_of
from extract.window import extract_instruments, listed_since, tasks_of, wanted_since
from jobs.context import Lake
from jobs.extraction import history, on_celery, on_sqs
from jobs.extraction.approval import require_leave
from jobs.extraction.chosen import Chosen, having, require_perpetuals
from jobs.extraction.progress import Watch, watched
from jobs.extraction.replayed import is_replayed, require_held
from jobs.options import Segment, Selection, default_datasets
from lake.bronze import Dataset
from lake.bronze import Mode as BronzeMode
from lake.clock import to_millis
from lake.room import require_room
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
class Prepared:
    """An extraction that has been looked up, planned and allowed; nothing has landed yet."""

    lake: Lake
    settings: Settings
    client: Client
    chosen: Sequence[Chosen]
    subjects: Sequence[Subject]
    histories: Sequence[Schedule]
    plan: Plan
    checks_again: bool = False

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
            "bronze files=%d held=%d requests=%d bytes=%d rows=%d republished=%d",
            total.files_created,
            total.files_held,
            total.requests,
            total.bytes,
            total.rows,
            total.republished,
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
        packer = Packer(lake.store, lake.clock) if self._packs else None
        with watched(lake.clock, tasks=count, rows_planned=rows, weight=weight) as watch:
            tasks: list[Task] = []
            for subject in self.subjects:
                tasks += self._tasks_of(subject, watch, packer)
            landed = Landed()
            if settings.workers.home == "celery":
                messages = [message for one in busy for message in one.messages]
                landed = on_celery.run(lake, settings, messages, watch)
            else:
                for one in busy:
                    tasks += history.tasks(lake, settings, client, one, watch, packer=packer)
            return landed + self._run_all(tasks, packer)

    def _run_all(self, tasks: Sequence[Task], packer: Packer | None) -> Landed:
        """Run the tasks; what waits to be packed lands even where the run ends early."""
        try:
            landed = run_all(tasks, self.settings.extract.workers, halt=self.client.stop)
        finally:
            packs = packer.flush() if packer else 0
        return landed + Landed(files_created=packs)

    @property
    def _packs(self) -> bool:
        return sum(len(one.instruments) for one in self.chosen) > self.settings.extract.pack_above

    def _tasks_of(self, subject: Subject, watch: Watch, packer: Packer | None) -> list[Task]:
        return tasks_of(
            self.settings,
            self.lake.store,
            self.client,
            subject,
            run_id=self.lake.run_id,
            on_landed=watch.landed,
            on_ended=watch.task_done,
            checks_again=self.checks_again,
            packer=packer,
        )


def prepare(
    lake: Lake,
    settings: Settings,
    selection: Selection,
    *,
    yes: bool = False,
    mode: Mode | None = None,
    checks_again: bool = False,
    only_plan: bool = False,
) -> Prepared:
    """Find what the selection names, plan it, and get leave for it.

    Args:
        lake: where to land.
        settings: with the exchanges' addresses, which the replay fills in.
        selection: what to land.
        yes: start a run however big its plan is.
        mode: load trades by id that way, and nothing else. None loads windows of time, and by id,
            upwards, what has no start.
        checks_again: ask for the checksums of the archive files that are held, too.
        only_plan: nothing will land, so of many instruments no ids are asked for: at the
            exchange's limit that alone would take long.

    Raises:
        UsageError: an instrument is unknown, the replay does not hold what is asked for, or a big
            run has nobody's leave.
        RoomError: what it asks for would not leave enough room.
    """
    client = Client(settings, clock=lake.clock)
    scope = _Scope(
        lake,
        settings,
        client,
        selection,
        only_trades=mode is not None,
        checks_again=checks_again,
    )
    chosen = [scope.choose(one) for one in selection.segments]
    if only_plan and sum(len(one.instruments) for one in chosen) > PROBED:
        scope, mode = replace(scope, asks=False), None
    by_id = [one for each in chosen for one in scope.histories(each, mode)]
    windows = chosen if mode is None else []
    subjects = [subject for one in windows for subject in scope.subjects(one)]
    require_perpetuals(selection, subjects)
    plan = scope.plan(subjects, by_id)
    require_leave(plan, settings, yes=yes)
    if not only_plan:
        require_room(lake.store, settings.room, planned=plan.bytes)
    return Prepared(lake, settings, client, chosen, subjects, by_id, plan, checks_again)


@dataclass(frozen=True, slots=True)
class _Scope:
    """A run in the making: what is wanted, and who is asked for it."""

    lake: Lake
    settings: Settings
    client: Client
    selection: Selection
    only_trades: bool
    checks_again: bool = False
    asks: bool = True

    def choose(self, segment: Segment) -> Chosen:
        """Find the wanted instruments among all that the exchange has; nothing lands yet."""
        snapshot = look(self.client, self.settings, segment.exchange, segment.kind)
        if is_replayed(self.lake.settings, segment, self.selection.source):
            require_held(self.lake.settings, self.selection, segment, snapshot.listings)
        return Chosen(segment, snapshot, matching(segment.instruments, snapshot.listings))

    def histories(self, chosen: Chosen, mode: Mode | None) -> list[Schedule]:
        """Return what is loaded by id: trades where a mode is given, else those without a start."""
        names = self._datasets(chosen.segment)
        if mode is None:
            names = [name for name in names if self._has_history(name)]
        found = history.schedules(
            self.lake,
            self.settings,
            self.client,
            self.selection,
            chosen.segment,
            instruments=chosen.instruments,
            datasets=names,
            mode=mode or "start",
        )
        return list(found)

    def subjects(self, chosen: Chosen) -> list[Subject]:
        """Return the window tasks of a segment; the instruments themselves land apart."""
        segment, end = chosen.segment, self.selection.end or self.lake.clock.now()
        wanted = {
            dataset: frozenset(having(chosen, dataset))
            for dataset in self._datasets(segment)
            if dataset != "instruments" and not self._has_history(dataset)
        }
        return [
            Subject(
                segment.exchange,
                segment.kind,
                instrument,
                cast("Dataset", dataset),
                self._start_ms(segment, instrument, dataset),
                to_millis(end),
                cast("Source", self.selection.source_of(dataset)),
                interval_of(self.settings, dataset),
                starts_open=self.selection.start is None,
                ends_open=self.selection.end is None,
                beside_archive=self.selection.beside_archive,
            )
            for instrument in chosen.instruments
            for dataset, having_it in wanted.items()
            if instrument in having_it
        ]

    def plan(self, subjects: Sequence[Subject], histories: Sequence[Schedule]) -> Plan:
        """Return what the tasks will ask for, after a few questions for ids."""
        probe = sum(subject.dataset not in BY_TIME for subject in subjects) <= PROBED
        held = cache(partial(Held, self.lake.store))
        estimates = [
            replace(
                foresee(
                    self.settings,
                    self.lake.store,
                    self.client,
                    subject,
                    probe=probe,
                    checks_again=self.checks_again,
                    index=None if probe else held(subject.dataset, subject.exchange, subject.kind),
                ),
                of=(subject.exchange, subject.kind, subject.instrument, subject.dataset),
            )
            for subject in subjects
        ]
        estimates += [history.estimate(self.settings, one) for one in histories]
        asked = [part for part in estimates if part.requests]
        plan = Plan(asked, weight_per_minute(self.settings, {part.of[0] for part in asked}))
        log.info("plan %s", plan)
        return plan

    def _datasets(self, segment: Segment) -> Sequence[str]:
        names = self.selection.datasets or default_datasets(self.settings, segment)
        return names[:1] if self.only_trades and not self.selection.datasets else names

    def _has_history(self, dataset: str) -> bool:
        """Tell whether a dataset is loaded by id from its first trade on."""
        is_open = self.selection.start is None and self.selection.source == "rest"
        return is_open and self.asks and dataset in history.OF_TRADES

    def _start_ms(self, segment: Segment, instrument: str, dataset: str) -> int:
        if self.selection.start is not None:
            return to_millis(self.selection.start)
        if not self.asks:
            return EARLIEST_MS
        venue = {"exchange": segment.exchange, "kind": segment.kind, "instrument": instrument}
        by_archive = self.selection.source_of(dataset) == "archive"
        if by_archive or dataset in BY_TIME:
            mode: BronzeMode = "archive" if by_archive else "history"
            since = partial(wanted_since, self.settings, self.lake.store, self.client)
            return since(dataset=dataset, mode=mode, **venue)
        return listed_since(self.settings, self.client, **venue)


def land_snapshot(lake: Lake, settings: Settings, client: Client, chosen: Chosen) -> Landed:
    """Land the instruments that the exchange has answered with, where they say anything new."""
    if not chosen.snapshot.answers:
        return Landed(venue_clock_ms=chosen.snapshot.clock_ms)
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
