"""Bronze as Spark sees it: each file is found, whatever its instrument is called."""

from __future__ import annotations

import dataclasses
import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F  # noqa: N812

from lake.bronze import ALL_INSTRUMENTS, BronzeName, Coverage, Envelope, to_file
from lake.objects import FolderStore
from lake.schemas import ENVELOPE

pytestmark = [
    pytest.mark.spark,
    # pyspark leaves the socket of each collect() to the garbage collector
    pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning"),
]
INSTRUMENTS = [
    "BTCUSDT",
    ALL_INSTRUMENTS,
    "",
    ".hidden",
    "..",
    "a/b",
    "x%41",
    "{a,b}[c]*?",
    "币 安",
    "A=B",
    "a\nb",
]
BODY = '[{"p":"1.10","s":"\u2028\u0000\\"\r\n"}]'
MOMENT = datetime(2024, 1, 1, 0, 0, 0, 5, tzinfo=UTC)
ANSWER = Envelope(
    exchange="binance",
    kind="spot",
    dataset="trades",
    instrument="",
    mode="history",
    region="local",
    request={},
    status=200,
    end_download_timestamp=MOMENT,
    knowledge_timestamp=MOMENT,
    run_id="run",
    sequence=1,
    body=BODY.encode(),
)


def test_spark_reads_every_file_of_bronze_under_its_own_key(
    spark: SparkSession, tmp_path: Path
) -> None:
    store = FolderStore(tmp_path / "lake")
    keys = {}
    for instrument in INSTRUMENTS:
        name = BronzeName("trades", "binance", "spot", instrument, "history", Coverage(1, 1, 0, 1))
        store.create(name.key, to_file([dataclasses.replace(ANSWER, instrument=instrument)]))
        keys[name.key] = instrument
    assert list(store.names("bronze/")) == sorted(keys)

    path = F.regexp_extract(F.col("_metadata.file_path"), "(bronze/.*)$", 1)
    lines = (
        spark.read.text(store.location("bronze/trades"), recursiveFileLookup=True)
        .select(F.url_decode(path).alias("key"), F.from_json("value", ENVELOPE).alias("envelope"))
        .select("key", "envelope.*")
        .collect()
    )

    assert {line["key"]: line["instrument"] for line in lines} == keys
    assert {line["body"] for line in lines} == {BODY}
    assert {line["knowledge_timestamp"].replace(tzinfo=UTC) for line in lines} == {MOMENT}
    assert json.loads(lines[0]["request"]) == {}
