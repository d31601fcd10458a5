"""Lands what REST gives of an instrument: the gaps of its trades, bars and funding rates."""

from __future__ import annotations

from collections.abc import Sequence

from extract.bars import BarSource, bar_files, interval_ms
from extract.client import Client
from extract.coverage import Gap
from extract.landing import Landed, Landing, Piece
from extract.pages import TradeSource
from extract.paging import Pager
from extract.perpetuals import is_of_perpetuals, perpetual_source
from extract.sources import bar_source, trade_source
from extract.subject import BARS, BY_TIME, Subject, reaches_back
from lake.settings import Settings

MINUTE_MS = 60_000
#: No exchange says when a settlement can be asked for; before so long, its absence proves nothing.
SETTLED_AFTER_MS = 5 * MINUTE_MS


def window_of(subject: Subject) -> tuple[int, int]:
    """Return the window in ms; what is paged by time is rounded outwards to its grid.

    Raises:
        UsageError: there is no such interval.
    """
    start, end = subject.start_ms, subject.end_ms
    if subject.dataset not in BY_TIME:
        return start, end
    length = grid_ms(subject)
    return start - start % length, end + -end % length


def gaps_of(landing: Landing, subject: Subject) -> list[Gap]:
    """Return what nothing held covers of the window; of bars, from one grid line to another.

    Ids that the archive leaves out between two days have no length in time: they are a gap only
    where REST gives trades as old as that.
    """
    start, end = window_of(subject)
    if start >= end:
        return []
    gaps = landing.gaps(start, end, interval=subject.interval)
    if subject.beside_archive and not reaches_back(subject):
        return [gap for gap in gaps if gap.from_ms < gap.until_ms]
    return list(gaps)


def grid_ms(subject: Subject) -> int:
    """Return the steps in ms in which a window is paged by time: an interval, or a minute."""
    return interval_ms(subject.interval) if subject.interval else MINUTE_MS


def land_gaps(
    client: Client, settings: Settings, landing: Landing, subject: Subject, gaps: Sequence[Gap]
) -> Landed:
    """Land what lies in gaps: trades up to the exchange's clock, closed bars, settled rates.

    Raises:
        UsageError: the exchange, kind, dataset or interval is unknown there, or an API key is
            missing.
        UnreachableError, BannedError, PermanentExtractError: as `Client.ask`.
    """
    if subject.dataset in BY_TIME:
        return _land_by_time(client, settings, landing, gaps, subject)
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


def _land_by_time(
    client: Client, settings: Settings, landing: Landing, gaps: Sequence[Gap], subject: Subject
) -> Landed:
    if not gaps:
        return Landed()
    source = _source(client, settings, subject)
    now, length = source.clock_ms(), grid_ms(subject)
    over = now if subject.dataset in BARS else now - SETTLED_AFTER_MS
    closed_until = over - over % length
    landed = Landed(venue_clock_ms=now)
    for gap in gaps:
        closed = Gap(gap.from_ms, min(gap.until_ms, closed_until))
        files = bar_files(
            source, closed, length_ms=length, bars_per_file=settings.extract.chunk_limit
        )
        for file in files:
            pieces = [Piece.of(page.answer) for page in file.pages]
            landed += landing.land(pieces, file.coverage, rows=file.rows, tag=subject.interval)
    return landed


def _source(client: Client, settings: Settings, subject: Subject) -> BarSource:
    if is_of_perpetuals(subject.dataset):
        return perpetual_source(client, settings, subject, subject.interval)
    return bar_source(
        client,
        settings,
        exchange=subject.exchange,
        kind=subject.kind,
        instrument=subject.instrument,
        interval=subject.interval,
    )
