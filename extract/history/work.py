"""Takes one message, asks the exchange for its chunk, lands the answers, and says what is next."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from extract.client import Client
from extract.coverage import Missing
from extract.history.message import Message
from extract.landing import Landed, Landing, Piece, unwatched
from extract.packing import Packer
from extract.pages import Page, TradeSource, check_rows
from extract.paging import Pager, TradeFile
from extract.sources import trade_source
from lake.objects import ObjectStore
from lake.settings import Settings


def work(
    message: Message,
    settings: Settings,
    store: ObjectStore,
    client: Client,
    *,
    on_landed: Callable[[int], None] = unwatched,
    packer: Packer | None = None,
) -> tuple[Landed, Message | None]:
    """Land the chunk of a message; handled twice, it lands the same objects once.

    Args:
        message: what to land.
        settings: where the exchange is.
        store: the lake.
        client: asks; shared by threads, its counts of requests and bytes are too.
        on_landed: is told the rows of each file that is created.
        packer: takes files that are too small to stand alone; its owner flushes it.

    Returns:
        What landed, and the next message of the chain, None at its end.

    Raises:
        UnreachableError, BannedError, PermanentExtractError: as `Client.ask`.
    """
    landing = Landing.of(
        message,
        settings,
        store,
        client.clock,
        run_id=message.run_id,
        mode="history",
        on_landed=on_landed,
        packer=packer,
    )
    source = trade_source(client, settings, message)
    landed, hole = Landed(venue_clock_ms=message.venue_clock_ms), None
    for file in _files(source, message):
        if file.rows == 0 and _is_hole(file):
            file, hole = _whole_hole(source, message, file)  # noqa: PLW2901 - it grows
        pieces = [Piece.of(page.answer) for page in file.pages]
        landed += landing.land(pieces, file.coverage, rows=file.rows, tag=message.tag)
    return landed, message.following(hole)


def _files(source: TradeSource, message: Message) -> list[TradeFile]:
    pager = Pager(
        source,
        clock_ms=message.venue_clock_ms,
        ids_per_file=message.chunk_limit,
        known_newest=message.missing.last_id,
    )
    first, last = message.first_id, message.last_id
    return list(pager.span(first, last, from_ms=message.from_ms, until_ms=message.until_ms))


def _is_hole(file: TradeFile) -> bool:
    """Tell whether an answer begins beyond the ids that were asked for."""
    first = next((page.rows[0].id for page in file.pages if page.rows), None)
    return first is not None and first > file.coverage.last_id


def _whole_hole(
    source: TradeSource, message: Message, file: TradeFile
) -> tuple[TradeFile, Missing]:
    """Return a file of the whole hole that a chunk without rows lies in, as far as it is wanted.

    An answer's first row tells where the hole ends. Where it begins, halving tells: from every id
    in it on the first row is the same.
    """
    wanted, page = message.missing, file.pages[0]
    beyond = page.rows[0]
    first, last = file.coverage.first_id, file.coverage.last_id
    if message.goes_down:
        low = wanted.first_id
        while low < first:
            middle = (low + first) // 2
            found = _page_at(source, middle)
            if found.rows and found.rows[0].id == beyond.id:
                first, page = middle, found
            else:
                low = middle + 1
    else:
        last = min(beyond.id - 1, wanted.last_id)
    held = replace(file.coverage, first_id=first, last_id=last)
    return TradeFile([page], held), Missing(first, last)


def _page_at(source: TradeSource, first_id: int) -> Page:
    return source.page(first_id, first_id, lambda rows: check_rows(rows, first_id, -1))
