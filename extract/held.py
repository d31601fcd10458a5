"""What bronze holds of one kind of an exchange, instrument by instrument, from one listing."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from functools import cached_property

from extract.coverage import joined
from lake.bronze import BronzeName, Coverage, Dataset, Mode, folder
from lake.objects import ObjectStore
from lake.packs import names_below


class Held:
    """The names of a dataset's files, listed once, when first asked for."""

    def __init__(self, store: ObjectStore, dataset: Dataset, exchange: str, kind: str) -> None:
        self._store = store
        self._folder = folder(dataset, exchange, kind)

    def names(self, instrument: str) -> Sequence[BronzeName]:
        """Return the names of an instrument's files, and of what packs hold of it."""
        return self._by_instrument.get(instrument, [])

    def runs(self, instrument: str, mode: Mode) -> list[Coverage]:
        """Return what one way of loading holds of an instrument, as runs of adjoining ids."""
        names = self.names(instrument)
        return joined(name.coverage for name in names if name.mode == mode)

    @cached_property
    def _by_instrument(self) -> dict[str, list[BronzeName]]:
        found: dict[str, list[BronzeName]] = defaultdict(list)
        for name in names_below(self._store, self._folder):
            found[name.instrument].append(name)
        return found
