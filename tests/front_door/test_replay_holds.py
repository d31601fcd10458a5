"""Asked for what the recordings lack, the replay says what it holds, and nothing lands."""

from __future__ import annotations

from pathlib import Path

import pytest

from extract.listing import Listing
from extract.replay.stock import what_is_held
from jobs.extraction.replayed import require_held
from jobs.options import select
from lake.errors import UsageError
from lake.settings import load_settings
from tests.front_door.commands import candlelake, landed, the_error

BINANCE_SPOT = ("--exchange", "binance", "--kind", "spot")
USDM = ("--exchange", "binance", "--kind", "usdm", "--instruments", "BTCUSDT")
OPTIONS = ("--exchange", "deribit", "--kind", "option", "--instruments")
TAPE = ("--start", "2024-08-08T23:56:00Z", "--end", "2024-08-09T00:10:00Z")
DAY = "agg_trades 2024-01-01T00:00:00Z to 2024-01-01T23:59:59Z"
USDM_HELD = (
    "binance usdm BTCUSDT, ETHUSDT: trades and agg_trades and klines"
    " 2024-08-08T23:56:00Z to 2024-08-09T00:09:59Z (generated)"
    "; binance usdm BTCUSDT, ETHUSDT: funding_rates"
    " 2024-07-01T00:00:00Z to 2024-08-09T00:00:00Z (generated)"
    "; binance usdm BTCUSDT, ETHUSDT: mark_klines"
    " 2024-08-08T00:00:00Z to 2024-08-09T00:14:00Z (generated)"
)


@pytest.mark.parametrize(
    ("words", "lacking", "held"),
    [
        (
            (*BINANCE_SPOT, "--instruments", "BTCUSDT,DOGEUSDT"),
            "the replay has no instrument 'DOGEUSDT'",
            f"binance spot BTCUSDT: {DAY}",
        ),
        (
            (*BINANCE_SPOT, "--start", "2024-01-02", "--end", "2024-01-03"),
            "no agg_trades or klines of binance spot BTCUSDT from 2024-01-02T00:00:00Z",
            DAY,
        ),
        ((*USDM, *TAPE, "--source", "archive"), "no agg_trades of binance usdm", USDM_HELD),
        (("--exchange", "deribit", "--kind", "future"), "nothing is selected", "BTC-PERPETUAL"),
    ],
    ids=["instrument", "day", "archive", "kind"],
)
def test_a_command_ends_in_one_line_and_lands_nothing(
    tmp_path: Path, words: tuple[str, ...], lacking: str, held: str
) -> None:
    line = the_error(candlelake("extract", "--set", f"lake.root={tmp_path}", *words))

    assert lacking in line
    assert "The replay holds " in line
    assert held in line
    assert landed(tmp_path) == []


def test_what_is_held_lands(tmp_path: Path) -> None:
    done = candlelake("extract", "--set", f"lake.root={tmp_path}", *OPTIONS, "ETH-*", *TAPE)

    assert done.returncode == 0, done.stderr
    assert len(landed(tmp_path)) > 1


LISTINGS = [
    Listing("BTCUSDT", "BTC/USDT"),
    Listing("ETHUSDT", "ETH/USDT"),
    Listing("SOLUSDT", "SOL/USDT"),
]


def required(*overrides: str, **options: str) -> None:
    """Ask for something of Binance spot, as the options of a run say it."""
    settings = load_settings("replay", overrides, environ={})
    selection = select(settings, exchange="binance", kind="spot", **options)
    require_held(settings, selection, selection.segments[0], LISTINGS)


@pytest.mark.parametrize(
    ("options", "lacking"),
    [
        ({"instruments": "BTCUSDT,SOLUSDT"}, "no agg_trades or klines of binance spot SOLUSDT"),
        ({"instruments": "SOL/USDT"}, "no agg_trades or klines of binance spot SOL/USDT"),
        ({"instruments": "ETH*"}, "no agg_trades or klines of binance spot ETH*"),
        ({"datasets": "agg_trades,trades"}, "no trades of binance spot BTCUSDT"),
        ({"start": "2024-01-02", "end": "2024-01-03"}, "BTCUSDT from 2024-01-02T00:00:00Z"),
        ({"source": "archive", "end": "2024-01-02T00:00:01Z"}, "in the archive"),
        (
            {"source": "archive", "datasets": "klines", "end": "2017-01-02", "start": "2017-01-01"},
            "no klines",
        ),
        ({"source": "archive", "datasets": "klines"}, "in the archive"),
    ],
)
def test_what_the_recordings_lack_is_said(options: dict[str, str], lacking: str) -> None:
    with pytest.raises(UsageError) as raised:
        required(**options)

    assert lacking in str(raised.value)
    assert "The replay holds binance spot BTCUSDT" in str(raised.value)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"source": "archive"},
        {"source": "auto"},
        {"source": "auto", "datasets": "klines"},
        {"instruments": "*"},
        {"instruments": "ETH/USDT", "start": "2025-09-01", "end": "2025-09-02"},
        {"datasets": "instruments", "instruments": "SOLUSDT"},
        {"datasets": "trades", "start": "2025-03-25T23:10:04Z", "end": "2025-03-26"},
    ],
)
def test_what_the_recordings_hold_passes(options: dict[str, str]) -> None:
    required(**options)


def test_bars_of_another_interval_are_not_held() -> None:
    required(datasets="klines")

    with pytest.raises(UsageError, match="no klines of binance spot BTCUSDT"):
        required("extract.bar_interval=1m", datasets="klines")


def test_holdings_are_told_by_exchange_and_kind() -> None:
    assert what_is_held("binance", "usdm") == f"The replay holds {USDM_HELD}."
    assert what_is_held("deribit", None).count("; deribit ") == 5
    assert "deribit-history" not in what_is_held(None, None)
