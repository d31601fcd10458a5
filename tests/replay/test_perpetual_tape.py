"""The replay's perpetuals: funding and mark bars by the exchanges' rules, marked as generated."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import zipfile
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from extract.replay.futures_tape import SEED, USDM_CONTRACTS
from extract.replay.perpetual_tape import mark_minutes, settlements
from tests.replay.asking import Asking

EIGHT_HOURS, HOUR, MINUTE = 28_800_000, 3_600_000, 60_000
JULY, AUGUST = 1_719_792_000_000, 1_722_470_400_000
MIDNIGHT = 1_723_161_600_000  # 2024-08-09
DAY = MIDNIGHT - 24 * HOUR
NOW = MIDNIGHT + 15 * MINUTE


def test_funding_is_settled_every_eight_hours_up_to_now(ask: Asking) -> None:
    rows = ask.usdm("fundingRate", symbol="BTCUSDT", startTime=JULY, limit=1000)

    assert [row["fundingTime"] // HOUR * HOUR for row in rows] == [
        *range(JULY, MIDNIGHT + 1, EIGHT_HOURS)
    ]
    assert {row["fundingTime"] % HOUR < 20 for row in rows} == {True}
    assert len({row["fundingRate"] for row in rows}) > 20
    assert all(len(row["fundingRate"].rpartition(".")[2]) == 8 for row in rows)


def test_both_ends_of_a_window_are_included_and_the_oldest_come_first(ask: Asking) -> None:
    rows = ask.coinm("fundingRate", symbol="BTCUSD_PERP", startTime=JULY, limit=1000)
    first, last = rows[3]["fundingTime"], rows[7]["fundingTime"]

    inside = ask.coinm("fundingRate", symbol="BTCUSD_PERP", startTime=first, endTime=last)
    cut = ask.coinm("fundingRate", symbol="BTCUSD_PERP", startTime=first, limit=2)
    newest = ask.coinm("fundingRate", symbol="BTCUSD_PERP", limit=2)

    assert inside == rows[3:8]
    assert cut == rows[3:5]
    assert newest == rows[-2:]


def test_a_limit_above_1000_and_an_unknown_symbol_are_refused(ask: Asking) -> None:
    url = f"{ask.urls.usdm}/fapi/v1/fundingRate"

    assert ask.get(url, symbol="BTCUSDT", limit=1001).json()["code"] == -1130
    assert ask.get(url, symbol="DOGEUSDT").json()["code"] == -1121
    assert ask.get(url, symbol="BTCUSDT").headers["X-Replay-Generated"] == "seed=20240809"


def test_mark_bars_are_klines_without_volume_and_merge(ask: Asking) -> None:
    minutes = ask.usdm(
        "markPriceKlines", symbol="ETHUSDT", interval="1m", startTime=DAY, limit=1500
    )
    hours = ask.usdm("markPriceKlines", symbol="ETHUSDT", interval="1h", startTime=DAY)

    assert [bar[0] for bar in minutes] == list(range(DAY, NOW + 1, MINUTE))
    assert {(bar[5], bar[7], bar[9], bar[10], bar[11], len(bar)) for bar in minutes} == {
        ("0", "0", "0", "0", "0", 12)
    }
    first = minutes[:60]
    assert hours[0][:5] == [
        DAY,
        first[0][1],
        f"{max(Decimal(bar[2]) for bar in first):f}",
        f"{min(Decimal(bar[3]) for bar in first):f}",
        first[-1][4],
    ]
    assert all(before[4] == after[1] for before, after in pairwise(minutes))


@pytest.mark.parametrize(("folder", "symbol"), [("um", "ETHUSDT"), ("cm", "ETHUSD_PERP")])
def test_the_archive_holds_what_rest_says(ask: Asking, folder: str, symbol: str) -> None:
    rest = ask.usdm if folder == "um" else ask.coinm
    top = f"data/futures/{folder}"
    rates = _rows(ask, f"{top}/monthly/fundingRate/{symbol}/{symbol}-fundingRate-2024-07.zip")
    bars = _rows(ask, f"{top}/daily/markPriceKlines/{symbol}/1m/{symbol}-1m-2024-08-08.zip")

    said = rest("fundingRate", symbol=symbol, startTime=JULY, endTime=AUGUST - 1, limit=1000)
    assert rates[0] == ["calc_time", "funding_interval_hours", "last_funding_rate"]
    assert rates[1:] == [[str(row["fundingTime"]), "8", row["fundingRate"]] for row in said]
    shown: list[list[Any]] = []
    for start in (DAY, DAY + 12 * HOUR):
        window: dict[str, Any] = {"startTime": start, "endTime": start + 12 * HOUR - 1}
        shown += rest("markPriceKlines", symbol=symbol, interval="1m", limit=1000, **window)
    assert len(bars) == 1 + 1440
    assert bars[1:] == [[str(cell) for cell in bar] for bar in shown]


def _rows(ask: Asking, key: str) -> list[list[str]]:
    zipped = ask.get(f"{ask.urls.archive}/{key}")
    checksum = ask.get(f"{ask.urls.archive}/{key}.CHECKSUM").text
    digest = hashlib.sha256(zipped.content).hexdigest()
    assert checksum == f"{digest}  {key.rpartition('/')[2]}\n"
    assert zipped.headers["X-Replay-Generated"] == "seed=20240809"
    with zipfile.ZipFile(io.BytesIO(zipped.content)) as archive:
        (member,) = archive.namelist()
        return list(csv.reader(archive.read(member).decode().splitlines()))


def test_deribits_hours_leave_the_start_out_and_end_with_the_clock(ask: Asking) -> None:
    window = {"start_timestamp": MIDNIGHT - 3 * HOUR, "end_timestamp": MIDNIGHT + HOUR}

    answer = ask.deribit("get_funding_rate_history", instrument_name="ETH-PERPETUAL", **window)

    hours = answer["result"]
    assert [hour["timestamp"] for hour in hours] == [
        MIDNIGHT - 2 * HOUR,
        MIDNIGHT - HOUR,
        MIDNIGHT,
    ]
    assert hours[1]["prev_index_price"] == hours[0]["index_price"]
    assert all("e-07" in hour["interest_1h"] for hour in hours)


def test_only_perpetuals_have_funding_at_deribit(ask: Asking) -> None:
    url = f"{ask.urls.deribit}/api/v2/public/get_funding_rate_history"
    words = {"instrument_name": "BTC-27SEP24", "start_timestamp": DAY, "end_timestamp": MIDNIGHT}

    refusal = ask.get(url, None, **words)

    assert (refusal.status_code, refusal.json()["error"]["code"]) == (400, -32602)


def test_the_hours_have_the_shape_of_the_contract(ask: Asking, reference: Path) -> None:
    path = reference / "deribit_openapi" / "deribit_openapi_v2.1.1.json"
    schemas = json.loads(path.read_text(encoding="utf-8"))["components"]["schemas"]
    items = schemas["PublicGetFundingRateHistoryResponse"]["properties"]["result"]["items"]
    window = {"start_timestamp": DAY, "end_timestamp": MIDNIGHT}

    answer = ask.deribit("get_funding_rate_history", instrument_name="BTC-PERPETUAL", **window)

    assert len(answer["result"]) == 24
    assert {frozenset(hour) for hour in answer["result"]} == {frozenset(items["properties"])}


def test_the_same_seed_gives_the_same_for_any_clock() -> None:
    contract = USDM_CONTRACTS["BTCUSDT"]

    early = list(settlements(contract, SEED, AUGUST))
    assert list(settlements(contract, SEED, MIDNIGHT))[: len(early)] == early
    assert (
        list(mark_minutes(contract, SEED, DAY + HOUR))
        == list(mark_minutes(contract, SEED, MIDNIGHT))[:61]
    )
    assert early != list(settlements(contract, SEED + 1, AUGUST))
