"""Names the archive's files: where a day or a month is published, and where bronze keeps it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from extract.coverage import DAY_MS, month_end
from extract.venues.binance import archive_path
from lake.bronze import Dataset, encoded
from lake.clock import from_millis

#: What the archive has files of months alone of (data.binance.vision: no daily/fundingRate).
MONTHLY = frozenset({"funding_rates"})
#: A zip, its checksum and what was said of it are kept below this.
TOP = "bronze/archive/binance/"


@dataclass(frozen=True, slots=True)
class ArchiveFile:
    """The file of one UTC day, or of one whole month.

    Attributes:
        kind: the venue's segment.
        dataset: what its lines are.
        instrument: the venue's name.
        interval: of klines, else empty.
        start_ms, until_ms: what it is of.
    """

    kind: str
    dataset: Dataset
    instrument: str
    interval: str
    start_ms: int
    until_ms: int

    @property
    def is_monthly(self) -> bool:
        """Whether it is of a month."""
        return self.until_ms - self.start_ms > DAY_MS

    @property
    def has_days(self) -> bool:
        """Whether its days are published too; funding rates come by the month alone."""
        return self.is_monthly and self.dataset not in MONTHLY

    @property
    def path(self) -> str:
        """The path at the archive."""
        period = from_millis(self.start_ms).strftime("%Y-%m" if self.is_monthly else "%Y-%m-%d")
        return archive_path(self.kind, self.dataset, self.instrument, period, self.interval)

    @property
    def name(self) -> str:
        """The file's own name."""
        return self.path.rpartition("/")[2]

    @property
    def key(self) -> str:
        """The key in bronze of the zip that landed first."""
        return f"{folder(self.kind, self.dataset, self.start_ms)}{encoded(self.name)}"

    def key_of(self, sha256: str) -> str:
        """Return the key in bronze of a zip that was published in the place of another."""
        top = folder(self.kind, self.dataset, self.start_ms)
        return f"{top}{sha256[:12]}/{encoded(self.name)}"

    def tag(self, sha256: str) -> str:
        """Return the tag of the parts of its zip with this SHA-256."""
        return f"{self.interval}-{sha256[:12]}" if self.interval else sha256[:12]

    def days(self) -> Iterator[ArchiveFile]:
        """Yield the daily files of the same time."""
        for start in range(self.start_ms, self.until_ms, DAY_MS):
            yield replace(self, start_ms=start, until_ms=start + DAY_MS)


def folder(kind: str, dataset: Dataset, time_ms: int) -> str:
    """Return the prefix of the zips of a dataset's month."""
    return f"{TOP}{encoded(kind)}/{dataset}/{from_millis(time_ms):%Y-%m}/"


def monthly_from(until_ms: int) -> int:
    """Return when (ms) the file of a month is published: the first Monday after its end."""
    return until_ms + -from_millis(until_ms).weekday() % 7 * DAY_MS


def is_month(from_ms: int, until_ms: int) -> bool:
    """Tell whether [`from_ms`, `until_ms`) is one whole month (UTC)."""
    return from_millis(from_ms).day == 1 and until_ms == month_end(from_ms)
