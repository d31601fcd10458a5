"""`candlelake reconcile` and `repair` as users run them: what is lost stops a run, then is told."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import NamedTuple

import pytest

from extract.replay.faults import Fault
from extract.window import extract_instruments
from lake.clock import SystemClock
from lake.objects import FolderStore
from lake.settings import load_settings
from tests.front_door.commands import candlelake, pointed_at
from tests.live.collecting import Collector, claimed, lines, whole
from tests.live.conftest import HURRIED
from tests.live.running_exchange import live

pytestmark = [pytest.mark.spark, pytest.mark.slow, pytest.mark.timeout(1800)]

#: The last of the recorded trades of SOLUSDT, three seconds behind 23:10.
LAST = 1169620755
SOLUSDT = ("--exchange", "binance", "--kind", "spot", "--instruments", "SOLUSDT")
TRADES = (*SOLUSDT, "--datasets", "trades", "--no-notebook")
#: Of a stream that began before 23:08 it looks at 23:08 to 23:13, which `DAILY` names.
STREAM = ("reconcile", "--check", "stream", "--at", "2025-03-25T23:18:00Z", *TRADES)
BEGINS_MS = 1_742_944_080_000
WINDOW = ("--start", "2025-03-25T23:08:00Z", "--end", "2025-03-25T23:13:00Z")
DAILY = ("reconcile", "--check", "daily", *WINDOW, "--download", "never", *TRADES)
REPAIR = ("repair", "--from-reconciliation", *SOLUSDT)
SPARK_SECONDS = 900
LOST = 30
Done = subprocess.CompletedProcess[str]


class Story(NamedTuple):
    """One command after the other on one lake, and which ids it is about.

    Attributes:
        sent: those of the window that the stream has sent.
        lost: the ends of what it has not.
    """

    sent: set[int]
    lost: tuple[int, int]
    untold: Done
    stopped: Done
    without_rest: Done
    repaired: Done
    certified: Done
    with_rest: Done


def collect(lake: Path) -> None:
    """Collect SOLUSDT to the end of what is recorded; the stream loses more than is filled."""
    with live("2025-03-25T23:07:20Z", speed=10) as exchange:
        exchange.order(Fault("dropped_message", after=1000, times=LOST, path="solusdt@trade"))
        sets = [word for word in pointed_at(exchange) if word != "--set"]
        streams = [*HURRIED, "live.fill_ids=10", "live.quiet_seconds=20"]
        settings = load_settings("replay", [*sets, *streams], environ={})
        store = FolderStore(lake)
        extract_instruments(
            settings, store, exchange="binance", kind="spot", run_id="r", clock=SystemClock()
        )
        collector = Collector(settings, store, instruments=("SOLUSDT",), run_id="run-1")
        collector.collect(lambda now: now.holes_lost == 1 and LAST in claimed(store, "SOLUSDT"))


def streamed(lake: Path) -> set[int]:
    """Return the ids of the window that the stream has sent."""
    sent = (line for line in lines(FolderStore(lake)) if line["mode"] == "live")
    frames = [json.loads(line["body"])["data"] for line in sent]
    return {frame["t"] for frame in frames if frame["T"] >= BEGINS_MS}


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Story:
    lake = tmp_path_factory.mktemp("reconciled") / "lake"
    collect(lake)
    sent = streamed(lake)
    gone = whole(sent) - sent
    assert len(gone) == LOST
    done = [
        candlelake(*words, "--set", f"lake.root={lake}", patience_seconds=SPARK_SECONDS)
        for words in (REPAIR, STREAM, DAILY, REPAIR, STREAM, DAILY)
    ]
    return Story(sent, (min(gone), max(gone)), *done)


def causes(done: Done) -> str:
    """Return what the only certificate says of what is open, and of causes."""
    (told,) = re.findall(r", (\d+ unexplained\. Causes: .*)$", done.stdout, re.MULTILINE)
    return str(told)


def test_what_the_stream_lost_ends_the_check_with_3_and_says_what_where_and_what_next(
    story: Story,
) -> None:
    done, (first, last) = story.stopped, story.lost

    assert done.returncode == 3, done.stderr
    title, certificate, difference = done.stdout.splitlines()
    assert title == "certificate 2025-03-25T23:08Z to 2025-03-25T23:13Z: live against rest"
    assert certificate == (
        f"  binance spot SOLUSDT trades: {len(story.sent)} and {len(story.sent) + LOST} rows,"
        f" {len(story.sent)} matched, 0 only left, {LOST} only right, 0 fields different,"
        f" 0 undetermined, {LOST} unexplained. Causes: unexplained {LOST}"
    )
    assert re.fullmatch(
        rf"    SOLUSDT {first} to {last} at 23:0[89]:\d\d: row None and present, unexplained",
        difference,
    )
    (line,) = [one for one in done.stderr.splitlines() if one.startswith("candlelake: ")]
    assert line.startswith(f"candlelake: {LOST} differences are unexplained [ops.reconciliation].")
    assert "`candlelake repair --from-reconciliation`" in line
    assert "Traceback" not in done.stderr
    (page,) = re.findall(r"report (\S+report\.html)", done.stderr)
    assert f"{LOST} differences are unexplained" in Path(page).read_text(encoding="utf-8")


def test_what_rest_lacks_and_what_nobody_has_ends_a_check_too(story: Story) -> None:
    """Bronze has nothing of REST before the repair."""
    assert story.without_rest.returncode == 3, story.without_rest.stderr
    count = len(story.sent)
    told = f"{count + LOST} unexplained. Causes: not_held {count}, unexplained {LOST}"
    assert causes(story.without_rest) == told


def test_without_a_certificate_a_repair_asks_for_nothing(story: Story) -> None:
    """It digests what has landed all the same: the checks read listings from silver."""
    assert (story.untold.returncode, story.untold.stdout) == (0, "no hole is open\n")


def test_the_repair_asks_for_exactly_these_ids_and_brings_them_to_silver(story: Story) -> None:
    assert story.repaired.returncode == 0, story.repaired.stderr
    first, last, count = min(story.sent), max(story.sent), len(story.sent) + LOST
    assert story.repaired.stdout == (
        f"binance spot SOLUSDT trades {first}..{last}: filled;"
        f" {count:,} of {count:,} ids counted in silver\n"
    )


def test_the_next_certificates_are_clean_and_tell_what_was_lost(story: Story) -> None:
    (first, last), disconnect = story.lost, f"0 unexplained. Causes: disconnect {LOST}"

    for done in (story.certified, story.with_rest):
        assert done.returncode == 0, done.stderr
        assert causes(done) == disconnect
        assert f"SOLUSDT {first} to {last} at " in done.stdout
        assert ", disconnect, asked for by its id: bronze/trades/" in done.stdout
