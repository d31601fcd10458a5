"""Bars into the database: series that are new go straight in, all others are merged by revision."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from serve.database import binary_rows, rendering
from serve.database.intervals import BARS_A_BLOCK, DAY_MS, MINUTE_MS
from serve.database.schema import BAR
from serve.publishing.publisher import Publisher

COLUMNS = tuple(rendering.TYPES)
LISTED = ", ".join(COLUMNS)
BLOCK_COLUMNS = rendering.Block._fields
DAY_COLUMNS = ("series_id", "bar_minutes", "day", "bars", "complete_bars")
#: Blocks that are rendered anew at once: 96,000 bars are in hand.
BLOCKS_AT_ONCE = 2_000
_SAME_BAR = " AND ".join(f"b.{name} = i.{name}" for name in BAR)
_BLOCK = f"bar_start / (bar_minutes * CAST({MINUTE_MS * BARS_A_BLOCK} AS bigint))"
_NEWER_BESIDE = (
    "EXISTS (SELECT 1 FROM incoming_bars b"  # noqa: S608 - all of these are our own words
    f" WHERE {_SAME_BAR} AND b.revision > i.revision)"
)
FORGET_HELD = (
    "DELETE FROM incoming_bars AS i WHERE EXISTS"  # noqa: S608
    f" (SELECT 1 FROM bars b WHERE {_SAME_BAR} AND b.revision = i.revision)"
)
SUPERSEDE_HELD = (
    f"INSERT INTO superseded_bars ({LISTED})"  # noqa: S608
    f" SELECT {', '.join(f'b.{name}' for name in COLUMNS)} FROM incoming_bars i CROSS JOIN bars b"
    f" WHERE {_SAME_BAR} AND i.revision > b.revision ON CONFLICT DO NOTHING"
)
SUPERSEDE_INCOMING = (
    f"INSERT INTO superseded_bars ({LISTED}) SELECT {LISTED} FROM incoming_bars i"  # noqa: S608
    f" WHERE {_NEWER_BESIDE}"
    f" OR EXISTS (SELECT 1 FROM bars b WHERE {_SAME_BAR} AND b.revision > i.revision)"
    " ON CONFLICT DO NOTHING"
)
PUT_NEWEST = (
    f"INSERT INTO bars ({LISTED}) SELECT {LISTED} FROM incoming_bars i"  # noqa: S608
    f" WHERE NOT {_NEWER_BESIDE} ON CONFLICT ({', '.join(BAR)}) DO UPDATE SET "
    + ", ".join(f"{name} = excluded.{name}" for name in COLUMNS if name not in BAR)
    + " WHERE excluded.revision > bars.revision"
)
TOUCHED_BLOCKS = f"SELECT DISTINCT series_id, bar_minutes, {_BLOCK} AS block FROM incoming_bars"  # noqa: S608
TOUCHED_DAYS = (
    f"SELECT DISTINCT series_id, bar_minutes, bar_start / {DAY_MS} * {DAY_MS} AS day"  # noqa: S608
    " FROM incoming_bars"
)
FORGET_BLOCKS = (
    "DELETE FROM bar_blocks AS b WHERE EXISTS (SELECT 1 FROM blocks_in_hand t WHERE"
    " t.series_id = b.series_id AND t.bar_minutes = b.bar_minutes AND t.block = b.block)"
)
COUNT_DAYS = (
    "INSERT INTO bar_days (series_id, bar_minutes, day, bars, complete_bars)"  # noqa: S608
    " SELECT b.series_id, b.bar_minutes, t.day, count(*),"
    " sum(CASE WHEN b.is_complete THEN 1 ELSE 0 END) FROM days_in_hand t CROSS JOIN bars b"
    " WHERE b.series_id = t.series_id AND b.bar_minutes = t.bar_minutes"
    f" AND b.bar_start >= t.day AND b.bar_start < t.day + {DAY_MS}"
    " GROUP BY b.series_id, b.bar_minutes, t.day ON CONFLICT (series_id, bar_minutes, day)"
    " DO UPDATE SET bars = excluded.bars, complete_bars = excluded.complete_bars"
)
DRAWN = ("open", "high", "low", "close", "volume", "base_volume", "quote_volume")
BARS_OF_BLOCKS = (
    "SELECT b.series_id, b.bar_minutes, b.bar_start, b.trade_count, b.is_complete, "  # noqa: S608
    + ", ".join(f"CAST(b.{name} AS text) AS {name}" for name in DRAWN)
    + " FROM blocks_in_hand t CROSS JOIN bars b"
    " WHERE b.series_id = t.series_id AND b.bar_minutes = t.bar_minutes"
    f" AND b.bar_start >= t.block * (t.bar_minutes * CAST({MINUTE_MS * BARS_A_BLOCK} AS bigint))"
    " AND b.bar_start < (t.block + 1)"
    f" * (t.bar_minutes * CAST({MINUTE_MS * BARS_A_BLOCK} AS bigint))"
    " ORDER BY b.series_id, b.bar_minutes, b.bar_start"
)
ANY_BAR = "SELECT 1 FROM bars LIMIT 1"
MAKE_KEY = f"ALTER TABLE bars ADD CONSTRAINT bars_key PRIMARY KEY ({', '.join(BAR)})"
TEMPORARY = (
    f"CREATE TEMP TABLE incoming_bars AS SELECT {LISTED} FROM bars WHERE 1 = 0",  # noqa: S608
    (
        "CREATE TEMP TABLE blocks_in_hand AS"
        " SELECT series_id, bar_minutes, block FROM bar_blocks WHERE 1 = 0"
    ),
    (
        "CREATE TEMP TABLE days_in_hand AS"
        " SELECT series_id, bar_minutes, day FROM bar_days WHERE 1 = 0"
    ),
)
Pair = tuple[int, int]
Triple = tuple[int, int, int]
_TRIPLE = (pa.int32(), pa.int16(), pa.int64())


class Days(NamedTuple):
    """How many bars of a day there are, and how many of them are complete."""

    bars: int
    complete_bars: int

    def __add__(self, other: tuple[int, ...]) -> Days:  # type: ignore[override]
        """Count the bars of another part of the day too."""
        return Days(self.bars + other[0], self.complete_bars + other[1])


class Content(NamedTuple):
    """Bars as COPY takes them: a binary stream, and the few that it can't hold as text."""

    pieces: Sequence[memoryview | bytes]
    others: pa.Table


class Prepared(NamedTuple):
    """A chunk of new series, ready to go in.

    `content` are the bars where COPY takes them, else `text`. `edges` are blocks that may go on
    in another chunk.
    """

    rows: int
    content: Content | None
    text: pa.Table
    superseded: pa.Table
    blocks: list[rendering.Block]
    edges: set[Triple]
    days: Mapping[Triple, Days]


async def put(publisher: Publisher, chunks: Iterable[pa.Table], fresh: AbstractSet[Pair]) -> None:
    """Put values of bars into the database: current ones, and those that a later one replaced.

    Args:
        publisher: open.
        chunks: the columns of `rendering.TYPES` (decimals may be decimals), and `is_newest`:
            whether no chunk holds a later revision of the bar. Each revision comes once.
        fresh: the (series_id, bar_minutes) of which the database holds no bar. A chunk is of
            fresh ones or of others.
    """
    for statement in TEMPORARY:
        await publisher.run(statement)
    is_first = await _without_key(publisher)
    blocks, whole_days = set[Triple](), dict[Triple, Days]()
    incoming = 0
    async for chunk in _ahead(chunks, fresh, is_copied=publisher.address.is_postgres):
        if isinstance(chunk, Prepared):
            await _put_fresh(publisher, chunk)
            blocks |= chunk.edges
            for day, count in chunk.days.items():
                whole_days[day] = count + whole_days.get(day, Days(0, 0))
        else:
            await publisher.load("incoming_bars", chunk, is_plain=True)
            incoming += chunk.num_rows
    if is_first:
        await publisher.run(MAKE_KEY)
    if incoming:
        await _merge(publisher)
        blocks |= {tuple(row) for row in await publisher.rows(TOUCHED_BLOCKS)}
        days = {tuple(row) for row in await publisher.rows(TOUCHED_DAYS)}
        await _count_days(publisher, sorted(days))
    await _render(publisher, sorted(blocks))
    await _put_days(publisher, whole_days)


async def _ahead(
    chunks: Iterable[pa.Table], fresh: AbstractSet[Pair], *, is_copied: bool
) -> AsyncIterator[Prepared | pa.Table]:
    """Yield chunks made ready, each while the database still takes the one before."""
    waiting = iter(chunks)

    def following() -> Prepared | pa.Table | None:
        chunk = next(waiting, None)
        if chunk is None:
            return None
        if not _is_fresh(chunk, fresh):
            return rendering.in_text(chunk)
        return prepared(chunk, is_copied=is_copied)

    task = asyncio.create_task(asyncio.to_thread(following))
    while (chunk := await task) is not None:
        task = asyncio.create_task(asyncio.to_thread(following))
        try:
            yield chunk
        except BaseException:
            await asyncio.wait([task])
            raise


async def _without_key(publisher: Publisher) -> bool:
    """Drop the key of PostgreSQL's `bars` where there are none: made at the end it costs a third.

    Readers wait until the publication ends, and miss nothing: there was no bar.
    """
    if not publisher.address.is_postgres or await publisher.rows(ANY_BAR):
        return False
    await publisher.run("ALTER TABLE bars DROP CONSTRAINT bars_key")
    await publisher.run("SET LOCAL maintenance_work_mem = '256MB'")
    return True


def _is_fresh(chunk: pa.Table, fresh: AbstractSet[Pair]) -> bool:
    if not chunk.num_rows:
        return False
    return (chunk.column("series_id")[0].as_py(), chunk.column("bar_minutes")[0].as_py()) in fresh


def prepared(chunk: pa.Table, *, is_copied: bool) -> Prepared:
    """Make a chunk of new series ready: sorted, decimals as text, blocks rendered."""
    bars = chunk.sort_by([(name, "ascending") for name in BAR])
    is_newest = bars.column("is_newest")
    superseded = bars.slice(0, 0)
    if not pc.all(is_newest).as_py():
        bars, superseded = bars.filter(is_newest), bars.filter(pc.invert(is_newest))
    with ThreadPoolExecutor(1) as beside:
        writing = beside.submit(_written, bars) if is_copied else None
        # what COPY takes as numbers has to be text for the blocks alone
        text = rendering.in_text(bars, rendering.NOT_RENDERED if is_copied else ())
        found = list(rendering.blocks(text))
        content = writing.result() if writing else None
    edges = _edges(found)
    whole = [block for block in found if block[:3] not in edges]
    earlier = rendering.in_text(superseded)
    return Prepared(bars.num_rows, content, text, earlier, whole, edges, _days(text))


def _written(bars: pa.Table) -> Content:
    is_plain = binary_rows.plain(bars)
    if pc.all(is_plain).as_py():
        return Content(binary_rows.written(bars), rendering.in_text(bars.slice(0, 0)))
    others = rendering.in_text(bars.filter(pc.invert(is_plain)))
    rest = bars.filter(is_plain)
    return Content(binary_rows.written(rest) if rest.num_rows else (), others)


def _edges(blocks: Sequence[rendering.Block]) -> set[Triple]:
    first = {block[:2]: block[:3] for block in reversed(blocks)}
    last = {block[:2]: block[:3] for block in blocks}
    return {*first.values(), *last.values()}


def _days(bars: pa.Table) -> Mapping[Triple, Days]:
    day = pc.multiply(pc.divide(bars.column("bar_start"), DAY_MS), DAY_MS)
    complete = pc.cast(bars.column("is_complete"), pa.int64())
    keys = [bars.column("series_id"), bars.column("bar_minutes"), day]
    rows = pa.table([*keys, complete], ["series", "minutes", "day", "complete"])
    counted = rows.group_by(["series", "minutes", "day"]).aggregate(
        [("complete", "count"), ("complete", "sum")]
    )
    values = zip(*(column.to_pylist() for column in counted.columns), strict=True)
    return {tuple(row[:3]): Days(*row[3:]) for row in values}


async def _put_fresh(publisher: Publisher, chunk: Prepared) -> None:
    if chunk.content is None:
        await publisher.load("bars", chunk.text)
    else:
        pieces, others = chunk.content
        if pieces:
            await publisher.copy("bars", binary_rows.COLUMNS, pieces, "binary")
        await publisher.load("bars", others, is_plain=True)
    await publisher.load("superseded_bars", chunk.superseded, is_plain=True)
    await publisher.add_records("bar_blocks", BLOCK_COLUMNS, chunk.blocks)
    publisher.changed("bars", chunk.rows)


async def _merge(publisher: Publisher) -> None:
    """Merge `incoming_bars`: a later revision takes the place of the one held, which is kept."""
    await publisher.run(
        "CREATE INDEX incoming_bars_key ON incoming_bars"
        " (series_id, bar_minutes, bar_start, revision)"
    )
    await publisher.run("ANALYZE incoming_bars")
    await publisher.run(FORGET_HELD)
    await publisher.run(SUPERSEDE_HELD)
    earlier = await publisher.run(SUPERSEDE_INCOMING)
    newest = await publisher.run(PUT_NEWEST)
    if earlier or newest:
        publisher.changed("bars", newest)


async def _render(publisher: Publisher, blocks: Sequence[Triple]) -> None:
    """Render blocks from the rows of `bars`."""
    names = ("series_id", "bar_minutes", "block")
    for place in range(0, len(blocks), BLOCKS_AT_ONCE):
        await publisher.run("DELETE FROM blocks_in_hand")
        await publisher.load(
            "blocks_in_hand", _table(names, blocks[place : place + BLOCKS_AT_ONCE])
        )
        await publisher.run(FORGET_BLOCKS)
        bars = _drawn(await publisher.rows(BARS_OF_BLOCKS))
        rendered = list(rendering.blocks(bars))
        await publisher.add_records("bar_blocks", BLOCK_COLUMNS, rendered)


async def _put_days(publisher: Publisher, days: Mapping[Triple, Days]) -> None:
    records = [(*key, *count) for key, count in days.items()]
    await publisher.add_records("bar_days", DAY_COLUMNS, records)


async def _count_days(publisher: Publisher, days: Sequence[Triple]) -> None:
    if days:
        await publisher.load("days_in_hand", _table(("series_id", "bar_minutes", "day"), days))
        await publisher.run(COUNT_DAYS)


def _table(names: Sequence[str], rows: Sequence[Triple]) -> pa.Table:
    columns = zip(*rows, strict=True)
    return pa.table(
        [pa.array(values, kind) for values, kind in zip(columns, _TRIPLE, strict=True)], list(names)
    )


def _drawn(rows: Sequence[Any]) -> pa.Table:
    names = ("series_id", "bar_minutes", "bar_start", "trade_count", "is_complete", *DRAWN)
    columns = zip(*rows, strict=True)
    return pa.table(
        [
            # SQLite's truth values are numbers
            pc.cast(pa.array(values), rendering.TYPES[name]) if values else []
            for name, values in zip(names, columns, strict=True)
        ],
        list(names),
    )
