"""The messages of one stream in one turn, encoded once for all connections that take them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from extract.replay.streams import wire


def wrapped(stream: str, payload: bytes) -> bytes:
    """Return a message as Binance's combined streams carry it."""
    return b'{"stream":"%b","data":%b}' % (stream.encode(), payload)


@dataclass(frozen=True)
class Batch:
    """Messages of one stream, in their order."""

    stream: str
    payloads: Sequence[bytes]

    @cached_property
    def frames(self) -> bytes:
        """The frames of raw messages."""
        return wire.frames(self.payloads)

    @cached_property
    def wrapped_frames(self) -> bytes:
        """The frames of messages that name their stream."""
        return wire.frames([wrapped(self.stream, payload) for payload in self.payloads])
