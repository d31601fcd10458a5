"""One budget for several processes, on a real Redis: what one takes or is told, all know."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from redis import Redis

from extract.budget import WEIGHT_HEADER
from extract.shared_budget import SharedMinuteWeight, SharedPace
from lake.errors import BannedError, UnreachableError
from tests.ports import free_port

NOON = datetime(2025, 9, 3, 12, 0, 30, tzinfo=UTC)


@pytest.fixture
def redis(redis_url: str) -> Iterator[Redis]:
    with Redis.from_url(redis_url) as client:
        yield client


def pair(redis: Redis, ceiling: int = 100) -> tuple[SharedMinuteWeight, SharedMinuteWeight]:
    return SharedMinuteWeight(redis, "here:host", ceiling), SharedMinuteWeight(
        redis, "here:host", ceiling
    )


def test_the_sum_of_all_is_what_the_minute_holds(redis: Redis) -> None:
    one, other = pair(redis)

    assert [one.reserve(40, NOON), other.reserve(40, NOON)] == [0, 0]
    assert one.reserve(25, NOON) == 31  # to the turn of the minute, and a second
    assert other.reserve(20, NOON) == 0
    assert one.used_percent(NOON) == 100
    assert one.reserve(25, NOON + timedelta(seconds=31)) == 0


def test_a_request_heavier_than_the_whole_goes_out_alone(redis: Redis) -> None:
    one, other = pair(redis)

    assert one.reserve(500, NOON) == 0
    assert other.reserve(1, NOON) > 0


def test_what_the_exchange_counts_is_believed_where_it_is_more(redis: Redis) -> None:
    one, other = pair(redis)
    one.reserve(10, NOON)

    one.settle(10, {WEIGHT_HEADER: "95"}, NOON)
    other.settle(10, {WEIGHT_HEADER: "20"}, NOON)

    assert other.used_percent(NOON) == 95
    assert other.reserve(6, NOON) > 0


def test_a_header_of_the_minute_before_does_not_fill_the_new_one(redis: Redis) -> None:
    one, _ = pair(redis)
    turned = NOON.replace(second=0, microsecond=400_000)

    one.settle(10, {WEIGHT_HEADER: "95"}, turned)

    assert one.used_percent(turned) == 0


def test_a_pause_and_a_ban_hold_for_all(redis: Redis) -> None:
    one, other = pair(redis)

    one.share_pause(7, NOON)
    assert other.reserve(1, NOON + timedelta(seconds=2)) == 5
    assert other.reserve(1, NOON + timedelta(seconds=8)) == 0

    other.share_ban("HTTP 418", 120)
    with pytest.raises(BannedError, match="HTTP 418"):
        one.reserve(1, NOON)


def test_hosts_do_not_share(redis: Redis) -> None:
    one = SharedMinuteWeight(redis, "here:one", 100)
    other = SharedMinuteWeight(redis, "here:other", 100)

    one.reserve(100, NOON)

    assert other.reserve(100, NOON) == 0


def test_a_pace_gives_each_slot_once(redis: Redis) -> None:
    one, other = SharedPace(redis, "here:host", 20), SharedPace(redis, "here:host", 20)

    assert one.reserve(1, NOON) == 0
    assert other.reserve(1, NOON) == 0.05
    assert other.reserve(2, NOON + timedelta(milliseconds=50)) == 0
    assert one.reserve(1, NOON + timedelta(milliseconds=100)) == 0.05


def test_a_server_that_is_gone_is_one_clear_line() -> None:
    with Redis.from_url(f"redis://127.0.0.1:{free_port()}/0") as nobody:
        budget = SharedMinuteWeight(nobody, "here:host", 100)

        with pytest.raises(UnreachableError, match=r"Check workers\.redis_url"):
            budget.reserve(1, NOON)


def test_a_limit_that_one_was_told_holds_for_all(redis: Redis) -> None:
    one, other = pair(redis)
    one.grant(600)
    one.grant(60)

    assert [other.reserve(40, NOON), other.reserve(20, NOON)] == [0, 0]
    assert other.reserve(1, NOON) > 0
    assert other.used_percent(NOON) == 100
