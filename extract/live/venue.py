"""What a collector has to know of an exchange's websocket: where, how much, and how to read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from extract.live.stream import Frame, Stream


@dataclass(frozen=True, slots=True)
class Limits:
    """What an exchange allows an address.

    Attributes:
        streams: so many a connection.
        channels: so many a message that subscribes.
        message_seconds: between two messages of ours, on a connection or of an address.
        counts_by_address: whether messages of all connections count together.
        connects: so many connections are opened in `connects_seconds`.
        connects_seconds: the length of that window.
    """

    streams: int
    channels: int
    message_seconds: float
    connects: int
    connects_seconds: float
    counts_by_address: bool = False


class Venue(Protocol):
    """One kind of an exchange, as its websocket speaks."""

    @property
    def url(self) -> str:
        """Where its websocket is."""

    @property
    def limits(self) -> Limits:
        """What it allows."""

    @property
    def unnamed(self) -> Stream:
        """What frames are landed as that name no stream."""

    def greeting(self) -> Sequence[str]:
        """Return what is sent once, before any subscription."""

    def subscription(self, number: int, streams: Sequence[Stream]) -> str:
        """Return the message that subscribes; its answer carries the number."""

    def sign_of_life(self) -> str:
        """Return what answers a `test_request`."""

    def read(self, frame: bytes) -> Frame:
        """Read a frame; what can't be understood is `ODD`. It never raises."""
