"""Filled candles come from Spark and are exported like all others."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from tests.front_door.commands import candlelake

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1500)]


def exported(lake: Path, out: Path, *words: str) -> Path:
    done = candlelake(
        *("export", "--set", f"lake.root={lake}", "--out", str(out), *words), patience_seconds=400
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert "Traceback" not in done.stderr
    return Path(done.stdout.strip())


def test_filled_candles_are_the_candles_where_no_minute_is_quiet(
    bundled_lake: Path, tmp_path: Path
) -> None:
    window = ("--start", "2024-01-01T00:30:00Z", "--end", "2024-01-01T01:30:00Z")

    filled = exported(bundled_lake, tmp_path / "filled", "--filled", *window)
    plain = exported(bundled_lake, tmp_path / "plain", *window)

    with filled.open(newline="") as one, plain.open(newline="") as other:
        with_quiet, without = list(csv.DictReader(one)), list(csv.DictReader(other))
    assert len(with_quiet) == 60
    assert {row.pop("is_filled") for row in with_quiet} == {"false"}
    assert with_quiet == without


def test_filled_candles_as_freqtrade_reads_them(bundled_lake: Path, tmp_path: Path) -> None:
    words = ("--filled", "--interval", "1h", "--style", "freqtrade", "--format", "json")

    hours = json.loads(exported(bundled_lake, tmp_path, *words).read_text())

    assert hours[0] == [1704067200000, 42283.58, 42554.57, 42261.02, 42475.23, 1271.68108]
