"""The short form of the soak: collectors and the pipeline fail in turn, and silver is whole."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.soak import Soak

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]


def test_whatever_fails_silver_is_the_recording_trade_for_trade(tmp_path: Path) -> None:
    report = Soak(tmp_path / "lake", minutes=1.2, seed=2).run()

    assert report.is_sound, report
    assert report.events["collectors killed"] >= 2
    assert report.events["pipelines killed"] >= 1
