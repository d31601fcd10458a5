"""An exchange of CCXT's through the commands: what each does with it, and what it refuses."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.extract.small_server import SmallServer
from tests.front_door.commands import ROOT, candlelake, landed, the_error
from tests.other_exchanges import LONG, MIDNIGHT, Kraken, minutes

WINDOW = ("--start", "2024-01-01T00:00:00Z", "--end", "2024-01-01T00:04:00Z")
BULK = ("--start-timestamp", "2024-01-01T00:00:00Z", "--end-timestamp", "2024-01-01T00:04:00Z")
OF_KRAKEN = ("--exchange", "kraken", "--kind", "spot")
BY_CCXT = ("--vendor", "ccxt", "--exchange-id", "kraken", "--universe", "v2")


@pytest.fixture
def kraken() -> Iterator[SmallServer]:
    with SmallServer(route=Kraken(minutes(0, 1, 3))) as server:
        yield server


@pytest.fixture
def conf(kraken: SmallServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The settings of the checkout with one table more, and a universe that names its market."""
    folder = tmp_path / "conf"
    shutil.copytree(ROOT / "conf", folder)
    table = f'\n[exchanges.kraken]\nccxt = "kraken"\nrest_url = "{kraken.url}"\n'
    with (folder / "replay.toml").open("a", encoding="utf-8") as file:
        file.write(f'{table}requests_per_second = 1000\n\n[universe.kraken]\nspot = ["BTC/USD"]\n')
    (folder / "universes" / "v2.toml").write_text('[kraken]\nspot = ["BTC/USD"]\n')
    monkeypatch.setattr("tests.front_door.commands.environment", lambda: of_conf(folder))
    return folder


def of_conf(folder: Path) -> dict[str, str]:
    import os  # noqa: PLC0415 - as `environment`, of which this takes the place

    kept = {name: value for name, value in os.environ.items() if "CANDLELAKE" not in name}
    return {**kept, "CANDLELAKE_CONF": str(folder)}


def test_a_table_and_a_universe_are_all_that_an_extraction_needs(
    conf: Path, tmp_path: Path
) -> None:
    lake = tmp_path / "lake"

    done = candlelake(
        "extract", *OF_KRAKEN, "--datasets", "klines", *WINDOW,
        "--set", f"lake.root={lake}", "--set", "extract.bar_interval=1m",
    )  # fmt: skip

    assert (done.returncode, done.stdout) == (0, "files=1 rows=3\n"), done.stderr
    (key,) = landed(lake)
    assert key.startswith("bronze/klines/kraken/spot/2024-01/XXBTZUSD~history~")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("extract", *OF_KRAKEN, "--datasets", "trades"), "its bars alone, no 'trades'"),
        (("extract", *OF_KRAKEN, "--datasets", "instruments"), "bars alone, no 'instruments'"),
        (("extract", *OF_KRAKEN, "--source", "archive", "--datasets", "klines"), "no archive"),
        (("extract", "history", *OF_KRAKEN), "history loads trades and agg_trades"),
        (("extract", *OF_KRAKEN, "--instruments", "BTC/USDC"), "no instrument 'BTC/USDC'"),
        (("extract", "--exchange", "krakn", "--kind", "spot"), "binance, deribit, kraken"),
        (("coverage", *OF_KRAKEN), "--exchange is one of binance, deribit"),
    ],
)
def test_what_ccxt_does_not_give_is_refused(
    conf: Path, tmp_path: Path, words: tuple[str, ...], said: str
) -> None:
    line = the_error(candlelake(*words, "--set", f"lake.root={tmp_path / 'lake'}"))

    assert said in line
    assert "Traceback" not in line
    assert landed(tmp_path / "lake") == []


def test_a_plan_counts_the_pages_of_the_exchange(conf: Path, tmp_path: Path) -> None:
    done = candlelake(
        "plan", *OF_KRAKEN, "--start", "2024-01-01T00:00:00Z", "--end", "2024-01-02T00:00:00Z",
        "--set", f"lake.root={tmp_path / 'lake'}", "--set", "extract.bar_interval=1m",
    )  # fmt: skip

    assert done.returncode == 0, done.stderr
    # 1,440 minutes by 720, the markets and the clock
    cells = done.stdout.splitlines()[1].split()
    assert cells[:5] == ["kraken", "spot", "XXBTZUSD", "klines", "4"]
    assert cells[8:10] == ["1,440", "1"]


def test_bulk_writes_the_bars_and_lists_those_that_are_missing(conf: Path, tmp_path: Path) -> None:
    lake = tmp_path / "lake"
    words = (*BULK, *BY_CCXT, "--data-type", "ohlcv", "--contract-type", "spot")

    done = candlelake(
        "extract", "bulk", *words, "--s3-path", str(lake), "--data-format", "csv",
        "--set", "extract.bar_interval=1m",
    )  # fmt: skip

    assert (done.returncode, done.stdout) == (0, "files=1 rows=3 exports=1 missing=1\n"), (
        done.stderr
    )
    name = f"{MIDNIGHT}_{MIDNIGHT + 240_000}.csv"
    written = lake / "exports" / "ohlcv_1m" / "kraken" / "spot" / "XXBTZUSD" / name
    header, first, *_ = written.read_text(encoding="utf-8").splitlines()
    assert header == "exchange,kind,instrument,open_time,open,high,low,close,volume"
    assert first == f"kraken,spot,XXBTZUSD,{MIDNIGHT},{','.join(LONG)}"
    (record,) = (lake / "bulk" / "runs").glob("*.json")
    assert json.loads(record.read_text(encoding="utf-8"))["exchange_id"] == "kraken"

    strict = candlelake(
        "extract", "bulk", *words, "--s3-path", str(lake), "--assert-on-missing-data",
        "--set", "extract.bar_interval=1m",
    )  # fmt: skip
    assert strict.returncode == 1
    assert "from 2024-01-01T00:02:00Z until 2024-01-01T00:03:00Z" in strict.stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--data-type", "trades", "--contract-type", "spot"), "its bars alone, no 'trades'"),
        (("--data-type", "ohlcv", "--kind", "usdm"), "--kind is one of spot, swap, future"),
        (("--data-type", "ohlcv", "--contract-type", "futures"), "--kind swap or --kind future"),
        (("--data-type", "ohlcv", "--kind", "swap"), "the universe v2 names no swap of kraken"),
    ],
)
def test_bulk_refuses_what_makes_no_sense_for_it(
    conf: Path, tmp_path: Path, words: tuple[str, ...], said: str
) -> None:
    line = the_error(candlelake("extract", "bulk", *BULK, *BY_CCXT, *words))

    assert said in line
