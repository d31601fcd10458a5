"""The first step of a run: the selection's raw answers land in bronze."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import cast

from extract.client import Client
from extract.discovery import discovered
from extract.landing import Landed
from extract.listing import matching
from extract.pool import run_all
from extract.window import Source, extract_bars, extract_instruments, extract_trades
from jobs.context import Lake
from jobs.options import Segment, Selection
from lake.bronze import Dataset
from lake.clock import to_millis
from lake.settings import Settings

log = logging.getLogger(__name__)

Task = Callable[[], Landed]


@dataclass(frozen=True, slots=True)
class Extraction:
    """What an extraction landed, and the instruments that the selection came to."""

    landed: Landed
    instruments: tuple[tuple[str, str, str], ...]


def land(lake: Lake, settings: Settings, selection: Selection) -> Extraction:
    """Land what the selection names and bronze has not: instruments first, then trades and bars.

    `settings` carries the exchanges' addresses, which the replay fills in.
    """
    client = Client(settings, clock=lake.clock)
    total, found = Landed(), list[tuple[str, str, str]]()
    tasks: list[Task] = []
    for segment in selection.segments:
        landed, names = _discover(lake, settings, client, segment)
        total += landed
        found += [(segment.exchange, segment.kind, name) for name in names]
        for name in names:
            tasks += _tasks(lake, client, settings, selection, (segment, name))
    total += run_all(tasks, settings.extract.workers)
    log.info(
        "bronze files=%d held=%d requests=%d bytes=%d rows=%d",
        total.files_created,
        total.files_held,
        total.requests,
        total.bytes,
        total.rows,
    )
    return Extraction(total, tuple(found))


def _discover(
    lake: Lake, settings: Settings, client: Client, segment: Segment
) -> tuple[Landed, list[str]]:
    landed = extract_instruments(
        settings,
        lake.store,
        exchange=segment.exchange,
        kind=segment.kind,
        run_id=lake.run_id,
        clock=lake.clock,
        client=client,
    )
    listings = discovered(lake.store, segment.exchange, segment.kind)
    return landed, matching(segment.instruments, listings)


def _tasks(
    lake: Lake, client: Client, settings: Settings, selection: Selection, what: tuple[Segment, str]
) -> list[Task]:
    segment, instrument = what
    end = selection.end or lake.clock.now()
    common = {
        "exchange": segment.exchange,
        "kind": segment.kind,
        "instrument": instrument,
        "start_ms": to_millis(selection.start) if selection.start else 0,
        "end_ms": to_millis(end),
        "run_id": lake.run_id,
        "clock": lake.clock,
        "client": client,
    }
    tasks: list[Task] = []
    for dataset in selection.datasets or default_datasets(settings, segment):
        if dataset in ("trades", "agg_trades"):
            tasks.append(
                partial(
                    extract_trades,
                    settings,
                    lake.store,
                    dataset=cast("Dataset", dataset),
                    source=cast("Source", selection.source),
                    **common,  # type: ignore[arg-type]
                )
            )
        elif dataset == "klines":
            tasks.append(partial(extract_bars, settings, lake.store, **common))  # type: ignore[arg-type]
    return tasks


def default_datasets(settings: Settings, segment: Segment) -> Sequence[str]:
    """Return what a run takes of a segment where --datasets names nothing."""
    if segment.exchange == "binance":
        market = getattr(settings.exchanges.binance, segment.kind)
        return (market.trades_dataset, "klines")
    return ("trades", "klines")
