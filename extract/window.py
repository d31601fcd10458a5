"""What the jobs call: extract instruments, trades or bars of a window; a second call is silent."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Literal

from extract import archive
from extract.bars import bar_files, first_day, interval_ms
from extract.client import Client
from extract.coverage import DAY_MS, Gap
from extract.discovery import Snapshot, ask_snapshot, land_snapshot, requests_of
from extract.landing import Landed, Landing, Piece, held_names, unwatched
from extract.pages import TradeSource
from extract.paging import Pager
from extract.plan import EARLIEST_MS
from extract.sources import bar_source, trade_source
from lake.bronze import ALL_INSTRUMENTS, Dataset, Mode
from lake.clock import Clock
from lake.errors import UsageError
from lake.objects import ObjectStore
from lake.settings import Settings

log = logging.getLogger(__name__)

Source = Literal["rest", "archive"]
MODES: dict[Source, Mode] = {"rest": "history", "archive": "archive"}


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
        source: `rest`, or Binance's bulk `archive`. Each counts only what itself has landed, so
            that the two can be compared.
        client: the client to use; a new one by default. Shared by threads, its counts are too.
        on_landed: is told the rows of each file that is created.

    Raises:
        UsageError: the exchange, kind or dataset is unknown there, or an API key is missing.
        UnreachableError, BannedError, PermanentExtractError: as `Client.ask`.
    """
    _require_window(start_ms, end_ms)
    client = client or Client(settings, clock=clock)
    landing = Landing(
        store=store,
        clock=clock,
        run_id=run_id,
        region=settings.lake.region,
        exchange=exchange,
        kind=kind,
        dataset=dataset,
        instrument=instrument,
        mode=MODES[source],
        on_landed=on_landed,
    )
    before = _sent(client)
    if source == "archive":
        landed = _archive_days(client, settings, landing, start_ms, end_ms)
    else:
        trades = trade_source(
            client, settings, exchange=exchange, kind=kind, instrument=instrument, dataset=dataset
        )
        landed = _land_trades(trades, settings, landing, start_ms, end_ms)
    return landed + _sent(client, since=before)


def bars_since(
    settings: Settings, store: ObjectStore, client: Client, *, exchange: str, kind: str, name: str
) -> int:
    """Return from when on (ms) an instrument's bars are wanted where nobody names a start.

    That is the first bar held, as names say: the run that landed it began with the first one. Where
    none is held, the exchange's bars of days tell; of one that has none, the exchange's own age.

    Raises:
        UnreachableError, BannedError, PermanentExtractError: as `Client.ask`.
    """
    interval = settings.extract.bar_interval
    names = held_names(store, "klines", exchange, kind, name)
    tags = (one for one in names if one.mode == "history")
    held = [one.coverage.from_ms for one in tags if one.tag == interval]
    if held:
        return min(held)
    days = bar_source(
        client, settings, exchange=exchange, kind=kind, instrument=name, interval="1d"
    )
    first = first_day(days, EARLIEST_MS, days.clock_ms())
    return EARLIEST_MS if first is None else first


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
    client: Client | None = None,
    on_landed: Callable[[int], None] = unwatched,
) -> Landed:
    """Land the exchange's own closed bars that open in [`start_ms`, `end_ms`) and are not held.

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
        interval: such as `1m`; `extract.bar_interval` by default.
        source: `rest`, or Binance's bulk `archive`.
        client: the client to use; a new one by default. Shared by threads, its counts are too.
        on_landed: is told the rows of each file that is created.

    Raises:
        UsageError: the exchange, kind or interval is unknown.
        UnreachableError, BannedError, PermanentExtractError: as `Client.ask`.
    """
    _require_window(start_ms, end_ms)
    interval = interval or settings.extract.bar_interval
    length = interval_ms(interval)
    client = client or Client(settings, clock=clock)
    landing = Landing(
        store=store,
        clock=clock,
        run_id=run_id,
        region=settings.lake.region,
        exchange=exchange,
        kind=kind,
        dataset="klines",
        instrument=instrument,
        mode=MODES[source],
        on_landed=on_landed,
    )
    before = _sent(client)
    if source == "archive":
        landed = _archive_days(client, settings, landing, start_ms, end_ms, interval=interval)
    else:
        start, end = start_ms - start_ms % length, end_ms + -end_ms % length
        gaps = list(landing.gaps(start, end, interval=interval))
        landed = _land_bars(client, settings, landing, gaps, interval)
    return landed + _sent(client, since=before)


def _land_trades(
    trades: TradeSource, settings: Settings, landing: Landing, start_ms: int, end_ms: int
) -> Landed:
    gaps = list(landing.gaps(start_ms, end_ms))
    if not gaps:
        return Landed()
    now = trades.clock_ms()
    pager = Pager(trades, clock_ms=now, ids_per_file=settings.extract.chunk_limit)
    landed = Landed(venue_clock_ms=now)
    for gap in gaps:
        if gap.from_ms >= now:
            break
        for file in pager.files(gap):
            pieces = [Piece.of(page.answer) for page in file.pages]
            landed += landing.land(pieces, file.coverage, rows=file.rows)
    return landed


def _land_bars(
    client: Client, settings: Settings, landing: Landing, gaps: list[Gap], interval: str
) -> Landed:
    if not gaps:
        return Landed()
    bars = bar_source(
        client,
        settings,
        exchange=landing.exchange,
        kind=landing.kind,
        instrument=landing.instrument,
        interval=interval,
    )
    now, length = bars.clock_ms(), interval_ms(interval)
    closed_until = now - now % length
    landed = Landed(venue_clock_ms=now)
    for gap in gaps:
        closed = Gap(gap.from_ms, min(gap.until_ms, closed_until))
        files = bar_files(
            bars, closed, length_ms=length, bars_per_file=settings.extract.chunk_limit
        )
        for file in files:
            pieces = [Piece.of(page.answer) for page in file.pages]
            landed += landing.land(pieces, file.coverage, rows=file.rows, tag=interval)
    return landed


def _archive_days(
    client: Client,
    settings: Settings,
    landing: Landing,
    start_ms: int,
    end_ms: int,
    *,
    interval: str = "",
) -> Landed:
    if landing.exchange != "binance":
        raise UsageError(f"{landing.exchange} has no bulk archive", hint="Use source=rest.")
    landed = Landed()
    for day in archive.days(start_ms, end_ms):
        if any(landing.gaps(day, day + DAY_MS, interval=interval)):
            landed += archive.land_day(client, settings, landing, day, interval=interval)
    return landed


def _sent(client: Client, since: Landed | None = None) -> Landed:
    before = since or Landed()
    return Landed(requests=client.requests - before.requests, bytes=client.bytes - before.bytes)


def _require_window(start_ms: int, end_ms: int) -> None:
    if start_ms >= end_ms:
        raise UsageError(f"the window's end {end_ms} is not after its start {start_ms}")
    if start_ms < 0:
        raise UsageError(f"the window's start {start_ms} is before 1970")
