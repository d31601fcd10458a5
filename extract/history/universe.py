"""Expands many instruments, or all that the settings name, into the messages of their chains."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from extract.client import Client
from extract.coverage import DAY_MS
from extract.discovery import ask_snapshot, requests_of
from extract.held import Held
from extract.history.message import Mode
from extract.history.schedule import Schedule, Wanted, schedule
from extract.listing import matching
from extract.sources import trades_dataset
from extract.window import extract_instruments
from lake.bronze import Dataset
from lake.clock import to_millis
from lake.objects import ObjectStore
from lake.settings import Settings

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Window:
    """Which way histories are loaded, and of when; `Wanted` says what the fields mean."""

    mode: Mode
    start_ms: int | None = None
    end_ms: int | None = None

    @classmethod
    def of(cls, mode: Mode, start: datetime | None, end: datetime | None) -> Window:
        """Return the window of two moments; backwards, the oldest day is taken whole."""
        start_ms = to_millis(start) if start else None
        if start_ms is not None and mode == "reverse":
            start_ms -= start_ms % DAY_MS
        return cls(mode, start_ms, to_millis(end) if end else None)


def of_instruments(
    settings: Settings,
    store: ObjectStore,
    client: Client,
    *,
    exchange: str,
    kind: str,
    dataset: Dataset,
    instruments: Sequence[str],
    window: Window,
    run_id: str,
) -> Iterator[Schedule]:
    """Yield how each instrument's trades will be loaded; bronze's names are listed once.

    Raises:
        UsageError, UnreachableError, BannedError, PermanentExtractError: as `schedule`.
    """
    held = Held(store, dataset, exchange, kind)
    for name in instruments:
        wanted = Wanted(exchange, kind, dataset, name, window.mode, window.start_ms, window.end_ms)
        found = schedule(settings, client, held, wanted, run_id=run_id)
        _tell(found)
        yield found


def of_universe(
    settings: Settings, store: ObjectStore, client: Client, window: Window, *, run_id: str
) -> Iterator[Schedule]:
    """Yield how all trades of the settings' universe will be loaded; its instruments land now.

    Exchanges that CCXT asks are passed over: they give bars alone.

    Raises:
        UsageError: the universe names what is unknown, or as `schedule`.
        UnreachableError, BannedError, PermanentExtractError: as `Client.ask`.
    """
    of_trades = settings.universe.keys() - settings.exchanges.others.keys()
    for exchange, kinds in settings.universe.items():
        if exchange not in of_trades:
            continue
        for kind in (kind for kind, wanted in kinds.items() if wanted):
            snapshot = ask_snapshot(client, exchange, requests_of(settings, exchange, kind))
            extract_instruments(
                settings,
                store,
                exchange=exchange,
                kind=kind,
                run_id=run_id,
                clock=client.clock,
                client=client,
                snapshot=snapshot,
            )
            yield from of_instruments(
                settings,
                store,
                client,
                exchange=exchange,
                kind=kind,
                dataset=trades_dataset(settings, exchange, kind),
                instruments=matching(kinds[kind], snapshot.listings),
                window=window,
                run_id=run_id,
            )


def _tell(one: Schedule) -> None:
    wanted, bounds = one.wanted, one.bounds
    name = f"{wanted.exchange} {wanted.kind} {wanted.instrument} {wanted.dataset}"
    if bounds is None:
        log.info("%s: the exchange has no trade in this window", name)
        return
    within = bounds.wanted
    log.info(
        "%s ids=%d..%d missing=%d chains=%d probes=%d",
        name,
        within.first_id,
        within.last_id,
        one.rows,
        len(one.messages),
        bounds.probes,
    )
