"""Trades a second from a bulk archive on loopback into bronze, verified; and years of bars.

Run by `python -m bench.archive_landing --days 3`; a day is 863,403 aggregate trades.
"""

from __future__ import annotations

import argparse
import hashlib
import multiprocessing
import resource
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from bench import tape
from extract.client import Client
from extract.coverage import DAY_MS, month_end
from extract.landing import Landed
from extract.venues.binance import archive_path
from extract.window import extract_bars, extract_trades
from lake.bronze import Dataset
from lake.clock import SystemClock, from_millis
from lake.objects import FolderStore
from lake.settings import Settings, load_settings

MINUTE_MS = 60_000
JAN_2019_MS = 1_546_300_800_000
MONTHS_A_YEAR = 12
SYMBOL = "BTCUSDT"


def main() -> None:
    """Make an archive, serve it from a process of its own, land it, and print what was seen."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--days", type=int, default=3)
    parser.add_argument("--years", type=int, default=6)
    parser.add_argument("--workers", type=int, default=2)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="candlelake-bench-") as folder:
        top = Path(folder)
        with _archive(top / "archive", asked.days, asked.years) as (url, days, months):
            sets = [f"exchanges.binance.archive_url={url}", f"extract.workers={asked.workers}"]
            land = partial(_landed, load_settings("replay", sets), FolderStore(top / "lake"))
            trades = partial(extract_trades, dataset="agg_trades")
            rate = _told("aggregate trades", land, trades, days)
            print(f"  {rate:,.0f} trades a second")
            _told("bars of a minute", land, partial(extract_bars, interval="1m"), months)
    highest = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(f"memory: at most {highest >> 10} MiB")


def _told(
    of: str, land: Callable[..., Landed], extract: Callable[..., Landed], window: tuple[int, int]
) -> float:
    """Land a window, print what it took, and return the rows a second."""
    wall, processor = time.perf_counter(), time.process_time()
    landed = land(extract, window)
    wall, processor = time.perf_counter() - wall, time.process_time() - processor
    again = land(extract, window)
    assert (again.requests, again.files_created) == (0, 0)
    print(f"{landed.rows:,} {of}: {wall:.2f} s wall, {processor:.2f} s of processor time")
    return landed.rows / wall


def _landed(
    settings: Settings,
    store: FolderStore,
    extract: Callable[..., Landed],
    window: tuple[int, int],
) -> Landed:
    return extract(
        settings,
        store,
        exchange="binance",
        kind="spot",
        instrument=SYMBOL,
        start_ms=window[0],
        end_ms=window[1],
        run_id="bench",
        clock=SystemClock(),
        source="archive",
        client=Client(settings),
    )


Served = tuple[str, tuple[int, int], tuple[int, int]]


@contextmanager
def _archive(top: Path, days: int, years: int) -> Iterator[Served]:
    """Give the archive's address and the windows of its trades and its bars."""
    context = multiprocessing.get_context("fork")
    told, tell = context.Pipe(duplex=False)
    server = context.Process(target=_serve, args=(top, days, years, tell))
    server.start()
    try:
        yield told.recv()
    finally:
        server.terminate()
        server.join()


def _serve(top: Path, days: int, years: int, tell: Any) -> None:
    trades, bars = _make_days(top, days), _make_months(top, years)
    handler = partial(_Quiet, directory=str(top))
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    tell.send((f"http://127.0.0.1:{server.server_port}", trades, bars))
    server.serve_forever()


class _Quiet(SimpleHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Keep quiet."""


def _make_days(top: Path, days: int) -> tuple[int, int]:
    starts = [_put(top, "agg_trades", *day) for day in tape.archive_days(days)]
    return starts[0], starts[-1] + DAY_MS


def _make_months(top: Path, years: int) -> tuple[int, int]:
    start = JAN_2019_MS
    for _ in range(years * MONTHS_A_YEAR):
        end = month_end(start)
        lines = "".join(_bar(time_ms) for time_ms in range(start, end, MINUTE_MS))
        _put(top, "klines", start, lines.encode(), form="%Y-%m")
        start = end
    return JAN_2019_MS, start


def _bar(time_ms: int) -> str:
    """Return a line as long as a real one, whose digits change as those do."""
    place = time_ms // MINUTE_MS
    low, count = 20_000 + place * 7919 % 30_000, place * 104_729 % 9_000
    prices = ",".join(f"{low + step}.{place % 97:02}000000" for step in (3, 9, 0, 5))
    amounts = f"{count}.{place % 99_991:08},{time_ms + MINUTE_MS - 1},{low * count}.12345678"
    return f"{time_ms},{prices},{amounts},{count},{count // 2}.00012300,{low * count // 2}.5,0\n"


def _put(top: Path, dataset: Dataset, start_ms: int, lines: bytes, form: str = "%Y-%m-%d") -> int:
    period = from_millis(start_ms).strftime(form)
    path = top / archive_path("spot", dataset, SYMBOL, period, "1m").lstrip("/")
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(f"{path.stem}.csv", lines)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    Path(f"{path}.CHECKSUM").write_text(f"{digest}  {path.name}\n", encoding="ascii")
    return start_ms


if __name__ == "__main__":
    main()
