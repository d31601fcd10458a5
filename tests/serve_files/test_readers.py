"""freqtrade and nautilus_trader read what is exported for them: each value is that of the lake."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow.dataset as pd
import pytest

from lake.objects import ObjectStore, open_store
from serve.files.asked import Asked, Dataset
from serve.files.reading import rows_of
from tests.front_door.commands import ROOT, candlelake
from tests.serve_files.small_lake import small_lake

READERS = ROOT / "deploy" / "services" / "readers.sh"
pytestmark = [pytest.mark.slow, pytest.mark.timeout(1500)]

WITH_FREQTRADE = """
import json, sys
from pathlib import Path
from freqtrade.data.history.datahandlers import get_datahandler
from freqtrade.enums import CandleType, TradingMode

folder, form, pair, futures = Path(sys.argv[1]), *sys.argv[2:4], sys.argv[4] == "futures"
handler = get_datahandler(folder, form)
mode = TradingMode.FUTURES if futures else TradingMode.SPOT
kind = CandleType.FUTURES if futures else CandleType.SPOT
bars = handler.ohlcv_load(pair, "1m", kind, fill_missing=False, drop_incomplete=False)
bars["date"] = bars["date"].astype("int64")
columns = ["timestamp", "id", "side", "price", "amount", "cost"]
print(json.dumps({
    "held": [pair for pair, *_ in handler.ohlcv_get_available_data(folder, mode)],
    "bars": bars.values.tolist(),
    "trades": [] if futures else handler.trades_load(pair, mode)[columns].values.tolist(),
}))
"""
WITH_FREQTRADE_BARS = """
import json, sys
from pathlib import Path
from freqtrade.data.history import load_pair_history

bars = load_pair_history("BTC/USDT", "1m", Path(sys.argv[1]), fill_up_missing=False,
                         drop_incomplete=False, data_format="feather")
bars["date"] = bars["date"].astype("int64")
print(json.dumps({"bars": bars.values.tolist()}))
"""
WITH_NAUTILUS = """
import json, sys
from nautilus_trader.persistence.catalog import ParquetDataCatalog

catalog = ParquetDataCatalog(sys.argv[1])
print(json.dumps({
    "bars": [
        [str(bar.bar_type), *map(str, (bar.open, bar.high, bar.low, bar.close, bar.volume)),
         bar.ts_event, bar.ts_init]
        for bar in catalog.bars()
    ],
    "trades": [
        [str(tick.instrument_id), str(tick.price), str(tick.size), tick.aggressor_side.name,
         str(tick.trade_id), tick.ts_event, tick.ts_init]
        for tick in catalog.trade_ticks()
    ],
}))
"""


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> ObjectStore:
    return small_lake(tmp_path_factory.mktemp("small") / "lake")


def exported(store: ObjectStore, out: Path, *words: str) -> None:
    root = store.location("x").removesuffix("/x")
    done = candlelake("export", "--out", str(out), "--set", f"lake.root={root}", *words)
    assert done.returncode == 0, done.stderr


def read_by(program: str, *words: str) -> dict[str, Any]:
    """Run a few lines with the readers' own Python; installs them at the first call."""
    done = subprocess.run(
        [str(READERS), "run", "-c", program, *words], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return answer


def held(store: ObjectStore, asked: Asked, instrument: str) -> list[dict[str, Any]]:
    """What the lake holds of an instrument, by time; of bars those with a price."""
    rows = rows_of(store, asked)
    (series,) = (one for one in rows.series() if one.instrument == instrument)
    found = [row for part in rows.parts(series) for row in part.to_pylist()]
    return [row for row in found if row.get("print_kind", "book") == "book" and row.get("close", 1)]


def bars_as_doubles(rows: Sequence[dict[str, Any]]) -> list[list[Any]]:
    names = ("open", "high", "low", "close", "base_volume")
    return [
        [int(row["bar_start"].timestamp()) * 1000, *(float(row[name]) for name in names)]
        for row in rows
    ]


@pytest.mark.parametrize("form", ["feather", "parquet", "json"])
def test_freqtrade_reads_the_candles_and_trades(
    store: ObjectStore, tmp_path: Path, form: str
) -> None:
    words = ("--style", "freqtrade", "--format", form)
    exported(store, tmp_path, *words)
    exported(store, tmp_path, *words, "--dataset", "trades")

    read = read_by(WITH_FREQTRADE, str(tmp_path / "binance"), form, "BTC/USDT", "spot")

    expected = bars_as_doubles(held(store, Asked(Dataset.BARS, "1m"), "BTCUSDT"))
    assert read["held"] == ["BTC/USDT"]
    assert read["bars"] == expected
    assert len(expected) == 4
    assert read["trades"] == [
        [
            int(row["trade_timestamp"].timestamp() * 1_000_000) // 1000,
            *(row["trade_id"], row["taker_side"]),
            *(float(row[name]) for name in ("price", "quantity", "quote_quantity")),
        ]
        for row in held(store, Asked(Dataset.TRADES), "BTCUSDT")
    ]


def test_freqtrade_reads_futures_by_its_own_name(store: ObjectStore, tmp_path: Path) -> None:
    exported(store, tmp_path, "--style", "freqtrade", "--format", "feather", "--kind", "future")

    read = read_by(WITH_FREQTRADE, str(tmp_path / "binance"), "feather", "ETH/BTC:BTC", "futures")

    assert read["held"] == ["ETH/BTC:BTC"]
    assert read["bars"] == bars_as_doubles(held(store, Asked(Dataset.BARS, "1m"), "ETH/BTC~."))


def test_nautilus_trader_reads_bars_and_ticks_exactly(store: ObjectStore, tmp_path: Path) -> None:
    words = ("--style", "nautilus", "--format", "parquet", "--kind", "spot")
    exported(store, tmp_path, *words)
    exported(store, tmp_path, *words, "--dataset", "trades")

    read = read_by(WITH_NAUTILUS, str(tmp_path))

    bars = held(store, Asked(Dataset.BARS, "1m"), "BTCUSDT")
    assert [[Decimal(text) for text in bar[1:6]] for bar in read["bars"]] == [
        [bar[name] for name in ("open", "high", "low", "close", "volume")] for bar in bars
    ]
    ends = [int(bar["bar_end"].timestamp()) * 10**9 for bar in bars]
    assert [bar[6:] for bar in read["bars"]] == [[end, end] for end in ends]
    assert {bar[0] for bar in read["bars"]} == {"BTCUSDT.BINANCE-1-MINUTE-LAST-EXTERNAL"}
    trades = held(store, Asked(Dataset.TRADES), "BTCUSDT")
    assert [[Decimal(tick[1]), Decimal(tick[2]), tick[4]] for tick in read["trades"]] == [
        [row["price"], row["quantity"], row["trade_id"]] for row in trades
    ]
    assert [tick[3] for tick in read["trades"]] == ["SELLER", "SELLER", "BUYER", "SELLER"]
    assert read["trades"][0][5] == read["trades"][0][6] == 1706745480000005000


def test_the_bundled_day_is_read_alike_by_all(bundled_lake: Path, tmp_path: Path) -> None:
    """Two hours of the real day, or what READY_LAKE holds: minutes in all three ways."""
    store = open_store(str(bundled_lake))
    exported(store, tmp_path / "f", "--style", "freqtrade", "--format", "feather")
    exported(store, tmp_path / "n", "--style", "nautilus", "--format", "parquet")
    exported(store, tmp_path / "c", "--format", "parquet")

    freqtrade = read_by(WITH_FREQTRADE_BARS, str(tmp_path / "f" / "binance"))
    nautilus = read_by(WITH_NAUTILUS, str(tmp_path / "n"))

    ours = pd.dataset(tmp_path / "c").to_table().to_pylist()
    assert len(ours) >= 120
    assert freqtrade["bars"] == bars_as_doubles(ours)
    assert [[Decimal(text) for text in bar[1:6]] for bar in nautilus["bars"]] == [
        [bar[name] for name in ("open", "high", "low", "close", "volume")] for bar in ours
    ]
