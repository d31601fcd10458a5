"""`candlelake extract minute` as its users run it."""

from __future__ import annotations

from pathlib import Path

import pytest

from jobs.extraction.minute import chosen
from lake.errors import UsageError
from lake.settings import load_settings
from tests.front_door.commands import candlelake


def test_one_poll_of_the_bundled_exchange_lands_two_prices(tmp_path: Path) -> None:
    done = candlelake("extract", "minute", "--once", "--set", f"lake.root={tmp_path}/lake")

    assert (done.returncode, done.stdout) == (0, "polls=1 files=1 rows=2 missed=0 failed=0\n")
    (file,) = (tmp_path / "lake" / "bronze").rglob("*.gz")
    assert "index_prices/deribit/index/2024-08" in str(file)


def test_an_unknown_index_is_one_line_and_the_others_land(tmp_path: Path) -> None:
    words = ("--once", "--indexes", "btc_usd,nothing_usd", "--set", "minute.delay_seconds=0")

    done = candlelake("extract", "minute", *words, "--set", f"lake.root={tmp_path}/lake")

    assert (done.returncode, done.stdout) == (1, "polls=1 files=1 rows=1 missed=1 failed=1\n")
    assert "index_name" in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"bars": True}, "--bars names no instrument"),
        ({"exchange": "binance"}, "nothing is to be polled"),
        ({"exchange": "binance", "indexes": "btc_usd"}, "binance has no indexes"),
        ({"bars": True, "instruments": "BTCUSDT"}, "--exchange and --kind"),
        ({"instruments": "X", "exchange": "binance", "kind": "spot"}, "Add --bars"),
        (
            {"bars": True, "exchange": "binance", "kind": "spot", "instruments": "BTC*"},
            "names no instrument",
        ),
    ],
)
def test_what_makes_no_sense_is_refused(options: dict[str, object], told: str) -> None:
    with pytest.raises(UsageError, match=told):
        chosen(load_settings("replay", environ={}), **options)  # type: ignore[arg-type]


def test_the_settings_name_what_the_options_leave_out() -> None:
    bars = "minute.bars=binance/spot/BTCUSDT,deribit/future/BTC-PERPETUAL"
    settings = load_settings("replay", [bars], environ={})

    both = chosen(settings)
    deribit = chosen(settings, exchange="deribit", indexes="sol_usdc")
    prices = chosen(settings, bars=False)

    assert [(one.exchange, one.indexes, len(one.instruments)) for one in both] == [
        ("binance", (), 1),
        ("deribit", ("btc_usd", "eth_usd"), 1),
    ]
    assert [(one.exchange, one.indexes, len(one.instruments)) for one in deribit] == [
        ("deribit", ("sol_usdc",), 1)
    ]
    assert [(one.exchange, len(one.instruments)) for one in prices] == [("deribit", 0)]
