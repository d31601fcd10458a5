"""The misbehaviour that a test has ordered: which answer or message goes wrong, and how often."""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterable, Mapping
from dataclasses import asdict, dataclass, fields, replace
from fnmatch import fnmatchcase
from random import Random

from lake.errors import UsageError

#: What may go wrong with an answer over HTTP.
ANSWER_KINDS = (
    "rate_limited",
    "banned",
    "server_error",
    "html",
    "error_object",
    "stall",
    "cut_body",
    "half_body",
    "empty_page",
    "duplicated_page",
    "reversed_page",
    "clock_skew",
    "unknown_field",
    "missing_field",
    "bad_price",
    "negative_quantity",
    "zero_quantity",
    "exponent",
    "too_big",
    "future_time",
    "same_id",
    "bad_name",
)
#: What may go wrong with a message of a stream.
MESSAGE_KINDS = (
    "disconnect",
    "random_disconnect",
    "half_message",
    "binary_junk",
    "error_message",
    "silence",
    "old_message",
    "duplicated_message",
    "event_time_skew",
    "dropped_message",
)
#: What may go wrong around the messages of streams.
CONNECTION_KINDS = ("refused_connection", "refused_subscription", "no_ping")
KINDS = (*ANSWER_KINDS, *MESSAGE_KINDS, *CONNECTION_KINDS)


@dataclass(frozen=True, slots=True)
class Fault:
    """One order of misbehaviour.

    Attributes:
        kind: one of `KINDS`.
        segment: pattern of the segment, such as `binance/*`.
        path: pattern of the path in it, such as `*/aggTrades`; of streams the stream or channel,
            such as `btcusdt@trade`; of `no_ping` it is `ping` (Deribit: `heartbeat`).
        times: how many answers, or messages of streams, it spoils.
        after: how many matching requests, or messages, pass unharmed before.
        retry_after: seconds in `Retry-After` (rate_limited, banned).
        status: of server_error.
        seconds: how long a stall lasts or connections are refused, or how far the clock is off.
        row: which row of the page is spoilt; None for the one in the middle.
        field: which field is missing; None for the price.
        name: the name that discovery lists (bad_name).
        one_in: a message in so many is the last one (random_disconnect).
        seed: of that chance: the same seed ends connections after the same messages.
    """

    kind: str
    segment: str = "*"
    path: str = "*"
    times: int = 1
    after: int = 0
    retry_after: int = 1
    status: int = 502
    seconds: int = 3600
    row: int | None = None
    field: str | None = None
    name: str = "../../EVIL/USDT"
    one_in: int = 100
    seed: int = 0

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise UsageError(
                f"there is no fault `{self.kind}`", hint=f"One of: {', '.join(KINDS)}."
            )
        if self.one_in < 1:
            raise UsageError(
                f"a chance of one in {self.one_in} can't be drawn", hint="Use 1 or more."
            )

    def drawn(self) -> Fault:
        """Return the order with its chance drawn: so many more messages pass before it."""
        if self.kind != "random_disconnect":
            return self
        random = Random(f"{self.seed}/{self.times}")
        passed = 0
        while random.randrange(self.one_in):
            passed += 1
        return replace(self, after=self.after + passed)

    def matches(self, segment: str, path: str) -> bool:
        """Say whether it is meant for a request."""
        return fnmatchcase(segment, self.segment) and fnmatchcase(path, self.path)


def fault_from(entry: Mapping[str, object]) -> Fault:
    """Return a fault from its JSON object.

    Raises:
        UsageError: an unknown kind or key, or a value of the wrong type.
    """
    kinds_of_field = {field.name: field.type for field in fields(Fault)}
    for name, value in entry.items():
        wanted = str(kinds_of_field.get(name, ""))
        right = isinstance(value, int) if "int" in wanted else isinstance(value, str)
        if not wanted or not right:
            raise UsageError(
                f"a fault can't have `{name}` = {value!r}",
                hint=f"Its keys are: {', '.join(kinds_of_field)}.",
            )
    return Fault(**entry)  # type: ignore[arg-type]


class FaultBoard:
    """The orders still open; may be used from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._open: list[Fault] = []
        self._served = 0

    def add(self, faults: Iterable[Fault]) -> None:
        """Order more faults; they are served in the order in which they came."""
        with self._lock:
            self._open.extend(fault.drawn() for fault in faults)

    def clear(self) -> None:
        """Drop every open order."""
        with self._lock:
            self._open.clear()

    def left(self) -> list[dict[str, object]]:
        """Return the open orders with the `times` and `after` that are left."""
        with self._lock:
            return [asdict(fault) for fault in self._open]

    @property
    def served(self) -> int:
        """How many answers have been spoilt so far."""
        return self._served

    def may_spoil_streams(self) -> bool:
        """Say whether any order is for a stream; cheap enough to ask before every message."""
        return any(fault.kind in MESSAGE_KINDS for fault in self._open)

    def take(self, segment: str, path: str, kinds: Collection[str] = ANSWER_KINDS) -> Fault | None:
        """Return the fault of these kinds that spoils this request, if any, and count it."""
        with self._lock:
            for place, fault in enumerate(self._open):
                if fault.kind not in kinds or not fault.matches(segment, path):
                    continue
                if fault.after:
                    self._open[place] = replace(fault, after=fault.after - 1)
                    continue
                self._spend(place, fault)
                return fault
            return None

    def _spend(self, place: int, fault: Fault) -> None:
        self._served += 1
        if fault.times > 1:
            self._open[place] = replace(fault, times=fault.times - 1).drawn()
        else:
            del self._open[place]
