"""JSON numbers as the very text that was sent."""

from __future__ import annotations

from pyspark.sql import SparkSession
from pyspark.sql import functions as F  # noqa: N812

from transform import exact_json


def test_numbers_keep_every_digit_and_strings_are_left_alone(spark: SparkSession) -> None:
    bodies = [
        '[87456.123456789012345,0.00000001,1.0e-5,-7,1E30,"12.50","a:1,2]","q\\"3\\\\",null]',
        '[{"a":1.10,"b":{"c":[2.20]},"d":"x-1"},3.30]',
    ]
    frame = spark.createDataFrame([(body,) for body in bodies], "body STRING")
    marked = exact_json.elements(F.col("body"))

    rows = frame.select(
        "body",
        F.transform(marked, exact_json.number).alias("numbers"),
        F.transform(marked, exact_json.text).alias("texts"),
        F.transform(marked, exact_json.restored).alias("restored"),
    ).collect()

    found = {row["body"]: row for row in rows}
    first, second = (found[body] for body in bodies)
    digits = ["87456.123456789012345", "0.00000001", "1.0e-5", "-7", "1E30"]
    assert first["numbers"] == [*digits, None, None, None, None]
    assert first["texts"] == [*digits, "12.50", "a:1,2]", 'q"3\\', None]
    assert second["restored"][0] == '{"a":1.10,"b":{"c":[2.20]},"d":"x-1"}'
    assert second["numbers"] == [None, "3.30"]


def test_a_long_hostile_body_neither_hangs_nor_overflows(spark: SparkSession) -> None:
    bodies = [
        "[" + ",".join(['"a\\"b"'] * 50_000) + "]",
        '["' + "\\\\" * 100_000 + '"]',
        '"' + "x-" * 100_000,
        "[" * 5_000 + "]" * 5_000,
    ]
    frame = spark.createDataFrame([(body,) for body in bodies], "body STRING")

    sizes = [row[0] for row in frame.select(F.size(exact_json.elements(F.col("body")))).collect()]

    assert sorted(sizes, key=str)[:2] == [1, 50_000]
