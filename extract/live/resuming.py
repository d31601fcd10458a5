"""Where a collector goes on: the newest id held and the holes below it, by names alone."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from extract.coverage import Missing, joined, missing_ids, month_start
from extract.live.stream import Stream
from lake.bronze import ALL_INSTRUMENTS, BronzeName, Coverage, Dataset, folder, known_names
from lake.clock import from_millis
from lake.objects import ObjectStore
from lake.packs import COVERAGE_SUFFIX, pack_of, packed_in

log = logging.getLogger(__name__)

#: Where the clock's own months hold nothing: so many of the latest that do.
MONTHS = 2
#: Coverage objects that are read at most, beside those of the time that is looked back.
MOST_READ = 500


@dataclass(frozen=True, slots=True)
class Held:
    """What is held of a stream: the newest id, and the holes that lie a little below it."""

    newest: int
    holes: Sequence[Missing]


def held_of(
    store: ObjectStore, streams: Sequence[Stream], look_back_ms: int, now_ms: int
) -> Mapping[Stream, Held]:
    """Return what bronze holds of each numbered stream, whoever landed it.

    Coverage objects are read from the newest backwards: all of the last `look_back_ms` before the
    newest name, then `MOST_READ` more for streams that have not been found yet. A stream that is
    quieter than that is not in the answer; the ledger finds its hole.

    Args:
        store: the lake.
        streams: what will be collected.
        look_back_ms: how far back holes between runs are looked for.
        now_ms: the process's clock: its month and the one before are listed first.

    Raises:
        BronzeError: a coverage object can't be read.
        StorageError: the store can't be reached.
    """
    rooms: dict[tuple[Dataset, str, str], list[Stream]] = defaultdict(list)
    for stream in streams:
        if stream.is_numbered:
            rooms[stream.dataset, stream.exchange, stream.kind].append(stream)
    found: dict[Stream, Held] = {}
    for (dataset, exchange, kind), wanted in rooms.items():
        names = {stream.instrument for stream in wanted}
        keys = _recent(store, folder(dataset, exchange, kind), now_ms)
        covered = _covered(store, keys, names, look_back_ms)
        for stream in wanted:
            if covers := covered.get(stream.instrument):
                found[stream] = _held(covers, look_back_ms)
    return found


def _held(covers: Iterable[Coverage], look_back_ms: int) -> Held:
    runs = [run for run in joined(covers) if run.first_id <= run.last_id]
    newest = max(run.last_id for run in runs)
    since = max(run.until_ms for run in runs) - look_back_ms
    recent = [run for run in runs if run.until_ms >= since]
    holes = missing_ids(recent, recent[0].first_id, newest)
    return Held(newest, holes)


def _recent(store: ObjectStore, top: str, now_ms: int) -> list[str]:
    """Return the keys of the latest months that hold anything."""
    this = month_start(now_ms)
    months = (from_millis(one) for one in (month_start(this - 1), this))
    keys = [key for month in months for key in store.names(f"{top}{month:%Y-%m}/")]
    if keys:
        return keys
    keys = list(store.names(top))
    latest = sorted({_month(key, top) for key in keys})[-MONTHS:]
    return [key for key in keys if _month(key, top) in latest]


def _month(key: str, top: str) -> str:
    return key.removeprefix(top).partition("/")[0]


def _covered(
    store: ObjectStore, keys: Sequence[str], wanted: set[str], look_back_ms: int
) -> Mapping[str, list[Coverage]]:
    """Return what these keys hold of instruments, as far back as `held_of` says."""
    covered: dict[str, list[Coverage]] = defaultdict(list)

    def add(names: Iterable[BronzeName]) -> None:
        for name in names:
            if name.instrument in wanted and name.coverage.first_id <= name.coverage.last_id:
                covered[name.instrument].append(name.coverage)

    add(_alone(keys))
    packs = _packs(keys)
    newest_ms = max((pack.coverage.until_ms for pack, _ in packs), default=0)
    reads_left = MOST_READ
    for pack, key in packs:
        if pack.coverage.until_ms < newest_ms - look_back_ms:
            reads_left -= 1
            if reads_left < 0 or wanted <= set(covered):
                break
        add(packed_in(store, key))
    return covered


def _packs(keys: Iterable[str]) -> list[tuple[BronzeName, str]]:
    """Return the packs with the keys of their coverage objects, the newest first."""
    packs = [(pack_of(key), key) for key in keys if key.endswith(COVERAGE_SUFFIX)]
    return sorted(packs, key=lambda one: (one[0].coverage.until_ms, one[1]), reverse=True)


def _alone(keys: Iterable[str]) -> Iterator[BronzeName]:
    """Return the names of the files that are no packs."""
    whole = [key for key in keys if not key.endswith(COVERAGE_SUFFIX)]
    yield from (name for name in known_names(whole) if name.instrument != ALL_INSTRUMENTS)
