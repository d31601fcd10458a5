"""Which partitions are worth writing anew, by sizes and days alone."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import botocore.session
import pytest
from botocore.validate import validate_parameters

from jobs.maintenance.parts import Part, Piece, Window, clustering, pieces, shape_of
from lake.sections_of_keeping import Maintenance
from lake.settings import load_settings
from lake.tables import GOLD_OHLCV, OPS_QUARANTINE, OPS_RUNS, SILVER_KLINES, SILVER_TRADES, Table

ROOT = Path(__file__).parents[2]
SETTINGS = load_settings("replay", environ={}).maintenance
SMALL, LARGE = 1_000, SETTINGS.small_file_bytes
NOW = datetime(2024, 3, 15, 12, tzinfo=UTC)
ALL = Window(None, None)
NEW_MONTH = datetime(2024, 3, 1, tzinfo=UTC)


def found(
    table: Table,
    *parts: Part,
    now: datetime = NOW,
    window: Window = ALL,
    sizes: Maintenance = SETTINGS,
) -> list[Piece]:
    return list(pieces(table, parts, sizes, now, window))


def day(number: int, name: str = "BTCUSDT", *sizes: int, unknown: int = 0) -> Part:
    return Part(("2024", "3", str(number), name), sizes or (SMALL, SMALL), unknown)


def month(number: int, *sizes: int, interval: str = "1m") -> Part:
    return Part((interval, "2024", str(number)), sizes, 0)


def test_a_closed_day_with_two_small_files_is_written_anew_in_order() -> None:
    (piece,) = found(SILVER_TRADES, day(14))

    assert piece.where == "year = 2024 AND month = 3 AND day = 14 AND (instrument IN ('BTCUSDT'))"
    assert piece.order == ("trade_seq", "trade_timestamp")


@pytest.mark.parametrize(
    "part",
    [
        day(14, "BTCUSDT", SMALL),
        day(14, "BTCUSDT", LARGE, LARGE),
        day(14, "BTCUSDT", SMALL, LARGE),
        day(15),
        day(15, "BTCUSDT", *(SMALL,) * 100),
    ],
)
def test_what_is_in_shape_or_goes_on_is_left_alone(part: Part) -> None:
    assert found(SILVER_TRADES, part) == []


def test_a_file_without_statistics_is_written_anew_however_large() -> None:
    assert len(found(SILVER_TRADES, day(14, "BTCUSDT", LARGE, unknown=1))) == 1


def test_a_day_is_closed_some_time_after_its_end() -> None:
    end = datetime(2024, 3, 15, tzinfo=UTC)
    closed = timedelta(seconds=SETTINGS.closed_seconds)

    assert found(SILVER_TRADES, day(14), now=end + closed) != []
    assert found(SILVER_TRADES, day(14), now=end + closed - timedelta(seconds=1)) == []


def test_a_month_that_goes_on_is_merged_once_its_small_files_are_many() -> None:
    many = (SMALL,) * SETTINGS.open_files

    assert found(GOLD_OHLCV, month(3, *many[1:])) == []
    (piece,) = found(GOLD_OHLCV, month(3, *many))
    assert piece.order == ()
    (closed,) = found(GOLD_OHLCV, month(2, SMALL, SMALL))
    assert closed.order == ("instrument", "bar_start")


def test_a_table_without_days_is_merged_once_its_small_files_are_many() -> None:
    many = (SMALL,) * SETTINGS.open_files

    assert found(OPS_RUNS, Part((), many[1:], 0)) == []
    assert found(OPS_RUNS, Part((), many, 0)) == [Piece("true", 1, ())]
    (piece,) = found(OPS_QUARANTINE, Part(("trades",), many, 0))
    assert piece.where == "(dataset IN ('trades'))"


def test_partitions_of_one_day_go_together_up_to_the_size_of_a_piece() -> None:
    names = [f"N{number:03}" for number in range(450)]
    listed = found(SILVER_TRADES, *(day(14, name) for name in names))
    assert [piece.parts for piece in listed] == [200, 200, 50]

    sized = SETTINGS.model_copy(update={"piece_bytes": 5_000})
    listed = found(SILVER_TRADES, *(day(14, name) for name in names[:5]), sizes=sized)
    assert [piece.parts for piece in listed] == [2, 2, 1]

    listed = found(SILVER_TRADES, day(13), day(14), day(14, "ETHUSDT"))
    assert [piece.parts for piece in listed] == [1, 2]


def test_an_odd_name_stays_within_its_quotes() -> None:
    (piece,) = found(SILVER_TRADES, day(14, "a' OR '1'='1"), day(14, "b\\"))
    assert piece.where.endswith("(instrument IN ('a\\' OR \\'1\\'=\\'1', 'b\\\\'))")

    (nothing,) = found(OPS_QUARANTINE, Part((None,), (SMALL,) * 40, 0))
    assert nothing.where == "(dataset IS NULL)"


@pytest.mark.parametrize(
    ("start", "end", "days"),
    [(None, None, 3), (12, None, 2), (None, 12, 1), (12, 13, 1), (13, 14, 1), (14, 15, 0)],
)
def test_a_window_names_days(start: int | None, end: int | None, days: int) -> None:
    bounds = [None if one is None else NEW_MONTH + timedelta(days=one - 1) for one in (start, end)]
    window = Window(bounds[0], bounds[1])

    assert len(found(SILVER_TRADES, day(11), day(12), day(13), window=window)) == days
    assert found(OPS_RUNS, Part((), (SMALL,) * 40, 0), window=window) == (
        [Piece("true", 1, ())] if window == ALL else []
    )


def test_december_ends_with_its_year() -> None:
    part = Part(("1m", "2023", "12"), (SMALL, SMALL), 0)
    just = datetime(2024, 1, 1, 2, tzinfo=UTC)

    assert len(found(GOLD_OHLCV, part, now=just)) == 1
    assert found(GOLD_OHLCV, part, now=just - timedelta(seconds=1)) == []


def test_the_shape_counts_files_of_all_partitions() -> None:
    shape = shape_of([day(1, "A", 1, 2, 3), day(2, "A", LARGE)], SETTINGS.small_file_bytes)

    assert (shape.files, shape.small, shape.median) == (4, 3, 2)
    assert shape.bytes == 6 + LARGE
    assert shape_of([], 1).median == 0


def test_no_table_is_ordered_by_a_partition() -> None:
    for table in (SILVER_TRADES, SILVER_KLINES, GOLD_OHLCV):
        assert set(clustering(table)).isdisjoint(table.partitions)


def test_the_lifecycle_of_the_document_is_one_to_s3() -> None:
    text = (ROOT / "docs" / "maintenance.md").read_text(encoding="utf-8")
    (rules,) = re.findall(r"```json\n(.*?)```", text, re.DOTALL)
    service = botocore.session.get_session().get_service_model("s3")
    shape = service.operation_model("PutBucketLifecycleConfiguration").input_shape
    assert shape is not None

    validate_parameters({"Bucket": "b", "LifecycleConfiguration": json.loads(rules)}, shape)
