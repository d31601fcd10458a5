"""Spoils a stream's message in the way that a fault orders."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol

from extract.replay.faults import Fault


class Line(Protocol):
    """The outgoing side of a connection."""

    def queue(self, stream: str, payload: bytes) -> None:
        """Put one message of a stream into this turn."""

    def hang_up(self) -> None:
        """Send what is gathered and drop the connection, without a word."""


def _disconnect(line: Line, _stream: str, _payload: bytes, _: Fault) -> None:
    line.hang_up()


def _drop(_line: Line, _stream: str, _payload: bytes, _: Fault) -> None:
    """Leave the message out: a gap in the ids on a connection that looks well."""


#: What each kind does with the message that it meets, in place of sending it.
SPOILING: Mapping[str, Callable[[Line, str, bytes, Fault], None]] = {
    "disconnect": _disconnect,
    "dropped_message": _drop,
}
