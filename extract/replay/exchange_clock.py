"""The time that each segment of the replay exchange answers: it stands still, so runs are alike."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

from lake.clock import to_micros

SPOT = "binance/spot"
USDM = "binance/usdm"
COINM = "binance/coinm"
ARCHIVE = "binance/archive"
DERIBIT = "deribit"
DERIBIT_HISTORY = "deribit-history"
SEGMENTS = (SPOT, USDM, COINM, ARCHIVE, DERIBIT, DERIBIT_HISTORY)

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
