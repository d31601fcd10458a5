"""The whole recorded day: bars of its aggregate trades against the exchange's own hours."""

from __future__ import annotations

import gzip
import zipfile
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F  # noqa: N812

from lake import schemas
from tests.transform.frames import LONG_AGO, at, frame, records
from transform import assemble, bars, information_bars, information_days
from transform.reconciliation import candles as reconcile

pytestmark = [pytest.mark.spark, pytest.mark.slow]

RECORDINGS = Path(__file__).parents[2] / "recordings"
DAY = RECORDINGS / "BTCUSDT-aggTrades-2024-01-01.zip"
HOURS = RECORDINGS / "BTCUSDT-1h-klines-2017-08-17_2024-01-01.csv.gz"
ARCHIVE = "a bigint, p string, q string, f bigint, l bigint, t bigint, m string, best string"

if not (DAY.exists() and HOURS.exists()):
    pytest.skip("the recordings are not in this checkout", allow_module_level=True)


@pytest.fixture(scope="module")
def lines(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("archive")
    with zipfile.ZipFile(DAY) as archive:
        archive.extractall(folder)
    return next(folder.iterdir())


@pytest.fixture(scope="module")
def candles(spark: SparkSession, lines: Path) -> Iterator[DataFrame]:
    minutes = bars.minute_bars(aggregates(spark, lines), "agg_trades")
    proof = {"dataset": "agg_trades", "entry": "held", "proved_from": LONG_AGO}
    ledger = [proof | {"proved_until": at("2024-01-02T00:00:00")}]
    made = assemble.candidates(
        minutes,
        frame(spark, schemas.CONTINUITY, ledger),
        frame(spark, schemas.CONFLICTS, []),
        at("2024-01-02T00:00:00"),
    ).cache()
    yield made
    made.unpersist()


def aggregates(spark: SparkSession, lines: Path) -> DataFrame:
    sent = spark.read.csv(str(lines), schema=ARCHIVE).repartition(4)
    price, quantity = F.col("p").cast(schemas.PRICE), F.col("q").cast(schemas.QUANTITY)
    return sent.select(
        F.lit("binance").alias("exchange"),
        F.lit("spot").alias("kind"),
        F.lit("BTCUSDT").alias("instrument"),
        F.lit("BTCUSDT").alias("instrument_uid"),
        F.col("a").alias("agg_id"),
        F.col("f").alias("first_trade_seq"),
        F.col("l").alias("last_trade_seq"),
        price.alias("price"),
        quantity.alias("quantity"),
        (price * quantity).cast(schemas.AMOUNT).alias("quote_quantity"),
        F.lit("BTC").alias("quantity_unit"),
        F.lit("BTC").alias("base_unit"),
        F.lit("USDT").alias("quote_unit"),
        F.lit(None).cast(schemas.PRICE).alias("contract_size"),
        F.when(F.col("m") == "True", "sell").otherwise("buy").alias("taker_side"),
        F.timestamp_millis("t").alias("trade_timestamp"),
        F.lit(LONG_AGO).alias("knowledge_timestamp"),
    )


def published_hours(spark: SparkSession) -> DataFrame:
    with gzip.open(HOURS, "rt", encoding="utf-8") as recording:
        rows = [line.rstrip().split(",") for line in recording if line.startswith("2024-01-01 ")]
    return frame(
        spark,
        schemas.KLINES,
        [
            {
                "bar_interval": "1h",
                "open_time": at(row[0].replace(" ", "T")),
                "close_time": at(row[6].replace(" ", "T")),
                **dict(zip(("open", "high", "low", "close", "volume_sent"), row[1:6], strict=True)),
                "quote_volume_sent": row[7],
                "trade_count": int(row[8]),
                "taker_buy_volume_sent": row[9],
                "taker_buy_quote_volume_sent": row[10],
                "end_download_timestamp": at("2024-02-01T00:00:00"),
            }
            for row in rows
        ],
    )


def test_all_24_hours_equal_the_exchanges_in_all_nine_fields(
    spark: SparkSession, candles: DataFrame
) -> None:
    hours = candles.where("bar_interval = '1h'")

    rules = reconcile.RULES["binance", "spot"]
    made = reconcile.compare(hours, published_hours(spark), rules, keep=DataFrame.persist)

    assert records(made.differences, *made.differences.columns) == []
    assert records(made.totals, "compared", "equal", "equal_after_rounding") == [(216, 216, 0)]


def test_the_day_holds_every_trade_once(candles: DataFrame) -> None:
    counted = candles.groupBy("bar_interval").agg(
        F.sum("trade_count").alias("trades"),
        F.min("first_trade_seq").alias("first"),
        F.max("last_trade_seq").alias("last"),
        F.count_if("is_complete").alias("bars"),
    )

    assert records(counted, "bar_interval", "trades", "first", "last", "bars") == [
        (interval, 1114623, 3344774379, 3345889001, count)
        for interval, count in (
            ("15m", 96),
            ("1d", 1),
            ("1h", 24),
            ("1m", 1440),
            ("4h", 6),
            ("5m", 288),
        )
    ]


def test_dollar_bars_add_up_to_the_days_24_hours(
    spark: SparkSession, lines: Path, candles: DataFrame
) -> None:
    days = information_days.days(candles).cache()
    series = information_bars.Series("dollar", Decimal(10_000_000))

    made = information_bars.information_bars(
        aggregates(spark, lines), "agg_trades", days, series
    ).cache()

    sums = [field.name for field in schemas.BAR_SUMS]
    ours = made.select(*[F.sum(name).alias(name) for name in sums])
    hours = candles.where("bar_interval = '1h'").select(*[F.sum(name).alias(name) for name in sums])
    assert records(ours, *sums) == records(hours, *sums)
    compared = information_days.compared(made, days)
    assert compared.count() == len(information_days.FIELDS)
    assert compared.where(information_days.DIFFERS).isEmpty()
    total = made.agg(F.sum("quote_volume").alias("sum")).collect()[0]["sum"]
    # no aggregate of this day is worth a threshold, so none passes two multiples
    assert made.count() == total // 10_000_000 + 1
    for one in (made, days):
        one.unpersist()
