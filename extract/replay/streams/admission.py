"""Decides who may connect: the exchanges' limits on connections, and faults that refuse them."""

from __future__ import annotations

from collections import defaultdict, deque

from extract.replay.engine import Engine
from extract.replay.exchange_clock import DERIBIT

REFUSED = 503
TOO_MANY = 429


class Admission:
    """The door of all segments; loopback is one address, so limits by address count everybody."""

    def __init__(self, engine: Engine) -> None:
        self._faults = engine.faults
        self._rules = engine.rules.streams
        self._seconds = engine.rules.seconds
        self._refused_until: dict[str, float] = {}
        self._attempts_seconds: defaultdict[str, deque[float]] = defaultdict(deque)

    def refusal(self, segment: str, path: str, held: int) -> int | None:
        """Return the HTTP status that turns a client away; None for one who may enter.

        Args:
            segment: where it connects.
            path: of the request, without the segment.
            held: connections that the segment holds already.
        """
        now = self._seconds()
        fault = self._faults.take(segment, path, ("refused_connection",))
        if fault is not None:
            self._refused_until[segment] = now + fault.seconds
        if now < self._refused_until.get(segment, now):
            return REFUSED
        if segment == DERIBIT:
            return TOO_MANY if held >= self._rules.deribit_connections else None
        return TOO_MANY if self._is_too_often(segment, now) else None

    def _is_too_often(self, segment: str, now: float) -> bool:
        attempts = self._attempts_seconds[segment]
        while attempts and now - attempts[0] >= self._rules.connections_seconds:
            attempts.popleft()
        attempts.append(now)
        return len(attempts) > self._rules.connections
