"""Stops a run of the replay environment, before it starts, where the recordings lack it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from extract.bars import interval_ms
from extract.listing import Listing, matching
from extract.perpetuals import is_of_perpetuals, is_published
from extract.replay.stock import Stock, stock, what_is_held
from jobs.context import REPLAY
from jobs.options import Segment, Selection, default_datasets
from lake.clock import to_millis
from lake.errors import UsageError
from lake.settings import Settings

OTHERWISE = "With --env local the real exchange is asked."


def is_replayed(settings: Settings, segment: Segment, source: str) -> bool:
    """Tell whether the settings leave this segment to the run's own replay exchange."""
    if segment.exchange in settings.exchanges.others:
        return False
    if segment.exchange != "binance":
        return settings.exchanges.deribit.rest_url == REPLAY
    venue = settings.exchanges.binance
    addresses = {getattr(venue, segment.kind).rest_url}
    return addresses | ({venue.archive_url} if source != "rest" else set()) == {REPLAY}


def require_held(
    settings: Settings, selection: Selection, segment: Segment, listings: Sequence[Listing]
) -> None:
    """Require something held of each instrument named and of each dataset named.

    A pattern wants something of any instrument; where no dataset is named, any will do.

    Raises:
        UsageError: nothing is held; it says what is.
    """
    listed = {listing.instrument for listing in listings}
    perpetuals = {listing.instrument for listing in listings if listing.is_perpetual}
    hint = f"{what_is_held(segment.exchange, segment.kind, listed.__contains__)} {OTHERWISE}"
    for wanted in segment.instruments:
        try:
            names = matching([wanted], listings)
        except UsageError as error:
            raise UsageError(f"the replay has no instrument '{wanted}'", hint=hint) from error
        held = [one for one in stock() if _is_of(one, segment, names)]
        for datasets in _demands(settings, selection, segment):
            if all(map(is_of_perpetuals, datasets)) and perpetuals.isdisjoint(names):
                continue  # it is not the recordings that lack it
            if not _any(settings, selection, held, datasets):
                raise _not_held(selection, segment, wanted, datasets, hint)


def held_times(
    settings: Settings, segment: Segment, instrument: str, dataset: str
) -> list[tuple[int, int]]:
    """Return the times [from, until) in ms that the recordings hold of a dataset, in order.

    What the replay exchange answers outside of them proves nothing. A recording begins with the
    minute of its first row and ends with the second of its last one, or with its last bar.
    """
    interval = settings.extract.bar_interval
    found = []
    for one in stock():
        of_this = _is_of(one, segment, [instrument]) and one.dataset == dataset
        if of_this and one.interval in ("", "any", interval):
            start = to_millis(one.start.replace(second=0, microsecond=0))
            last = to_millis(one.end.replace(microsecond=0))
            found.append((start, last + (interval_ms(one.interval) if _has_bars(one) else 1000)))
    return sorted(found)


def _has_bars(one: Stock) -> bool:
    """Tell whether the end is a bar's open time; what is generated ends with its last trade."""
    return one.interval not in ("", "any")


def _demands(settings: Settings, selection: Selection, segment: Segment) -> list[tuple[str, ...]]:
    """Return sets of datasets, of each of which one has to be held."""
    if selection.datasets:
        named = (name for name in selection.datasets if name != "instruments")
        return [(name,) for name in named if _may_be_had(segment, name)]
    names = default_datasets(settings, segment)
    # bars come over REST always: a day that the archive lacks fails beside them
    from_archive = tuple(name for name in names if name != "klines")
    return [from_archive if selection.source == "archive" else tuple(names)]


def _may_be_had(segment: Segment, dataset: str) -> bool:
    """Tell whether it is the recordings that lack a dataset, and not the exchange."""
    return not is_of_perpetuals(dataset) or is_published(segment.exchange, segment.kind, dataset)


def _is_of(one: Stock, segment: Segment, names: Sequence[str]) -> bool:
    return (one.exchange, one.kind) == (segment.exchange, segment.kind) and one.instrument in names


def _any(
    settings: Settings, selection: Selection, held: Sequence[Stock], datasets: Sequence[str]
) -> bool:
    of_these = [one for one in held if one.dataset in datasets]
    interval = settings.extract.bar_interval
    return any(
        one.interval in ("", "any", interval) and _covers(one, selection) for one in of_these
    )


def _covers(one: Stock, selection: Selection) -> bool:
    start, end = selection.start, selection.end
    if selection.source_of(one.dataset) == "archive":
        # whole days are fetched, and a day that is not served fails
        served = one.archived
        return bool(start and end and served and served[0] <= start and end <= served[1])
    return (start is None or start <= one.end) and (end is None or end > one.start)


def _not_held(
    selection: Selection, segment: Segment, wanted: str, datasets: Sequence[str], hint: str
) -> UsageError:
    of = f"{segment.exchange} {segment.kind} {wanted}"
    by = " in the archive" if selection.source == "archive" else ""
    window = f"from {_said(selection.start, 'the listing')} to {_said(selection.end, 'now')}"
    return UsageError(
        f"the replay holds no {' or '.join(datasets)} of {of} {window}{by}", hint=hint
    )


def _said(moment: datetime | None, otherwise: str) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}" if moment else otherwise
