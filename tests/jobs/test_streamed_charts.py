"""Deribit's bars over the stream against REST: what differs, is missing or came too early."""

from __future__ import annotations

import gzip
import json
import re
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from pyspark.sql import Row

from jobs.context import Context
from jobs.options import Segment, Selection
from jobs.reconciliation import checks
from lake.bronze import SUFFIX
from lake.clock import SystemClock, to_millis
from lake.settings import load_settings
from lake.tables import OPS_RECONCILIATION_DIFFERENCES
from tests.jobs.conftest import OpenLake
from tests.jobs.landed import held
from tests.live.collecting import Collector
from tests.live.conftest import HURRIED
from tests.live.running_exchange import live
from tests.transform.frames import at

pytestmark = [pytest.mark.spark, pytest.mark.slow]

BEGINS, SPEED = at("2024-08-08T23:59:30"), 20
WINDOW = (at("2024-08-09T00:00:00"), at("2024-08-09T00:04:00"))
PERPETUAL = Segment("deribit", "future", ("BTC-PERPETUAL",))
SELECTION = Selection((PERPETUAL,), *WINDOW, ("klines",), "rest")


class RunningClock(SystemClock):
    """Runs with the exchange's: a collector's own clock is right."""

    def __init__(self) -> None:
        self._began = time.monotonic()

    def now(self) -> datetime:
        """Return the exchange's moment."""
        return BEGINS + SPEED * timedelta(seconds=time.monotonic() - self._began)


def changed(context: Context, change: Callable[[str, datetime], str]) -> None:
    """Change the bodies of all frames by what came, and when; one that is emptied is gone."""
    for key in list(context.store.names("bronze/klines/deribit/")):
        if not key.endswith(SUFFIX):
            continue
        kept = []
        for text in gzip.decompress(context.store.read(key) or b"").splitlines():
            line = json.loads(text)
            came = datetime.fromisoformat(line["end_download_timestamp"])
            line["body"] = change(line["body"], came)
            kept += [json.dumps(line)] if line["body"] else []
        context.store.delete(key)
        assert context.store.create(key, gzip.compress("".join(f"{it}\n" for it in kept).encode()))


def damaged(body: str, came: datetime) -> str:
    """Give a bar another price, lose the second half of the next one, and the third whole."""
    tick = int(json.loads(body)["params"]["data"]["tick"])
    minute = (tick - to_millis(WINDOW[0])) // 60_000
    if minute == 1:
        return re.sub(r'"close":[\d.]+', '"close":1.5', body)
    is_late = came >= WINDOW[0] + timedelta(minutes=2, seconds=30)
    return "" if minute == 3 or (minute == 2 and is_late) else body


@pytest.fixture(scope="module")
def collected(open_lake: OpenLake) -> Context:
    """The chart of a perpetual as streamed over six minutes."""
    context = open_lake()
    with live(BEGINS.isoformat(), speed=SPEED) as exchange:
        clock = RunningClock()
        sets = [f"{name}={url}" for name, url in exchange.urls.settings().items()]
        collector = Collector(
            load_settings("replay", [*sets, *HURRIED], environ={}),
            context.store,
            clock=clock,
            exchange="deribit",
            kind="future",
            instruments=PERPETUAL.instruments,
            streams=("chart",),
        )
        collector.collect(lambda _: clock.now() > WINDOW[1] + timedelta(seconds=70))
    return context


def compared(context: Context, run_id: str) -> Row:
    plan = checks.Plan("stream", WINDOW, "here", "always")
    (outcome,) = checks.run(replace(context, run_id=run_id), plan, SELECTION)
    (row,) = outcome.rows
    return row


def test_the_chart_is_held_against_rest_bar_by_bar(collected: Context) -> None:
    whole = compared(collected, "run-1")
    changed(collected, damaged)
    row = compared(collected, "run-2")

    sides = ("left_side", "right_side", "bar_interval")
    assert [whole[name] for name in sides] == ["live here", "rest", "1m"]
    assert (whole["left_rows"], whole["right_rows"], whole["matched"]) == (4, 4, 4)
    assert whole["left_hash"] == whole["right_hash"] != "0" * 32
    assert (row["left_rows"], row["matched"], row["only_right"]) == (3, 1, 1)
    told = {
        (f"{one['from_timestamp']:%H:%M}", one["field"], one["cause"])
        for one in held(collected, OPS_RECONCILIATION_DIFFERENCES)
    }
    assert ("00:02", "volume_sent", "bar_fetched_too_early") in told
    assert {cause for minute, _, cause in told if minute == "00:02"} == {"bar_fetched_too_early"}
    assert {one for one in told if one[0] != "00:02"} == {
        ("00:01", "close", "undetermined"),
        ("00:03", "row", "unexplained"),
    }
