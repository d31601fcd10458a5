"""Binance's own bars: kept as published, the forming one left out, oddities named."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from pyspark.sql import SparkSession

from tests.rows import as_json, line, parsed, refused

BAR: list[Any] = [
    1577836800000,
    "7195.24000000",
    "7196.25000000",
    "7183.14000000",
    "7186.68000000",
    "51.64281200",
    1577836859999,
    "371233.51835535",
    493,
    "19.59823000",
    "140888.41428273",
    "0",
]
MINUTE = {"method": "GET", "params": {"interval": "1m", "symbol": "BTCUSDT"}}


def _bar(**changed: Any) -> list[Any]:
    """Return the bar with some places changed, such as `at1="5"`."""
    places = {int(name.removeprefix("at")): value for name, value in changed.items()}
    return [places.get(place, value) for place, value in enumerate(BAR)]


def _line(*bars: Any, **named: Any) -> str:
    return line(as_json(list(bars)), **{"dataset": "klines", "request": MINUTE, **named})


def test_a_bar_keeps_all_its_fields(spark: SparkSession) -> None:
    valid, rejected = parsed(spark, "klines", _line(BAR))

    assert rejected == []
    (row,) = valid
    assert row["bar_interval"] == "1m"
    assert row["open_time"] == datetime(2020, 1, 1)
    assert row["close_time"] == datetime(2020, 1, 1, 0, 0, 59, 999000)
    assert (row["open_time_sent"], row["close_time_sent"]) == (1577836800000, 1577836859999)
    prices = [row[name] for name in ("open", "high", "low", "close")]
    assert prices == [Decimal(text) for text in ("7195.24", "7196.25", "7183.14", "7186.68")]
    assert row["volume_sent"] == Decimal("51.642812")
    assert row["quote_volume_sent"] == Decimal("371233.51835535")
    assert row["trade_count"] == 493
    assert row["taker_buy_volume_sent"] == Decimal("19.59823")
    assert row["taker_buy_quote_volume_sent"] == Decimal("140888.41428273")
    assert row["ignored_sent"] == "0"
    assert (row["is_closed"], row["findings"], row["revision"]) == (True, [], 0)
    assert (row["year"], row["month"], row["day"]) == (2020, 1, 1)


def test_the_exchanges_clock_where_it_is_told_says_which_bar_is_forming(
    spark: SparkSession,
) -> None:
    """Ours may be off by more than the minute service's delay, either way."""
    start, end = BAR[0], BAR[6] + 1
    asked = [
        (end - 1, datetime(2020, 1, 1, 0, 1, 30, tzinfo=UTC)),
        (end, datetime(2020, 1, 1, 0, 0, 30, tzinfo=UTC)),
    ]
    lines = [
        _line(
            _bar(at8=told - start),
            request={**MINUTE, "exchange_clock_ms": told},
            end_download_timestamp=ours,
            knowledge_timestamp=ours,
            sequence=place,
        )
        for place, (told, ours) in enumerate(asked, start=1)
    ]

    valid, rejected = parsed(spark, "klines", *lines)

    assert rejected == []
    assert [row["trade_count"] for row in valid] == [end - start]


def test_the_forming_bar_is_left_out_until_it_has_ended(spark: SparkSession) -> None:
    ended = datetime(2020, 1, 1, 0, 1, 0, 0, tzinfo=UTC)
    before = datetime(2020, 1, 1, 0, 0, 59, 999999, tzinfo=UTC)
    at_end = _line(BAR, end_download_timestamp=ended)
    just_before = _line(BAR, end_download_timestamp=before, sequence=2)

    valid, rejected = parsed(spark, "klines", at_end, just_before)

    assert [row["bronze_line"] for row in valid] == [1]
    assert rejected == []


def test_odd_bars_are_findings_and_stay(spark: SparkSession) -> None:
    odd = {
        "off_grid": _bar(at0=1577836814000, at6=1577836873999),
        "cut_short": _bar(at6=1577836841000),
        "overlong": _bar(at6=1577836860000),
        "ohlc_illogical": _bar(at2="7190"),
        "volume_and_count_disagree": _bar(at8=0),
    }

    valid, rejected = parsed(spark, "klines", _line(*odd.values()))

    assert rejected == []
    assert sorted(row["findings"] for row in valid) == sorted([name] for name in odd)


def test_broken_bars_are_refused_beside_good_ones(spark: SparkSession) -> None:
    odd = [
        (_bar(at1="x"), ["open_not_a_plain_decimal"]),
        (_bar(at5=None), ["volume_sent_missing"]),
        (_bar(at0="soon"), ["open_time_not_an_integer"]),
        (_bar(at8="1e3"), ["trade_count_not_an_integer"]),
        (_bar(at5="1.1234567890123456789"), ["volume_sent_exceeds_decimal_38_18"]),
        (_bar(at4={"x": 1}), ["close_not_a_plain_decimal"]),
        # 2033: it had not even begun when the answer came
        (_bar(at0=2000000000000, at6=2000000059999), ["open_time_in_the_future"]),
        (BAR[:11], ["columns_unexpected"]),
        ([*BAR, "1"], ["columns_unexpected"]),
    ]
    after = _bar(at0=1577836860000, at6=1577836919999)

    valid, rejected = parsed(spark, "klines", _line(BAR, *[bar for bar, _ in odd], after))

    assert sorted(row["open_time_sent"] for row in valid) == [1577836800000, 1577836860000]
    assert refused(rejected) == list(enumerate([reasons for _, reasons in odd], start=1))


def test_an_interval_that_binance_does_not_have_is_refused(spark: SparkSession) -> None:
    lines = [_line(BAR, request={"params": {"interval": "7m"}}), _line(BAR, request={}, sequence=2)]

    _, rejected = parsed(spark, "klines", *lines)

    assert refused(rejected) == [(0, ["bar_interval_unknown"])] * 2


def test_an_archive_names_its_interval_and_holds_final_bars(spark: SparkSession) -> None:
    zipped = "bronze/archive/BTCUSDT-{}-2020-01-01.zip"
    header = (
        "open_time,open,high,low,close,volume,close_time,quote_volume,count,"
        "taker_buy_volume,taker_buy_quote_volume,ignore\n"
    )
    body = header + ",".join(str(cell) for cell in BAR) + "\n"
    lines = [
        line(
            body,
            dataset="klines",
            mode="archive",
            kind="usdm",
            request={"zip": zipped.format(name)},
            sequence=place,
        )
        for place, name in enumerate(("1m", "1mo"), start=1)
    ]

    valid, rejected = parsed(spark, "klines", *lines)

    assert rejected == []
    assert sorted(row["bar_interval"] for row in valid) == ["1M", "1m"]


def test_a_microsecond_bar_closes_a_microsecond_before_the_next(spark: SparkSession) -> None:
    bar = _bar(at0=1756684800000000, at6=1756684859999999)
    body = ",".join(str(cell) for cell in bar)
    zipped = {"zip": "BTCUSDT-1m-2025-09-01.zip"}

    valid, rejected = parsed(
        spark, "klines", line(body, dataset="klines", mode="archive", request=zipped)
    )

    assert rejected == []
    assert valid[0]["findings"] == []
    assert valid[0]["open_time"] == datetime(2025, 9, 1)


def test_a_week_begins_on_monday(spark: SparkSession) -> None:
    # Monday 2023-12-25 and Thursday 2023-12-28, 00:00 UTC
    weeks = [
        _bar(at0=start, at6=start + 604_800_000 - 1) for start in (1703462400000, 1703721600000)
    ]
    asked = {"params": {"interval": "1w"}}

    valid, _ = parsed(spark, "klines", _line(*weeks, request=asked))

    found = {row["open_time_sent"]: row["findings"] for row in valid}
    assert found == {1703462400000: [], 1703721600000: ["off_grid"]}


FRAME: dict[str, Any] = {
    "t": BAR[0], "T": BAR[6], "s": "BTCUSDT", "i": "1m", "f": 100, "L": 592, "o": BAR[1],
    "c": BAR[4], "h": BAR[2], "l": BAR[3], "v": BAR[5], "n": BAR[8], "x": True, "q": BAR[7],
    "V": BAR[9], "Q": BAR[10], "B": "0",
}  # fmt: skip


def _frame(sequence: int, received: datetime | None = None, **changed: Any) -> str:
    event = {"e": "kline", "E": BAR[6] + 5, "s": "BTCUSDT", "k": {**FRAME, **changed}}
    body = as_json({"stream": "btcusdt@kline_1m", "data": event})
    asked = {"method": "SUBSCRIBE", "params": {"interval": "1m", "stream": "btcusdt@kline_1m"}}
    stamped = {"end_download_timestamp": received} if received else {}
    named = {"dataset": "klines", "request": asked, "mode": "live", "status": 0, **stamped}
    return line(body, sequence=sequence, **named)


def test_a_closed_bar_of_the_stream_is_the_bar_of_rest(spark: SparkSession) -> None:
    content = (
        *("open_time", "close_time", "open", "high", "low", "close", "volume_sent"),
        *("quote_volume_sent", "trade_count", "taker_buy_volume_sent", "ignored_sent"),
        *("taker_buy_quote_volume_sent", "bar_interval", "findings", "instrument"),
    )
    valid, rejected = parsed(spark, "klines", _line(BAR), _frame(2))

    assert rejected == []
    of_rest, of_stream = sorted(valid, key=lambda row: row["bronze_line"])
    assert [of_stream[name] for name in content] == [of_rest[name] for name in content]
    assert (of_rest["source"], of_stream["source"]) == ("history", "live")


def test_the_stream_says_itself_whether_a_bar_is_closed(spark: SparkSession) -> None:
    slow_clock = datetime(2020, 1, 1, 0, 0, 59, tzinfo=UTC)
    frames = [_frame(1, x=False), _frame(2, slow_clock), _frame(3, x=False)]

    valid, rejected = parsed(spark, "klines", *frames)

    assert rejected == []
    assert [row["bronze_line"] for row in valid] == [2]


def test_a_frame_that_is_no_bar_of_what_was_asked_is_refused(spark: SparkSession) -> None:
    frames = [_frame(1, i="5m"), _frame(2, x=None), _frame(3, s="ETHUSDT"), _frame(4, o="dear")]

    valid, rejected = parsed(spark, "klines", *frames)

    assert valid == []
    reasons = {row["bronze_line"]: row["reasons"] for row in rejected}
    assert reasons[1] == reasons[2]
    assert "open_missing" in reasons[1]
    assert reasons[3] == ["instrument_differs"]
    assert reasons[4] == ["open_not_a_plain_decimal"]
