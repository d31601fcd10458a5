"""Lands answers: the only place of extract that makes bronze files and reads what they cover."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from extract.answer import Answer
from extract.coverage import Gap, joined, missing, months
from extract.held import Held
from extract.packing import SMALL_BYTES, Packer, Small
from extract.subject import OfInstrument
from lake.bronze import (
    LEVEL,
    BronzeName,
    Coverage,
    Dataset,
    Envelope,
    Mode,
    encoded,
    folder,
)
from lake.bronze import to_file as bronze_bytes
from lake.clock import Clock, from_millis
from lake.objects import ObjectStore
from lake.packs import names_below, packed_of
from lake.settings import Settings

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Landed:
    """What an extraction did.

    Attributes:
        files_created: bronze files that appeared.
        files_held: files that were there already (a second arrival was discarded, or the answer
            said nothing new).
        requests: requests sent, retries included.
        bytes: body bytes received.
        rows: rows within the covered ids of the created files.
        venue_clock_ms: the exchange's own clock when asked, 0 where it was not asked.
        republished: archive files held that the exchange has published anew since.
    """

    files_created: int = 0
    files_held: int = 0
    requests: int = 0
    bytes: int = 0
    rows: int = 0
    venue_clock_ms: int = 0
    republished: int = 0

    def __add__(self, other: Landed) -> Landed:
        return Landed(
            self.files_created + other.files_created,
            self.files_held + other.files_held,
            self.requests + other.requests,
            self.bytes + other.bytes,
            self.rows + other.rows,
            max(self.venue_clock_ms, other.venue_clock_ms),
            self.republished + other.republished,
        )


@dataclass(frozen=True, slots=True)
class Piece:
    """One raw body with how it was asked for and when it came.

    `instrument` is the venue's name where a file holds answers of several, else empty.
    """

    request: dict[str, Any]
    status: int
    received: datetime
    body: bytes
    instrument: str = ""

    @classmethod
    def of(cls, answer: Answer, instrument: str = "") -> Piece:
        """Return an answer as a piece of a file; `instrument` where the file is of several."""
        asked = answer.request.recorded()
        return cls(asked, answer.status, answer.received, answer.body, instrument)


def unwatched(rows: int) -> None:
    """Tell nobody what has landed."""
    del rows


@dataclass(frozen=True, slots=True)
class Landing:
    """Where the files of one instrument and dataset go, and in whose name.

    `instrument` is empty where the answers are of many instruments; `shown_as` then stands in
    the file's name. `on_landed` is told the rows of each file that is created. `counts` are the
    modes whose files count as held; its own alone where none is named. `level` is gzip's.
    `packer` takes files that are too small to stand alone; without one, all do. `index` is what
    bronze held when it was listed, for whoever asks about many instruments and lands nothing.
    """

    store: ObjectStore
    clock: Clock
    run_id: str
    region: str
    exchange: str
    kind: str
    dataset: Dataset
    instrument: str
    mode: Mode
    shown_as: str = ""
    on_landed: Callable[[int], None] = unwatched
    counts: tuple[Mode, ...] = ()
    level: int = LEVEL
    packer: Packer | None = None
    index: Held | None = None

    @classmethod
    def of(
        cls,
        instrument: OfInstrument,
        settings: Settings,
        store: ObjectStore,
        clock: Clock,
        *,
        run_id: str,
        mode: Mode,
        on_landed: Callable[[int], None] = unwatched,
        counts: tuple[Mode, ...] = (),
        packer: Packer | None = None,
        index: Held | None = None,
    ) -> Landing:
        """Return where the files of an instrument go, in the name of a run in this region."""
        return cls(
            store=store,
            clock=clock,
            run_id=run_id,
            region=settings.lake.region,
            exchange=instrument.exchange,
            kind=instrument.kind,
            dataset=instrument.dataset,
            instrument=instrument.instrument,
            mode=mode,
            on_landed=on_landed,
            counts=counts,
            packer=packer,
            index=index,
        )

    def land(
        self, pieces: Sequence[Piece], coverage: Coverage, *, rows: int, tag: str = ""
    ) -> Landed:
        """Create one file, or let the packer; a second arrival of the same is discarded."""
        name = self.name(coverage, tag)
        moment = self.clock.now()
        envelopes = (self._envelope(piece, n, moment) for n, piece in enumerate(pieces, 1))
        if self.packer and sum(len(piece.body) for piece in pieces) <= SMALL_BYTES:
            packs = self.packer.take(Small(name, list(envelopes), rows, self.on_landed))
            return Landed(files_created=packs, rows=rows)
        if not self.store.create(name.key, bronze_bytes(envelopes, level=self.level)):
            log.debug("held already file=%s", name.key)
            return Landed(files_held=1)
        log.debug("landed file=%s rows=%d answers=%d", name.key, rows, len(pieces))
        self.on_landed(rows)
        return Landed(files_created=1, rows=rows)

    def name(self, coverage: Coverage, tag: str = "") -> BronzeName:
        """Return the name of the file that holds `coverage`."""
        shown = self.shown_as or self.instrument
        return BronzeName(self.dataset, self.exchange, self.kind, shown, self.mode, coverage, tag)

    def _envelope(self, piece: Piece, sequence: int, moment: datetime) -> Envelope:
        return Envelope(
            exchange=self.exchange,
            kind=self.kind,
            dataset=self.dataset,
            instrument=piece.instrument or self.instrument,
            mode=self.mode,
            region=self.region,
            request=piece.request,
            status=piece.status,
            end_download_timestamp=piece.received,
            knowledge_timestamp=moment,
            run_id=self.run_id,
            sequence=sequence,
            body=piece.body,
        )

    def runs(self, from_ms: int, until_ms: int, *, interval: str = "") -> list[Coverage]:
        """Return what counts as held around a window, as runs of adjoining ids.

        `interval` is for bars: their tag starts with it.
        """
        window = (from_ms, until_ms)
        names: Sequence[BronzeName] = (
            self.index.names(self.instrument)
            if self.index
            else held_names(
                self.store, self.dataset, self.exchange, self.kind, self.instrument, window=window
            )
        )
        return joined(
            name.coverage
            for name in names
            if name.mode in (self.counts or (self.mode,))
            and interval in ("", name.tag.partition("-")[0])
        )

    def gaps(self, start_ms: int, end_ms: int, *, interval: str = "") -> Iterator[Gap]:
        """Yield what is missing of a window, month by month, from that month's file names.

        With an index of all names, it is not cut where months turn.
        """
        if self.index:
            yield from missing(self.runs(start_ms, end_ms, interval=interval), start_ms, end_ms)
            return
        for from_ms, until_ms in months(start_ms, end_ms):
            runs = self.runs(from_ms, until_ms, interval=interval)
            yield from missing(runs, from_ms, until_ms)


def held(
    store: ObjectStore,
    dataset: Dataset,
    exchange: str,
    kind: str,
    instrument: str,
    *,
    window: tuple[int, int] | None = None,
) -> list[Coverage]:
    """Return what the files of an instrument cover, from their names alone, sorted by ids.

    Args:
        store: the lake.
        dataset: which dataset.
        exchange: the exchange.
        kind: the venue's segment.
        instrument: the venue's name, or lake.bronze.ALL_INSTRUMENTS.
        window: [from, until) in ms; only its months' folders are listed. None lists all.
    """
    names = held_names(store, dataset, exchange, kind, instrument, window=window)
    return sorted(name.coverage for name in names)


def held_names(
    store: ObjectStore,
    dataset: Dataset,
    exchange: str,
    kind: str,
    instrument: str,
    *,
    window: tuple[int, int] | None = None,
) -> list[BronzeName]:
    """Return the parsed names of an instrument's files; what is no bronze name is passed over."""
    top = folder(dataset, exchange, kind)
    if window is None:
        return [one for one in names_below(store, top) if one.instrument == instrument]
    found: list[BronzeName] = []
    for start, _ in months(*window):
        month = f"{top}{from_millis(start):%Y-%m}/"
        found += names_below(store, f"{month}{encoded(instrument)}~")
        found += packed_of(store, month, instrument)
    return [name for name in found if name.instrument == instrument]
