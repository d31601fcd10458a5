"""How long a collector tries again where a store or a broker refuses."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import TypeVar

from lake.clock import Clock, to_millis
from lake.errors import StorageError

log = logging.getLogger(__name__)

#: Between two tries of a store that refuses.
TRY_AGAIN_SECONDS = 1.0
T = TypeVar("T")


class Patience:
    """Tries again what is refused, for so long and no longer.

    Args:
        seconds: how long a thing may be refused before it is given up.
        clock: the process's clock.
    """

    def __init__(self, seconds: float, clock: Clock) -> None:
        self._seconds = seconds
        self._clock = clock
        self._hurried = threading.Event()

    def hurry(self, seconds: float) -> None:
        """Have patience for no more than `seconds` from now on; called from any thread."""
        self._seconds = min(self._seconds, seconds)
        self._hurried.set()

    def until_done(self, work: Callable[[], T]) -> T:
        """Do `work`, again and again while it is refused; return what it returns.

        Raises:
            StorageError: it was refused for too long.
        """
        since = self._clock.now()
        while True:
            try:
                return work()
            except StorageError as error:
                waited = to_millis(self._clock.now()) - to_millis(since)
                if waited >= self._seconds * 1000:
                    raise
                log.warning("the store refuses, trying again: %s", error)
                self._pause()

    def _pause(self) -> None:
        """Wait for a moment; a hurry ends it, and from then on tries come faster."""
        if self._hurried.wait(TRY_AGAIN_SECONDS):
            self._clock.sleep(TRY_AGAIN_SECONDS / 4)
