"""Puts the known market into a real serving database, by the publisher's own hands."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from typing import Any

import pyarrow as pa

from serve.database import schema
from serve.database.address import Address
from serve.database.intervals import MINUTES
from serve.database.rendering import TYPES
from serve.publishing import bars as bar_writer
from serve.publishing.publisher import Publisher, finish, publishing
from serve.records import Bar, Series
from tests.serve_api.listed import ListedRepository


def fill(address: Address, market: ListedRepository) -> None:
    """Publish a market whole."""

    async def publish() -> None:
        async with publishing(address) as publisher:
            await publisher.add(schema.SERIES, [one._asdict() for one in market.held])
            for (series_id, interval), bars in market.bars_held.items():
                values = market.known.get((series_id, interval), bars)
                chunk = _chunk(series_id, MINUTES[interval], values)
                await _forget_in_hand(publisher)
                await bar_writer.put(publisher, [chunk], {(series_id, MINUTES[interval])})
            await _others(publisher, market)
            await finish(publisher, "run", market.newest.published_at)

    asyncio.run(publish())


async def _forget_in_hand(publisher: Publisher) -> None:
    """Each `put` of a publication makes its temporary tables anew."""
    for statement in bar_writer.TEMPORARY:
        name = statement.split()[3]
        await publisher.run(f"DROP TABLE IF EXISTS {name}")


def _chunk(series_id: int, bar_minutes: int, bars: Sequence[Bar]) -> pa.Table:
    revisions = {bar.bar_start: bar.revision for bar in bars}
    rows = [{**bar._asdict(), "series_id": series_id, "bar_minutes": bar_minutes} for bar in bars]
    arrays = [pa.array([row[name] for row in rows], kind) for name, kind in TYPES.items()]
    newest = pa.array([bar.revision == revisions[bar.bar_start] for bar in bars])
    return pa.table([*arrays, newest], names=[*TYPES, "is_newest"])


async def _others(publisher: Publisher, market: ListedRepository) -> None:
    by_id = {one.series_id: one for one in market.held}
    runs = [
        {**run._asdict(), "series_id": series_id, "bar_minutes": MINUTES[interval]}
        for (series_id, interval), found in market.runs_held.items()
        for run in found
    ]
    await publisher.add(schema.RUNS, runs)
    prices = [
        {**price._asdict(), "series_id": series_id}
        for series_id, found in market.prices.items()
        for price in found
    ]
    await publisher.load("index_prices", _table(prices))
    prints = [
        {**trade._asdict(), "series_id": series_id}
        for series_id, found in market.prints.items()
        for trade in found
    ]
    await publisher.load("trades", _table(prints))
    await publisher.load("listings", _table([one._asdict() for one in market.listed]))
    ledger = [
        {**_listing(by_id[series_id]), **one._asdict()}
        for series_id, found in market.ledger.items()
        for one in found
    ]
    await publisher.load("stretches", _table(ledger))
    checks = [
        {**_listing(by_id[series_id]), **one._asdict(), "causes": json.dumps(one.causes)}
        for series_id, found in market.checks.items()
        for one in found
    ]
    for check in checks:
        del check["instrument_uid"]
    await publisher.load("certificates", _table(checks))


def _listing(series: Series) -> dict[str, Any]:
    return {name: getattr(series, name) for name in schema.IDENTITY}


def _table(rows: Sequence[dict[str, Any]]) -> pa.Table:
    return pa.Table.from_pylist(list(rows))
