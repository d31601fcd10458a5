"""Loads trades by id, however long ago: what is missing of instruments, as tasks for the pool."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import cast

from extract.client import Client
from extract.foresight import trade_pages
from extract.history.message import Message, Mode
from extract.history.schedule import Schedule
from extract.history.universe import Window, of_instruments
from extract.history.work import work
from extract.packing import Packer
from extract.plan import Estimate, by_ids
from extract.pool import Done, Task
from jobs.context import Lake
from jobs.extraction.progress import Watch
from jobs.options import Segment, Selection
from lake.bronze import Dataset
from lake.errors import UsageError
from lake.settings import Settings

#: What is loaded by id; bars and instruments are not.
OF_TRADES = ("trades", "agg_trades")
#: What a schedule asks beside its probes: the exchange's clock and the newest trade.
BESIDE_PROBES = 2


def schedules(
    lake: Lake,
    settings: Settings,
    client: Client,
    selection: Selection,
    segment: Segment,
    *,
    instruments: Sequence[str],
    datasets: Sequence[str],
    mode: Mode,
) -> Iterator[Schedule]:
    """Yield how each instrument's trades will be loaded; bronze's names are listed once a dataset.

    Raises:
        UsageError: a dataset is no trades, or can't be had without a key.
        UnreachableError, BannedError, PermanentExtractError: as `Client.ask`.
    """
    window = Window.of(mode, selection.start, selection.end)
    for dataset in map(_of_trades, datasets):
        yield from of_instruments(
            settings,
            lake.store,
            client,
            exchange=segment.exchange,
            kind=segment.kind,
            dataset=dataset,
            instruments=instruments,
            window=window,
            run_id=lake.run_id,
        )


def estimate(settings: Settings, one: Schedule) -> Estimate:
    """Return what a schedule will ask: exact, for its ids are known; nothing where none is."""
    if not one.messages:
        return Estimate()
    wanted = one.wanted
    pages = trade_pages(settings, wanted.exchange, wanted.kind, wanted.dataset)
    ranges = [(gap.first_id, gap.last_id) for gap in one.missing]
    asked = (one.bounds.probes if one.bounds else 0) + BESIDE_PROBES + (one.head is not None)
    found = by_ids(replace(pages, aside=asked), ranges, per_file=settings.extract.chunk_limit)
    return replace(
        found,
        files=found.files + (one.head is not None),
        of=(wanted.exchange, wanted.kind, wanted.instrument, wanted.dataset),
    )


def tasks(
    lake: Lake,
    settings: Settings,
    client: Client,
    one: Schedule,
    watch: Watch,
    *,
    packer: Packer | None = None,
) -> list[Task]:
    """Return what begins an instrument's chains; the last of them to end is its end."""
    store = lake.store
    open_chains = [len(one.messages)]

    def task(message: Message) -> Task:
        def once() -> Done:
            landed, following = work(
                message, settings, store, client, on_landed=watch.landed, packer=packer
            )
            if following is not None:
                return Done(landed, [task(following)])
            open_chains[0] -= 1
            if not open_chains[0]:
                watch.task_done()
            return Done(landed)

        return once

    return [task(message) for message in one.messages]


def _of_trades(name: str) -> Dataset:
    if name not in OF_TRADES:
        raise UsageError(
            f"history loads {' and '.join(OF_TRADES)} by id, not '{name}'",
            hint=f"Use candlelake extract --datasets {name}.",
        )
    return cast("Dataset", name)
