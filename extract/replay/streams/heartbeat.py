"""Keeps a Deribit connection alive, as its heartbeat asks."""

from __future__ import annotations

from extract.replay.exact_json import write_bytes
from extract.replay.limits import Seconds
from extract.replay.streams.connection import Connection


class DeribitKeeper:
    """The heartbeat of one connection; none before the client has set it.

    Each interval the exchange sends a `heartbeat` to a client that has spoken in it, and a
    `test_request` to one that has not, which `public/test` must answer before the next one is due.
    """

    def __init__(self, connection: Connection, seconds: Seconds) -> None:
        self._connection = connection
        self._seconds = seconds
        self._interval_seconds: float | None = None
        self._beat_at_seconds = seconds()
        self._has_spoken = False
        self._is_tested = False

    def set_interval(self, interval_seconds: float | None) -> None:
        """Beat at an interval from now on; None for no more."""
        self._interval_seconds = interval_seconds
        self._beat_at_seconds = self._seconds()
        self._is_tested = False

    def heard(self) -> None:
        """Take note that the client has spoken."""
        self._has_spoken = True

    def ponged(self, payload: bytes) -> None:
        """Take a pong, which Deribit does not ask for."""

    def tested(self) -> None:
        """Take `public/test`, the answer to a `test_request`."""
        self._is_tested = False

    def turn(self) -> None:
        """Beat, or end the connection of a client that left a test unanswered."""
        now = self._seconds()
        if self._interval_seconds is None or now - self._beat_at_seconds < self._interval_seconds:
            return
        self._beat_at_seconds = now
        if self._is_tested:
            self._connection.hang_up()
            return
        self._is_tested = not self._has_spoken
        self._has_spoken = False
        kind = "test_request" if self._is_tested else "heartbeat"
        params = {"type": kind}
        beat = write_bytes({"jsonrpc": "2.0", "method": "heartbeat", "params": params})
        self._connection.beat(beat)
