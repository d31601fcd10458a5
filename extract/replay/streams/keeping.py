"""Keeps a Binance connection to its rules: pings and pongs, incoming messages, its life."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from extract.replay.limits import Seconds
from extract.replay.streams.connection import Connection
from extract.replay.streams.rules import StreamRules

POLICY_VIOLATION = 1008
GOING_AWAY = 1001
SHUTDOWN_STREAM = "!serverShutdown"


class BinanceKeeper:
    """The rules of one connection, looked after at each turn and at each incoming message."""

    def __init__(
        self,
        connection: Connection,
        rules: StreamRules,
        seconds: Seconds,
        clock_ms: Callable[[], int],
    ) -> None:
        self._connection = connection
        self._rules = rules
        self._seconds = seconds
        self._clock_ms = clock_ms
        self._opened_at = self._pinged_at = seconds()
        self._unanswered_seconds: dict[bytes, float] = {}
        self._heard_seconds: deque[float] = deque(maxlen=rules.messages_per_second + 1)
        self._is_announced = False

    def heard(self) -> None:
        """Count an incoming message of any sort; too many in a second end the connection."""
        now = self._seconds()
        self._heard_seconds.append(now)
        full = len(self._heard_seconds) == self._heard_seconds.maxlen
        if full and now - self._heard_seconds[0] < 1:
            self._connection.close(POLICY_VIOLATION, "Too many requests")

    def ponged(self, payload: bytes) -> None:
        """Take a pong: it answers the ping of its payload and all before it; another, none."""
        if payload in self._unanswered_seconds:
            pings = list(self._unanswered_seconds)
            for ping in pings[: pings.index(payload) + 1]:
                del self._unanswered_seconds[ping]

    def turn(self) -> None:
        """Ping, or end the connection, where it is time to."""
        now = self._seconds()
        oldest = min(self._unanswered_seconds.values(), default=now)
        age = now - self._opened_at
        if now - oldest > self._rules.pong_seconds:
            self._connection.close(POLICY_VIOLATION, "Pong timeout")
        elif age > self._rules.life_seconds:
            self._connection.close(GOING_AWAY, "Connection lifetime is over")
        else:
            self._ping(now)
            self._announce(age)

    def _ping(self, now: float) -> None:
        if now - self._pinged_at < self._rules.ping_seconds:
            return
        self._pinged_at = now
        payload = str(self._clock_ms()).encode()
        if self._connection.ping(payload):
            # a clock that stands still pings with one payload: the first of them counts
            self._unanswered_seconds.setdefault(payload, now)

    def _announce(self, age_seconds: float) -> None:
        """Send the event that the spot docs of 2026-05 name, once."""
        begins = self._rules.life_seconds - self._rules.notice_seconds
        if age_seconds > begins and not self._is_announced:
            self._is_announced = True
            event = b'{"e":"serverShutdown","E":%d}' % self._clock_ms()
            self._connection.queue(SHUTDOWN_STREAM, event)
