"""A report as tables for people, and as one JSON object for programs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from datetime import timedelta
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table as Grid
from rich.text import Text

from jobs.status.report import HoleLine, Report, StreamLine, TableLine
from lake.clock import from_millis, to_iso

MILLISECOND = timedelta(milliseconds=1)
OF_STREAMS = (
    *("collector", "stream", "state", "age", "messages/s", "trades/s", "lag", "reconnects"),
    *("open", "closed", "lost", "bytes"),
)
OF_TABLES = ("table", "instrument", "complete until", "behind bronze")
OF_HOLES = ("dataset", "instrument", "open holes", "ids", "oldest")
OF_TEXT = {"collector", "stream", "state", "table", "dataset", "instrument"}
SIZES = ("B", "kB", "MB", "GB", "TB")


def as_tables(found: Report) -> RenderableType:
    """Return the tables: streams, then marks and open holes, then what is stale."""
    parts: list[RenderableType] = [_grid(OF_STREAMS, map(_stream_cells, found.streams))]
    if found.pipeline is None:
        parts.append("\nno pipeline has said yet how far the tables are")
    else:
        parts.append(f"\npipeline: last pass ended {found.pipeline.pass_ended}")
        parts.append(_grid(OF_TABLES, map(_table_cells, found.tables)))
    if found.holes:
        parts += ["", _grid(OF_HOLES, map(_hole_cells, found.holes))]
    parts += ["", *(Text(f"stale: {words}") for words in found.findings)]
    return Group(*parts if found.findings else (*parts, "all is fresh"))


def as_json(found: Report) -> dict[str, Any]:
    """Return the report as one JSON object; times are ISO 8601 in UTC, spans ms."""
    return {
        "now": to_iso(found.now),
        "fresh": found.is_fresh,
        "findings": list(found.findings),
        "collectors": [
            {**asdict(one), "streams": len(one.streams), "state": one.life(found.now)}
            for one in found.collectors
        ],
        "streams": list(map(_stream_record, found.streams)),
        "pipeline": asdict(found.pipeline) if found.pipeline else None,
        "tables": [
            {**asdict(one.mark), "behind_ms": _ms(one.behind), "stale": one.stale}
            for one in found.tables
        ],
    }


def span(length: timedelta | None) -> str:
    """Return a length of time in few characters: `1.5s`, `42s`, `3m05s`, `2h10m`, `5d`."""
    if length is None:
        return "-"
    seconds = max(0, length // timedelta(seconds=1))
    if seconds < 10:
        return f"{max(0, length // MILLISECOND) / 1000:.1f}s"
    if seconds < 60:
        return f"{seconds}s"
    if seconds < 3600:
        return f"{seconds // 60}m{seconds % 60:02}s"
    days, hours = seconds // 86400, seconds // 3600
    return f"{days}d" if days > 2 else f"{hours}h{seconds // 60 % 60:02}m"


def size(count: int) -> str:
    """Return bytes in decimal units: `812 B`, `1.2 MB`."""
    power = min((len(str(count)) - 1) // 3, len(SIZES) - 1)
    return f"{count / 1000**power:.1f} {SIZES[power]}" if power else f"{count} B"


def lag_of(line: StreamLine) -> timedelta | None:
    """Return how long after the exchange's time a stream's newest row landed."""
    lag_ms = line.state.lag_ms
    return None if lag_ms is None else timedelta(milliseconds=lag_ms)


def _grid(headers: Sequence[str], rows: Iterator[Sequence[str]]) -> Grid:
    grid = Grid(box=None, pad_edge=False)
    for header in headers:
        grid.add_column(header, justify="left" if header in OF_TEXT else "right", no_wrap=True)
    for row in rows:
        # a name may hold brackets, which are markup to rich
        grid.add_row(*map(Text, row))
    return grid


def _stream_cells(line: StreamLine) -> Sequence[str]:
    one = line.state
    rates = (line.rate(one.interval_messages), line.rate(one.interval_trades))
    return (
        line.collector.region,
        line.name,
        "refused" if one.refused else line.life,
        span(line.age),
        *("-" if rate is None else f"{rate:.1f}" for rate in rates),
        span(lag_of(line)),
        f"{one.reconnects:,}",
        *(f"{count:,}" for count in (one.holes_open, one.holes_closed, one.holes_lost)),
        size(one.bytes),
    )


def _table_cells(line: TableLine) -> Sequence[str]:
    until = from_millis(line.mark.complete_until_ms)
    instrument = " ".join(line.mark.listing)
    return (line.mark.table_name, instrument, f"{until:%Y-%m-%d %H:%M:%S}", span(line.behind))


def _hole_cells(line: HoleLine) -> Sequence[str]:
    one = line.holes
    instrument, oldest = " ".join(one.listing), f"{line.oldest:%Y-%m-%d %H:%M:%S}"
    return (one.dataset, instrument, f"{one.holes:,}", f"{one.ids:,}", oldest)


def _stream_record(line: StreamLine) -> dict[str, Any]:
    one = line.state
    return {
        "region": line.collector.region,
        "run_id": line.collector.run_id,
        "state": line.life,
        **asdict(one),
        "age_ms": _ms(line.age),
        "messages_per_second": line.rate(one.interval_messages),
        "trades_per_second": line.rate(one.interval_trades),
        "stale": line.stale,
    }


def _ms(length: timedelta | None) -> int | None:
    return None if length is None else length // MILLISECOND
