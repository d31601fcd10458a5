"""A bulk run: what can be had of a universe lands, is written beside bronze, and is recorded."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass

from extract.client import Client
from extract.discovery import Snapshot, look
from extract.landed_rows import Series
from extract.landing import Landed
from extract.listing import matching
from jobs.bulk import records
from jobs.bulk.export import export
from jobs.bulk.missing import Absent, absent_parts, tell
from jobs.bulk.records import Outcome
from jobs.bulk.request import BulkRequest, Labels
from jobs.context import Lake, exchanges_of
from jobs.extraction import run as extraction
from jobs.extraction.replayed import is_replayed, require_held
from jobs.options import Segment
from lake.errors import UsageError
from lake.settings import Settings

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Found:
    """The universe as the exchange has it.

    Attributes:
        instruments: what can be had.
        faults: why a name of the universe can't be.
        clock_ms: the exchange's own clock.
    """

    instruments: tuple[str, ...]
    faults: dict[str, UsageError]
    clock_ms: int


@dataclass(frozen=True, slots=True)
class Result:
    """What a run came to, and what of its window is missing."""

    found: Found
    outcome: Outcome
    absent: Sequence[Absent]

    def require_anything(self) -> None:
        """Return where the run had anything to land.

        Raises:
            UsageError: no name of the universe can be had; it says why.
        """
        if not self.found.instruments:
            raise next(iter(self.found.faults.values()), UsageError("no name of the universe"))


def run(lake: Lake, request: BulkRequest, labels: Labels) -> Result:
    """Land a window of a universe; a name that can't be had is missing, and stops nothing.

    Raises:
        UnreachableError, BannedError, PermanentExtractError: as `Client.ask`.
        StorageError: the store refuses.
    """
    with exchanges_of(lake.settings) as settings:
        found = look_up(lake, settings, request)
        records.begin(lake, request, labels, found.instruments)
        landed = _landed(lake, settings, request, found.instruments)
    held = [_series(settings, request, name) for name in found.instruments]
    lacking = [_series(settings, request, name) for name in found.faults]
    absent = [
        part
        for series in (*held, *lacking)
        for part in absent_parts(lake, series, request.window, found.clock_ms)
    ]
    tell(absent)
    form = request.data_format
    exports = [export(lake.store, one, request.window, form) for one in held] if form else []
    outcome = Outcome(landed.files_created, landed.rows, landed.requests, len(absent), exports)
    records.end(lake, outcome)
    log.info("bulk run=%s", lake.run_id)
    return Result(found, outcome, absent)


def look_up(lake: Lake, settings: Settings, request: BulkRequest) -> Found:
    """Find the names of the universe among all that the exchange has."""
    client = Client(settings, clock=lake.clock)
    snapshot = look(client, settings, request.exchange, request.kind)
    names: list[str] = []
    faults: dict[str, UsageError] = {}
    for wanted in request.instruments:
        try:
            expanded = matching([wanted], snapshot.listings)
        except UsageError as error:
            faults[wanted] = error
            continue
        for name in expanded:
            fault = _fault(lake, request, name, snapshot)
            if fault is None:
                names.append(name)
            else:
                faults[name] = fault
    for name, reason in faults.items():
        log.warning("%s can't be had: %s", name, reason.what)
    return Found(tuple(dict.fromkeys(names)), faults, snapshot.clock_ms)


def _fault(
    lake: Lake, request: BulkRequest, instrument: str, snapshot: Snapshot
) -> UsageError | None:
    """Return why the replay can't give an instrument, None where it can or is not asked."""
    segment = Segment(request.exchange, request.kind, (instrument,))
    if not is_replayed(lake.settings, segment, "rest"):
        return None
    selection = request.selection(lake.settings, (instrument,))
    try:
        require_held(lake.settings, selection, segment, snapshot.listings)
    except UsageError as error:
        return error
    return None


def _landed(
    lake: Lake, settings: Settings, request: BulkRequest, instruments: tuple[str, ...]
) -> Landed:
    if not instruments:
        return Landed()
    selection = request.selection(settings, instruments)
    return extraction.prepare(lake, settings, selection, yes=True).run().landed


def _series(settings: Settings, request: BulkRequest, instrument: str) -> Series:
    dataset = request.dataset(settings)
    interval = settings.extract.bar_interval if dataset == "klines" else ""
    return Series(dataset, request.exchange, request.kind, instrument, interval)
