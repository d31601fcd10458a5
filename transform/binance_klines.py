"""Binance's own bars, of trades and of the mark price: bronze to candidates, as published."""

from __future__ import annotations

from typing import NamedTuple

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F  # noqa: N812
from pyspark.sql import types as T  # noqa: N812

from lake import schemas
from lake.schemas_of_perpetuals import MARK_KLINES
from transform import binance_answers, columns, exact_json, intervals, listings, rows
from transform.binance_answers import archived, cell
from transform.columns import Field

PARSER_VERSION = 1
_TIME, _COUNT = r"-?\d{1,18}", r"-?\d{1,18}"
_PRICES = ",".join([columns.fits(schemas.PRICE)] * 4)
_AMOUNT = columns.fits(schemas.AMOUNT)
_LINE = rf"^{_TIME},{_PRICES},{_AMOUNT},{_TIME},{_AMOUNT},{_COUNT},{_AMOUNT},{_AMOUNT},[^,]*\z"
_MARK_LINE = rf"^{_TIME},{_PRICES},[^,]*,{_TIME}(?:,[^,]*){{5}}\z"
_ZIP_INTERVAL = r"-(\d+(?:s|m|h|d|w|mo|M))-\d{4}-\d{2}(?:-\d{2})?\.zip"


def klines(envelopes: DataFrame, instruments: DataFrame) -> DataFrame:
    """Read bars into candidates of `silver.klines`.

    Bars that had not ended when the answer came are left out: only final content opens a
    revision, and bronze keeps them. The archive holds final bars only, and a frame of a stream
    says itself whether its bar is closed.

    Args:
        envelopes: as `transform.envelopes.read` returns them; `request` names the interval.
        instruments: rows of `silver.instruments`.
    """
    odd = rows.kline_findings(*_grid(), tick=_tick())
    return _bars(envelopes, instruments, _Kept("klines", schemas.KLINES, _LINE, odd))


def mark_klines(envelopes: DataFrame, instruments: DataFrame) -> DataFrame:
    """Read bars of the mark price into candidates of `silver.mark_klines`.

    They are klines whose volumes say nothing: these are not looked at.

    Args:
        envelopes: as `transform.envelopes.read` returns them; `request` names the interval.
        instruments: rows of `silver.instruments`.
    """
    odd = rows.bar_findings(*_grid(), tick=_tick())
    return _bars(envelopes, instruments, _Kept("mark_klines", MARK_KLINES, _MARK_LINE, odd))


class _Kept(NamedTuple):
    """What is kept of a dataset's bars: columns, the pattern of a sound line, what is odd."""

    dataset: str
    schema: T.StructType
    line: str
    findings: Column


def _bars(envelopes: DataFrame, instruments: DataFrame, kept: _Kept) -> DataFrame:
    named = envelopes.withColumn("bar_interval", _interval())
    exploded = binance_answers.explode(named, kept.dataset)
    of_json = F.when(_streamed(), _of_frame()).otherwise(F.from_json("element", "array<string>"))
    fields = {name: it for name, it in _fields().items() if name in kept.schema.fieldNames()}
    typed = binance_answers.typed(exploded, of_json, fields, kept.line)
    timed = typed.withColumns(
        {
            "open_time": _moment("open_time_sent"),
            "close_time": _moment("close_time_sent"),
            "ignored_sent": cell(11),
            "is_closed": F.lit(True),
            "revision": F.lit(0),
            "sent_instrument": F.when(_streamed(), _frame("s STRING")["s"]),
            "source": F.col("mode"),
            "parser_version": F.lit(PARSER_VERSION),
        }
    )
    known = listings.attach(timed.where(~_forming()), instruments, at="open_time")
    described = known.withColumns(
        {
            "instrument_uid": listings.uid(),
            "findings": kept.findings,
            **columns.day("open_time"),
        }
    )
    return rows.candidates(
        described,
        text=binance_answers.text_faults(fields, counts=(12,)),
        rules=[*rows.kline_rules(), *binance_answers.rules("open_time_sent")],
        schema=kept.schema,
    )


def _interval() -> Column:
    asked = F.get_json_object("request", "$.params.interval")
    zipped = F.regexp_extract("request", _ZIP_INTERVAL, 1)
    return intervals.named(intervals.BINANCE, F.coalesce(asked, zipped))


def _fields() -> dict[str, Field]:
    prices = ("open", "high", "low", "close")
    amounts = {
        "volume_sent": 5,
        "quote_volume_sent": 7,
        "taker_buy_volume_sent": 9,
        "taker_buy_quote_volume_sent": 10,
    }
    return {
        "open_time_sent": columns.integer(cell(0), "open_time"),
        **{
            name: columns.decimal(cell(place), name, schemas.PRICE)
            for place, name in enumerate(prices, start=1)
        },
        "close_time_sent": columns.integer(cell(6), "close_time"),
        "trade_count": columns.integer(cell(8), "trade_count"),
        **{
            name: columns.decimal(cell(place), name, schemas.AMOUNT)
            for name, place in amounts.items()
        },
    }


def _moment(sent: str) -> Column:
    return F.timestamp_micros(columns.micros(F.col(sent)))


def _tick() -> Column:
    """Return one unit of the row's clock in microseconds: a bar closes one before its end."""
    return F.when(F.col("open_time_sent") >= columns.FIRST_MICROSECONDS, 1).otherwise(1000)


def _streamed() -> Column:
    """Return whether a row is a frame of a stream: an object, where an answer has arrays."""
    return ~archived() & F.col("element").startswith("{")


def _frame(schema: str) -> Column:
    """Return the bar of a frame: `t` and `T`, and three other pairs, can't share one struct."""
    return exact_json.fields(F.col("element"), f"k STRUCT<{schema}>")["k"]


def _of_frame() -> Column:
    """Return a frame's values in the order of an answer's; null where it is no bar."""
    small = _frame(", ".join(f"{name} STRING" for name in "tohlcvqnxi"))
    large = _frame(", ".join(f"{name} STRING" for name in "TVQB"))
    order = [(small, name) for name in "tohlcv"]
    order += [(large, "T"), (small, "q"), (small, "n"), (large, "V"), (large, "Q"), (large, "B")]
    is_bar = small["x"].isin("true", "false") & (
        intervals.named(intervals.BINANCE, small["i"]) == F.col("bar_interval")
    )
    return F.when(is_bar, F.array(*[struct[name] for struct, name in order]))


def _forming() -> Column:
    end = F.unix_micros("close_time") + _tick()
    # where the minute service asked, the exchange's own clock is told beside: ours may be off
    told = F.get_json_object("request", "$.exchange_clock_ms").try_cast("bigint")
    answered = F.coalesce(columns.micros(told), F.unix_micros("end_download_timestamp"))
    forming = rows.forming(end, answered)
    said = F.coalesce(_frame("x STRING")["x"] == "false", F.lit(False))
    return F.when(_streamed(), said).otherwise(forming & ~archived()) & F.col("text_is_sound")


def _grid() -> tuple[Column, Column]:
    interval = F.col("bar_interval")
    return intervals.length(interval), intervals.grid_offset(interval)
