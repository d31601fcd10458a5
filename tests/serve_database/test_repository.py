"""Bars in and out: what was put is answered exactly, rendered or not, now or as of a moment."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable

import pyarrow as pa
import pytest

from serve.database.address import Address
from serve.database.repository import SqlRepository, repository_at
from serve.publishing import bars as bar_writer
from serve.publishing.publisher import Publisher, finish, publishing
from serve.publishing.series import Name, Position, numbered, put_positions, tell_times
from serve.records import Bar, Publication, RenderedBars
from serve.repository import Between
from tests.serve_database.databases import MIDNIGHT, MINUTE, bars_of, many_bars

BTC = Name("bars", "binance", "spot", "BTCUSDT", "BTCUSDT")
EVERYTHING = Between(None, None, 100_000)


async def put(publisher: Publisher, *chunks: pa.Table, fresh: bool = True) -> int:
    (number,) = (await numbered(publisher, [BTC])).values()
    assert number == 1
    await bar_writer.put(publisher, chunks, {(1, 1)} if fresh else set())
    await put_positions(publisher, {(1, 1): Position(7, 1)})
    await tell_times(publisher, 1, MIDNIGHT)
    return await finish(publisher, "run", 5)


def filled(address: Address, *chunks: pa.Table, fresh: bool = True) -> int:
    async def go() -> int:
        async with publishing(address) as publisher:
            return await put(publisher, *chunks, fresh=fresh)

    return asyncio.run(go())


Question = Callable[[SqlRepository], Awaitable[object]]


def answers(address: Address, *questions: Question, before: pa.Table | None = None) -> list[object]:
    """Ask in one loop, with `before` put first: a memory is gone with the last who uses it."""

    async def go() -> list[object]:
        repository = repository_at(address)
        try:
            await repository.publication()
            if before is not None:
                async with publishing(address) as publisher:
                    await put(publisher, before)
            return [await question(repository) for question in questions]
        finally:
            await repository.close()

    return asyncio.run(go())


def test_an_empty_database_answers_that_nothing_was_published(any_address: Address) -> None:
    found = answers(
        any_address,
        lambda ask: ask.publication(),
        lambda ask: ask.series(),
        lambda ask: ask.bars(1, "1m", EVERYTHING),
        lambda ask: ask.rendered_bars(1, "1m", EVERYTHING),
        lambda ask: ask.listings(None, None),
    )

    assert found[0] == Publication(0, 0)
    assert found[1:3] == [[], []]
    assert found[3] == (b"", 0, None)
    assert found[4] == []


def test_bars_come_out_as_they_went_in(any_address: Address) -> None:
    table = bars_of(
        1,
        [MIDNIGHT, MIDNIGHT + 2 * MINUTE],
        open=["42000.1", None],
        high=["42000.1", None],
        low=["0.0000000001", None],
        close=["42000.1", None],
        quote_volume=["12345678901234567890.123456789012345678", "0"],
        is_complete=[True, False],
    )

    series, bars, newest, close = answers(
        any_address,
        lambda ask: ask.series(),
        lambda ask: ask.bars(1, "1m", EVERYTHING),
        lambda ask: ask.bars(1, "1m", Between(None, None, 1, newest_first=True)),
        lambda ask: ask.close_before(1, "1m", MIDNIGHT + 9 * MINUTE),
        before=table,
    )

    first = Bar(
        bar_start=MIDNIGHT,
        bar_end=MIDNIGHT + MINUTE,
        open="42000.1",
        high="42000.1",
        low="0.0000000001",
        close="42000.1",
        volume="0.00000001",
        base_volume="0.00000001",
        quote_volume="12345678901234567890.123456789012345678",
        trade_count=3,
        taker_buy_volume="0.00000001",
        taker_buy_base_volume="0.00000001",
        taker_buy_quote_volume="0.00000001",
        first_trade_seq=1,
        last_trade_seq=2,
        built_from="trades",
        is_complete=True,
        is_filled=False,
        knowledge_us=(MIDNIGHT + 2 * MINUTE) * 1000,
        revision=0,
    )
    assert isinstance(bars, list)
    assert bars[0] == first
    assert bars[1].open is None
    assert bars[1].quote_volume == "0"
    assert bars[1].is_complete is False
    assert newest == bars[1:]
    assert close == first
    units = (None, None, None, None)
    first_and_last = (MIDNIGHT, MIDNIGHT + 2 * MINUTE)
    assert series == [(1, *BTC, *units, *first_and_last, MIDNIGHT, MIDNIGHT)]


def rendered(bar: Bar) -> dict[str, object]:
    fields = ("open", "high", "low", "close", "volume", "base_volume", "quote_volume")
    told = {"time": bar.bar_start, **{name: getattr(bar, name) for name in fields}}
    more = ("trade_count", "is_complete", "is_filled")
    return told | {name: getattr(bar, name) for name in more}


def test_days_count_their_bars_over_chunks_and_corrections(address: Address) -> None:
    day = 1440
    filled(address, many_bars(1, 0, 100), many_bars(1, 100, day), many_bars(1, day + 100, 5))
    late = bars_of(1, [0, 3 * day * MINUTE], revision=[1, 0], is_complete=[False, True])
    filled(address, late, fresh=False)

    (found,) = answers(address, lambda ask: ask.bars_a_day(1, "1m"))

    assert found == {0: day - 1, day * MINUTE: 105, 3 * day * MINUTE: 1}


@pytest.mark.parametrize("newest_first", [False, True])
@pytest.mark.parametrize(
    ("start", "end", "limit"),
    [(None, None, 1000), (None, None, 7), (61, None, 60), (59, 61, 9), (130, 399, 500), (5, 5, 9)],
)
def test_rendered_bars_are_the_bars(
    address: Address,
    start: int | None,
    end: int | None,
    limit: int,
    newest_first: bool,  # noqa: FBT001 - a parameter of the table above
) -> None:
    chunks = [many_bars(1, 0, 100), many_bars(1, 100, 83), many_bars(1, 190, 210)]
    filled(address, *chunks)
    first, last = (None if one is None else one * MINUTE for one in (start, end))
    between = Between(first, last, limit, newest_first)

    bars, found = answers(
        address,
        lambda ask: ask.bars(1, "1m", between._replace(limit=limit + 1)),
        lambda ask: ask.rendered_bars(1, "1m", between),
    )

    assert isinstance(bars, list)
    assert isinstance(found, RenderedBars)
    content, count, next_start = found
    assert json.loads(b"[" + content + b"]") == [rendered(bar) for bar in bars[:limit]]
    assert count == len(bars[:limit])
    assert next_start == (bars[limit].bar_start if len(bars) > limit else None)
