"""Lands what REST gives of an instrument: the gaps of its trades, and those of its bars."""

from __future__ import annotations

from collections.abc import Sequence

from extract.bars import bar_files, interval_ms
from extract.client import Client
from extract.coverage import Gap
from extract.landing import Landed, Landing, Piece
from extract.pages import TradeSource
from extract.paging import Pager
from extract.sources import bar_source, trade_source
from extract.subject import Subject
from lake.settings import Settings


def window_of(subject: Subject) -> tuple[int, int]:
    """Return the window in ms; of bars rounded outwards to the interval.

    Raises:
        UsageError: there is no such interval.
    """
    start, end = subject.start_ms, subject.end_ms
    if subject.dataset != "klines":
        return start, end
    length = interval_ms(subject.interval)
    return start - start % length, end + -end % length


def land_gaps(
    client: Client, settings: Settings, landing: Landing, subject: Subject, gaps: Sequence[Gap]
) -> Landed:
    """Land what lies in gaps: trades up to the exchange's clock, or closed bars.

    Raises:
        UsageError: the exchange, kind, dataset or interval is unknown there, or an API key is
            missing.
        UnreachableError, BannedError, PermanentExtractError: as `Client.ask`.
    """
    if subject.dataset == "klines":
        return _land_bars(client, settings, landing, gaps, subject.interval)
    source = trade_source(client, settings, subject)
    return _land_trades(source, settings, landing, gaps)


def _land_trades(
    source: TradeSource, settings: Settings, landing: Landing, gaps: Sequence[Gap]
) -> Landed:
    if not gaps:
        return Landed()
    now = source.clock_ms()
    pager = Pager(source, clock_ms=now, ids_per_file=settings.extract.chunk_limit)
    landed = Landed(venue_clock_ms=now)
    for gap in gaps:
        if gap.from_ms >= now:
            break
        for file in pager.files(gap):
            pieces = [Piece.of(page.answer) for page in file.pages]
            landed += landing.land(pieces, file.coverage, rows=file.rows)
    return landed


def _land_bars(
    client: Client, settings: Settings, landing: Landing, gaps: Sequence[Gap], interval: str
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
