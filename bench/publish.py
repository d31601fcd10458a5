"""Measure how many bars a second a publication brings into a database, and fill one for others.

    deploy/services/postgres.sh start /tmp/candlelake-postgres
    CANDLELAKE_SERVE__DATABASE_PASSWORD=$(cat /tmp/candlelake-postgres/password) \
        .venv/bin/python -m bench.publish --bars 10000000 \
        --database $(cat /tmp/candlelake-postgres/endpoint)
    .venv/bin/python -m bench.publish --bars 10000000 --database /tmp/serve.sqlite

The bars are made in Arrow as Spark hands them over, decimals as decimals: a walk of prices like
Bitcoin's, the same in each run. What is measured is the way of `./spark-submit.sh publish` from
there on: numerics, rendered blocks, COPY, keys, days, one commit. Prints one line of JSON.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import SecretStr
from sqlalchemy import make_url

from serve.database.address import VARIABLE, Address
from serve.database.intervals import MINUTE_MS
from serve.database.rendering import TYPES
from serve.database.schema import PRICES, SUMS
from serve.publishing import bars
from serve.publishing.publisher import Publisher, finish, publishing
from serve.publishing.series import Name, Position, numbered, put_positions, tell_times

#: 2019-01-01T00:00:00Z in minutes: where each series begins.
FIRST_MINUTE = 25_771_680
BARS_A_SERIES = 2_500_000
AT_ONCE = 250_000
CENTS, SATOSHIS = pa.decimal128(20, 10), pa.decimal128(38, 18)


def main() -> None:
    """Fill a database, and print what it took."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--bars", type=int, default=1_000_000)
    parser.add_argument(
        "--database", required=True, help="postgresql://user@host:port/name or a file"
    )
    wanted = parser.parse_args()
    address = address_of(wanted.database)
    counts = shares(wanted.bars)
    started = time.perf_counter()
    size = asyncio.run(fill(address, counts))
    seconds = time.perf_counter() - started
    size = size or Path(address.database).stat().st_size
    print(
        json.dumps(
            {
                "database": "postgresql" if address.is_postgres else "sqlite",
                "bars": wanted.bars,
                "series": len(counts),
                "seconds": round(seconds, 1),
                "bars_a_second": round(wanted.bars / seconds),
                "bytes_a_bar": round(size / wanted.bars, 1),
            }
        )
    )


def address_of(text: str) -> Address:
    """Return the database that the option names."""
    if "://" not in text:
        return Address(str(Path(text)), 60)
    url = make_url(text)
    assert url.host
    assert url.database
    password = SecretStr(os.environ[VARIABLE]) if VARIABLE in os.environ else None
    return Address(url.database, 60, url.host, url.port or 5432, url.username or "", password)


def shares(count: int) -> list[int]:
    """Part the bars into series of 2,500,000, the last one shorter."""
    full, rest = divmod(count, BARS_A_SERIES)
    return [BARS_A_SERIES] * full + ([rest] if rest else [])


async def fill(address: Address, counts: list[int]) -> int:
    """Publish the bars of all series in one publication; return the bytes that they take."""
    async with publishing(address) as publisher:
        names = [
            Name("bars", "binance", "spot", f"BENCH{place}USDT", f"BENCH{place}USDT")
            for place in range(len(counts))
        ]
        numbers = await numbered(publisher, names)
        series = {numbers[name]: count for name, count in zip(names, counts, strict=True)}
        await bars.put(publisher, chunks(series), {(number, 1) for number in series})
        for number, count in series.items():
            end = (FIRST_MINUTE + count) * MINUTE_MS
            await put_positions(publisher, {(number, 1): Position(0, end)})
            await tell_times(publisher, number, end)
        await finish(publisher, "bench", time.time_ns() // 1_000_000)
        return await size_of(publisher)


async def size_of(publisher: Publisher) -> int:
    """Return the bytes of the tables of bars with their keys; 0 where the file tells."""
    if not publisher.address.is_postgres:
        return 0
    ((size,),) = await publisher.rows(
        "SELECT pg_total_relation_size('bars') + pg_total_relation_size('bar_blocks')"
        " + pg_total_relation_size('bar_days')"
    )
    return int(size)


def chunks(series: dict[int, int]) -> Iterator[pa.Table]:
    """Yield the bars of each series, a quarter of a million at once.

    The same walk of prices each time, at another place: to draw it anew would take as much of the
    processor as to publish it.
    """
    walk = chunk(max(series.values(), default=0))
    for number, count in series.items():
        for place in range(0, count, AT_ONCE):
            yield moved(walk.slice(0, count - place), number, place)


def moved(bars: pa.Table, number: int, place: int) -> pa.Table:
    """Return the bars as those of a series, so many minutes later."""
    added = {"bar_start": place * MINUTE_MS, "knowledge_us": place * MINUTE_MS * 1000}
    added |= dict.fromkeys(("first_trade_seq", "last_trade_seq"), place * 900)
    columns = {name: bars.column(name) for name in bars.column_names}
    columns |= {name: pc.add(bars.column(name), by) for name, by in added.items()}
    columns["series_id"] = pa.chunked_array([pa.repeat(number, bars.num_rows)])
    return pa.table(columns)


def chunk(most: int) -> pa.Table:
    """Return bars of one minute side by side, with prices that walk in cents."""
    count = min(AT_ONCE, most)
    random = np.random.default_rng(1)
    walk = 4_200_000 + np.cumsum(random.integers(-150, 151, count))
    opened = np.clip(walk, 100_000, None)
    moves = [random.integers(-400, 401, count), *random.integers(0, 500, (2, count))]
    closed = opened + moves[0]
    high, low = np.maximum(opened, closed) + moves[1], np.minimum(opened, closed) - moves[2]
    volume = random.integers(1_000_000, 40_000_000_000, count)
    bought = volume // 2
    # 18 digits of a sum: price in cents x volume in 10^-8, cut to what 64 bits hold
    quote = volume // 1000 * (opened // 100)
    exact = dict(zip(PRICES, (opened, high, low, closed), strict=True))
    sums = dict(zip(SUMS, (volume, volume, quote, bought, bought, quote // 2), strict=True))
    scales = {**dict.fromkeys(SUMS, 8), "quote_volume": 5, "taker_buy_quote_volume": 5}
    start = (FIRST_MINUTE + np.arange(count)) * MINUTE_MS
    ids = np.arange(count) * 900
    columns = {
        "bar_start": start,
        "trade_count": random.integers(1, 3000, count),
        "first_trade_seq": ids,
        "last_trade_seq": ids + 899,
        "knowledge_us": (start + MINUTE_MS) * 1000 + 777,
        "series_id": np.zeros(count, np.int32),
        "revision": np.zeros(count, np.int32),
        "bar_minutes": np.ones(count, np.int16),
        "is_complete": np.ones(count, bool),
        "built_from": pa.repeat("trades", count),
        **{name: decimals(values, 2, CENTS) for name, values in exact.items()},
        **{name: decimals(values, scales[name], SATOSHIS) for name, values in sums.items()},
        "is_newest": np.ones(count, bool),
    }
    arrays = [pa.array(columns[name]) for name in (*TYPES, "is_newest")]
    return pa.table(arrays, names=[*TYPES, "is_newest"])


def decimals(values: np.ndarray, scale: int, kind: pa.DataType) -> pa.Array:
    """Return whole numbers of the last place as decimals."""
    words = np.zeros((len(values), 2), np.int64)
    words[:, 0] = values
    buffers = [None, pa.py_buffer(words.tobytes())]
    return pa.Array.from_buffers(pa.decimal128(38, scale), len(values), buffers).cast(kind)


if __name__ == "__main__":
    main()
