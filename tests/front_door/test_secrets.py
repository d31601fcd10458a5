"""A planted API key is sent to the exchange and shows in no log, no error and no file."""

from __future__ import annotations

import gzip
import subprocess
from pathlib import Path

import pytest

from tests.front_door.commands import ROOT, command, environment, landed

PLANTED = "pl4nted-k3y"
WORDS = (
    *("extract", "--exchange", "binance", "--kind", "usdm", "--instruments", "BTCUSDT"),
    *("--datasets", "trades", "--start", "2024-08-08T23:56:00Z", "--end", "2024-08-09T00:00:00Z"),
)


def extracted(lake: Path, *more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(*WORDS, "--set", f"lake.root={lake}", *more),
        cwd=ROOT,
        env={**environment(), "CANDLELAKE_EXCHANGES__BINANCE__USDM__API_KEY": PLANTED},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def test_a_run_with_a_key_leaves_no_trace_of_it(tmp_path: Path) -> None:
    done = extracted(tmp_path)

    assert done.returncode == 0, done.stderr
    assert any(key.startswith("bronze/trades/") for key in landed(tmp_path))
    assert PLANTED not in done.stdout + done.stderr
    for path in tmp_path.rglob("*"):
        content = path.read_bytes() if path.is_file() else b""
        assert PLANTED.encode() not in content
        if path.suffix == ".gz":
            assert PLANTED.encode() not in gzip.decompress(content)


@pytest.mark.parametrize(
    "fault",
    ["exchanges.binance.usdm.api_keys=1", "exchanges.binance.usdm.rest_url=http://127.0.0.1:9"],
    ids=["a wrong setting", "nobody there"],
)
def test_an_error_shows_no_key(tmp_path: Path, fault: str) -> None:
    done = extracted(tmp_path, "--set", fault, "--set", "extract.attempts=1")

    assert done.returncode in (2, 4), done.stderr
    assert PLANTED not in done.stdout + done.stderr
