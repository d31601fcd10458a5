"""The newest prints in bronze, found by the times in the names of files."""

from __future__ import annotations

from collections import OrderedDict, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from extract.coverage import month_start
from jobs.status.pipeline_state import Listing
from jobs.watch.prints import Print, prints_in
from lake.bronze import (
    ALL_INSTRUMENTS,
    SUFFIX,
    Dataset,
    encoded,
    folder,
    known_names,
    read_lines,
)
from lake.clock import from_millis
from lake.errors import BronzeError
from lake.objects import ObjectStore

#: Names carry UNIX ms of 13 digits: those that share ten of them lie within 1,000 s.
BLOCK_MS = 1_000_000
#: Files never change: what was read last is remembered.
REMEMBERED = 512

Prints = Mapping[str, Sequence[Print]]


class NewestPrints:
    """Reads the prints of the last minutes from bronze, each file once.

    Args:
        store: the lake.
    """

    def __init__(self, store: ObjectStore) -> None:
        self._store = store
        self._read: OrderedDict[str, Prints] = OrderedDict()

    def of(
        self, dataset: Dataset, listing: Listing, since_ms: int, until_ms: int
    ) -> Iterator[Print]:
        """Yield the prints of an instrument with a time in these, by the exchange's clock.

        Args:
            dataset: trades or agg_trades.
            listing: exchange, kind and instrument.
            since_ms: included (UNIX ms).
            until_ms: included (UNIX ms).

        Raises:
            StorageError: the store can't be read.
        """
        for key in self._keys(dataset, listing, since_ms, until_ms):
            for one in self._prints(key).get(listing[2], ()):
                if since_ms <= one.time_ms <= until_ms:
                    yield one

    def _keys(
        self, dataset: Dataset, listing: Listing, since_ms: int, until_ms: int
    ) -> Iterator[str]:
        """Yield the files that may hold such prints: packs of collectors, and what REST filled."""
        exchange, kind, instrument = listing
        top = folder(dataset, exchange, kind)
        # a pack that waited for the store begins earlier
        blocks = range(since_ms // BLOCK_MS - 1, until_ms // BLOCK_MS + 1)
        packs = [f"{encoded(ALL_INSTRUMENTS)}~live~i0_-1~t{block}" for block in blocks]
        months = dict.fromkeys(month_start(one) for one in (since_ms - BLOCK_MS, until_ms))
        for month in months:
            for prefix in (*packs, f"{encoded(instrument)}~history~i"):
                place = f"{top}{from_millis(month):%Y-%m}/{prefix}"
                yield from _reaching(self._store.names(place), since_ms)

    def _prints(self, key: str) -> Prints:
        if key not in self._read:
            self._read[key] = _by_instrument(self._store.read(key) or b"")
            while len(self._read) > REMEMBERED:
                self._read.popitem(last=False)
        self._read.move_to_end(key)
        return self._read[key]


def _reaching(keys: Iterable[str], since_ms: int) -> Iterator[str]:
    for name in known_names(key for key in keys if key.endswith(SUFFIX)):
        if name.coverage.until_ms >= since_ms:
            yield name.key


def _by_instrument(content: bytes) -> Prints:
    found = defaultdict[str, list[Print]](list)
    try:
        records: list[dict[str, Any]] = list(read_lines(content))
    except BronzeError:
        return {}  # doctor moves it aside; a look at the market goes on
    for record in records:
        found[record["instrument"]].extend(prints_in(record))
    return found
