"""What a collector holds in memory until it lands: frames by stream, with their rows' ids."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from extract.live.stream import Stream

#: What Python needs for a frame beside its bytes, about.
BESIDE_BYTES = 250


@dataclass(slots=True)
class Caught:
    """The frames of one stream in the order of arrival, and the rows that they carry.

    Attributes:
        stream: whose frames.
        stamps: when each frame entered the process.
        bodies: each frame, byte for byte.
        ids: of each row.
        times: of each row, in ms.
        places: the frame that each row came in, as an index of `bodies`.
    """

    stream: Stream
    stamps: list[datetime] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    ids: list[int] = field(default_factory=list)
    times: list[int] = field(default_factory=list)
    places: list[int] = field(default_factory=list)

    def add(
        self, stamp: datetime, body: bytes, ids: Sequence[int] = (), times: Sequence[int] = ()
    ) -> None:
        """Add a frame."""
        place = len(self.bodies)
        self.stamps.append(stamp)
        self.bodies.append(body)
        if len(ids) == 1:
            self.ids.append(ids[0])
            self.times.append(times[0])
            self.places.append(place)
        elif ids:
            self.ids.extend(ids)
            self.times.extend(times)
            self.places.extend([place] * len(ids))


@dataclass(slots=True)
class Batch:
    """Frames of many streams that land together.

    Attributes:
        caught: by stream.
        messages: how many frames.
        bytes: of their bodies.
    """

    caught: dict[Stream, Caught] = field(default_factory=dict)
    messages: int = 0
    bytes: int = 0

    def of(self, stream: Stream) -> Caught:
        """Return where the frames of a stream are collected."""
        found = self.caught.get(stream)
        if found is None:
            found = self.caught[stream] = Caught(stream)
        return found

    @property
    def weight(self) -> int:
        """The bytes of memory that it takes, about."""
        return self.bytes + self.messages * BESIDE_BYTES
