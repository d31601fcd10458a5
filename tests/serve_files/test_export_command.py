"""`candlelake export` and `candlelake list-data` as their users run them."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.front_door.commands import ROOT, candlelake, environment, the_error
from tests.serve_files.small_lake import small_lake


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("small") / "lake"
    small_lake(folder)
    return folder


def run_of(lake: Path, *words: str) -> list[str]:
    return [*words, "--set", f"lake.root={lake}"]


def test_names_of_files_are_on_standard_output_and_all_else_is_not(
    lake: Path, tmp_path: Path
) -> None:
    done = candlelake(*run_of(lake, "export", "--out", str(tmp_path)))

    assert done.returncode == 0, done.stderr
    printed = [Path(line) for line in done.stdout.splitlines()]
    assert sorted(printed) == sorted(tmp_path.iterdir())
    assert [path.name.partition("-1m")[0] for path in printed] == [
        *("binance-future-ETH%2FBTC%7E.", "binance-spot-BTCUSDT")
    ]
    assert "binance spot BTCUSDT: 1 bars are not proved complete" in done.stderr


def test_an_instrument_is_named_as_ccxt_does(lake: Path, tmp_path: Path) -> None:
    words = ("--instruments", "ETH/BTC:BTC", "--format", "json", "--out", str(tmp_path))

    done = candlelake(*run_of(lake, "export", *words))

    assert done.returncode == 0, done.stderr
    assert len(json.loads(Path(done.stdout.strip()).read_text())) == 2


def test_what_is_not_held_is_told_with_what_is(lake: Path, tmp_path: Path) -> None:
    done = candlelake(*run_of(lake, "export", "--instruments", "DOGE*", "--out", str(tmp_path)))

    line = the_error(done)
    assert "nothing that is held is selected" in line
    assert "binance spot BTCUSDT" in line


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--interval", "2m"), "--interval is one of 1m"),
        (("--dataset", "trades", "--filled"), "--filled and --as-of are of bars"),
        (("--start", "2024-02-02", "--end", "2024-02-01"), "--end is not after --start"),
        (("--start", "2030-01-01"), "no row that is held lies in the range"),
        (("--style", "freqtrade", "--layout", "kind"), "the layout of freqtrade is its own"),
        (("--dataset", "agg_trades"), "silver.agg_trades does not exist"),
    ],
)
def test_what_can_not_be_is_said_in_one_line(
    lake: Path, tmp_path: Path, words: tuple[str, ...], said: str
) -> None:
    done = candlelake(*run_of(lake, "export", *words, "--out", str(tmp_path)))

    assert done.returncode in (1, 2), done.stderr
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert (done.stdout, list(tmp_path.iterdir())) == ("", [])


def test_list_data_tells_what_is_held_from_when_to_when(lake: Path) -> None:
    done = candlelake(*run_of(lake, "list-data", "--show-timerange", "--format", "csv"))

    assert done.returncode == 0, done.stderr
    rows = [list(row.values()) for row in csv.DictReader(done.stdout.splitlines())]
    spot = ["binance", "spot", "BTCUSDT"]
    assert rows == [
        [
            *("binance", "future", "ETH/BTC~.", "gold.ohlcv", "1m"),
            *("2024-01-31T23:58:00.000000Z", "2024-01-31T23:59:00.000000Z", "2"),
        ],
        [
            *(*spot, "gold.ohlcv", "1m"),
            *("2024-01-31T23:58:00.000000Z", "2024-02-01T00:02:00.000000Z", "5"),
        ],
        [
            *(*spot, "gold.ohlcv", "5m"),
            *("2024-01-31T23:58:00.000000Z", "2024-01-31T23:58:00.000000Z", "1"),
        ],
        [
            *(*spot, "silver.trades", ""),
            *("2024-01-31T23:58:00.000000Z", "2024-02-01T00:00:00.000000Z", "5"),
        ],
    ]


def test_list_data_without_the_range_is_short(lake: Path) -> None:
    done = candlelake(*run_of(lake, "list-data", "--kind", "future", "--format", "json"))

    assert json.loads(done.stdout) == {
        "exchange": "binance",
        "kind": "future",
        "instrument": "ETH/BTC~.",
        "table": "gold.ohlcv",
        "bar_interval": "1m",
    }


def test_without_deltalake_only_files_are_not_to_be_had(lake: Path, tmp_path: Path) -> None:
    """Commands that open no table by it do not even load it."""
    (tmp_path / "deltalake.py").write_text("raise ModuleNotFoundError('deltalake')")
    without = (
        f"import sys; sys.path.insert(0, {str(tmp_path)!r})"
        "\nfrom jobs.cli import main; sys.exit(main())"
    )

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-c", without, *words],
            cwd=ROOT,
            env=environment(),
            capture_output=True,
            text=True,
            check=False,
        )

    assert "which is not installed here" in the_error(run(*run_of(lake, "list-data")))
    assert run("quarantine", "--help").returncode == 0
