"""`--source archive` and `auto` as their users run them: a process, its words, its exit code."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from extract.replay.exchange import ReplayExchange
from jobs.options import select
from lake.settings import load_settings
from tests.extract.bulk import AGGREGATES, BARS, agg_line, agg_lines, publishing, zipped
from tests.extract.small_server import SmallServer
from tests.front_door.commands import candlelake, landed, pointed_at, the_error

JAN_1 = 1704067200000
HOUR = 3_600_000
SPOT = ("--exchange", "binance", "--kind", "spot", "--instruments", "BTCUSDT")
DAY = ("--start", "2024-01-01", "--end", "2024-01-02")
TRADES_PATH = AGGREGATES.format("daily", "2024-01-01")
BARS_PATH = BARS.format("daily", "1h", "1h", "2024-01-01")


@pytest.fixture(scope="module")
def exchange() -> Iterator[ReplayExchange]:
    with ReplayExchange() as running:
        yield running


def files() -> dict[str, bytes]:
    opens = range(JAN_1, JAN_1 + 24 * HOUR, HOUR)
    bars = "".join(f"{time},1,1,1,1,1,{time + HOUR - 1},1,1,1,1,0\n" for time in opens)
    return {TRADES_PATH: zipped(agg_lines(0, range(JAN_1, JAN_1 + 9))), BARS_PATH: zipped(bars)}


def test_bars_that_are_named_come_from_the_archive_and_a_changed_file_is_told(
    tmp_path: Path, exchange: ReplayExchange
) -> None:
    published = files()
    with SmallServer(route=publishing(published)) as server:
        sets = [*pointed_at(exchange), "--set", f"exchanges.binance.archive_url={server.url}"]
        sets += ["--set", f"lake.root={tmp_path}", "--set", "extract.bar_interval=1h"]
        words = (*SPOT, *DAY, "--source", "archive", "--datasets", "agg_trades,klines", *sets)
        first = candlelake("extract", *words)
        published[TRADES_PATH] = zipped(agg_line(0, JAN_1 + 1))
        second = candlelake("extract", *words)
        checked = candlelake("extract", *words, "--recheck")

    instruments = 3
    assert first.stdout == f"files=3 rows={9 + 24 + instruments}\n", first.stderr
    assert second.stdout == "files=0 rows=0\n"
    assert checked.stdout == "files=1 rows=1 republished=1\n", checked.stderr
    assert checked.stderr.count("published anew") == 1
    assert sum("/klines/" in name and "~archive~" in name for name in landed(tmp_path)) == 1


def test_to_check_again_wants_the_archive(tmp_path: Path) -> None:
    line = the_error(candlelake("extract", "--set", f"lake.root={tmp_path}", *SPOT, "--recheck"))

    assert "--recheck is of archive files" in line
    assert landed(tmp_path) == []


@pytest.mark.parametrize("source", ["archive", "auto"])
def test_bars_that_nobody_names_come_by_rest_for_the_certificate(source: str) -> None:
    settings = load_settings("replay", environ={})

    unnamed = select(settings, source=source)
    named = select(settings, source=source, datasets="agg_trades,klines")

    assert [unnamed.source_of(name) for name in ("agg_trades", "klines")] == [source, "rest"]
    assert [named.source_of(name) for name in ("agg_trades", "klines")] == [source, source]
