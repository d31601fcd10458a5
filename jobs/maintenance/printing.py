"""The report of a run: a line a table, for people or as JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict

from rich.table import Table as Grid

from jobs.maintenance.working import Outcome

COLUMNS = ("table", "files", "small", "bytes", "median", "partitions", "removed")


def as_grid(outcomes: Sequence[Outcome], *, is_dry: bool) -> Grid:
    """Return the tables and their sum; numbers before and after stand beside one another."""
    grid = Grid(box=None, pad_edge=False)
    names = (*COLUMNS[:5], "to compact", "to remove") if is_dry else COLUMNS
    for name in names:
        grid.add_column(name, justify="left" if name == "table" else "right")
    for one in outcomes:
        before, after = one.before, one.after
        grid.add_row(
            one.table,
            _moved(before.files, after.files),
            _moved(before.small, after.small),
            _moved(before.bytes, after.bytes),
            _moved(before.median, after.median),
            f"{one.partitions:,}",
            f"{one.removed:,}",
        )
    return grid


def as_json(outcomes: Sequence[Outcome]) -> str:
    """Return a JSON object a line."""
    return "\n".join(json.dumps(asdict(one), ensure_ascii=False) for one in outcomes)


def _moved(before: int, after: int) -> str:
    return f"{before:,}" if before == after else f"{before:,} > {after:,}"
