"""Measure how quickly the API answers at a constant rate, load generator and database beside it.

    .venv/bin/python -m bench.publish --bars 10000000 --database data/bench/serve.sqlite
    .venv/bin/python -m bench.api --database data/bench/serve.sqlite --rate 500 --seconds 30

Starts `candlelake serve` on the database and asks it with vegeta: at a constant rate, however slow
answers are, so that a request that had to wait counts as long as it waited. Each question is for
another stretch of 1,000 one-minute bars of another series, at random: what the API keeps of answers
helps hardly any. Prints one line of JSON a kind of question: `bars`, the same as `gzip`, `csv` or
`filled`, and `latest`.

For PostgreSQL the password stands in CANDLELAKE_SERVE__DATABASE_PASSWORD, and the database is
`postgresql://user@host:port/name`.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

ROOT = Path(__file__).parents[1]
VEGETA = ROOT / "deploy" / "services" / "vegeta.sh"
SERVE = "import sys; from jobs.cli import main; sys.exit(main())"
MINUTE = 60_000
BARS = 1000
#: Questions that are made before the run; more than are asked of one, so that few come twice.
MOST_QUESTIONS = 100_000
PROMISED_MS = {"bars": 50, "latest": 10, "gzip": 50, "csv": 50, "filled": 50}


def main() -> None:
    """Serve, ask and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--database", required=True, help="a URL, or the embedded one's file")
    parser.add_argument("--rate", type=int, default=500, help="requests a second")
    parser.add_argument("--seconds", type=int, default=30)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--questions", default="bars,latest", help=f"of {', '.join(PROMISED_MS)}")
    asked = parser.parse_args()
    with served(asked.database, asked.workers) as (url, server):
        series = series_of(url)
        for question in asked.questions.split(","):
            targets = [target(url, question, one) for one in drawn(series, asked)]
            encoding = "gzip" if question == "gzip" else "identity"
            attack(targets[: asked.rate], asked.rate, 2, encoding)
            before = cpu_seconds(server)
            report = attack(targets, asked.rate, asked.seconds, encoding)
            used = cpu_seconds(server) - before
            print(json.dumps(told(question, asked, report, used, server)), flush=True)


@contextmanager
def served(database: str, workers: int) -> Iterator[tuple[str, int]]:
    """Run `candlelake serve` on a database; yield its address and its process."""
    if "://" in database:
        chosen = ["--set", f"serve.database_url={database}"]
    else:
        chosen = ["--set", f"lake.root={Path(database).resolve().parent}"]
    options = ["serve", "--port", "0", "--workers", str(workers), *chosen]
    with subprocess.Popen(
        [sys.executable, "-c", SERVE, *options], cwd=ROOT, text=True, stderr=subprocess.PIPE
    ) as process:
        assert process.stderr
        line = process.stderr.readline()
        if "serving at " not in line:
            sys.exit(line + process.stderr.read())
        try:
            yield line.split()[-1], process.pid
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(20)


def series_of(url: str) -> list[dict[str, Any]]:
    """Return the series that have bars enough."""
    with urllib.request.urlopen(f"{url}/api/v1/instruments?limit=10000", timeout=60) as answer:  # noqa: S310
        found = json.load(answer)["instruments"]
    return [
        one
        for one in found
        if one["series_type"] == "bars"
        and one["first_time"] is not None
        and one["last_time"] - one["first_time"] > BARS * MINUTE
    ]


def drawn(series: list[dict[str, Any]], asked: argparse.Namespace) -> list[dict[str, Any]]:
    """Return as many series as will be asked, each with a random start; the same in each run."""
    chance = random.Random(7)  # noqa: S311 - no secret
    count = min(MOST_QUESTIONS, asked.rate * asked.seconds)
    found = []
    for _ in range(count):
        one = chance.choice(series)
        span = (one["last_time"] - one["first_time"]) // MINUTE - BARS
        found.append({**one, "start": one["first_time"] + chance.randrange(span) * MINUTE})
    return found


def target(url: str, question: str, one: Mapping[str, Any]) -> str:
    """Return one question as vegeta reads it."""
    if question == "latest":
        query = {"ticker": one["instrument"], "kind": one["kind"]}
        return f"GET {url}/api/v1/{one['exchange']}/latest?{urlencode(query)}"
    query = {name: one[name] for name in ("exchange", "kind", "instrument", "start")}
    query |= {"limit": BARS}
    query |= {"format": "csv"} if question == "csv" else {}
    query |= {"filled": "true"} if question == "filled" else {}
    return f"GET {url}/api/v1/ohlcv?{urlencode(query)}"


def attack(targets: list[str], rate: int, seconds: int, encoding: str) -> dict[str, Any]:
    """Ask at a constant rate; return vegeta's report."""
    with tempfile.TemporaryDirectory(prefix="candlelake-bench-") as folder:
        listing, results = Path(folder) / "targets", Path(folder) / "results"
        listing.write_text("\n\n".join(targets) + "\n", encoding="utf-8")
        options = [f"-rate={rate}", f"-duration={seconds}s", f"-targets={listing}", "-timeout=10s"]
        options += [f"-header=Accept-Encoding: {encoding}", "-max-body=0", f"-output={results}"]
        subprocess.run([str(VEGETA), "run", "attack", *options], check=True)
        command = [str(VEGETA), "run", "report", "-type=json", str(results)]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def told(
    question: str,
    asked: argparse.Namespace,
    report: Mapping[str, Any],
    used: float,
    server: int,
) -> dict[str, Any]:
    """Return what was seen, in ms."""
    latencies = {
        name: round(report["latencies"][name] / 1e6, 2)
        for name in ("50th", "90th", "95th", "99th", "max")
    }
    return {
        "question": question,
        "rate": asked.rate,
        "seconds": asked.seconds,
        "workers": asked.workers,
        "database": "postgresql" if "://" in asked.database else "embedded",
        "requests": report["requests"],
        "answered_a_second": round(report["throughput"], 1),
        "statuses": report["status_codes"],
        "latency_ms": latencies,
        "promised_p95_ms": PROMISED_MS[question],
        "server_cpu_ms_each": round(used * 1000 / max(1, report["requests"]), 3),
        "server_megabytes": sum(megabytes(one) for one in family(server)),
        "load": os.getloadavg()[0],
    }


def family(process: int) -> list[int]:
    """Return a process and its children."""
    children = Path(f"/proc/{process}/task/{process}/children").read_text(encoding="ascii")
    return [process, *map(int, children.split())]


def cpu_seconds(process: int) -> float:
    """Return the processor seconds that a process and its children have used."""
    ticks = 0
    for one in family(process):
        fields = Path(f"/proc/{one}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def megabytes(process: int) -> int:
    """Return the memory that a process holds."""
    lines = Path(f"/proc/{process}/status").read_text(encoding="utf-8").splitlines()
    return int(next(line for line in lines if line.startswith("VmRSS")).split()[1]) // 1024


if __name__ == "__main__":
    main()
