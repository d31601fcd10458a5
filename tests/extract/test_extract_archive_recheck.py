"""Files that the exchange publishes anew: noticed, told, and kept beside the old ones."""

from __future__ import annotations

import hashlib
import json
import logging

import pytest

from extract.coverage import DAY_MS
from extract.landing import Landed
from extract.pool import run_all
from extract.subject import Subject
from extract.window import tasks_of
from lake.bronze import parse_name
from tests.extract.asking import Extraction, bodies, lines
from tests.extract.bulk import AGGREGATES, agg_line, publishing, zipped
from tests.extract.conftest import Open
from tests.extract.small_server import SmallServer

JAN_1, JAN_3 = 1704067200000, 1704240000000
FIRST, SECOND = (AGGREGATES.format("daily", f"2024-01-0{day}") for day in (1, 2))
TOP = "bronze/archive/binance/spot/agg_trades/2024-01/"
KEY = f"{TOP}BTCUSDT-aggTrades-2024-01-01.zip"
BEFORE, AFTER = zipped(agg_line(1, JAN_1)), zipped(agg_line(1, JAN_1 + 1) + agg_line(2, JAN_1 + 2))


def files() -> dict[str, bytes]:
    return {FIRST: BEFORE, SECOND: zipped(agg_line(3, JAN_1 + DAY_MS))}


def sha_of(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def checked(spot: Extraction) -> Landed:
    """Extract two days, asking again for the checksums of what is held."""
    subject = Subject("binance", "spot", "BTCUSDT", "agg_trades", JAN_1, JAN_3, "archive")
    tasks = tasks_of(
        spot.settings, spot.store, spot.client, subject, run_id="run-2", checks_again=True
    )
    return run_all(tasks, 2)


def test_what_the_archive_said_of_a_zip_is_kept_beside_it(opened: Open) -> None:
    with SmallServer(route=publishing(files())) as server:
        spot = opened(server)
        spot.trades("BTCUSDT", JAN_1, JAN_3, source="archive")

    kept = spot.store.read(f"{KEY}.{sha_of(BEFORE)[:12]}.META.json")
    assert json.loads(kept or b"") == {
        "content_length": str(len(BEFORE)),
        "etag": f'"{len(BEFORE)}"',
        "last_modified": "Tue, 02 Jan 2024 01:07:00 GMT",
        "sha256": sha_of(BEFORE),
    }


def test_files_that_stayed_the_same_cost_one_question_each(opened: Open) -> None:
    with SmallServer(route=publishing(files())) as server:
        spot = opened(server)
        spot.trades("BTCUSDT", JAN_1, JAN_3, source="archive")
        server.paths.clear()
        found = checked(spot)

    assert sorted(server.paths) == [f"{FIRST}.CHECKSUM", f"{SECOND}.CHECKSUM"]
    assert found == Landed()


def test_a_changed_file_is_told_and_lands_beside_the_old_one(
    opened: Open, caplog: pytest.LogCaptureFixture
) -> None:
    published = files()
    with SmallServer(route=publishing(published)) as server:
        spot = opened(server)
        spot.trades("BTCUSDT", JAN_1, JAN_3, source="archive")
        old = {key: spot.store.read(key) for key in spot.store.names("bronze/")}
        published[FIRST] = AFTER
        with caplog.at_level(logging.WARNING):
            found = checked(spot)
        assert checked(spot) == Landed()

    assert (found.republished, found.files_created, found.rows) == (1, 1, 2)
    (told,) = (record.getMessage() for record in caplog.records)
    assert "published anew" in told
    assert sha_of(BEFORE) in told
    assert sha_of(AFTER) in told
    assert {key: spot.store.read(key) for key in old} == old
    beside = f"{TOP}{sha_of(AFTER)[:12]}/BTCUSDT-aggTrades-2024-01-01.zip"
    assert spot.store.read(beside) == AFTER
    assert sha_of(AFTER).encode() in (spot.store.read(f"{beside}.CHECKSUM") or b"")
    (part,) = (key for key in bodies(spot.store) if parse_name(key).tag == sha_of(AFTER)[:12])
    assert {json.loads(line["request"])["zip"] for line in lines(spot.store, part)} == {beside}


def test_a_run_killed_among_the_new_parts_is_finished_by_the_next_check(opened: Open) -> None:
    published = files()
    with SmallServer(route=publishing(published)) as server:
        spot = opened(server)
        spot.trades("BTCUSDT", JAN_1, JAN_3, source="archive")
        published[FIRST] = AFTER
        checked(spot)
        whole = bodies(spot.store)
        spot.store.delete(next(key for key in whole if sha_of(AFTER)[:12] in key))
        checked(spot)

    assert bodies(spot.store) == whole


def test_a_file_that_is_withdrawn_is_kept_and_told(
    opened: Open, caplog: pytest.LogCaptureFixture
) -> None:
    published = files()
    with SmallServer(route=publishing(published)) as server:
        spot = opened(server)
        spot.trades("BTCUSDT", JAN_1, JAN_3, source="archive")
        del published[SECOND]
        with caplog.at_level(logging.WARNING):
            assert checked(spot) == Landed()

    assert "no longer published" in caplog.text
    assert spot.store.read(KEY) == BEFORE


def test_a_file_republished_before_its_checksum_landed_does_not_take_the_old_zips_name(
    opened: Open,
) -> None:
    published = files()
    with SmallServer(route=publishing(published)) as server:
        spot = opened(server)
        spot.trades("BTCUSDT", JAN_1, JAN_3, source="archive")
        spot.store.delete(f"{KEY}.CHECKSUM")
        for key in bodies(spot.store):
            spot.store.delete(key)
        published[FIRST] = AFTER
        spot.trades("BTCUSDT", JAN_1, JAN_3, source="archive")

    assert spot.store.read(KEY) == BEFORE
    part = next(key for key in bodies(spot.store) if sha_of(AFTER)[:12] in key)
    (line,) = lines(spot.store, part)
    assert spot.store.read(json.loads(line["request"])["zip"]) == AFTER


def test_without_the_option_nothing_held_is_asked_for(opened: Open) -> None:
    with SmallServer(route=publishing(files())) as server:
        spot = opened(server)
        spot.trades("BTCUSDT", JAN_1, JAN_3, source="archive")
        asked = len(server.paths)
        spot.trades("BTCUSDT", JAN_1, JAN_3, source="archive")

    assert len(server.paths) == asked
