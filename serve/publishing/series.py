"""Series: their numbers, their units, and which of their bars are held."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from sqlalchemy import select, text

from serve.database.intervals import DAY_MS
from serve.database.schema import POSITIONS, SERIES
from serve.publishing.publisher import Publisher

PUT_SERIES = (
    "INSERT INTO series (series_type, exchange, kind, instrument, instrument_uid)"
    " VALUES (:series_type, :exchange, :kind, :instrument, :instrument_uid)"
    " ON CONFLICT (series_type, exchange, kind, instrument_uid) DO NOTHING"
)
PUT_POSITION = (
    "INSERT INTO positions (series_id, bar_minutes, version, bars_until, runs_of)"
    " VALUES (:series_id, :bar_minutes, :version, :bars_until, :runs_of)"
    " ON CONFLICT (series_id, bar_minutes)"
    " DO UPDATE SET version = excluded.version, bars_until = excluded.bars_until,"
    " runs_of = excluded.runs_of"
)
TELL_UNITS = (
    "UPDATE series SET quantity_unit = :quantity_unit, base_unit = :base_unit,"
    " quote_unit = :quote_unit, contract_size = :contract_size, instrument = :instrument"
    " WHERE series_id = :series_id"
)
_SHORTEST = "(SELECT min(p.bar_minutes) FROM positions p WHERE p.series_id = :series_id)"
_OF_BARS = f" FROM bars b WHERE b.series_id = :series_id AND b.bar_minutes = {_SHORTEST}"
TELL_TIMES = (
    f"UPDATE series SET first_time = (SELECT min(b.bar_start){_OF_BARS}),"  # noqa: S608
    f" last_time = (SELECT max(b.bar_start){_OF_BARS}), complete_until = :complete_until,"
    " known_until = :known_until WHERE series_id = :series_id"
)
#: The first day that has a bar which is not complete is counted, so only its bars are looked at.
FIRST_UNPROVED = (
    "SELECT min(b.bar_start) AS since FROM bars b JOIN"  # noqa: S608
    " (SELECT min(day) AS day FROM bar_days WHERE series_id = :series_id"
    f" AND bar_minutes = {_SHORTEST} AND complete_bars < bars) d"
    f" ON b.bar_start >= d.day AND b.bar_start < d.day + {DAY_MS}"
    f" WHERE b.series_id = :series_id AND b.bar_minutes = {_SHORTEST} AND NOT b.is_complete"
    " UNION ALL SELECT min(from_time) FROM runs WHERE series_id = :series_id"
    f" AND bar_minutes = {_SHORTEST} AND state = 'unknown'"
)
TELL_INDEX_TIMES = (
    "UPDATE series SET"
    " first_time = (SELECT min(minute) FROM index_prices WHERE series_id = :series_id),"
    " last_time = (SELECT max(minute) FROM index_prices WHERE series_id = :series_id)"
    " WHERE series_id = :series_id"
)


class Name(NamedTuple):
    """What a series is called: a listing's bars, or an index's prices."""

    series_type: str
    exchange: str
    kind: str
    instrument: str
    instrument_uid: str


class Position(NamedTuple):
    """Up to which version, and up to which end (ms), bars are held; what their runs follow from."""

    version: int
    bars_until: int
    runs_of: str = ""


async def numbered(publisher: Publisher, names: Iterable[Name]) -> Mapping[Name, int]:
    """Return the numbers of series; a new one gets its number here."""
    wanted = set(names)
    held = await series_held(publisher)
    for name in sorted(wanted - held.keys()):
        await publisher.run(PUT_SERIES, **name._asdict())
        publisher.is_changed = True
    if wanted - held.keys():
        held = await series_held(publisher)
    return {name: held[name] for name in wanted}


async def series_held(publisher: Publisher) -> Mapping[Name, int]:
    """Return all series with their numbers."""
    columns = [SERIES.c[name] for name in (*Name._fields, "series_id")]
    found = await publisher.connection.execute(select(*columns))
    return {Name(*row[:-1]): row[-1] for row in found}


async def positions_held(publisher: Publisher) -> Mapping[tuple[int, int], Position]:
    """Return which bars of each series and interval are held, by series_id and bar_minutes."""
    columns = [POSITIONS.c[name] for name in ("series_id", "bar_minutes", *Position._fields)]
    found = await publisher.connection.execute(select(*columns))
    return {(row[0], row[1]): Position(*row[2:]) for row in found}


async def put_positions(
    publisher: Publisher, positions: Mapping[tuple[int, int], Position]
) -> None:
    """Write down which bars are held now, by series_id and bar_minutes."""
    rows = [
        {"series_id": series_id, "bar_minutes": bar_minutes, **position._asdict()}
        for (series_id, bar_minutes), position in positions.items()
    ]
    if rows:
        await publisher.connection.execute(text(PUT_POSITION), rows)


async def tell_units(publisher: Publisher, series_id: int, units: Mapping[str, Any]) -> None:
    """Write down the newest units of a series, and its name, with contract_size as exact text."""
    exact = "CAST(CAST(:contract_size AS text) AS numeric)"
    is_numeric = publisher.address.is_postgres
    statement = TELL_UNITS.replace(":contract_size", exact) if is_numeric else TELL_UNITS
    await publisher.run(statement, series_id=series_id, **units)


async def tell_times(publisher: Publisher, series_id: int, known_until: int | None) -> None:
    """Write down from when to when the bars of a series reach, and until when all are complete.

    Args:
        publisher: open; bars, runs and positions are written already.
        series_id: of the series.
        known_until: the mark of the lake (ms), up to which holes are told too.
    """
    complete_until = known_until
    if known_until is not None:
        found = await publisher.rows(FIRST_UNPROVED, series_id=series_id)
        unproved = [since for (since,) in found if since is not None]
        complete_until = min((known_until, *unproved))
    times = {"complete_until": complete_until, "known_until": known_until}
    await publisher.run(TELL_TIMES, series_id=series_id, **times)


async def tell_index_times(publisher: Publisher, series_id: int) -> None:
    """Write down from when to when the prices of an index reach."""
    await publisher.run(TELL_INDEX_TIMES, series_id=series_id)
