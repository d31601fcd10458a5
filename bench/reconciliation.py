"""Seconds to hold a day of trades by REST against the same day by the archive, row by row.

Run by `python -m bench.reconciliation --trades 10000000`. One row in 100,000 differs, in turns for
each cause that there can be, and each has to be found with its cause. `--rows` parses every row,
for comparison, and settles no block.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bench import two_sources
from jobs.context import Context, open_context, open_lake
from jobs.incidents import memory
from jobs.options import Segment, Selection
from jobs.reconciliation import checks
from jobs.reconciliation.settled import reading
from lake.clock import from_millis
from lake.tables import OPS_RECONCILIATION_DIFFERENCES, TABLES

WINDOW = (from_millis(two_sources.DAY), from_millis(two_sources.DAY + two_sources.DAY_MS))


def main() -> None:
    """Make the day, reconcile it, and print what was seen."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trades", type=int, default=10_000_000)
    parser.add_argument("--every", type=int, default=100_000, help="one row of so many differs")
    parser.add_argument("--passes", type=int, default=1, help="how often, in the same JVM")
    parser.add_argument("--rows", action="store_true", help="settle no block: every row is parsed")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="candlelake-bench-") as folder:
        lake = open_lake("replay", [f"lake.root={folder}/lake", "reconcile.keep_rows=0"])
        landed = two_sources.land(lake.store, asked.trades, asked.every)
        if asked.rows:
            reading.SOURCES = ()
        with open_context("bench", lake, writes=tuple(TABLES.values())) as context:
            context.tables.ensure(*TABLES.values())
            _tell(context, landed)
            for _ in range(asked.passes):
                _told(context, asked.trades, landed)


def _tell(context: Context, landed: two_sources.Landed) -> None:
    """Tell of what happened, each time for one millisecond."""
    for cause, moment in landed.incidents:
        given: dict[str, Any] = {
            "exchange": "binance",
            "kind": "spot",
            "instrument": None,
            "cause": cause,
            "started_at": from_millis(moment),
            "ended_at": from_millis(moment + 1),
            **dict.fromkeys(("description", "link", "reported_by")),
        }
        memory.tell(context, memory.begun(context, {**given, "title": cause}))


def _told(context: Context, trades: int, landed: two_sources.Landed) -> None:
    process = context.spark._jvm.ProcessHandle.current().pid()  # type: ignore[union-attr]  # noqa: SLF001
    print(f"JVM before: {_memory(process) >> 20} MiB")
    with _timed(process):
        (outcome,) = checks.run(context, _plan(), _selection())
    (row,) = outcome.rows
    rows = row["left_rows"] + row["right_rows"]
    print(f"{trades:,} trades, {rows:,} rows of two sources, matched {row['matched']:,}")
    print(f"checksums {row['left_hash']} {row['right_hash']}, findings {row['findings']}")
    print(f"JVM at most {_memory(process) >> 20} MiB")
    wanted, found = landed.causes, _found(context)
    right = len(found.items() & wanted.items())
    print(f"seeded {len(wanted)}, found {len(found)}, of these with their own cause {right}")
    for identifier, cause in sorted(wanted.items() ^ found.items()):
        print(f"  {identifier}: {cause}, found {found.get(identifier)}")
    if found != wanted:
        sys.exit(1)


def _plan() -> checks.Plan:
    return checks.Plan("archive", WINDOW, "", "never")


def _selection() -> Selection:
    segment = Segment("binance", "spot", (two_sources.INSTRUMENT,))
    return Selection((segment,), *WINDOW, ("agg_trades",), "rest")


@contextmanager
def _timed(process: int) -> Iterator[None]:
    """Print the seconds of the block, and the processor time that the JVM takes in it."""
    began, used = time.perf_counter(), _processor(process)
    yield
    seconds, took = time.perf_counter() - began, _processor(process) - used
    workers = [_memory(worker) >> 20 for worker in _workers(process)]
    print(f"reconciled in {seconds:.1f} s, {took:.1f} s of processor time of the JVM")
    print(f"workers at most {workers} MiB, load {os.getloadavg()[0]:.1f}")


def _processor(process: int) -> float:
    cells = Path(f"/proc/{process}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(cells[11]) + int(cells[12])) / os.sysconf("SC_CLK_TCK")


def _memory(process: int) -> int:
    """Return the highest resident size of a process in bytes."""
    status = Path(f"/proc/{process}/status").read_text(encoding="ascii")
    highest = next(line for line in status.splitlines() if line.startswith("VmHWM"))
    return int(highest.split()[1]) * 1024


def _workers(process: int) -> list[int]:
    """Return the Python processes that the JVM has started, and those that they have."""
    parents = {int(path.name): _parent(path) for path in Path("/proc").glob("[0-9]*")}
    found = {process}
    while more := {one for one, parent in parents.items() if parent in found} - found:
        found |= more
    return sorted(found - {process})


def _parent(path: Path) -> int:
    try:
        status = (path / "stat").read_text(encoding="ascii", errors="replace")
    except FileNotFoundError:
        return 0
    return int(status.rpartition(")")[2].split()[1])


def _found(context: Context) -> dict[int, str]:
    rows = context.tables.read(OPS_RECONCILIATION_DIFFERENCES).select("first_id", "cause")
    return {row["first_id"]: row["cause"] for row in rows.distinct().collect()}


if __name__ == "__main__":
    main()
