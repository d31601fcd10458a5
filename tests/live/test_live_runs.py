"""What a batch claims: unbroken ids alone, and no time that could still get a row."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from extract.coverage import joined
from extract.live.batch import Batch, Caught
from extract.live.lines import Stamp
from extract.live.packs import packs_of, tag_of
from extract.live.runs import Run, runs_of, unclaimed
from extract.live.stream import Stream
from lake.bronze import Coverage, Dataset, parse_name

NOW = datetime(2025, 3, 5, tzinfo=UTC)
MARCH_5, APRIL_1 = 1_741_132_800_000, 1_743_465_600_000


def caught(
    *frames: Sequence[tuple[int, int]], dataset: Dataset = "trades", instrument: str = "BTCUSDT"
) -> Caught:
    """Return frames of (id, time) rows."""
    interval = "1m" if dataset == "klines" else ""
    stream = Stream("binance", "spot", dataset, instrument, "x", {}, interval)
    found = Caught(stream)
    for rows in frames:
        found.add(NOW, b"{}", [one for one, _ in rows], [time for _, time in rows])
    return found


def trades(*ids: int) -> Caught:
    return caught(*[[(one, MARCH_5 + 10 * one)] for one in ids])


def shown(runs: Sequence[Run]) -> list[tuple[int, int, list[int]]]:
    return [(run.coverage.first_id, run.coverage.last_id, list(run.places)) for run in runs]


def test_ids_that_run_on_are_one_run_and_claim_the_time_between_them() -> None:
    (run,) = runs_of(trades(7, 8, 9))

    assert run.coverage == Coverage(7, 9, MARCH_5 + 71, MARCH_5 + 90)
    assert (list(run.places), run.rows) == ([0, 1, 2], 3)


def test_a_lone_trade_claims_no_time_before_itself() -> None:
    (run,) = runs_of(trades(7))

    assert run.coverage == Coverage(7, 7, MARCH_5 + 71, MARCH_5 + 71)


def test_a_jump_parts_runs_and_what_comes_again_stands_apart() -> None:
    runs = runs_of(trades(7, 8, 11, 12, 8, 9))

    assert shown(runs) == [(7, 9, [0, 1, 5]), (11, 12, [2, 3]), (8, 8, [4])]


def test_two_connections_side_by_side_make_two_runs_not_hundreds() -> None:
    runs = runs_of(trades(*[one for n in range(100) for one in (n, n)]))

    assert [(run.coverage.first_id, run.coverage.last_id) for run in runs] == [(0, 99), (0, 99)]


def test_a_frame_whose_own_ids_jump_is_kept_in_both_runs() -> None:
    frame = [(5, MARCH_5), (6, MARCH_5 + 1), (9, MARCH_5 + 2)]
    runs = runs_of(caught(frame, [(10, MARCH_5 + 3)]))

    assert shown(runs) == [(5, 6, [0]), (9, 10, [0, 1])]


def test_a_run_is_cut_where_the_month_turns_and_its_claims_meet_there() -> None:
    rows = [(n, APRIL_1 - 25 + 10 * n) for n in range(6)]
    runs = runs_of(caught(*[[row] for row in rows]))

    assert [run.coverage for run in runs] == [
        Coverage(0, 2, APRIL_1 - 24, APRIL_1),
        Coverage(3, 5, APRIL_1, APRIL_1 + 25),
    ]
    assert joined(run.coverage for run in runs) == [Coverage(0, 5, APRIL_1 - 24, APRIL_1 + 25)]


def test_a_trade_in_the_last_millisecond_of_a_month_stays_in_its_folder() -> None:
    (run,) = runs_of(caught([(1, APRIL_1 - 1)]))

    assert run.coverage == Coverage(1, 1, APRIL_1 - 1, APRIL_1 - 1)


def test_bars_that_adjoin_are_a_run_of_whole_minutes() -> None:
    minutes = [MARCH_5 + 60_000 * n for n in (0, 1, 3)]
    frames = [[(one, one)] for one in minutes]
    bars = caught(*frames, [], dataset="klines")

    assert [run.coverage for run in runs_of(bars)] == [
        Coverage(MARCH_5, MARCH_5 + 60_000, MARCH_5, MARCH_5 + 120_000),
        Coverage(minutes[2], minutes[2], minutes[2], minutes[2] + 60_000),
    ]
    assert unclaimed(bars) == [3]


@given(ids=st.lists(st.integers(0, 30), max_size=60))
def test_every_row_stands_in_one_run_and_runs_never_claim_more(ids: list[int]) -> None:
    runs = runs_of(trades(*ids))
    claims = [range(run.coverage.first_id, run.coverage.last_id + 1) for run in runs]

    assert sorted(one for claim in claims for one in claim) == sorted(ids)
    assert sorted(place for run in runs for place in run.places) == list(range(len(ids)))
    for run in runs:
        named = [ids[place] for place in run.places]
        assert named == list(range(run.coverage.first_id, run.coverage.last_id + 1))


def test_the_same_batch_makes_the_same_files_and_two_regions_never_the_same_name() -> None:
    batch = Batch()
    batch.caught = {one.stream: one for one in (trades(1, 2), caught([], instrument=""))}
    keys = []
    for region, run_id in (("eu_west 1", "run-1"), ("us", "run-1"), ("us", "run-2")):
        stamp = Stamp(region, run_id, NOW)
        (pack,) = packs_of(batch, stamp)
        assert [pack] == list(packs_of(batch, stamp))
        (held,) = pack.held
        assert parse_name(pack.key).instrument == "_all"
        assert held.name.tag == tag_of(stamp)
        keys += [pack.key, held.name.key]

    assert len(set(keys)) == 6
    assert "eu-west-1-run-1" in keys[0]


def test_frames_that_claim_nothing_alone_make_a_pack_that_holds_nothing() -> None:
    batch = Batch()
    nothing = caught([], [])
    batch.caught = {nothing.stream: nothing}
    (pack,) = packs_of(batch, Stamp("", "run-1", NOW))

    assert pack.held == []
    assert b'"holds":[]' in pack.coverage
    assert (parse_name(pack.key).coverage.first_id, parse_name(pack.key).coverage.last_id) == (
        0,
        -1,
    )
