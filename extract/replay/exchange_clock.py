"""The time that each segment of the replay exchange answers: it stands still, or runs if asked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from email.utils import format_datetime

from extract.replay.limits import Seconds
from lake.clock import to_micros
from lake.errors import UsageError

SPOT = "binance/spot"
USDM = "binance/usdm"
COINM = "binance/coinm"
ARCHIVE = "binance/archive"
DERIBIT = "deribit"
DERIBIT_HISTORY = "deribit-history"
SEGMENTS = (SPOT, USDM, COINM, ARCHIVE, DERIBIT, DERIBIT_HISTORY)

MICROS = 1_000_000
RECORDED_NOW = datetime(2025, 9, 2, tzinfo=UTC)
GENERATED_NOW = datetime(2024, 8, 9, 0, 15, tzinfo=UTC)

# Spot and archive stand shortly after the newest recording. Futures serve only their last 48 hours,
# so their clock stands shortly after the generated tape.
DEFAULT_NOW: Mapping[str, datetime] = {
    SPOT: RECORDED_NOW,
    ARCHIVE: RECORDED_NOW,
    USDM: GENERATED_NOW,
    COINM: GENERATED_NOW,
    DERIBIT: GENERATED_NOW,
    DERIBIT_HISTORY: GENERATED_NOW,
}


@dataclass(frozen=True, slots=True)
class Instant:
    """What one answer takes for now."""

    moment: datetime

    @property
    def micros(self) -> int:
        """Microseconds since the epoch."""
        return to_micros(self.moment)

    @property
    def millis(self) -> int:
        """Milliseconds since the epoch."""
        return self.micros // 1000

    @property
    def http_date(self) -> str:
        """The text of the HTTP `Date` header."""
        return format_datetime(self.moment.replace(microsecond=0), usegmt=True)

    def skewed(self, seconds: int) -> Instant:
        """Return the instant that a clock running ahead by `seconds` would show."""
        return Instant(self.moment + timedelta(seconds=seconds))


@dataclass(frozen=True, slots=True)
class Live:
    """Makes the segments' clocks run.

    Attributes:
        start: the exchange's moment at which serving begins.
        speed: exchange seconds that pass in a real one.
    """

    start: datetime
    speed: Decimal | int = 1

    def __post_init__(self) -> None:
        if self.start.tzinfo is None:
            raise UsageError(
                f"the live clock can't start at {self.start}: it names no time zone",
                hint="Use a moment in UTC, such as 2025-03-25T23:07:00Z.",
            )
        if not Decimal(self.speed).is_finite() or self.speed <= 0:
            raise UsageError(
                f"the live clock can't run at speed {self.speed}", hint="Use 1 for real time."
            )


class SegmentClocks:
    """What each segment takes for now: always the same, or running from when serving began.

    Standing still makes runs alike to the byte; live collectors need time to pass.
    """

    def __init__(self, named: Mapping[str, datetime], live: Live | None, seconds: Seconds) -> None:
        self._live = live
        self._seconds = seconds
        self._began_seconds: float | None = None
        otherwise = DEFAULT_NOW if live is None else dict.fromkeys(SEGMENTS, live.start)
        self._start = {**otherwise, **named}

    @property
    def is_live(self) -> bool:
        """Whether time passes."""
        return self._live is not None

    def millis_in(self, seconds: Decimal) -> int:
        """Return how many of the exchange's ms pass in real seconds; 1 at least."""
        speed = 0 if self._live is None else self._live.speed
        return max(1, int(seconds * 1000 * speed))

    def start(self) -> None:
        """Let the clocks run from now on, where they are to run."""
        self._began_seconds = self._seconds()

    def instant(self, segment: str) -> Instant:
        """Return a segment's clock."""
        moment = self._start[segment]
        if self._live is None or self._began_seconds is None:
            return Instant(moment)
        passed = int((self._seconds() - self._began_seconds) * MICROS)
        return Instant(moment + timedelta(microseconds=int(passed * self._live.speed)))

    def moments(self) -> dict[str, datetime]:
        """Return all segments' clocks."""
        return {segment: self.instant(segment).moment for segment in self._start}
