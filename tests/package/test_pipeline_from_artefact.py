"""The whole pipeline out of the artefact alone, on an executor of its own, as on a cluster."""

from __future__ import annotations

from pathlib import Path

import pytest
from deltalake import DeltaTable

from extract.replay.exchange import ReplayExchange
from lake.beside import version
from tests.aws.templates import ROOT
from tests.front_door.commands import pointed_at
from tests.package.test_artefact import packed
from tests.package.test_job_from_artefact import submitted

pytestmark = [pytest.mark.spark, pytest.mark.slow, pytest.mark.timeout(900)]

WINDOW = ("--start", "2024-01-01T00:00:00Z", "--end", "2024-01-01T01:00:00Z")
BTCUSDT = ("--exchange", "binance", "--kind", "spot", "--instruments", "BTCUSDT")
#: One worker with one core and so many MiB: processes of their own.
CLUSTER = "local-cluster[1,1,1200]"


def test_the_pipeline_certifies_an_hour_out_of_the_zip_alone(tmp_path: Path) -> None:
    artefact, lake = packed(ROOT, tmp_path / "artefact"), tmp_path / "lake"
    with ReplayExchange() as exchange:
        done = submitted(
            artefact,
            tmp_path,
            *("pipeline", "--env", "local", *BTCUSDT, *WINDOW),
            *pointed_at(exchange),
            *("--set", f"lake.root={lake}", "--set", "extract.bar_interval=1h"),
            master=CLUSTER,
        )

    assert done.returncode == 0, done.stderr[-4000:]
    assert "binance spot BTCUSDT 1h: 9 fields compared, 9 equal," in done.stdout
    (run,) = DeltaTable(lake / "ops" / "runs").to_pyarrow_table().to_pylist()
    assert (run["job"], run["code_version"]) == ("pipeline", version())
