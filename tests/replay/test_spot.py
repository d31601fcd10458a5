from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from tests.replay.asking import Asking

FIRST_ID = 2_807_759_891
LAST_ID = 2_808_623_293
MIDNIGHT = 1_704_067_200_000
HOUR = 3_600_000


def aggregates(ask: Asking, **parameters: Any) -> Any:
    return ask.spot("aggTrades", symbol="BTCUSDT", **parameters)


def test_page_begins_at_the_id_asked_for(ask: Asking) -> None:
    assert aggregates(ask, fromId=FIRST_ID, limit=1) == [
        {
            "a": 2807759891,
            "p": "42283.58000000",
            "q": "0.00069000",
            "f": 3344774379,
            "l": 3344774379,
            "T": 1704067200000,
            "m": True,
            "M": True,
        }
    ]
    page = aggregates(ask, fromId=FIRST_ID + 400_000, limit=1000)
    assert [row["a"] for row in page] == list(range(FIRST_ID + 400_000, FIRST_ID + 401_000))


def test_five_hundred_rows_unless_asked_and_a_thousand_at_most(ask: Asking) -> None:
    assert len(aggregates(ask, fromId=FIRST_ID)) == 500
    assert len(aggregates(ask, fromId=FIRST_ID, limit=5000)) == 1000


def test_window_gives_its_oldest_rows_both_bounds_inclusive(ask: Asking) -> None:
    page = aggregates(ask, startTime=MIDNIGHT + 1, endTime=MIDNIGHT + 3, limit=1000)

    assert page[0]["a"] == FIRST_ID + 1
    assert {row["T"] for row in page} == {MIDNIGHT + 1, MIDNIGHT + 3}
    assert aggregates(
        ask, startTime=MIDNIGHT, endTime=MIDNIGHT + 86_399_999, limit=2
    ) == aggregates(ask, fromId=FIRST_ID, limit=2)


def test_end_alone_gives_the_newest_rows_before_it(ask: Asking) -> None:
    page = aggregates(ask, endTime=MIDNIGHT + 86_399_999, limit=3)

    assert [row["a"] for row in page] == [LAST_ID - 2, LAST_ID - 1, LAST_ID]


def test_no_bound_gives_the_newest_rows(ask: Asking) -> None:
    assert [row["a"] for row in aggregates(ask, limit=2)] == [3_664_806_851, 3_664_806_852]


def test_page_goes_on_in_the_next_recording(ask: Asking) -> None:
    page = aggregates(ask, fromId=LAST_ID, limit=3)

    assert [row["a"] for row in page] == [LAST_ID, 3_664_796_852, 3_664_796_853]


def test_newest_rows_reach_back_into_the_recording_before(ask: Asking) -> None:
    page = aggregates(ask, endTime=1_756_684_800_336, limit=3)

    assert [row["a"] for row in page] == [LAST_ID, 3_664_796_852, 3_664_796_853]


def test_id_beyond_the_newest_gives_an_empty_page(ask: Asking) -> None:
    assert aggregates(ask, fromId=9_000_000_000) == []


@pytest.mark.parametrize(
    ("first_id", "in_millis", "in_micros"),
    [
        (FIRST_ID + 1, 1_704_067_200_001, 1_704_067_200_001_000),
        (3_664_796_852, 1_756_684_800_178, 1_756_684_800_178_247),
    ],
)
def test_times_are_in_the_unit_asked_for(
    ask: Asking, first_id: int, in_millis: int, in_micros: int
) -> None:
    micros = {"X-MBX-TIME-UNIT": "MICROSECOND"}

    assert aggregates(ask, fromId=first_id, limit=1)[0]["T"] == in_millis
    assert aggregates(ask, headers=micros, fromId=first_id, limit=1)[0]["T"] == in_micros


def test_window_may_be_sent_in_micros(ask: Asking) -> None:
    page = aggregates(ask, startTime=1_756_684_800_178_248, endTime=1_756_684_800_336_066)

    assert [row["a"] for row in page] == [3_664_796_853]


def test_all_pages_of_the_day_give_every_row_once(ask: Asking) -> None:
    seen, trades, first_id = 0, 0, FIRST_ID
    while first_id <= LAST_ID:
        page = [row for row in aggregates(ask, fromId=first_id, limit=1000) if row["a"] <= LAST_ID]
        assert [row["a"] for row in page] == list(range(first_id, first_id + len(page)))
        seen += len(page)
        trades += sum(row["l"] - row["f"] + 1 for row in page)
        first_id += len(page)

    assert (seen, trades) == (863_403, 1_114_623)


def test_hourly_bars_of_the_bundled_day_follow_from_its_trades(ask: Asking) -> None:
    bars = ask.spot("klines", symbol="BTCUSDT", interval="1h", startTime=MIDNIGHT)
    first_hour: list[Any] = []
    first_id = FIRST_ID
    while not first_hour or first_hour[-1]["T"] < MIDNIGHT + HOUR:
        page = aggregates(ask, fromId=first_id, limit=1000)
        first_hour += page
        first_id = page[-1]["a"] + 1
    first_hour = [row for row in first_hour if row["T"] < MIDNIGHT + HOUR]

    assert len(bars) == 24
    assert bars[0][:2] + bars[0][6:7] == [MIDNIGHT, "42283.58000000", MIDNIGHT + HOUR - 1]
    assert Decimal(bars[0][5]) == sum(Decimal(row["q"]) for row in first_hour)
    assert bars[0][8] == sum(row["l"] - row["f"] + 1 for row in first_hour)


def test_bar_has_twelve_fields_with_eight_decimals(ask: Asking) -> None:
    bars = ask.spot("klines", symbol="BTCUSDT", interval="1h", limit=1)

    assert bars == [
        [
            1704150000000,
            "43529.94000000",
            "44184.10000000",
            "43529.93000000",
            "44179.55000000",
            "3475.97051000",
            1704153599999,
            "152707972.56789150",
            114796,
            "2063.12837000",
            "90668650.68437820",
            "0",
        ]
    ]


def test_false_row_is_never_served(ask: Asking) -> None:
    halt = 1_679_662_800_000  # 2023-03-24T13:00Z
    bars = ask.spot("klines", symbol="BTCUSDT", interval="1h", startTime=halt - HOUR, limit=2)

    assert [bar[0] for bar in bars] == [halt - HOUR, halt + HOUR]


def test_bar_cut_short_by_the_halt_is_served_as_published(ask: Asking) -> None:
    bars = ask.spot("klines", symbol="BTCUSDT", interval="5m", startTime=1_679_661_300_000, limit=2)

    assert bars[0][6] == 1_679_661_581_999  # 12:39:41
    assert bars[1][0] == 1_679_666_400_000  # 14:00:00
    assert bars[0][8] == 0


def test_bars_off_the_grid_are_served_as_published(ask: Asking) -> None:
    start, end = 1_518_166_800_000, 1_518_168_494_000  # 09:00:00 and 09:28:14 on 2018-02-09
    bars = ask.spot("klines", symbol="BTCUSDT", interval="1h", startTime=start, endTime=end)

    assert [(bar[0], bar[6]) for bar in bars] == [
        (1_518_166_800_000, 1_518_170_399_999),
        (1_518_168_494_000, 1_518_172_094_999),
    ]


def test_all_true_bars_are_served_and_no_more(ask: Asking) -> None:
    opened: list[int] = []
    start = 0
    while page := ask.spot("klines", symbol="BTCUSDT", interval="1h", startTime=start, limit=1000):
        opened += [bar[0] for bar in page]
        start = opened[-1] + 1

    assert len(opened) == 55_765
    assert opened == sorted(set(opened))


def test_interval_without_recording_gives_no_bar(ask: Asking) -> None:
    assert ask.spot("klines", symbol="BTCUSDT", interval="1m") == []
    assert ask.spot("klines", symbol="ETHUSDT", interval="1h") == []


def test_bar_times_in_micros_end_on_the_last_microsecond(ask: Asking) -> None:
    micros = {"X-MBX-TIME-UNIT": "MICROSECOND"}
    bars = ask.spot("klines", headers=micros, symbol="BTCUSDT", interval="1h", limit=1)

    assert (bars[0][0], bars[0][6]) == (1_704_150_000_000_000, 1_704_153_599_999_999)


def test_recorded_trades_are_served_by_id(ask: Asking) -> None:
    page = ask.spot("historicalTrades", symbol="BTCUSDT", fromId=4_744_868_158, limit=1)

    assert page == [
        {
            "id": 4744868158,
            "price": "87232.01000000",
            "qty": "0.02026000",
            "quoteQty": "1767.32052260",
            "time": 1742944020911,
            "isBuyerMaker": False,
            "isBestMatch": True,
        }
    ]


def test_trade_on_the_full_second_has_its_time(ask: Asking) -> None:
    page = ask.spot("historicalTrades", symbol="BTCUSDT", fromId=4_744_868_352, limit=1)

    assert page[0]["time"] == 1_742_944_041_000


def test_id_that_is_not_held_is_answered_from_the_next_one(ask: Asking) -> None:
    page = ask.spot("historicalTrades", symbol="BTCUSDT", fromId=3_344_774_379, limit=1)

    assert page[0]["id"] == 4_744_868_157


def test_last_trades_are_the_newest(ask: Asking) -> None:
    assert [row["id"] for row in ask.spot("trades", symbol="SOLUSDT", limit=2)] == [
        1_169_620_754,
        1_169_620_755,
    ]


@pytest.mark.parametrize(
    ("name", "parameters", "code"),
    [
        ("aggTrades", {}, -1102),
        ("aggTrades", {"symbol": "NOPE"}, -1121),
        ("aggTrades", {"symbol": "BTCUSDT", "fromId": "x"}, -1100),
        ("aggTrades", {"symbol": "BTCUSDT", "fromId": 1, "startTime": 1}, -1128),
        ("klines", {"symbol": "BTCUSDT"}, -1102),
        ("klines", {"symbol": "BTCUSDT", "interval": "1H"}, -1120),
        ("exchangeInfo", {"symbol": "NOPE"}, -1121),
        ("exchangeInfo", {"symbols": "[nope"}, -1100),
    ],
)
def test_bad_request_gets_the_error_body(
    ask: Asking, name: str, parameters: dict[str, Any], code: int
) -> None:
    response = ask.get(f"{ask.urls.spot}/api/v3/{name}", **parameters)

    assert response.status_code == 400
    assert response.json()["code"] == code
    assert set(response.json()) == {"code", "msg"}


def test_instruments_are_the_recorded_ones_and_marked_as_made(ask: Asking) -> None:
    response = ask.get(f"{ask.urls.spot}/api/v3/exchangeInfo")

    symbols = [symbol["symbol"] for symbol in response.json()["symbols"]]
    assert symbols == ["BTCUSDT", "ETHUSDT", "SOLUSDT"]
    assert response.headers["X-Replay-Generated"] == "facts"


def test_recorded_answers_are_not_marked_as_made(ask: Asking) -> None:
    response = ask.get(f"{ask.urls.spot}/api/v3/aggTrades", symbol="ETHUSDT", limit=1)

    assert "X-Replay-Generated" not in response.headers


def test_clock_stands_after_the_newest_recording(ask: Asking) -> None:
    response = ask.get(f"{ask.urls.spot}/api/v3/time")

    assert response.json() == {"serverTime": 1_756_771_200_000}
    assert response.headers["Date"] == "Tue, 02 Sep 2025 00:00:00 GMT"


def test_unknown_path_is_not_found(ask: Asking) -> None:
    assert ask.get(f"{ask.urls.spot}/api/v3/uiKlines").status_code == 404
    assert ask.get(f"{ask.urls.root}/nowhere").status_code == 404
