"""Lines of bronze as envelopes: none is lost, whatever it holds."""

from __future__ import annotations

import json
from datetime import datetime

from pyspark.sql import SparkSession

from tests.rows import line, read


def test_a_whole_envelope_is_typed_and_has_no_fault(spark: SparkSession) -> None:
    text = line('{"a": "é\\n"}', request={"params": {"symbol": "BTCUSDT"}}, sequence=7)

    (row,) = read(spark, text).collect()

    assert row["faults"] == []
    assert (row["sequence"], row["bronze_line"], row["status"]) == (7, 7, 200)
    assert (row["bronze_file"], row["envelope_text"]) == ("bronze/file", text)
    assert row["body"] == '{"a": "é\\n"}'
    assert json.loads(row["request"]) == {"params": {"symbol": "BTCUSDT"}}
    assert row["end_download_timestamp"] == datetime(2026, 11, 21)


def test_broken_envelopes_are_kept_with_their_faults(spark: SparkSession) -> None:
    whole = json.loads(line("[]"))
    without_exchange = {name: value for name, value in whole.items() if name != "exchange"}
    without_body = {name: value for name, value in whole.items() if name != "body"}
    lines = {
        "not json": ["envelope_not_json", "body_missing"],
        line("[]")[:40]: ["envelope_not_json", "body_missing"],
        json.dumps(without_exchange): ["envelope_incomplete"],
        json.dumps({**whole, "end_download_timestamp": "2026-11-21T00:00:00"}): [
            "envelope_incomplete"
        ],
        json.dumps(without_body): ["body_missing"],
        line(b"\xff\xfe"): ["body_not_utf8"],
        json.dumps({**without_body, "body_base64": "W10="}): [],
        json.dumps({**without_body, "body_base64": "*"}): ["body_not_utf8"],
        line("[]", status=503): ["http_status"],
        line("[]", status=0): [],
    }

    rows = read(spark, *lines).collect()

    assert {row["envelope_text"]: row["faults"] for row in rows} == lines
    decoded = [row["body"] for row in rows if "W10=" in row["envelope_text"]]
    assert decoded == ["[]"]


def test_lines_without_a_number_can_be_told_apart(spark: SparkSession) -> None:
    rows = read(spark, "one", "two").collect()

    places = {row["bronze_line"] for row in rows}
    assert len(places) == 2
    assert max(places) < 0
