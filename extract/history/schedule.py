"""Expands an instrument and a mode into the messages that start its chains."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from extract.client import Client
from extract.coverage import Missing, missing_ids
from extract.held import Held
from extract.history.bounds import Bounds, bounds_of
from extract.history.message import Message, Mode, chains
from extract.sources import trade_source
from lake.bronze import Coverage, Dataset
from lake.errors import UsageError
from lake.settings import Settings


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is wanted of one instrument.

    Attributes:
        exchange, kind, dataset, instrument: whose trades.
        mode: `reverse` walks down from the newest trade, `start` up from the first one, `date` up
            from the first trade at `start_ms`.
        start_ms: nothing older; None means since the first trade.
        end_ms: nothing from here on; None means up to the newest trade.
    """

    exchange: str
    kind: str
    dataset: Dataset
    instrument: str
    mode: Mode
    start_ms: int | None = None
    end_ms: int | None = None


@dataclass(frozen=True, slots=True)
class Schedule:
    """How an instrument's history will be loaded.

    Attributes:
        wanted: what for.
        bounds: the ids of the window, None where the exchange has nothing there.
        missing: the ranges of ids of it that bronze does not hold.
        messages: what starts the chains.
        head: the one of them that proves what the exchange has left out below its first id.
    """

    wanted: Wanted
    bounds: Bounds | None
    missing: Sequence[Missing]
    messages: Sequence[Message]
    head: Message | None = None

    @property
    def rows(self) -> int:
        """How many ids are missing."""
        return sum(one.last_id - one.first_id + 1 for one in self.missing)


def schedule(
    settings: Settings, client: Client, held: Held, wanted: Wanted, *, run_id: str
) -> Schedule:
    """Find what is missing of an instrument, by names alone, and how its chains start.

    Args:
        settings: where the exchange is, how many ids a chunk has, how many chains a range.
        client: asks for the ids at the window's ends.
        held: what bronze holds of this dataset and kind.
        wanted: whose trades, and of when.
        run_id: kept in each envelope.

    Raises:
        UsageError: the exchange, kind or dataset is unknown there, the window is empty, or a date
            is wanted and none is given.
        UnreachableError, BannedError, PermanentExtractError: as `Client.ask`.
    """
    _require_window(wanted)
    source = trade_source(client, settings, wanted)
    bounds = bounds_of(source, wanted.start_ms, wanted.end_ms)
    if bounds is None:
        return Schedule(wanted, None, [], [])
    runs = held.runs(wanted.instrument, "history")
    within = bounds.wanted
    missing = missing_ids(
        runs, within.first_id, within.last_id, from_ms=within.from_ms, until_ms=within.until_ms
    )
    clock_ms = bounds.venue_clock_ms
    first = first_message(settings, wanted, within, run_id=run_id, venue_clock_ms=clock_ms)
    messages = [one for gap in missing for one in chains(replace(first, missing=gap))]
    head = None
    if bounds.head is not None and not _holds(runs, bounds.head):
        head = _of_head(first, bounds.head)
        messages.append(head)
    return Schedule(wanted, bounds, missing, messages, head)


def first_message(
    settings: Settings,
    wanted: Wanted,
    missing: Missing,
    *,
    run_id: str,
    venue_clock_ms: int,
    tag: str = "",
) -> Message:
    """Return the message that the chains of a range are made of, of no chunk yet."""
    return Message(
        wanted.exchange,
        wanted.kind,
        wanted.dataset,
        wanted.instrument,
        wanted.mode,
        run_id,
        missing,
        chunk=0,
        chunk_limit=settings.extract.chunk_limit,
        stride=settings.extract.reserved_concurrency,
        venue_clock_ms=venue_clock_ms,
        tag=tag,
    )


def _holds(runs: Sequence[Coverage], head: Missing) -> bool:
    return not missing_ids(runs, head.first_id, head.last_id)


def _of_head(first: Message, head: Missing) -> Message:
    """Return the message of all ids that the exchange has left out below its first one.

    It is one chunk however many they are: a single page proves that none of them exists.
    """
    return replace(first, missing=head, chunk_limit=head.last_id + 1, stride=1)


def _require_window(wanted: Wanted) -> None:
    if wanted.mode == "date" and wanted.start_ms is None:
        raise UsageError("mode date wants a --start")
    start, end = wanted.start_ms, wanted.end_ms
    if start is not None and end is not None and end <= start:
        raise UsageError(f"the window's end {end} is not after its start {start}")
