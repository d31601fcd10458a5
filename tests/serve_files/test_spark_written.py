"""Tables that Spark wrote are read without it, with partitions of odd names."""

from __future__ import annotations

from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from lake.objects import open_store
from lake.storage import Tables
from lake.tables import SILVER_TRADES
from serve.files.asked import Asked, Dataset, Series
from serve.files.holdings import holdings
from serve.files.reading import rows_of
from tests.serve_files.small_lake import trade

pytestmark = pytest.mark.spark

ODD = ("BTC/USD", "A%2FB", "it's =1 ~..", "币安USDT")


@pytest.mark.slow
def test_instruments_of_odd_names_are_read_by_name(spark: SparkSession, tmp_path: Path) -> None:
    store = open_store(str(tmp_path / "lake"))
    tables = Tables(spark, store)
    rows = [trade(seq, seq, "1.5", instrument=name) for seq, name in enumerate(ODD)]
    tables.ensure(SILVER_TRADES)
    values = [tuple(row[name] for name in SILVER_TRADES.schema.names) for row in rows]
    tables.append(spark.createDataFrame(values, SILVER_TRADES.schema), SILVER_TRADES)

    found = rows_of(store, Asked(Dataset.TRADES))

    assert {series.instrument for series in found.series()} == set(ODD)
    assert {one.instrument for one in holdings(store)} == set(ODD)
    for seq, name in enumerate(ODD):
        (part,) = found.parts(Series("binance", "spot", name))
        assert part["trade_seq"].to_pylist() == [seq]
        assert part["instrument"].to_pylist() == [name]
