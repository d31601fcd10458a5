"""Make one day of trades that came twice, by REST and by the archive, and differ in a few rows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from bench.tape import DAY_MS, NOON, Line, recorded, written
from lake.bronze import QUICK_LEVEL, BronzeName, Coverage, Envelope, Mode, to_file
from lake.objects import ObjectStore

INSTRUMENT = "BTCUSDT"
ROWS_A_FILE = 50_000
#: As extraction cuts them: pages of REST, and parts of an archive file.
ROWS_AN_ANSWER: Mapping[Mode, int] = {"history": 1_000, "archive": 2_000}
#: So many rows came a second time by REST.
REPEATED = 300
#: The start of the day in milliseconds.
DAY = 1_704_067_200_000
_PRICE, _QUANTITY = 1, 2
_THOUSANDFOLD = "thousandfold"
_AS_IT_IS = (0, "")


@dataclass(frozen=True, slots=True)
class Seeded:
    """A difference: its cause, and what REST and the archive say in place of the row.

    `rest`, `archive` and `anew` (the archive's file as published once more) change a cell, by its
    place; None is a row that is lacking.
    """

    cause: str
    rest: tuple[int, str] | None = _AS_IT_IS
    archive: tuple[int, str] | None = _AS_IT_IS
    anew: tuple[int, str] = _AS_IT_IS


@dataclass(frozen=True, slots=True)
class Landed:
    """What was made: the cause of each id that differs, and what happened at which time (ms)."""

    causes: Mapping[int, str]
    incidents: Sequence[tuple[str, int]]


#: All that may differ between REST and the archive, but for what only a window's edge explains.
SEEDED = (
    Seeded("undetermined", rest=(_PRICE, "1.50000000")),
    Seeded("unit", rest=(_QUANTITY, _THOUSANDFOLD)),
    Seeded("archive_hole", archive=None),
    Seeded("exchange_hole", rest=None),
    Seeded("invalidated_by_the_exchange", rest=(_QUANTITY, "0.00000000")),
    Seeded("quarantined", rest=(_PRICE, "0.00000000")),
    Seeded("unexplained", rest=None),
    Seeded("exchange_down", rest=None),
    Seeded("maintenance", rest=None),
    Seeded("our_outage", archive=None),
)
#: In one file alone: what is published anew is read with all that it says once more.
REPUBLISHED = Seeded("republished", anew=(_PRICE, "2.50000000"))
INCIDENTS = ("exchange_down", "maintenance", "our_outage")


def seeded(rows: int, every: int) -> Mapping[int, Seeded]:
    """Return the differences of a day of so many rows by their place, one in `every` rows."""
    places = range(every // 2, rows, every)
    seeds = {place: SEEDED[at % len(SEEDED)] for at, place in enumerate(places)}
    return {**seeds, places[-1]: REPUBLISHED}


def land(store: ObjectStore, rows: int, every: int) -> Landed:
    """Land the day twice, with a difference in one of `every` rows."""
    seeds = seeded(rows, every)
    causes: dict[int, str] = {}
    incidents: list[tuple[str, int]] = []
    for place, lines in enumerate(_files(rows)):
        begin = place * ROWS_A_FILE
        here = {at - begin: one for at, one in seeds.items() if begin <= at < begin + len(lines)}
        edges = (begin == 0, begin + len(lines) == rows)
        for mode in ROWS_AN_ANSWER:
            _land(store, list(_changed(lines, here, mode)), mode, _coverage(lines, edges))
        for at, one in here.items():
            identifier, moment = lines[at][0], lines[at][5]
            causes[identifier] = one.cause
            if one.cause in INCIDENTS:
                incidents.append((one.cause, moment))
            if one.cause == "exchange_hole":
                asked = Coverage(identifier, identifier, DAY, DAY + DAY_MS)
                _land(store, [], "history", asked, tag="refill")
        if REPUBLISHED in here.values():
            again = list(_changed(lines, here, "archive", is_anew=True))
            _land(store, again, "archive", _coverage(lines, edges), tag="anew", later=1)
    repeated = lines[-REPEATED:]
    _land(store, repeated, "history", _coverage(repeated, (False, False)), tag="twice")
    return Landed(causes, incidents)


def _files(rows: int) -> Iterator[list[Line]]:
    """Yield the bundled day again and again, each time faster, so that all is one day."""
    lines = recorded()
    copies = -(-rows // len(lines))
    ids, trades = lines[-1][0] - lines[0][0] + 1, lines[-1][4] - lines[0][3] + 1
    file: list[Line] = []
    for place in range(rows):
        copy, line = divmod(place, len(lines))
        agg_id, price, quantity, first, last, time, rest = lines[line]
        moment = DAY + (copy * DAY_MS + time - DAY) // copies
        shift = copy * trades
        file.append(
            (agg_id + copy * ids, price, quantity, first + shift, last + shift, moment, rest)
        )
        if len(file) == ROWS_A_FILE:
            yield file
            file = []
    if file:
        yield file


def _changed(
    lines: Sequence[Line], seeds: Mapping[int, Seeded], mode: Mode, *, is_anew: bool = False
) -> Iterator[Line]:
    for place, line in enumerate(lines):
        one = seeds.get(place)
        if one is None:
            yield line
            continue
        change = one.rest if mode == "history" else one.archive
        if is_anew and change == _AS_IT_IS:
            change = one.anew
        if change is None:
            continue
        cell, value = change
        if not value:
            yield line
        elif value == _THOUSANDFOLD:
            yield (*line[:2], f"{Decimal(line[2]) * 1000}", *line[3:])
        else:
            yield (*line[:cell], value, *line[cell + 1 :])  # type: ignore[misc]


def _coverage(lines: Sequence[Line], edges: tuple[bool, bool]) -> Coverage:
    is_first, is_last = edges
    return Coverage(
        lines[0][0],
        lines[-1][0],
        DAY if is_first else lines[0][5],
        DAY + DAY_MS if is_last else lines[-1][5] + 1,
    )


def _land(
    store: ObjectStore,
    lines: Sequence[Line],
    mode: Mode,
    coverage: Coverage,
    *,
    tag: str = "",
    later: int = 0,
) -> None:
    """Land rows as one file; `later` by so many hours."""
    name = BronzeName("agg_trades", "binance", "spot", INSTRUMENT, mode, coverage, tag)
    step = ROWS_AN_ANSWER[mode]
    body_of = _archived if mode == "archive" else _answered
    bodies = [body_of(lines[first : first + step]) for first in range(0, len(lines), step)]
    envelopes = (
        _envelope(mode, sequence, body, NOON + timedelta(hours=later))
        for sequence, body in enumerate(bodies or ["[]"], start=1)
    )
    store.create(name.key, to_file(envelopes, level=QUICK_LEVEL))


def _archived(lines: Sequence[Line]) -> str:
    return "".join(map(written, lines))


def _answered(lines: Sequence[Line]) -> str:
    """Write rows as REST does."""
    objects = (
        f'{{"a":{a},"p":"{p}","q":"{q}","f":{f},"l":{last},"T":{time},"m":{_flags(rest)}}}'
        for a, p, q, f, last, time, rest in lines
    )
    return f"[{','.join(objects)}]"


def _flags(rest: str) -> str:
    maker, best = rest.lower().split(",")
    return f'{maker},"M":{best}'


def _envelope(mode: Mode, sequence: int, body: str, moment: datetime) -> Envelope:
    return Envelope(
        exchange="binance",
        kind="spot",
        dataset="agg_trades",
        instrument=INSTRUMENT,
        mode=mode,
        region="bench",
        request={},
        status=200,
        end_download_timestamp=moment,
        knowledge_timestamp=moment,
        run_id="bench",
        sequence=sequence,
        body=body.encode(),
    )
