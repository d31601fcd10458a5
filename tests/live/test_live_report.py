"""What `candlelake status` calls stale, and how it prints what it found."""

from __future__ import annotations

from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from rich.console import Console

from extract.live.state import CollectorState
from jobs.status.pipeline_state import Mark, OpenHoles, PipelineState
from jobs.status.printing import as_json, as_tables, size, span
from jobs.status.report import Report, report
from lake import status
from lake.objects import FolderStore
from lake.setting_sections import Status
from lake.settings import load_settings
from tests.live.states import NOW, ago, collector, ms_ago, say, stream

BITCOIN = ("binance", "spot", "BTCUSDT")


def limits(**named: float) -> Status:
    settings = load_settings("local", [f"status.{key}={value}" for key, value in named.items()])
    return settings.status


def pipeline(
    *, until: int = 60, hole: int | None = None, ended: int = 5, error: str = ""
) -> PipelineState:
    """Return what a pipeline said: a mark so many seconds ago, and perhaps an old hole."""
    marks = (Mark(*BITCOIN, "gold.ohlcv", ms_ago(until)),)
    holes = () if hole is None else (OpenHoles(*BITCOIN, "trades", 2, 30, ms_ago(hole)),)
    return PipelineState("run", ago(ended + 3), ago(ended), marks, holes, error)


def found(store: FolderStore, *states: CollectorState | PipelineState, **named: float) -> Report:
    say(store, *states)
    return report(store, limits(**named), NOW)


def test_all_is_fresh_where_nothing_is_stale(store: FolderStore) -> None:
    one = found(store, collector(), pipeline(hole=100))

    assert one.findings == []
    assert one.is_fresh
    assert one.tables[0].behind == timedelta(seconds=59)


@pytest.mark.parametrize(
    ("states", "said"),
    [
        ([], "no collector runs"),
        ([collector(written_as="ended")], "no collector runs"),
        ([collector(updated=ago(21))], "collector run-1 (eu, box pid 7) is gone: silent for 21 s"),
        ([collector(written_as="failed", error="disk full")], "failed: disk full"),
        ([collector(stream(last_message=ago(301)))], "no message for 301 s"),
        ([collector(stream(last_message=None))], "no message for 1000 s"),
        ([collector(stream(refused=True))], "the exchange refuses the stream"),
        ([collector(stream(lag_ms=61_000))], "rows land 61 s after"),
        ([collector(), pipeline(until=602)], "gold.ohlcv is 601 s behind bronze"),
        ([collector(), pipeline(hole=901)], "trades has 2 open holes of 30 ids"),
        ([collector(), pipeline(ended=301)], "last pass ended 301 s ago"),
        ([collector(), pipeline(error="a gate stopped it")], "stopped: a gate stopped it"),
    ],
)
def test_what_is_stale_is_said(
    store: FolderStore, states: list[CollectorState | PipelineState], said: str
) -> None:
    one = found(store, *states)

    assert not one.is_fresh
    assert [words for words in one.findings if said in words] != []


@pytest.mark.parametrize(
    ("state", "named"),
    [
        (collector(stream(last_message=ago(100_000))), {"stream_seconds": 0}),
        (collector(stream(lag_ms=10**12)), {"lag_seconds": 0}),
        (pipeline(until=100_000), {"gold_seconds": 0}),
        (pipeline(hole=100_000), {"hole_seconds": 0}),
        (pipeline(ended=100_000), {"pipeline_seconds": 0}),
    ],
)
def test_a_limit_of_zero_is_never_passed(
    store: FolderStore, state: CollectorState | PipelineState, named: dict[str, float]
) -> None:
    assert found(store, collector(run_id="run-0"), state, **named).findings == []


def test_gold_that_nobody_collects_for_is_not_stale(store: FolderStore) -> None:
    other = collector(stream(instrument="ETHUSDT"))

    assert found(store, other, pipeline(until=100_000)).findings == []


def test_the_dead_say_nothing_of_their_streams(store: FolderStore) -> None:
    ended = collector(stream(last_message=ago(5000)), run_id="run-0", written_as="ended")

    assert found(store, collector(), ended).findings == []


def test_frames_that_name_no_stream_are_a_line_only_where_there_are_some(
    store: FolderStore,
) -> None:
    unnamed = stream(instrument="", last_message=None, odd=0)
    assert len(found(store, collector(stream(), unnamed)).streams) == 1

    one = found(store, collector(stream(), stream(instrument="", last_message=None, odd=3)))
    assert (len(one.streams), one.findings) == (2, [])


def test_a_stream_is_one_line_with_its_numbers(store: FolderStore) -> None:
    (line,) = [one for one in printed(found(store, collector())) if "BTCUSDT" in one]

    assert line.split() == [
        *("eu", "binance", "spot", "trades", "BTCUSDT", "running", "1.0s", "1.5", "3.0", "0.9s"),
        *("1", "2", "3", "1", "1.2", "MB"),
    ]


def test_marks_and_open_holes_stand_below(store: FolderStore) -> None:
    lines = printed(found(store, collector(), pipeline(hole=901)))

    assert "gold.ohlcv  binance spot BTCUSDT  2025-03-05 11:59:00            59s" in lines
    assert any(line.split()[:6] == ["trades", *BITCOIN, "2", "30"] for line in lines)
    assert lines[-1].startswith("stale: binance spot BTCUSDT: trades has 2 open holes")


def test_a_name_with_brackets_is_no_markup(store: FolderStore) -> None:
    lines = printed(found(store, collector(stream(instrument="[red]X[/]"))))

    assert any("[red]X[/]" in line for line in lines)


def test_json_says_the_same(store: FolderStore) -> None:
    told: dict[str, Any] = as_json(found(store, collector(), pipeline()))

    (one,) = told["streams"]
    assert (told["fresh"], told["findings"]) == (True, [])
    assert (one["messages_per_second"], one["trades_per_second"]) == (1.5, 3.0)
    assert (one["age_ms"], one["lag_ms"], one["holes_lost"]) == (1000, 900, 1)
    assert told["tables"][0]["behind_ms"] == 59_000
    assert told["collectors"][0]["state"] == "running"


def test_a_pipeline_of_another_version_is_passed_over(store: FolderStore) -> None:
    status.publish(store, status.PIPELINE, {"marks": 7})

    assert found(store, collector()).pipeline is None


@pytest.mark.parametrize(
    ("length", "shown"),
    [
        (None, "-"),
        (timedelta(milliseconds=-5), "0.0s"),
        (timedelta(milliseconds=1530), "1.5s"),
        (timedelta(seconds=42), "42s"),
        (timedelta(seconds=185), "3m05s"),
        (timedelta(seconds=7860), "2h11m"),
        (timedelta(days=5), "5d"),
    ],
)
def test_a_length_of_time_is_short(length: timedelta | None, shown: str) -> None:
    assert span(length) == shown


def test_bytes_are_in_decimal_units() -> None:
    assert [size(one) for one in (0, 999, 1000, 1_234_567)] == ["0 B", "999 B", "1.0 kB", "1.2 MB"]


def printed(one: Report) -> list[str]:
    out = StringIO()
    Console(file=out, width=400, color_system=None).print(as_tables(one))
    return [line.rstrip() for line in out.getvalue().splitlines()]
