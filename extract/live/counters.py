"""What each stream has done so far: for progress lines, a status command, exported metrics."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from extract.live.stream import Stream


@dataclass(slots=True)
class Counter:
    """The counts of one stream; times are UTC, sizes bytes, the lag ms.

    Attributes:
        last_message: when the last frame came, None before the first.
        messages, trades, bytes: frames, numbered rows in them, and their bytes.
        odd: frames that nobody understands.
        reconnects: how often its connection was opened again.
        refused: whether the exchange refuses it.
        holes_opened, holes_closed, holes_lost: holes in its ids: found, filled over REST, and left
            open for `candlelake repair`.
        newest_ms: the exchange's time of the newest row in bronze (UNIX ms), None before the first.
        lag_ms: from the exchange's time of the newest row to its landing, None before the first.
        last_file: the bronze file that landed last.
    """

    stream: Stream
    last_message: datetime | None = None
    messages: int = 0
    trades: int = 0
    bytes: int = 0
    odd: int = 0
    reconnects: int = 0
    refused: bool = False
    holes_opened: int = 0
    holes_closed: int = 0
    holes_lost: int = 0
    newest_ms: int | None = None
    lag_ms: int | None = None
    last_file: str = ""

    def age_seconds(self, now: datetime) -> float | None:
        """Return how long ago the last frame came, None where none has."""
        return None if self.last_message is None else (now - self.last_message).total_seconds()

    @property
    def holes_open(self) -> int:
        """Holes that are neither filled nor given up."""
        return self.holes_opened - self.holes_closed - self.holes_lost


@dataclass(frozen=True, slots=True)
class Totals:
    """The sums over all streams, and the greatest lag of those that have one."""

    streams: int
    messages: int
    trades: int
    bytes: int
    odd: int
    reconnects: int
    refused: int
    holes_opened: int
    holes_closed: int
    holes_lost: int
    files: int
    lag_ms: int | None

    @property
    def holes_open(self) -> int:
        """Holes that are neither filled nor given up."""
        return self.holes_opened - self.holes_closed - self.holes_lost

    def __str__(self) -> str:
        holes = f"holes_closed={self.holes_closed} holes_open={self.holes_open}"
        words = [
            f"messages={self.messages:,} trades={self.trades:,} files={self.files}",
            f"{holes} holes_lost={self.holes_lost}",
        ]
        words += [f"{name}={n}" for name, n in self._troubles() if n]
        return " ".join(words)

    def _troubles(self) -> Sequence[tuple[str, int]]:
        return (("reconnects", self.reconnects), ("odd", self.odd), ("refused", self.refused))


class Counters:
    """The counts of all streams of a collector; written by it, read from any thread.

    Attributes:
        files: the bronze files that have landed.
        buffer_bytes: what waits in memory for the store.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counters: dict[Stream, Counter] = {}
        self.files = 0
        self.buffer_bytes = 0

    def of(self, stream: Stream) -> Counter:
        """Return the counts of a stream, to be changed by the collector alone."""
        found = self._counters.get(stream)
        if found is None:
            with self._lock:
                found = self._counters.setdefault(stream, Counter(stream))
        return found

    def snapshot(self) -> list[Counter]:
        """Return a copy of all counts, in the order in which the streams were first counted."""
        with self._lock:
            counters = list(self._counters.values())
        return [replace(one) for one in counters]

    def totals(self) -> Totals:
        """Return the sums."""
        counted = self.snapshot()
        return Totals(
            streams=len(counted),
            messages=sum(one.messages for one in counted),
            trades=sum(one.trades for one in counted),
            bytes=sum(one.bytes for one in counted),
            odd=sum(one.odd for one in counted),
            reconnects=sum(one.reconnects for one in counted),
            refused=sum(one.refused for one in counted),
            holes_opened=sum(one.holes_opened for one in counted),
            holes_closed=sum(one.holes_closed for one in counted),
            holes_lost=sum(one.holes_lost for one in counted),
            files=self.files,
            lag_ms=_greatest(one.lag_ms for one in counted),
        )


def _greatest(lags: Iterable[int | None]) -> int | None:
    return max((lag for lag in lags if lag is not None), default=None)
