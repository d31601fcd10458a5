"""Packs the answers of many quiet instruments into few bronze files, each with its coverage."""

from __future__ import annotations

import hashlib
import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from extract.coverage import month_start
from lake.bronze import BronzeName, Dataset, Envelope, Mode, to_file
from lake.clock import Clock, to_millis
from lake.objects import ObjectStore
from lake.packs import Held, coverage_key, coverage_object, pack_name

log = logging.getLogger(__name__)

#: An answer of more bytes fills a file of its own.
SMALL_BYTES = 65_536
#: A pack is written when it holds so many files, bytes, or has waited for so long.
FILES_PER_PACK = 1000
BYTES_PER_PACK = 8 << 20
#: All packs in the making together.
BYTES_WAITING = 32 << 20
WAITS_MS = 300_000


@dataclass(frozen=True, slots=True)
class Small:
    """A file that is too small to stand alone."""

    name: BronzeName
    envelopes: Sequence[Envelope]
    rows: int
    on_landed: Callable[[int], None]

    @property
    def bytes(self) -> int:
        """The bytes of its bodies."""
        return sum(len(envelope.body) for envelope in self.envelopes)


Room = tuple[Dataset, str, str, Mode, int]


@dataclass(slots=True)
class _Filling:
    """A pack in the making, of one dataset, exchange, kind, mode and month."""

    since_ms: int
    holds: list[Small] = field(default_factory=list)
    bytes: int = 0


class Packer:
    """Collects small files and writes them as packs; shared by the threads of a run.

    A run that loads n small files of m months in t minutes makes at most
    m * (1 + t / 5 + bytes / 32 MiB) + n / 1000 + bytes / 8 MiB packs, a dataset and kind.

    Args:
        store: the lake.
        clock: tells how long a pack has waited.
    """

    def __init__(self, store: ObjectStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._lock = threading.Lock()
        self._rooms: dict[Room, _Filling] = {}

    def take(self, small: Small) -> int:
        """Keep a small file until its pack is full; return how many packs were written."""
        name, now = small.name, to_millis(self._clock.now())
        month = month_start(name.coverage.from_ms)
        room = (name.dataset, name.exchange, name.kind, name.mode, month)
        with self._lock:
            filling = self._rooms.setdefault(room, _Filling(now))
            filling.holds.append(small)
            filling.bytes += small.bytes
            full = [self._rooms.pop(one) for one in self._full(now)]
        return sum(map(self._write, full))

    def flush(self) -> int:
        """Write all that waits; return how many packs that made."""
        with self._lock:
            waiting, self._rooms = list(self._rooms.values()), {}
        return sum(map(self._write, waiting))

    def _full(self, now_ms: int) -> list[Room]:
        """Return which packs are to be written now: all, where too much waits in memory."""
        if sum(filling.bytes for filling in self._rooms.values()) >= BYTES_WAITING:
            return list(self._rooms)
        return [room for room, filling in self._rooms.items() if _is_full(filling, now_ms)]

    def _write(self, filling: _Filling) -> int:
        """Write a pack, then its coverage object: without the pack nothing is said to be held."""
        holds = sorted(filling.holds, key=lambda one: (one.name.instrument, one.name.coverage))
        content = to_file(_numbered(holds))
        sha256 = hashlib.sha256(content).hexdigest()
        entries = [Held(one.name, one.rows) for one in holds]
        pack = pack_name(entries, sha256)
        self._store.create(pack.key, content)
        self._store.create(coverage_key(pack.key), coverage_object(entries, sha256))
        log.debug("landed pack=%s holds=%d", pack.key, len(holds))
        for one in holds:
            one.on_landed(one.rows)
        return 1


def _is_full(filling: _Filling, now_ms: int) -> bool:
    return (
        len(filling.holds) >= FILES_PER_PACK
        or filling.bytes >= BYTES_PER_PACK
        or now_ms - filling.since_ms >= WAITS_MS
    )


def _numbered(holds: Sequence[Small]) -> list[Envelope]:
    """Return all envelopes with their line's number and the name that each would stand under."""
    lines = [(one.name.key, envelope) for one in holds for envelope in one.envelopes]
    return [
        replace(envelope, sequence=number, packed_as=key)
        for number, (key, envelope) in enumerate(lines, 1)
    ]
