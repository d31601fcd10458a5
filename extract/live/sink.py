"""Where batches go: bronze, patiently, each batch whole."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Protocol

from extract.live.batch import Batch
from extract.live.lines import Stamp
from extract.live.packs import Pack, packs_of
from extract.live.patience import Patience
from lake.clock import Clock
from lake.objects import ObjectStore

log = logging.getLogger(__name__)


class Sink(Protocol):
    """Takes batches; called by one thread at a time."""

    def land(self, batch: Batch) -> Sequence[Pack]:
        """Land a batch whole, and return the bronze files that it has become, if any.

        Raises:
            StorageError: it could not be landed, after all patience.
        """

    def hurry(self, seconds: float) -> None:
        """Have patience for no more than `seconds` from now on; called from any thread."""


class BronzeSink:
    """Lands batches as packed bronze files.

    Args:
        store: the lake.
        clock: the process's clock.
        region: where this process runs.
        run_id: kept in each envelope and name.
        patience_seconds: how long the store may refuse before a batch is given up.
    """

    def __init__(
        self,
        store: ObjectStore,
        clock: Clock,
        *,
        region: str,
        run_id: str,
        patience_seconds: float,
    ) -> None:
        self._store = store
        self._clock = clock
        self._region = region
        self._run_id = run_id
        self._patience = Patience(patience_seconds, clock)

    def hurry(self, seconds: float) -> None:
        """Have patience for no more than `seconds` from now on."""
        self._patience.hurry(seconds)

    def land(self, batch: Batch) -> Sequence[Pack]:
        """Land a batch; what has landed of it before a failure is not written again.

        Raises:
            StorageError: the store refused for too long.
        """
        stamp = Stamp(self._region, self._run_id, self._clock.now())
        landed = []
        for pack in packs_of(batch, stamp):
            land_pack(self._store, pack, self._patience)
            landed.append(pack)
        return landed


def land_pack(store: ObjectStore, pack: Pack, patience: Patience) -> None:
    """Land a pack, then its coverage object: without it nothing is said to be held.

    Raises:
        StorageError: the store refused for too long.
    """
    patience.until_done(lambda: store.create(pack.key, pack.content))
    patience.until_done(lambda: store.create(pack.coverage_key, pack.coverage))
    log.debug("landed pack=%s holds=%d", pack.key, len(pack.held))
