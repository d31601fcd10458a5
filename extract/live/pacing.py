"""Keeps to what an exchange allows: messages and connections in a while, and jittered waits."""

from __future__ import annotations

import asyncio
import random
from collections import deque

from lake.setting_sections import Extract


class Turns:
    """Lets so many through in a window of time; the others wait for their turn.

    Args:
        most: how many.
        window_seconds: in how long.
    """

    def __init__(self, most: int, window_seconds: float) -> None:
        self._window_seconds = window_seconds
        self._taken_seconds: deque[float] = deque(maxlen=most)
        self._lock = asyncio.Lock()

    async def take(self) -> None:
        """Wait for a turn."""
        now = asyncio.get_running_loop().time
        async with self._lock:
            if len(self._taken_seconds) == self._taken_seconds.maxlen:
                await asyncio.sleep(max(0.0, self._taken_seconds[0] + self._window_seconds - now()))
            self._taken_seconds.append(now())


class BackOff:
    """How long to wait before the next try: doubled at each failure, with full jitter.

    Args:
        settings: the first wait and the longest.
        chance: draws the jitter.
    """

    def __init__(self, settings: Extract, chance: random.Random) -> None:
        self._settings = settings
        self._chance = chance
        self._failures = 0

    def succeeded(self) -> None:
        """Begin anew: the next wait is short."""
        self._failures = 0

    def wait_seconds(self) -> float:
        """Return how long to wait now."""
        ceiling = self._settings.backoff_seconds * 2 ** min(self._failures, 16)
        self._failures += 1
        return self._chance.uniform(0, min(ceiling, self._settings.backoff_ceiling_seconds))
