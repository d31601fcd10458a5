"""The short form of the soak: everything fails in turn, the storage too, and silver is whole."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.soak.plan import draw
from bench.soak.running import Soak
from bench.soak.storage import opened
from tests.s3.real_server import require, service

pytestmark = [pytest.mark.slow, pytest.mark.s3, pytest.mark.spark, pytest.mark.timeout(3600)]


def test_whatever_fails_silver_is_the_recording_trade_for_trade(tmp_path: Path) -> None:
    require(service("install"))
    with opened("s3", tmp_path) as storage:
        report = Soak(storage, draw(minutes=1.2, seed=2), tmp_path / "log").run()

    assert report.is_sound, report
    assert report.events["collectors killed"] >= 2
    assert report.events["pipelines killed"] >= 1
    assert report.events["disconnects"] >= 1
    assert {kind for kind in ("slow", "frozen", "away") if f"storage {kind}" in report.events} == {
        "slow", "frozen", "away",
    }  # fmt: skip
    assert set(report.regions) >= {"tokyo", "frankfurt"}
