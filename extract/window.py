"""What the jobs call: extract instruments, trades or bars of a window; a second call is silent."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from typing import cast

from extract.archive.window import archive_tasks
from extract.bars import first_day
from extract.client import Client
from extract.discovery import Snapshot, ask_snapshot, land_snapshot, requests_of
from extract.landing import Landed, Landing, held_names, unwatched
from extract.packing import Packer
from extract.plan import EARLIEST_MS
from extract.pool import Done, Task, run_all
from extract.rest import gaps_of, land_gaps
from extract.sources import bar_source
from extract.subject import MODES, Source, Subject, counted, interval_of
from lake.bronze import ALL_INSTRUMENTS, BronzeName, Dataset, Mode
from lake.clock import Clock
from lake.errors import UsageError
from lake.objects import ObjectStore
from lake.settings import Settings

log = logging.getLogger(__name__)


def extract_instruments(
    settings: Settings,
    store: ObjectStore,
    *,
    exchange: str,
    kind: str,
    run_id: str,
    clock: Clock,
    expired: bool = False,
    client: Client | None = None,
    snapshot: Snapshot | None = None,
) -> Landed:
    """Land a snapshot of a kind's instruments, unless the newest one says the same.

    Args:
        settings: where the exchange is and how patient to be.
        store: the lake.
        exchange: `binance` or `deribit`.
        kind: the venue's segment.
        run_id: kept in each envelope.
        clock: the process's clock.
        expired: ask Deribit for the recently expired ones too.
        client: the client to use; a new one by default. Shared by threads, its counts are too.
        snapshot: what the exchange has answered already; None asks it.

    Raises:
        UsageError: the exchange or kind is unknown.
        UnreachableError, BannedError, PermanentExtractError: as `Client.ask`.
    """
    requests = requests_of(settings, exchange, kind, expired=expired)
    client = client or Client(settings, clock=clock)
    landing = Landing(
        store=store,
        clock=clock,
        run_id=run_id,
        region=settings.lake.region,
        exchange=exchange,
        kind=kind,
        dataset="instruments",
        instrument="",
        mode="history",
        shown_as=ALL_INSTRUMENTS,
    )
    before = _sent(client)
    landed = land_snapshot(landing, snapshot or ask_snapshot(client, exchange, requests))
    return landed + _sent(client, since=before)


def extract_trades(
    settings: Settings,
    store: ObjectStore,
    *,
    exchange: str,
    kind: str,
    instrument: str,
    start_ms: int,
    end_ms: int,
    run_id: str,
    clock: Clock,
    dataset: Dataset = "trades",
    source: Source = "rest",
    client: Client | None = None,
    on_landed: Callable[[int], None] = unwatched,
) -> Landed:
    """Land an instrument's trades with a time in [`start_ms`, `end_ms`) that are not held yet.

    Args:
        settings: where the exchange is, how patient to be, how many trades a file spans.
        store: the lake.
        exchange: `binance` or `deribit`.
        kind: the venue's segment.
        instrument: the venue's name.
        start_ms: the window's start.
        end_ms: its end; with `archive`, every UTC day that the window touches is landed whole.
        run_id: kept in each envelope.
        clock: the process's clock.
        dataset: `trades`, or Binance's `agg_trades`.
        source: `rest`, or Binance's bulk `archive`: each counts only what itself has landed, so
            that the two can be compared. Of `auto` both count, and one goes on from the other.
        client: the client to use; a new one by default. Shared by threads, its counts are too.
        on_landed: is told the rows of each file that is created.

    Raises:
        UsageError: the exchange, kind or dataset is unknown there, or an API key is missing.
        UnreachableError, BannedError, PermanentExtractError: as `Client.ask`.
    """
    _require_window(start_ms, end_ms)
    client = client or Client(settings, clock=clock)
    subject = Subject(exchange, kind, instrument, dataset, start_ms, end_ms, source)
    tasks = tasks_of(settings, store, client, subject, run_id=run_id, on_landed=on_landed)
    return _landed(client, settings, tasks)


def listed_since(
    settings: Settings, client: Client, *, exchange: str, kind: str, instrument: str
) -> int:
    """Return when (ms) an instrument's first day with a bar began, by the exchange's own bars.

    Of one that has no bar of a day it is the exchanges' own age.

    Raises:
        UnreachableError, BannedError, PermanentExtractError: as `Client.ask`.
    """
    days = bar_source(
        client, settings, exchange=exchange, kind=kind, instrument=instrument, interval="1d"
    )
    first = first_day(days, EARLIEST_MS, days.clock_ms())
    return EARLIEST_MS if first is None else first


def wanted_since(
    settings: Settings,
    store: ObjectStore,
    client: Client,
    *,
    exchange: str,
    kind: str,
    instrument: str,
    dataset: str = "klines",
    mode: Mode = "history",
) -> int:
    """Return from when on (ms) a dataset is wanted of REST or the archive without a start.

    That is the first time held of it, as names say: the run that landed it began with the first
    one. Where none is held, the exchange is asked; raises as `listed_since`.
    """
    interval = interval_of(settings, dataset)
    names = held_names(store, cast("Dataset", dataset), exchange, kind, instrument)
    held = [one.coverage.from_ms for one in names if one.mode == mode and _is_of(one, interval)]
    if held:
        return min(held)
    return listed_since(settings, client, exchange=exchange, kind=kind, instrument=instrument)


def _is_of(name: BronzeName, interval: str) -> bool:
    """Tell whether a file is of an interval; the tag of an archive's goes on with its SHA-256."""
    if name.mode == "archive":
        return interval in ("", name.tag.partition("-")[0])
    return name.tag == interval


def extract_bars(
    settings: Settings,
    store: ObjectStore,
    *,
    exchange: str,
    kind: str,
    instrument: str,
    start_ms: int,
    end_ms: int,
    run_id: str,
    clock: Clock,
    interval: str | None = None,
    source: Source = "rest",
    dataset: Dataset = "klines",
    client: Client | None = None,
    on_landed: Callable[[int], None] = unwatched,
) -> Landed:
    """Land what is paged by time of [`start_ms`, `end_ms`) and not held: the exchange's own bars.

    Args:
        settings: as for `extract_trades`.
        store: the lake.
        exchange: `binance` or `deribit`.
        kind: the venue's segment.
        instrument: the venue's name.
        start_ms: the window's start, rounded down to the interval.
        end_ms: its end, rounded up to the interval, and not beyond the exchange's clock.
        run_id: kept in each envelope.
        clock: the process's clock.
        interval: of bars, such as `1m`; by default as `interval_of` says.
        source: as for `extract_trades`.
        dataset: `klines`, or of perpetuals `mark_klines` and `funding_rates`.
        client: the client to use; a new one by default. Shared by threads, its counts are too.
        on_landed: is told the rows of each file that is created.

    Raises:
        UsageError: the exchange, kind or interval is unknown.
        UnreachableError, BannedError, PermanentExtractError: as `Client.ask`.
    """
    _require_window(start_ms, end_ms)
    interval = interval or interval_of(settings, dataset)
    client = client or Client(settings, clock=clock)
    subject = Subject(exchange, kind, instrument, dataset, start_ms, end_ms, source, interval)
    tasks = tasks_of(settings, store, client, subject, run_id=run_id, on_landed=on_landed)
    return _landed(client, settings, tasks)


def tasks_of(
    settings: Settings,
    store: ObjectStore,
    client: Client,
    subject: Subject,
    *,
    run_id: str,
    on_landed: Callable[[int], None] = unwatched,
    on_ended: Callable[[], None] = lambda: None,
    checks_again: bool = False,
    packer: Packer | None = None,
) -> list[Task]:
    """Return what lands a subject as tasks for the pool: one by REST, one a file by the archive.

    Args:
        settings: as for `extract_trades`.
        store: the lake.
        client: asks; shared by all tasks.
        subject: what to land.
        run_id: kept in each envelope.
        on_landed: is told the rows of each file that is created.
        on_ended: is called when all of the subject has landed.
        checks_again: whether archive files that are held are checked against the archive's
            present checksums.
        packer: takes what REST brings in files too small to stand alone; its owner flushes it.

    Raises:
        UsageError: the exchange has no archive.
    """
    mode = MODES[subject.source]
    landing = Landing.of(
        subject,
        settings,
        store,
        client.clock,
        run_id=run_id,
        mode=mode,
        on_landed=on_landed,
        counts=counted(subject),
        packer=packer if subject.source == "rest" else None,
    )
    if subject.source != "rest":
        return archive_tasks(
            client, settings, landing, subject, on_ended=on_ended, checks_again=checks_again
        )

    def once() -> Done:
        landed = land_gaps(client, settings, landing, subject, gaps_of(landing, subject))
        on_ended()
        return Done(landed)

    return [once]


def _landed(client: Client, settings: Settings, tasks: Iterable[Task]) -> Landed:
    before = _sent(client)
    landed = run_all(tasks, settings.extract.workers, halt=client.stop)
    return landed + _sent(client, since=before)


def _sent(client: Client, since: Landed | None = None) -> Landed:
    before = since or Landed()
    return Landed(requests=client.requests - before.requests, bytes=client.bytes - before.bytes)


def _require_window(start_ms: int, end_ms: int) -> None:
    if start_ms >= end_ms:
        raise UsageError(f"the window's end {end_ms} is not after its start {start_ms}")
    if start_ms < 0:
        raise UsageError(f"the window's start {start_ms} is before 1970")
