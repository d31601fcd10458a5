"""A real PostgreSQL with the serving tables, and a real Prometheus that scrapes real metrics."""

from __future__ import annotations

import asyncio
import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

import httpx
import pytest
import yaml
from sqlalchemy import insert

from extract.live.counters import Counters
from extract.live.metrics import served
from extract.live.stream import Stream
from lake.clock import SystemClock
from serve.database import schema
from serve.database.address import Address
from serve.database.connecting import engine_of
from serve.database.migrating import migrate
from tests.ports import free_port
from tests.serve_api.conftest import running
from tests.serve_api.market import filled_repository
from tests.serve_database.databases import start_postgres, stop_postgres
from tests.serve_grafana.published_rows import ROWS

ROOT = Path(__file__).parents[2]
PROMETHEUS = ROOT / "deploy" / "prometheus"
SERVER = PROMETHEUS / "server.sh"


class Watched(NamedTuple):
    """A Prometheus, and the API that it scrapes."""

    url: str
    api: httpx.Client


@pytest.fixture(scope="session")
def database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Address]:
    """The tables of the serving database with a few rows in each that a panel asks."""
    folder = tmp_path_factory.mktemp("grafana-postgres")
    address = start_postgres(folder)
    asyncio.run(fill(address))
    yield address
    stop_postgres(folder)


async def fill(address: Address) -> None:
    engine = engine_of(address)
    async with engine.begin() as connection:
        await migrate(connection)
        for name, rows in ROWS.items():
            await connection.execute(insert(schema.METADATA.tables[name]), rows)
    await engine.dispose()


@pytest.fixture(scope="session")
def prometheus_installed() -> None:
    """Prometheus and promtool are here; else the test is skipped, in CI it is an error."""
    done = subprocess.run([str(SERVER), "install"], capture_output=True, text=True, check=False)
    if done.returncode == 0:
        return
    reason = f"no Prometheus can be had here: {done.stderr.splitlines()[-1]}"
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.fixture(scope="session")
def watched(
    prometheus_installed: None, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Watched]:
    """Prometheus with the committed configuration, on an API and a collector of this process."""
    folder = tmp_path_factory.mktemp("prometheus")
    with ExitStack() as stack:
        api = stack.enter_context(running(filled_repository()))
        port = free_port()
        stack.enter_context(served(collected(), SystemClock(), "127.0.0.1", port))
        targets = {
            "candlelake-api": urlsplit(api.url).netloc,
            "candlelake-live": f"127.0.0.1:{port}",
        }
        configure(folder, targets)
        started = subprocess.run(
            [str(SERVER), "start", str(folder)], capture_output=True, text=True, check=True
        )
        stack.callback(subprocess.run, [str(SERVER), "stop", str(folder)], check=True)
        url = started.stdout.strip()
        await_scrapes(url, api.client)
        yield Watched(url, api.client)


def configure(folder: Path, targets: dict[str, str]) -> None:
    """Write the committed configuration with other targets, scraped each second."""
    settings = yaml.safe_load((PROMETHEUS / "prometheus.yml").read_text(encoding="utf-8"))
    settings["global"] = {"scrape_interval": "1s", "evaluation_interval": "1s"}
    settings["rule_files"] = [str(PROMETHEUS / name) for name in settings["rule_files"]]
    for job in settings["scrape_configs"]:
        for of_compose in ("authorization", "dns_sd_configs"):
            job.pop(of_compose, None)
        job["static_configs"] = [{"targets": [targets[job["job_name"]]]}]
    (folder / "prometheus.yml").write_text(yaml.safe_dump(settings), encoding="utf-8")


def collected() -> Counters:
    """Return the counters of a collector that has heard one stream."""
    counters = Counters()
    one = counters.of(Stream("binance", "spot", "trades", "BTCUSDT", "btcusdt@trade", {}))
    one.messages, one.lag_ms, one.holes_opened, one.holes_lost = 12, 1500, 3, 1
    return counters


def await_scrapes(url: str, api: httpx.Client) -> None:
    """Wait until Prometheus has scraped each job three times, the API asked meanwhile."""
    asked = "min(count_over_time(up[1m]))"
    for _ in range(60):
        assert api.get("/api/v1/ohlcv?exchange=binance&kind=spot&instrument=BTCUSDT").is_success
        found = httpx.get(f"{url}/api/v1/query", params={"query": asked}).json()["data"]["result"]
        if found and int(found[0]["value"][1]) >= 3:
            return
        time.sleep(0.5)
    pytest.fail("Prometheus has scraped nothing")
