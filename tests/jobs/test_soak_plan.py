"""What a soak does to its lake: a plan that a seed draws, and a storage that has troubles."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from decimal import Decimal
from itertools import pairwise
from pathlib import Path

import pytest
import requests

from bench.soak.gold import seconds_late
from bench.soak.plan import OVERLAP_SECONDS, Trouble, draw
from bench.soak.storage import opened
from jobs.status.pipeline_state import Mark, PipelineState
from tests.s3.real_server import require, service


def test_gold_is_late_by_our_clock_from_the_minutes_end_at_the_exchange() -> None:
    began = datetime(2026, 5, 1, 12, 0, tzinfo=UTC)
    until_ms = 1742944080000  # 2025-03-25T23:08Z, a minute after the first trade
    state = PipelineState(
        run_id="run",
        pass_began="2026-05-01T12:02:20Z",
        pass_ended="2026-05-01T12:02:30Z",
        marks=(
            Mark("binance", "spot", "BTCUSDT", "gold.ohlcv", until_ms),
            Mark("binance", "spot", "ETHUSDT", "gold.ohlcv", until_ms - 60_000),
            Mark("binance", "spot", "SOLUSDT", "silver.trades", until_ms),
        ),
        open_holes=(),
    )

    # at half the speed the minute takes 120 s, behind 20 s before the first trade
    minute = datetime(2025, 3, 25, 23, 8, tzinfo=UTC)
    assert seconds_late(state, began, Decimal("0.5")) == {("BTCUSDT", minute): 10.0}


def test_a_seed_draws_the_same_plan_and_another_seed_another() -> None:
    assert draw(15, 7) == draw(15, 7)
    assert draw(15, 7) != draw(15, 8)


@pytest.mark.parametrize("seed", range(20))
def test_a_plan_has_every_kind_of_trouble_and_two_regions_that_overlap(seed: int) -> None:
    plan = draw(15, seed)

    assert {trouble.kind for trouble in plan.troubles} == {"slow", "frozen", "away"}
    assert all(one.begins > 0 and one.seconds > 0 for one in plan.troubles)
    assert {life.region for life in plan.lives} == {"tokyo", "frankfurt"}
    assert {life.fate for life in plan.lives} == {"lives", "killed", "frozen"}
    assert min(life.overlap for life in plan.lives) >= OVERLAP_SECONDS
    tokyo = [life for life in plan.lives if life.region == "tokyo"]
    for before, after in pairwise(tokyo):
        assert before.begins < after.begins < before.begins + before.lifetime + before.overlap


@pytest.mark.s3
def test_the_storage_is_slow_and_frozen_and_away_and_well_again(tmp_path: Path) -> None:
    require(service("install"))
    with opened("s3", tmp_path) as storage:
        address = storage.environment["AWS_ENDPOINT_URL"] + "/healthz"

        def seconds() -> float:
            began = time.monotonic()
            assert requests.get(address, timeout=10).status_code == 200
            return time.monotonic() - began

        assert seconds() < 1
        storage.begin(Trouble("slow", 0, 1, latency_seconds=0.6, bytes_per_second=100_000))
        assert seconds() >= 1.2
        storage.end()
        storage.begin(Trouble("away", 0, 1))
        with pytest.raises(requests.ConnectionError):
            seconds()
        storage.end()
        assert seconds() < 1
        storage.begin(Trouble("frozen", 0, 1))
        with pytest.raises(requests.ReadTimeout):
            requests.get(address, timeout=1)
        storage.end()
        assert seconds() < 1
