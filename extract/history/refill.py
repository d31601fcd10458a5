"""Turns holes into messages: exactly the ids that are missing, however they came to be missing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from extract.client import Client
from extract.coverage import Missing
from extract.history.message import chains
from extract.history.schedule import Schedule, Wanted, first_message
from extract.pages import TradeSource, check_rows
from extract.sources import trade_source
from lake.settings import Settings


def refill(
    settings: Settings, client: Client, wanted: Wanted, holes: Sequence[Missing], *, run_id: str
) -> Schedule:
    """Return how the ids of holes will be asked for again.

    The files that land carry the run's id as their tag: what holds the same ids already is no
    reason to discard them. Where an exchange has stopped giving old trades, its silence about them
    proves nothing, so they are not asked for.

    Args:
        settings: where the exchange is, how many ids a chunk has, how many chains a range.
        client: asks for the exchange's clock, and how far back it reaches.
        wanted: whose trades; its times do not matter.
        holes: ranges of ids that do not overlap.
        run_id: kept in each envelope.

    Raises:
        UsageError: the exchange, kind or dataset is unknown there, or wants a key.
        UnreachableError, BannedError, PermanentExtractError: as `Client.ask`.
    """
    source = trade_source(client, settings, wanted)
    clock_ms = source.clock_ms()
    reached = [part for hole in holes for part in within_reach(source, hole)]
    messages = []
    for hole in reached:
        first = first_message(
            settings, wanted, hole, run_id=run_id, venue_clock_ms=clock_ms, tag=run_id
        )
        messages += chains(first)
    return Schedule(wanted, None, reached, messages)


def within_reach(source: TradeSource, hole: Missing) -> list[Missing]:
    """Return the part of a hole from the first id on that the exchange still gives.

    Where it keeps all, that is the whole hole. Elsewhere the id before the hole tells: if it is
    still given, so is what follows.
    """
    if source.keeps_all:
        return [hole]
    before = hole.first_id - 1
    page = source.page(before, before, lambda rows: check_rows(rows, before, -1))
    oldest = page.rows[0].id if page.rows else hole.last_id + 1
    if oldest == before:
        return [hole]
    return [replace(hole, first_id=oldest)] if oldest <= hole.last_id else []
