"""Spoils a stream's message in the way that a fault orders."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Protocol

from extract.replay.exchange_clock import DERIBIT
from extract.replay.faults import Fault
from extract.replay.streams import wire

JUNK = bytes(range(240, 256)) * 4
EVENT_TIME = re.compile(rb'"(E|timestamp)":(\d+)')
ERROR = b'{"code":-1000,"msg":"An unknown error occurred while processing the request."}'
RPC_ERROR = b'{"jsonrpc":"2.0","error":{"code":11094,"message":"internal_server_error"}}'


class Line(Protocol):
    """The outgoing side of a connection."""

    segment: str

    def queue(self, stream: str, payload: bytes) -> None:
        """Put one message of a stream into this turn."""

    def queue_frames(self, frames: bytes) -> None:
        """Put frames, or what is none, into this turn."""

    def first(self, stream: str) -> bytes:
        """Return the first message of a stream that this connection was sent."""

    def hang_up(self) -> None:
        """Send what is gathered and drop the connection, without a word."""

    def go_silent(self) -> None:
        """Send nothing more, pings and answers included, and stay open."""


def _disconnect(line: Line, _stream: str, _payload: bytes, _: Fault) -> None:
    line.hang_up()


def _half_message(line: Line, _stream: str, payload: bytes, _: Fault) -> None:
    """Announce the whole message, send half of it and hang up."""
    frame = wire.frame(payload)
    line.queue_frames(frame[: len(frame) // 2])
    line.hang_up()


def _binary_junk(line: Line, stream: str, payload: bytes, _: Fault) -> None:
    line.queue_frames(wire.frame(JUNK, wire.BINARY))
    line.queue(stream, payload)


def _error_message(line: Line, stream: str, payload: bytes, _: Fault) -> None:
    line.queue_frames(wire.frame(RPC_ERROR if line.segment == DERIBIT else ERROR))
    line.queue(stream, payload)


def _silence(line: Line, _stream: str, _payload: bytes, _: Fault) -> None:
    line.go_silent()


def _old_message(line: Line, stream: str, payload: bytes, _: Fault) -> None:
    """Send the first message of the stream again: ids jump back, then go on."""
    line.queue(stream, line.first(stream))
    line.queue(stream, payload)


def _duplicated_message(line: Line, stream: str, payload: bytes, _: Fault) -> None:
    line.queue(stream, payload)
    line.queue(stream, payload)


def _event_time_skew(line: Line, stream: str, payload: bytes, fault: Fault) -> None:
    """Shift the time of the event (Binance) or of the data (Deribit, which sends no other)."""

    def shifted(found: re.Match[bytes]) -> bytes:
        return b'"%b":%d' % (found[1], int(found[2]) + fault.seconds * 1000)

    line.queue(stream, EVENT_TIME.sub(shifted, payload))


def _dropped_message(_line: Line, _stream: str, _payload: bytes, _: Fault) -> None:
    """Leave the message out: a gap in the ids on a connection that looks well."""


#: What each kind does with the message that it meets, in place of just sending it.
SPOILING: Mapping[str, Callable[[Line, str, bytes, Fault], None]] = {
    "disconnect": _disconnect,
    "random_disconnect": _disconnect,
    "half_message": _half_message,
    "binary_junk": _binary_junk,
    "error_message": _error_message,
    "silence": _silence,
    "old_message": _old_message,
    "duplicated_message": _duplicated_message,
    "event_time_skew": _event_time_skew,
    "dropped_message": _dropped_message,
}
