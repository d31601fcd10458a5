"""What a collector listens to, and what a frame of it was found to hold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from lake.bronze import Dataset

#: The datasets whose rows an exchange numbers without a gap.
NUMBERED: frozenset[Dataset] = frozenset({"trades", "agg_trades"})
MINUTE_MS = 60_000


@dataclass(frozen=True, slots=True, eq=False)
class Stream:
    """One channel of an exchange; two are the same where they are one object, which is quick.

    Attributes:
        exchange, kind, dataset, instrument: whose frames, and what their rows are. The instrument
            is empty of frames that name no stream.
        channel: the exchange's own name of the stream.
        request: how it is asked for, as the envelope records it.
        interval: of bars, else empty.
    """

    exchange: str
    kind: str
    dataset: Dataset
    instrument: str
    channel: str
    request: Mapping[str, object]
    interval: str = ""

    @property
    def is_numbered(self) -> bool:
        """Whether its rows carry ids that run on, so that a hole shows."""
        return self.dataset in NUMBERED

    @property
    def step(self) -> int:
        """How far two rows that adjoin are apart: one id, or a minute in ms of bars."""
        return 1 if self.is_numbered else MINUTE_MS


@dataclass(frozen=True, slots=True)
class Said:
    """What a frame says to the collector itself.

    Attributes:
        kind: `answer` to a message of ours; `shutdown`, the server will close the connection;
            `test_request`, it wants a sign of life; `nothing` of interest; `odd`, nobody
            understands it.
        number: of the message that is answered.
        granted: the channels that the answer grants, None where it does not list them.
        error: the exchange's own words where it refuses.
    """

    kind: Literal["answer", "shutdown", "test_request", "nothing", "odd"]
    number: int = 0
    granted: frozenset[str] | None = None
    error: str = ""


class Frame(NamedTuple):
    """A frame as read: of a stream with its rows' ids and times (ms), or said to the collector.

    A frame of a stream may have no ids: a bar that is still forming, an index price.
    """

    stream: Stream | None
    ids: Sequence[int] = ()
    times: Sequence[int] = ()
    said: Said | None = None


ODD = Frame(None, said=Said("odd"))
