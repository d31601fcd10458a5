"""Make a long tape of real trades: the bundled day again and again, on later days."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from lake.bronze import BronzeName, Coverage, Envelope, to_file
from lake.clock import from_millis
from lake.objects import ObjectStore

RECORDING = (
    Path(__file__).resolve().parent.parent / "recordings" / "BTCUSDT-aggTrades-2024-01-01.zip"
)
DAY_MS = 86_400_000
LINES_A_CHUNK = 2_000
LINES_A_FILE = 50_000
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def land(store: ObjectStore, days: int) -> int:
    """Land `days` copies of the bundled day as archive parts; return the number of rows."""
    lines = recorded()
    spans = (lines[-1][0] - lines[0][0] + 1, lines[-1][4] - lines[0][3] + 1)
    for day in range(days):
        shifted = [_shifted(line, day, spans) for line in lines]
        for first in range(0, len(shifted), LINES_A_FILE):
            _land_part(store, shifted, first, lines[0][5] // DAY_MS * DAY_MS + day * DAY_MS)
    return days * len(lines)


def archive_days(days: int) -> Iterator[tuple[int, bytes]]:
    """Yield the start (ms) and the lines of `days` copies of the bundled day, as archived."""
    lines = recorded()
    spans = (lines[-1][0] - lines[0][0] + 1, lines[-1][4] - lines[0][3] + 1)
    for day in range(days):
        start = lines[0][5] // DAY_MS * DAY_MS + day * DAY_MS
        yield start, "".join(written(_shifted(line, day, spans)) for line in lines).encode()


Line = tuple[int, str, str, int, int, int, str]


def recorded() -> list[Line]:
    """Return the lines of the bundled day."""
    with zipfile.ZipFile(RECORDING) as archive, archive.open(archive.namelist()[0]) as file:
        return [_read(raw.decode()) for raw in file]


def _read(text: str) -> Line:
    agg_id, price, quantity, first, last, time, rest = text.rstrip("\n").split(",", 6)
    return int(agg_id), price, quantity, int(first), int(last), int(time), rest


def _shifted(line: Line, day: int, spans: tuple[int, int]) -> Line:
    agg_id, price, quantity, first, last, time, rest = line
    ids, trades = spans
    return (
        agg_id + day * ids,
        price,
        quantity,
        first + day * trades,
        last + day * trades,
        time + day * DAY_MS,
        rest,
    )


def written(line: Line) -> str:
    """Return a line as the archive writes it."""
    return ",".join(map(str, line)) + "\n"


def _land_part(store: ObjectStore, lines: list[Line], first: int, day_start: int) -> None:
    part = lines[first : first + LINES_A_FILE]
    is_last = first + LINES_A_FILE >= len(lines)
    coverage = Coverage(
        part[0][0],
        part[-1][0],
        day_start if first == 0 else part[0][5],
        day_start + DAY_MS if is_last else part[-1][5],
    )
    name = BronzeName("agg_trades", "binance", "spot", "BTCUSDT", "archive", coverage, "bench")
    store.create(name.key, to_file(_envelopes(part, day_start)))


def _envelopes(part: list[Line], day_start: int) -> Iterator[Envelope]:
    zip_name = f"BTCUSDT-aggTrades-{from_millis(day_start):%Y-%m-%d}.zip"
    for sequence, first in enumerate(range(0, len(part), LINES_A_CHUNK), start=1):
        body = "".join(map(written, part[first : first + LINES_A_CHUNK]))
        yield Envelope(
            exchange="binance",
            kind="spot",
            dataset="agg_trades",
            instrument="BTCUSDT",
            mode="archive",
            region="bench",
            request={"zip": zip_name, "first_line": first + 1},
            status=200,
            end_download_timestamp=NOON,
            knowledge_timestamp=NOON,
            run_id="bench",
            sequence=sequence,
            body=body.encode(),
        )
