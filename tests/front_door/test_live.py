"""`candlelake extract live` as its users run it: a process, signals, and a crash."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from extract.replay.exchange import ReplayExchange
from jobs.extraction.live import life_of
from jobs.extraction.live import live as collect_live
from lake.errors import UsageError
from lake.objects import FolderStore
from tests.front_door.commands import ROOT, candlelake, command, environment, pointed_at, the_error
from tests.live.collecting import all_ids, claimed, whole
from tests.live.running_exchange import RECORDED, live

OF_BTC = ("--exchange", "binance", "--kind", "spot", "--instruments", "BTCUSDT")
TRADES = ("extract", "live", *OF_BTC, "--streams", "trade")
QUICKLY = ("--set", "live.seconds=0.5", "--set", "live.hole_seconds=0.2")
PATIENCE_SECONDS = 30.0


@contextmanager
def running(*words: str) -> Iterator[subprocess.Popen[str]]:
    """Run a command beside the test; it is killed at the end where it still runs."""
    process = subprocess.Popen(
        command(*words),
        cwd=ROOT,
        env=environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def wait_for(happened: Callable[[], object]) -> None:
    began = time.monotonic()
    while not happened():
        assert time.monotonic() - began < PATIENCE_SECONDS
        time.sleep(0.05)


def collected(lake: Path, at_least: int = 1) -> bool:
    return len(claimed(FolderStore(lake))) >= at_least


def of_lake(exchange: ReplayExchange, lake: Path) -> list[str]:
    return [*QUICKLY, *pointed_at(exchange), "--set", f"lake.root={lake}"]


def test_a_life_ends_by_itself_and_tells_its_sums(tmp_path: Path) -> None:
    done = candlelake(
        *TRADES, "--lifetime", "2s", "--overlap", "1s", "--set", f"lake.root={tmp_path}"
    )

    assert done.returncode == 0, done.stderr
    (told,) = done.stdout.splitlines()
    assert told.startswith("messages=")
    assert "holes_open=0 holes_lost=0" in told
    ids = claimed(FolderStore(tmp_path))
    assert ids == whole(ids)
    assert list((tmp_path / "bronze" / "instruments").rglob("*.gz"))


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGTERM, 0), (signal.SIGINT, 130)], ids=["SIGTERM", "SIGINT"]
)
def test_a_signal_lands_what_is_in_memory_within_seconds(
    tmp_path: Path, number: signal.Signals, code: int
) -> None:
    with live(RECORDED) as exchange:
        options = [*of_lake(exchange, tmp_path), "--set", "live.seconds=2"]
        with running(*TRADES, *options) as process:
            wait_for(lambda: collected(tmp_path))
            before = len(claimed(FolderStore(tmp_path)))
            time.sleep(1)
            began = time.monotonic()
            process.send_signal(number)
            out, err = process.communicate(timeout=10)

    assert time.monotonic() - began < 5
    assert process.returncode == code, err
    assert "Traceback" not in err
    ids = claimed(FolderStore(tmp_path))
    assert len(ids) > before
    assert f"trades={len(ids)}" in out.replace(",", "")
    assert ("interrupted" in err) is (code == 130)


def test_what_a_kill_has_lost_is_fetched_by_the_next_start(tmp_path: Path) -> None:
    with live(RECORDED, speed=10) as exchange:
        options = of_lake(exchange, tmp_path)
        with running(*TRADES, *options) as process:
            wait_for(lambda: collected(tmp_path, 50))
            time.sleep(0.3)  # in the middle of a batch
            process.kill()
            process.communicate()
        before = claimed(FolderStore(tmp_path))
        done = candlelake(*TRADES, *options, "--lifetime", "3s", "--region", "eu-west-1")

    assert done.returncode == 0, done.stderr
    store = FolderStore(tmp_path)
    ids = all_ids(store)
    assert before < ids
    assert ids == whole(ids) == claimed(store)
    assert "holes_closed=0" not in done.stdout
    names = [path.name for path in (tmp_path / "bronze" / "trades").rglob("*eu-west-1*")]
    assert names


def test_two_regions_feed_one_lake_and_lose_nothing(tmp_path: Path) -> None:
    """One connects by itself, the other through CCXT."""
    with live(RECORDED, speed=5) as exchange:
        options = [*of_lake(exchange, tmp_path), "--lifetime", "4s"]
        with (
            running(*TRADES, *options, "--region", "eu") as eu,
            running(*TRADES, *options, "--region", "us", "--vendor", "ccxt") as us,
        ):
            told = [process.communicate(timeout=60) for process in (eu, us)]

    assert [(eu.returncode), us.returncode] == [0, 0], told
    store = FolderStore(tmp_path)
    ids = all_ids(store)
    assert ids == whole(ids) == claimed(store)
    packs = [path.name for path in (tmp_path / "bronze" / "trades").rglob("*live*.gz")]
    assert {"eu", "us"} <= {name.split("~")[4].split("-")[0] for name in packs}


def test_what_cannot_be_meant_is_one_line(tmp_path: Path) -> None:
    done = candlelake("extract", "live", "--overlap", "2m", "--set", f"lake.root={tmp_path}")

    assert "--overlap wants a --lifetime beside it" in the_error(done)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"lifetime": "soon"}, "--lifetime can't be read: 'soon'"),
        ({"lifetime": "0s"}, "--lifetime can't be read: '0s'"),
        ({"streams": "trade"}, "--streams needs --exchange beside it"),
        ({"exchange": "binance", "kind": "spot", "streams": "depth"}, "no stream 'depth'"),
        ({"exchange": "binance", "kind": "option"}, "--kind is one of"),
        ({"sink": "paper"}, r"setting 'live\.sink'"),
        ({"sink": "kafka"}, "names no broker"),
        ({"vendor": "tardis"}, "no vendor 'tardis'"),
        (
            {
                "exchange": "deribit",
                "kind": "future",
                "instruments": "BTC-PERPETUAL",
                "streams": "index",
                "vendor": "ccxt",
            },
            "ccxt.pro has no stream 'index' of deribit",
        ),
    ],
)
def test_an_option_that_cannot_be_meant_is_named(
    tmp_path: Path, options: dict[str, str], said: str
) -> None:
    with pytest.raises(UsageError, match=said):
        collect_live(**options, sets=[f"lake.root={tmp_path}"])  # type: ignore[arg-type]  # words alone


def test_without_its_client_the_topic_is_refused_and_bronze_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "confluent_kafka", None)
    monkeypatch.delitem(sys.modules, "extract.live.kafka_sink", raising=False)
    sets = [f"lake.root={tmp_path}", "kafka.servers=127.0.0.1:1"]

    with pytest.raises(UsageError, match="the client of Kafka is not installed"):
        collect_live(sink="kafka", sets=sets)
    # nothing of the client is asked for: the next fault is another
    with pytest.raises(UsageError, match="no stream 'depth'"):
        collect_live(exchange="binance", kind="spot", streams="depth", sets=sets)


def test_a_life_is_its_time_and_the_overlap() -> None:
    assert life_of("1h", "2m") == 3720
    assert life_of("1h30m5s", None) == 5405
    assert life_of(None, None) is None
    with pytest.raises(UsageError):
        life_of("h", None)
