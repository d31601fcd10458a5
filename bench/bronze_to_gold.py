"""Trades a second from bronze to gold, gates included, beside the same work done by DuckDB.

Run by `python -m bench.bronze_to_gold --days 23`; a day is 863,403 aggregate trades.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import duckdb
from deltalake import DeltaTable

from bench import duck, tape
from jobs import gates, gold, silver
from jobs.context import Context, open_context, open_lake
from lake.tables import GOLD_OHLCV, TABLES

#: Our bars and DuckDB's, each value as an exact decimal; what is in one of both only is a fault.
DIFFERING = """
WITH ours AS (SELECT instrument, bar_interval, epoch_us(bar_start) AS bar_start, {values}
              FROM ours),
     theirs AS (SELECT instrument, bar_interval, epoch_us(bar_start) AS bar_start, {values}
                FROM '{out}/ohlcv.parquet')
SELECT (SELECT count(*) FROM (FROM ours EXCEPT FROM theirs))
     + (SELECT count(*) FROM (FROM theirs EXCEPT FROM ours)), (SELECT count(*) FROM ours)
"""
VALUES = ("open", "high", "low", "close", "volume", "quote_volume", "trade_count")


@dataclass
class Watch:
    """Seconds by step."""

    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def timed(self, step: str) -> Iterator[None]:
        """Add what the block takes to a step."""
        began = time.perf_counter()
        yield
        self.seconds[step] = self.seconds.get(step, 0.0) + time.perf_counter() - began


def main() -> None:
    """Make the tape, do the work twice, compare the bars, and print what was seen."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--days", type=int, default=1)
    parser.add_argument("--threads", type=int, default=2)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="candlelake-bench-") as folder:
        root, out = Path(folder) / "lake", Path(folder) / "duck"
        lake = open_lake("replay", [f"lake.root={root}"])
        rows = tape.land(lake.store, asked.days)
        theirs = duck.run(root / "bronze" / "agg_trades", out, asked.threads)
        watch = Watch()
        with open_context("bench", lake, writes=tuple(TABLES.values())) as context:
            context.tables.ensure(*TABLES.values())
            memory = _refined(context, watch)
        _told(rows, watch, theirs, memory, _compared(root, out))


def _refined(context: Context, watch: Watch) -> int:
    """Run bronze to gold under the watch; return the JVM's highest resident size in bytes."""
    gates.judged = _counted(watch, gates.judged)
    with watch.timed("bronze to silver"):
        silver.consume(context, "agg_trades")
    with watch.timed("silver to gold"):
        gold.follow(context)
    process = context.spark._jvm.ProcessHandle.current().pid()  # type: ignore[union-attr]  # noqa: SLF001
    status = Path(f"/proc/{process}/status").read_text(encoding="ascii")
    highest = next(line for line in status.splitlines() if line.startswith("VmHWM"))
    return int(highest.split()[1]) * 1024


def _counted(watch: Watch, judged: Callable[..., Any]) -> Callable[..., Any]:
    def counted(*arguments: Any, **named: Any) -> Any:
        with watch.timed("gates, beside the counting pass"):
            return judged(*arguments, **named)

    return counted


def _compared(root: Path, out: Path) -> tuple[int, int]:
    """Return how many bars differ between our gold and DuckDB's, and how many there are."""
    connection = duckdb.connect()
    ours = DeltaTable(str(root / GOLD_OHLCV.path)).to_pyarrow_table()
    connection.register("ours", ours)
    exact = ", ".join(f"{name}::DECIMAL(38, 14) AS {name}" for name in VALUES)
    found = connection.execute(DIFFERING.format(values=exact, out=out)).fetchone()
    assert found is not None
    return int(found[0]), int(found[1])


def _told(rows: int, watch: Watch, theirs: float, memory: int, compared: tuple[int, int]) -> None:
    refining = watch.seconds["bronze to silver"] + watch.seconds["silver to gold"]
    print(f"{rows:,} aggregate trades")
    for step, seconds in watch.seconds.items():
        print(f"  {step}: {seconds:.1f} s")
    print(f"  Candlelake: {rows / refining:,.0f} trades a second, JVM at most {memory >> 20} MiB")
    print(f"  DuckDB: {theirs:.1f} s, {rows / theirs:,.0f} trades a second")
    print(f"  bars that differ: {compared[0]} of {compared[1]}")
    sys.exit(1 if compared[0] else 0)


if __name__ == "__main__":
    main()
