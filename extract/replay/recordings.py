"""Which recordings ship with the project, and how their bytes are opened."""

from __future__ import annotations

import csv
import gzip
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from pathlib import Path

from extract.replay.false_rows import RecordedBar
from lake.clock import to_millis

DIRECTORY = Path(__file__).resolve().parents[2] / "recordings"


@dataclass(frozen=True, slots=True)
class Recording:
    """One recorded file of Binance spot and what it holds.

    Attributes:
        dataset: `aggTrades`, `trades` or `klines`.
        first_id: lowest aggregate or trade id; None for klines.
        start: time of the first row, ISO 8601 UTC, as precise as recorded.
        end: time of the last row (klines: open time of the last bar).
        rows: rows served; false rows of a klines recording are not counted.
        interval: of klines, else None.
    """

    file: str
    dataset: str
    symbol: str
    start: str
    end: str
    rows: int
    first_id: int | None = None
    last_id: int | None = None
    interval: str | None = None

    def touches(self, after_ms: int, until_ms: int) -> bool:
        """Say whether a row may lie in (after, until]."""
        first_ms, last_ms = self.span_ms
        return first_ms <= until_ms and last_ms > after_ms

    @property
    def span_ms(self) -> tuple[int, int]:
        """The times of the first and the last row, in ms."""
        return _span(self)


@cache
def _span(recording: Recording) -> tuple[int, int]:
    start, end = map(datetime.fromisoformat, (recording.start, recording.end))
    return to_millis(start), to_millis(end)


DAY_ARCHIVE = Recording(
    file="BTCUSDT-aggTrades-2024-01-01.zip",
    dataset="aggTrades",
    symbol="BTCUSDT",
    start="2024-01-01T00:00:00.000Z",
    end="2024-01-01T23:59:59.999Z",
    rows=863_403,
    first_id=2_807_759_891,
    last_id=2_808_623_293,
)
BTC_MICROS = Recording(
    file="BTCUSDT-aggTrades-2025-09-01-first-10k-us.csv.gz",
    dataset="aggTrades",
    symbol="BTCUSDT",
    start="2025-09-01T00:00:00.178247Z",
    end="2025-09-01T00:09:40.238655Z",
    rows=10_001,
    first_id=3_664_796_852,
    last_id=3_664_806_852,
)
ETH_MICROS = Recording(
    file="ETHUSDT-aggTrades-2025-09-01-first-10k-us.csv.gz",
    dataset="aggTrades",
    symbol="ETHUSDT",
    start="2025-09-01T00:00:00.316508Z",
    end="2025-09-01T00:06:34.504828Z",
    rows=10_001,
    first_id=1_692_296_325,
    last_id=1_692_306_325,
)
TRADES_FILE = "spot-trades-BTCUSDT-ETHUSDT-SOLUSDT-2025-03-25.csv.gz"
BTC_TRADES = Recording(
    file=TRADES_FILE,
    dataset="trades",
    symbol="BTCUSDT",
    start="2025-03-25T23:07:00.715Z",
    end="2025-03-25T23:10:04.940Z",
    rows=6_770,
    first_id=4_744_868_157,
    last_id=4_744_874_926,
)
ETH_TRADES = Recording(
    file=TRADES_FILE,
    dataset="trades",
    symbol="ETHUSDT",
    start="2025-03-25T23:07:01.433Z",
    end="2025-03-25T23:10:04.132Z",
    rows=1_805,
    first_id=2_279_084_342,
    last_id=2_279_086_146,
)
SOL_TRADES = Recording(
    file=TRADES_FILE,
    dataset="trades",
    symbol="SOLUSDT",
    start="2025-03-25T23:07:01.315Z",
    end="2025-03-25T23:10:02.846Z",
    rows=2_457,
    first_id=1_169_618_299,
    last_id=1_169_620_755,
)
HOURLY_BARS = Recording(
    file="BTCUSDT-1h-klines-2017-08-17_2024-01-01.csv.gz",
    dataset="klines",
    symbol="BTCUSDT",
    start="2017-08-17T04:00:00Z",
    end="2024-01-01T23:00:00Z",
    rows=55_765,
    interval="1h",
)
HALT_BARS = Recording(
    file="BTCUSDT-5m-klines-2023-03-23_2023-03-25.csv.gz",
    dataset="klines",
    symbol="BTCUSDT",
    start="2023-03-23T00:00:00Z",
    end="2023-03-25T23:55:00Z",
    rows=848,
    interval="5m",
)
CATALOGUE = (
    DAY_ARCHIVE,
    BTC_MICROS,
    ETH_MICROS,
    BTC_TRADES,
    ETH_TRADES,
    SOL_TRADES,
    HOURLY_BARS,
    HALT_BARS,
)
FALSE_ROWS_FILE = "BTCUSDT-1h-klines-2017-08-17_2024-01-01.false-rows.csv"


def read_bytes(directory: Path, recording: Recording) -> bytes:
    """Return the rows of a recording as the file holds them, decompressed."""
    path = directory / recording.file
    if path.suffix == ".zip":
        with zipfile.ZipFile(path) as archive:
            return archive.read(archive.namelist()[0])
    return gzip.decompress(path.read_bytes())


def read_bars(directory: Path, recording: Recording) -> Iterator[RecordedBar]:
    """Yield every row of a klines recording, false ones included, in the file's order."""
    text = read_bytes(directory, recording).decode()
    lines = (line for line in text.splitlines() if not line.startswith("#"))
    rows = csv.reader(lines)
    next(rows)
    for row in rows:
        yield RecordedBar(row[0], row[6], (*row[1:6], *row[7:11]))


def false_open_times(directory: Path) -> frozenset[str]:
    """Return the open times of the false 1h rows, from the list beside the recording."""
    lines = (directory / FALSE_ROWS_FILE).read_text().splitlines()
    return frozenset(line.split(",")[0] for line in lines[1:])
