"""Seconds to discover and plan thousands of instruments, from a recorded discovery on loopback.

Run by `python -m bench.planning EXCHANGEINFO.json --count 5000`; the file is what Binance spot
answered, and its symbols are repeated under other names until there are enough.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

#: A window of time, bars and aggregates, and all that was ever traded.
PLANS = {
    "a day": ("--start", "2024-01-01", "--end", "2024-01-02"),
    "a day, aggregates and bars": (
        *("--start", "2024-01-01", "--end", "2024-01-02"),
        *("--datasets", "agg_trades,klines"),
    ),
    "since 2017": ("--start", "2017-07-01", "--end", "2024-01-02"),
    "all history": ("--mode", "start"),
}
COMMAND = "import sys; from jobs.cli import main; sys.exit(main())"


def main() -> None:
    """Serve the discovery and time the command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("recorded", type=Path)
    parser.add_argument("--count", type=int, default=5000)
    asked = parser.parse_args()
    with served(enlarged(asked.recorded, asked.count), []) as url:
        for words, options in PLANS.items():
            with tempfile.TemporaryDirectory(prefix="candlelake-bench-") as lake:
                began = time.monotonic()
                last = planned(url, Path(lake), options)
                print(f"{words}: {time.monotonic() - began:.1f} s; {last}")


def enlarged(recorded: Path, count: int) -> bytes:
    """Return the discovery with `count` symbols: the recorded ones, and copies of other names."""
    text = recorded.read_text(encoding="utf-8")
    document: dict[str, Any] = json.loads(text[text.index("{") :], parse_float=str)
    symbols = document["symbols"]
    document["symbols"] = [
        {**symbols[n % len(symbols)], "symbol": _name(symbols, n)} for n in range(count)
    ]
    return json.dumps(document).encode()


def _name(symbols: list[dict[str, Any]], number: int) -> str:
    name = str(symbols[number % len(symbols)]["symbol"])
    return name if number < len(symbols) else f"{name}{number // len(symbols)}"


def planned(url: str, lake: Path, options: tuple[str, ...]) -> str:
    """Plan every symbol; return the line that sums it up."""
    where = ["--env", "local", "--set", f"lake.root={lake}"]
    where += ["--set", f"exchanges.binance.spot.rest_url={url}"]
    what = ["--exchange", "binance", "--kind", "spot", "--instruments", "*"]
    words = [sys.executable, "-c", COMMAND, "plan", *where, *what, *options]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    return done.stdout.splitlines()[-1]


@contextmanager
def served(body: bytes, asked: list[str]) -> Iterator[str]:
    """Serve one body under every path, on a free loopback port; note each path."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Stay silent."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


if __name__ == "__main__":
    main()
