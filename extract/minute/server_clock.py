"""The exchange's clock, kept from what its answers say of it, against our own."""

from __future__ import annotations

import logging
import threading
from collections import deque
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from extract.answer import Answer
from lake.clock import Clock, to_micros

log = logging.getLogger(__name__)

#: Samples older than this say nothing about a clock that drifts.
KEPT = timedelta(minutes=10)
SAMPLES = 64
#: How fast two clocks may part: worse than any quartz, in parts of a million.
DRIFT_PPM = 200


@dataclass(frozen=True, slots=True)
class Sample:
    """What one answer says of the exchange's clock.

    Attributes:
        offset_us: how far it is ahead of ours.
        error_us: by how much that may be wrong: half of the round trip, and what the exchange
            has rounded off.
        taken: by our own clock.
    """

    offset_us: int
    error_us: int
    taken: datetime


def sample(answer: Answer, document: Any) -> Sample | None:
    """Read an answer's own times, None where it has none or our clock was set meanwhile.

    Deribit says when it took and when it answered a request, in µs (`usIn`, `usOut`); Binance's
    `serverTime` is one moment between, in ms.
    """
    if answer.sent is None or not isinstance(document, dict):
        return None
    sent, received = to_micros(answer.sent), to_micros(answer.received)
    if isinstance(document.get("usIn"), int) and isinstance(document.get("usOut"), int):
        first, last, rounded = document["usIn"], document["usOut"], 0
    elif isinstance(document.get("serverTime"), int):
        first = last = document["serverTime"] * 1000 + 500
        rounded = 500
    else:
        return None
    on_the_way = (received - sent) - (last - first)
    if received < sent:
        return None
    offset = ((first - sent) + (last - received)) // 2
    # below zero the two clocks disagree on how long the server took: by so much either may be wrong
    return Sample(offset, abs(on_the_way) // 2 + rounded, answer.received)


class ServerClock:
    """A `Clock` that shows the exchange's time; our own, until an answer has told it.

    The sample with the shortest way stands, as in NTP. One that disagrees with it by more than
    both can be wrong shows that a clock was set: from then on it stands alone.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._samples: deque[Sample] = deque(maxlen=SAMPLES)

    def learn(self, answer: Answer, document: Any) -> None:
        """Take in what an answer says, if it says anything."""
        found = sample(answer, document)
        if found is None:
            return
        with self._lock:
            best = self._best(found.taken)
            if best is not None and _disagree(best, found):
                log.warning(
                    "a clock was set: the exchange's is %+.3f s ahead of ours, was %+.3f s",
                    found.offset_us / 1e6,
                    best.offset_us / 1e6,
                )
                self._samples.clear()
            self._samples.append(found)

    def offset(self) -> Sample | None:
        """Return the present estimate, None where no answer has told anything lately."""
        with self._lock:
            return self._best(self._clock.now())

    def now(self) -> datetime:
        """Return the present moment by the exchange's clock, in UTC."""
        best = self.offset()
        return self._clock.now() + timedelta(microseconds=best.offset_us if best else 0)

    def sleep(self, seconds: float) -> None:
        """Wait for `seconds`."""
        self._clock.sleep(seconds)

    def _best(self, now: datetime) -> Sample | None:
        """Return the surest of the fresh samples; of old ones alone the newest."""
        fresh = [one for one in self._samples if abs(now - one.taken) <= KEPT]
        if fresh:
            return min(fresh, key=lambda one: (one.error_us, -to_micros(one.taken)))
        return self._samples[-1] if self._samples else None


def _disagree(held: Sample, found: Sample) -> bool:
    age_us = abs(found.taken - held.taken) // timedelta(microseconds=1)
    allowed = held.error_us + found.error_us + age_us * DRIFT_PPM // 1_000_000
    return abs(held.offset_us - found.offset_us) > allowed
