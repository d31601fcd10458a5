"""Where batches go: bronze, patiently, each batch whole."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from extract.live.batch import Batch
from extract.live.lines import Stamp
from extract.live.packs import Pack, packs_of
from lake.clock import Clock, to_millis
from lake.errors import StorageError
from lake.objects import ObjectStore

log = logging.getLogger(__name__)

#: Between two tries of a store that refuses.
TRY_AGAIN_SECONDS = 1.0


class Sink(Protocol):
    """Takes batches; called by one thread at a time."""

    def land(self, batch: Batch) -> Sequence[Pack]:
        """Land a batch whole, and return what it has become.

        Raises:
            StorageError: it could not be landed, after all patience.
        """

    def hurry(self, seconds: float) -> None:
        """Have patience for no more than `seconds` from now on; called from any thread."""


@dataclass(slots=True)
class _Patience:
    """How long a store may refuse."""

    seconds: float
    hurried: threading.Event


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
        self._patience = _Patience(patience_seconds, threading.Event())

    def hurry(self, seconds: float) -> None:
        """Have patience for no more than `seconds` from now on."""
        self._patience.seconds = min(self._patience.seconds, seconds)
        self._patience.hurried.set()

    def land(self, batch: Batch) -> Sequence[Pack]:
        """Land a batch; what has landed of it before a failure is not written again.

        Raises:
            StorageError: the store refused for too long.
        """
        stamp = Stamp(self._region, self._run_id, self._clock.now())
        landed = []
        for pack in packs_of(batch, stamp):
            self._persist(lambda: self._store.create(pack.key, pack.content))  # noqa: B023 - at once
            # without the coverage object nothing is said to be held: it comes last
            self._persist(lambda: self._store.create(pack.coverage_key, pack.coverage))  # noqa: B023
            log.debug("landed pack=%s holds=%d", pack.key, len(pack.held))
            landed.append(pack)
        return landed

    def _persist(self, create: Callable[[], bool]) -> None:
        since = self._clock.now()
        while True:
            try:
                create()
            except StorageError as error:
                waited = to_millis(self._clock.now()) - to_millis(since)
                if waited >= self._patience.seconds * 1000:
                    raise
                log.warning("the store refuses, trying again: %s", error)
                self._pause()
            else:
                return

    def _pause(self) -> None:
        """Wait for a moment; a hurry ends it, and from then on tries come faster."""
        if self._patience.hurried.wait(TRY_AGAIN_SECONDS):
            self._clock.sleep(TRY_AGAIN_SECONDS / 4)
