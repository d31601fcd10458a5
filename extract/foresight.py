"""Plans a run before it starts: what is missing by names alone, its ids by a few questions."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

from extract.archive.choice import missing_files
from extract.archive.file import ArchiveFile
from extract.archive.recheck import held_files
from extract.archive.window import span_of
from extract.budgets import paces, weights
from extract.client import Client
from extract.coverage import HOUR_MS, Gap
from extract.held import Held
from extract.landing import Landing
from extract.pages import TradeSource
from extract.plan import Estimate, Pages, adjoining, both, by_bars, by_ids, by_time
from extract.rest import MINUTE_MS, gaps_of, grid_ms, window_of
from extract.seam import gaps_beside
from extract.sources import trade_source
from extract.subject import BY_TIME, MODES, Subject, counted, interval_of
from extract.venues import binance_pages, deribit
from lake.bronze import Dataset
from lake.clock import to_millis
from lake.errors import PermanentExtractError, UsageError
from lake.objects import ObjectStore
from lake.settings import Settings

#: A file of the archive is its checksum and its zip.
ARCHIVE_REQUESTS = 2

#: First and last ids, both inclusive.
Ranges = Sequence[tuple[int, int]]


def weight_per_minute(settings: Settings, asked: Collection[str] = ()) -> Mapping[str, int]:
    """Return what each limited host grants us a minute, by its address.

    An exchange that CCXT asks is one host, by its name, and there only where `asked` names it.
    """
    share = settings.extract.limit_share
    granted = {
        **{address: int(limit * share) for address, limit in weights(settings).items()},
        **{address: int(rate * 60 * share) for address, rate in paces(settings).items()},
    }
    for name in settings.exchanges.others.keys() & set(asked):
        from extract.venues import ccxt_asking  # noqa: PLC0415 - ccxt takes a second to load

        granted[name] = ccxt_asking.requests_per_minute(settings, name)
    return granted


def trade_pages(settings: Settings, exchange: str, kind: str, dataset: Dataset) -> Pages:
    """Return what pages of an exchange's trades hold and cost."""
    if exchange == "binance":
        return binance_pages.trade_pages(settings, kind, dataset)
    return deribit.trade_pages(settings, kind, dataset)


def foresee(
    settings: Settings,
    store: ObjectStore,
    client: Client,
    subject: Subject,
    *,
    probe: bool,
    index: Held | None = None,
    checks_again: bool = False,
) -> Estimate:
    """Return what a task will ask; what is held already, by names alone, does not count.

    Args:
        settings: the limits and sizes.
        store: the lake.
        client: asks for the ids at both ends of what is missing.
        subject: what the task is of.
        probe: whether to ask for ids at all; without, trades are an upper bound by time.
        index: what bronze holds of this dataset and kind; None lists the names of the instrument.
        checks_again: whether the checksums of archive files that are held are asked for, too.

    Raises:
        UnreachableError, BannedError: as `Client.ask`.
    """
    now_ms = to_millis(client.clock.now())
    asked = replace(
        subject,
        end_ms=min(subject.end_ms, now_ms),
        interval=subject.interval or interval_of(settings, subject.dataset),
    )
    landing = _landing(settings, store, client, asked, index)
    if asked.source == "rest":
        return _asked_by_rest(settings, client, asked, gaps_of(landing, asked), probe=probe)
    span = span_of(landing, asked, now_ms)
    files = list(missing_files(span))
    again = [file for file in held_files(span) if file not in files] if checks_again else ()
    found = _by_archive(settings, client, asked, files, probe=probe)
    found = replace(found, requests=found.requests + len(again))
    if asked.source == "archive":
        return found
    left = _beside(gaps_beside(landing, *window_of(asked), interval=asked.interval), files)
    return both(found, _asked_by_rest(settings, client, asked, left, probe=probe))


def _beside(gaps: Sequence[Gap], files: Sequence[ArchiveFile]) -> list[Gap]:
    """Return what files that will land leave of gaps; they are in the order of time."""
    left = []
    for gap in gaps:
        rest = gap
        for file in files:
            if file.until_ms <= rest.from_ms or file.start_ms >= rest.until_ms:
                continue
            if rest.from_ms < file.start_ms:
                left.append(Gap(rest.from_ms, file.start_ms, rest.after_id, None))
            rest = Gap(file.until_ms, rest.until_ms, None, rest.before_id)
        if rest.from_ms < rest.until_ms:
            left.append(rest)
    return left


def _asked_by_rest(
    settings: Settings, client: Client, subject: Subject, gaps: Sequence[Gap], *, probe: bool
) -> Estimate:
    if not gaps:
        return Estimate()
    if subject.dataset in BY_TIME:
        return _by_time(settings, subject, gaps)
    return _trades(settings, client, subject, adjoining(gaps), probe=probe)


def _by_archive(
    settings: Settings,
    client: Client,
    subject: Subject,
    files: Sequence[ArchiveFile],
    *,
    probe: bool,
) -> Estimate:
    gaps = [Gap(file.start_ms, file.until_ms) for file in files]
    if not gaps:
        return Estimate()
    pages = binance_pages.archive_pages(settings, subject.dataset)
    per_file = settings.extract.chunk_limit
    if subject.dataset in BY_TIME:
        found = by_bars(pages, gaps, _row_ms(subject), per_file=per_file)
    else:
        ranges = _id_ranges(settings, client, subject, adjoining(gaps)) if probe else None
        now_ms = gaps[-1].until_ms
        found = _counted(pages, ranges, adjoining(gaps), per_file=per_file, now_ms=now_ms)
    asked = len(files) * ARCHIVE_REQUESTS
    return replace(found, requests=asked, weight=0, files=found.files + asked)


def _row_ms(subject: Subject) -> int:
    """Return how far apart rows are: of funding rates an hour, the least that there is."""
    return grid_ms(subject) if subject.interval else HOUR_MS


def _by_time(settings: Settings, subject: Subject, gaps: Sequence[Gap]) -> Estimate:
    if subject.dataset == "funding_rates":
        return _rates(settings, subject, gaps)
    pages = _bar_pages(settings, subject)
    return by_bars(pages, gaps, grid_ms(subject), per_file=settings.extract.chunk_limit)


def _bar_pages(settings: Settings, subject: Subject) -> Pages:
    if subject.exchange in settings.exchanges.others:
        from extract.venues import ccxt_asking  # noqa: PLC0415 - ccxt takes a second to load

        return ccxt_asking.bar_pages(settings, subject.exchange, subject.kind)
    if subject.exchange == "binance":
        return binance_pages.bar_pages(settings, subject.kind)
    return deribit.bar_pages(settings, subject.kind)


def _rates(settings: Settings, subject: Subject, gaps: Sequence[Gap]) -> Estimate:
    """Count minutes for the pages, and hours for the rows: Binance settles less often than that."""
    of_venue = binance_pages if subject.exchange == "binance" else deribit
    pages = of_venue.rate_pages(settings, subject.kind)
    found = by_bars(pages, gaps, MINUTE_MS, per_file=settings.extract.chunk_limit)
    rows = -(-found.rows * MINUTE_MS // HOUR_MS)
    return replace(found, rows=rows, bytes=rows * pages.row_bytes, is_bound=True)


def _trades(
    settings: Settings, client: Client, subject: Subject, gaps: Sequence[Gap], *, probe: bool
) -> Estimate:
    pages = trade_pages(settings, subject.exchange, subject.kind, subject.dataset)
    ranges = _id_ranges(settings, client, subject, gaps) if probe else None
    now_ms = to_millis(client.clock.now())
    per_file = settings.extract.chunk_limit
    return _counted(pages, ranges, gaps, per_file=per_file, now_ms=now_ms)


def _counted(
    pages: Pages, ranges: Ranges | None, gaps: Sequence[Gap], *, per_file: int, now_ms: int
) -> Estimate:
    """Count ids where they are known, unless the range spans a hole of the exchange.

    A short window may have more than its share of the busiest day; more than that day on top of
    its share no window has.
    """
    most = by_time(pages, gaps, now_ms, per_file=per_file)
    if ranges is None:
        return most
    found = by_ids(pages, ranges, per_file=per_file)
    return found if found.rows <= most.rows + pages.rows_per_day else most


def _id_ranges(
    settings: Settings, client: Client, subject: Subject, gaps: Sequence[Gap]
) -> Ranges | None:
    """Return the ids that lie in the gaps; None where the exchange does not tell."""
    try:
        trades = trade_source(client, settings, subject)
        return [_id_range(trades, gap) for gap in gaps]
    except PermanentExtractError:
        return None  # the run itself says why
    except UsageError:
        if subject.source == "rest":
            raise
        return None  # what REST gives only with a key, the archive gives to all


def _id_range(trades: TradeSource, gap: Gap) -> tuple[int, int]:
    first = gap.after_id + 1 if gap.after_id is not None else _id_at(trades, gap.from_ms)
    if gap.before_id is not None:
        return first, gap.before_id - 1
    return first, _id_at(trades, gap.until_ms) - 1


def _id_at(trades: TradeSource, time_ms: int) -> int:
    """Return the first id at or after a time; behind the newest where there is none yet."""
    row = trades.first_at(time_ms)
    if row is not None:
        return row.id
    newest = trades.newest(lambda _: None)
    return newest.id + 1 if newest else 0


def _landing(
    settings: Settings, store: ObjectStore, client: Client, subject: Subject, index: Held | None
) -> Landing:
    mode, counts = MODES[subject.source], counted(subject)
    return Landing.of(
        subject,
        settings,
        store,
        client.clock,
        run_id="",
        mode=mode,
        counts=counts,
        index=index,
    )
