"""What a scheduler tells a worker: one chunk of an instrument's ids, and how far its chain goes."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from dataclasses import dataclass
from typing import Annotated, Literal, get_args

from pydantic import Field, TypeAdapter

from extract.coverage import Missing
from lake.bronze import Dataset
from lake.errors import UsageError

Mode = Literal["reverse", "start", "date"]
MODES: tuple[str, ...] = get_args(Mode)
#: Raised when a message's fields change, so that an old one in a queue is refused and not misread.
VERSION = 2
#: The first millisecond after the year 9999.
END_MS = 253_402_300_800_000


@dataclass(frozen=True, slots=True)
class Message:
    """One chunk of ids to land; what follows it is the chunk `stride` chunks further on.

    Chunks lie on a grid: the chunk with number k holds the ids from k * `chunk_limit` on, so that
    the same chunk gives the same bronze object whoever asks for it, and however often.

    Attributes:
        exchange, kind, dataset, instrument: whose trades.
        mode: `reverse` goes down from the highest chunk; the others go up.
        run_id: kept in each envelope.
        missing: the range of ids that is wanted; its chains share it.
        chunk: the number of the chunk.
        chunk_limit: how many ids a chunk holds.
        stride: how many chains work on the range.
        venue_clock_ms: the exchange's clock when the range was found.
        tag: stands in the names of what lands, where files of the same ids are held already.
    """

    exchange: str
    kind: str
    dataset: Dataset
    instrument: str
    mode: Mode
    run_id: str
    missing: Missing
    chunk: int
    chunk_limit: Annotated[int, Field(ge=1)]
    stride: Annotated[int, Field(ge=1)]
    venue_clock_ms: int
    tag: str = ""

    @property
    def first_id(self) -> int:
        """The lowest id of the chunk that is wanted."""
        return max(self.missing.first_id, self.chunk * self.chunk_limit)

    @property
    def last_id(self) -> int:
        """The highest id of the chunk that is wanted."""
        return min(self.missing.last_id, (self.chunk + 1) * self.chunk_limit - 1)

    @property
    def from_ms(self) -> int | None:
        """From when on nothing lies below the chunk, None where nobody knows."""
        return self.missing.from_ms if self.first_id == self.missing.first_id else None

    @property
    def until_ms(self) -> int | None:
        """Up to when nothing lies above the chunk, None where nobody knows."""
        return self.missing.until_ms if self.last_id == self.missing.last_id else None

    @property
    def goes_down(self) -> bool:
        """Whether the chain walks from high ids to low ones."""
        return self.mode == "reverse"

    @property
    def chain(self) -> str:
        """What tells the chain from all others of its run."""
        low, place = self.missing.first_id, self.chunk % self.stride
        names = (self.exchange, self.kind, self.dataset, self.instrument)
        return "/".join((*names, str(low), str(self.chunk_limit), str(place)))

    def following(self, hole: Missing | None = None) -> Message | None:
        """Return the next message of the chain, None at its end.

        Args:
            hole: ids around this chunk that the exchange is proved not to have: they are skipped.
        """
        limit, steps = self.chunk_limit, 1
        low, high = self.missing.first_id // limit, self.missing.last_id // limit
        if hole is not None and self.goes_down:
            steps = max(1, -(-(self.chunk - (hole.first_id - 1) // limit) // self.stride))
        elif hole is not None:
            steps = max(1, -(-((hole.last_id + 1) // limit - self.chunk) // self.stride))
        chunk = self.chunk + steps * (-self.stride if self.goes_down else self.stride)
        return dataclasses.replace(self, chunk=chunk) if low <= chunk <= high else None

    @property
    def digest(self) -> str:
        """What tells the message from all others, in 64 hex digits."""
        return hashlib.sha256(self.to_json().encode()).hexdigest()

    def to_json(self) -> str:
        """Return the message as a queue carries it."""
        fields = {"version": VERSION, **dataclasses.asdict(self)}
        return json.dumps(fields, sort_keys=True, separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str) -> Message:
        """Read a message.

        Raises:
            UsageError: it is no message of this version.
        """
        try:
            message = _READER.validate_json(text, strict=True)
            version = json.loads(text, parse_float=str)["version"]
        except (ValueError, KeyError) as error:
            raise UsageError(f"this is no message of a chunk: {text[:200]!a}") from error
        if version != VERSION or not _makes_sense(message):
            raise UsageError(
                f"a message of version {version!a}, chunk {message.chunk} can't be worked on",
                hint=f"This is version {VERSION}; let the scheduler send it again.",
            )
        return message


def _makes_sense(message: Message) -> bool:
    """Tell whether the chunk has wanted ids and all times are ones that a calendar has."""
    missing = message.missing
    times = (message.venue_clock_ms, missing.from_ms or 0, missing.until_ms or 0)
    return message.first_id <= message.last_id and all(0 <= one < END_MS for one in times)


#: Strict: a number that came as text would end its worker, not be refused.
_READER = TypeAdapter(Message)


def chains(first: Message) -> list[Message]:
    """Return the first messages of all chains of a range, `stride` of them at most.

    Args:
        first: the message of any chunk of the range.
    """
    low = first.missing.first_id // first.chunk_limit
    high = first.missing.last_id // first.chunk_limit
    order = range(high, low - 1, -1) if first.goes_down else range(low, high + 1)
    return [dataclasses.replace(first, chunk=chunk) for chunk in order[: first.stride]]
