"""Thousands of instruments are planned from one question, within seconds."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.planning import enlarged, served
from tests.front_door.commands import ROOT, candlelake

RECORDED = ROOT.parent / "shared" / "data" / "reference" / "sessions_http_ws" / "BINANCE.0"


@pytest.mark.skipif(not RECORDED.exists(), reason="the recorded discovery is not here")
@pytest.mark.parametrize(
    "window", [("--mode", "start"), ("--start", "2017-07-01", "--datasets", "agg_trades")]
)
def test_five_thousand_instruments_are_planned_from_the_discovery_alone(
    tmp_path: Path, window: tuple[str, ...]
) -> None:
    discovery = tmp_path / "exchange_info.txt"
    with RECORDED.open(encoding="utf-8") as lines:
        discovery.write_text(next(lines), encoding="utf-8")
    asked: list[str] = []
    with served(enlarged(discovery, 5000), asked) as url:
        where = ("--env", "local", "--set", f"lake.root={tmp_path / 'lake'}")
        host = ("--set", f"exchanges.binance.spot.rest_url={url}")
        what = ("--exchange", "binance", "--kind", "spot", "--instruments", "*")
        done = candlelake("plan", *where, *host, *what, *window)

    assert done.returncode == 0, done.stderr
    header, *rows, total = done.stdout.splitlines()
    assert header.split()[:3] == ["instrument", "dataset", "requests"]
    assert len(rows) == 5000
    assert rows[0].split()[:5] == ["binance", "spot", "1INCHBTC", "agg_trades", "0"]
    assert total.endswith("at most: 5000 of 5000 parts are upper bounds")
    assert asked == ["/api/v3/exchangeInfo"]
