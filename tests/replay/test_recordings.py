from __future__ import annotations

import csv
import hashlib

import pytest

from extract.replay import recordings
from extract.replay.recordings import CATALOGUE, DIRECTORY, Recording, read_bars, read_bytes

AGGREGATES = [recording for recording in CATALOGUE if recording.dataset == "aggTrades"]
TRADES = [recording for recording in CATALOGUE if recording.dataset == "trades"]


def test_archive_file_is_untouched() -> None:
    digest = hashlib.sha256((DIRECTORY / recordings.DAY_ARCHIVE.file).read_bytes()).hexdigest()

    assert digest == "9572fa650e2a7850e528fc6d0c3ec7874211af47947416f75004f0f95751dca3"


@pytest.mark.parametrize("path", sorted(DIRECTORY.glob("*.gz")), ids=lambda path: path.name)
def test_compressed_file_carries_no_time_stamp(path: object) -> None:
    head = (DIRECTORY / str(path)).read_bytes()[:10]

    assert head[3:8] == b"\x00\x00\x00\x00\x00"


@pytest.mark.parametrize("recording", AGGREGATES, ids=lambda recording: recording.file)
def test_catalogue_says_what_an_aggregate_file_holds(recording: Recording) -> None:
    lines = read_bytes(DIRECTORY, recording).splitlines()

    assert len(lines) == recording.rows
    assert int(lines[0].split(b",")[0]) == recording.first_id
    assert int(lines[-1].split(b",")[0]) == recording.last_id
    assert recording.last_id == (recording.first_id or 0) + recording.rows - 1


@pytest.mark.parametrize("recording", TRADES, ids=lambda recording: recording.symbol)
def test_catalogue_says_what_the_trade_file_holds(recording: Recording) -> None:
    text = read_bytes(DIRECTORY, recording).decode()
    rows = [r for r in csv.DictReader(text.splitlines()) if r["instrument"] == recording.symbol]

    assert len(rows) == recording.rows
    assert [int(row["trade_id"]) for row in rows] == list(
        range(recording.first_id or 0, (recording.last_id or 0) + 1)
    )
    assert (rows[0]["time_exchange"], rows[-1]["time_exchange"]) == (recording.start, recording.end)


def test_false_row_list_names_rows_of_the_recording() -> None:
    held = {bar.open_time for bar in read_bars(DIRECTORY, recordings.HOURLY_BARS)}

    assert len(recordings.false_open_times(DIRECTORY)) == 96
    assert recordings.false_open_times(DIRECTORY) <= held


def test_every_file_is_named_in_the_sources() -> None:
    sources = (DIRECTORY / "SOURCES.md").read_text()

    for recording in CATALOGUE:
        assert recording.file.removeprefix(recording.symbol) in sources
