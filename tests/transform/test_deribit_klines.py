"""Deribit's own bars: parallel arrays zipped, the forming bar left out by the server's clock."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

from pyspark.sql import SparkSession

from tests.rows import line, parsed, refused

CHART = (
    '{"id":2,"jsonrpc":"2.0","result":{'
    '"close":[87456.5,87456.5,87456.0],"cost":[257490.0,250000.0,20200.0],'
    '"high":[87456.5,87456.5,87456.5],"low":[87451.0,87456.5,87456.0],'
    '"open":[87451.0,87456.5,87456.0],"status":"ok",'
    '"ticks":[1766483460000,1766483520000,1766483580000],'
    '"volume":[2.94375216,2.85806724,0.23097259]},'
    '"testnet":false,"usDiff":5240,"usIn":1766487086141005,"usOut":1766487086146245}'
)


def _line(body: str, resolution: object = "1", **named: object) -> str:
    return line(
        body,
        **{
            "exchange": "deribit",
            "kind": "future",
            "dataset": "klines",
            "instrument": "BTC-PERPETUAL",
            "request": {"params": {"resolution": resolution}},
            **named,
        },
    )


def test_each_place_of_the_arrays_is_a_bar(spark: SparkSession) -> None:
    valid, rejected = parsed(spark, "klines", _line(CHART))

    assert rejected == []
    bars = {row["open_time_sent"]: row for row in valid}
    assert sorted(bars) == [1766483460000, 1766483520000, 1766483580000]
    bar = bars[1766483460000]
    prices = [bar[name] for name in ("open", "high", "low", "close")]
    assert prices == [Decimal(text) for text in ("87451.0", "87456.5", "87451.0", "87456.5")]
    assert bar["volume_sent"] == Decimal("2.94375216")
    assert bar["quote_volume_sent"] == Decimal(257490)
    assert (bar["trade_count"], bar["close_time_sent"], bar["ignored_sent"]) == (None, None, None)
    assert bar["bar_interval"] == "1m"
    assert bar["open_time"] == datetime(2025, 12, 23, 9, 51)
    assert bar["close_time"] == datetime(2025, 12, 23, 9, 51, 59, 999000)
    assert bar["findings"] == []


def test_the_servers_clock_says_which_bar_is_forming(spark: SparkSession) -> None:
    # the last bar ends at 1766483640000 ms
    early = CHART.replace("1766487086146245", "1766483639999999")
    at_end = CHART.replace("1766487086146245", "1766483640000000")

    valid, rejected = parsed(spark, "klines", _line(early), _line(at_end, sequence=2))

    assert rejected == []
    assert sorted((row["bronze_line"], row["open_time_sent"]) for row in valid) == [
        (1, 1766483460000),
        (1, 1766483520000),
        (2, 1766483460000),
        (2, 1766483520000),
        (2, 1766483580000),
    ]


def test_an_odd_place_is_refused_beside_good_ones(spark: SparkSession) -> None:
    bodies = {
        CHART.replace("2.85806724", '"much"'): (1, ["volume_sent_not_a_number"]),
        CHART.replace("2.85806724", "0.0030000000000000005"): (
            1,
            ["volume_sent_exceeds_decimal_38_18"],
        ),
        CHART.replace(",0.23097259]", "]"): (2, ["volume_sent_missing"]),
        CHART.replace(",1766483580000]", ",null]"): (2, ["open_time_missing"]),
    }
    lines = [_line(body, sequence=place) for place, body in enumerate(bodies, start=1)]

    valid, rejected = parsed(spark, "klines", *lines)

    assert len(valid) == 8
    assert refused(rejected) == list(bodies.values())


def test_answers_without_bars(spark: SparkSession) -> None:
    none = CHART[: CHART.index('"close"')] + '"status":"no_data"},"usOut":1766487086146245}'
    lopsided = CHART.replace('"open":', '"opened":')

    valid, rejected = parsed(spark, "klines", _line(none), _line(lopsided, sequence=2))

    assert valid == []
    assert [(row["bronze_line"], row["reasons"]) for row in rejected] == [
        (2, ["answer_not_understood"])
    ]


def test_resolutions_have_our_names(spark: SparkSession) -> None:
    days = CHART
    for minute, day in (("1766483460000", 0), ("1766483520000", 1), ("1766483580000", 2)):
        days = days.replace(minute, str(1766016000000 + day * 86_400_000))
    lines = [
        _line(days, "1D"),
        _line(CHART, "60", sequence=2),
        _line(CHART, 1, sequence=3),
        _line(CHART, "7", sequence=4),
    ]

    valid, rejected = parsed(spark, "klines", *lines)

    named = {(row["bronze_line"], row["bar_interval"]) for row in valid}
    assert {(1, "1d"), (3, "1m")} <= named
    assert {row["bronze_line"] for row in rejected} == {4}
    assert rejected[0]["reasons"] == ["bar_interval_unknown"]


def test_frames_of_the_chart_stay_in_bronze(spark: SparkSession) -> None:
    frame = (
        '{"jsonrpc":"2.0","method":"subscription","params":{"channel":"chart.trades.BTC-PERPETUAL.1"'
        ',"data":{"volume":0.05,"tick":1766483460000,"open":87451.0,"low":87451.0,"high":87456.5,'
        '"cost":2460.0,"close":87456.5}}}'
    )

    valid, rejected = parsed(spark, "klines", _line(frame, mode="live", status=0), _line(CHART))

    assert rejected == []
    assert len(valid) == 3
