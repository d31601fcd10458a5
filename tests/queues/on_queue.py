"""A history handed to Celery's workers, and what of it has landed."""

from __future__ import annotations

import subprocess
from pathlib import Path

from lake.objects import FolderStore
from tests.extract.asking import covered_ids
from tests.front_door.commands import ROOT, command

ETHUSDT_IDS = list(range(1_692_296_325, 1_692_306_326))
ETHUSDT = ("--exchange", "binance", "--kind", "spot", "--instruments", "ETHUSDT")


def history(environment: dict[str, str], *more: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        command("extract", "history", *ETHUSDT, *more),
        cwd=ROOT,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def held(tmp_path: Path) -> list[int]:
    return covered_ids(FolderStore(tmp_path / "lake"), "bronze/agg_trades/")
