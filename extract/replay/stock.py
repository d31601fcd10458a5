"""The holdings in Candlelake's own words: exchange, kind, dataset, and the times in between."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from itertools import groupby

from extract.replay.deribit_market import INSTRUMENTS
from extract.replay.exchange_clock import COINM, DERIBIT, DERIBIT_HISTORY, USDM
from extract.replay.holdings import Holding, holdings
from extract.replay.perpetual_tape import FUNDING_ARCHIVED, MARK_ARCHIVED
from extract.replay.recordings import DAY_ARCHIVE
from lake.clock import from_millis

DATASETS: Mapping[str, str] = {
    "aggTrades": "agg_trades",
    "fundingRate": "funding_rates",
    "markPriceKlines": "mark_klines",
}
PERPETUALS = ("funding_rates", "mark_klines")
#: The windows (ms) of generated archive files.
ARCHIVED = {"fundingRate": FUNDING_ARCHIVED, "markPriceKlines": MARK_ARCHIVED}


@dataclass(frozen=True, slots=True)
class Stock:
    """What the replay exchange holds of one instrument's dataset.

    Attributes:
        start: of the first row.
        end: of the last row (klines: its open time), both UTC.
        interval: of klines, `any` where bars of all intervals are served.
        archived: the window of which archive files are served, None where none is.
        is_generated: whether it was made from a seed.
    """

    exchange: str
    kind: str
    instrument: str
    dataset: str
    start: datetime
    end: datetime
    interval: str
    archived: tuple[datetime, datetime] | None
    is_generated: bool


@lru_cache(maxsize=1)
def stock() -> Sequence[Stock]:
    """Return all that is held; Deribit's two hosts hold the same and count once."""
    return [_stock(one) for one in holdings() if one.segment != DERIBIT_HISTORY]


def _stock(one: Holding) -> Stock:
    exchange, _, kind = one.segment.partition("/")
    return Stock(
        exchange,
        INSTRUMENTS[one.instrument].kind if one.segment == DERIBIT else kind,
        one.instrument,
        DATASETS.get(one.dataset, one.dataset),
        datetime.fromisoformat(one.start),
        datetime.fromisoformat(one.end),
        one.interval or "",
        _archived(one),
        one.generated,
    )


def _archived(one: Holding) -> tuple[datetime, datetime] | None:
    if one.segment in (USDM, COINM) and one.dataset in ARCHIVED:
        start, until = ARCHIVED[one.dataset]
        return from_millis(start), from_millis(until)
    if one.source != DAY_ARCHIVE.file:
        return None
    day = datetime.fromisoformat(one.start).replace(hour=0, minute=0, second=0, microsecond=0)
    return day, day + timedelta(days=1)


def what_is_held(
    exchange: str | None, kind: str | None, admits: Callable[[str], bool] = lambda _: True
) -> str:
    """Return one sentence: what the replay exchange holds of an exchange and kind, None is all."""
    found = [
        one
        for one in stock()
        if exchange in (None, one.exchange) and kind in (None, one.kind) and admits(one.instrument)
    ]
    return f"The replay holds {'; '.join(_told(found))}."


def _told(found: Iterable[Stock]) -> Iterator[str]:
    """Tell recordings one by one, and what is generated of a kind together: it is one tape.

    What only perpetuals have is generated apart from the tape, of other times.
    """

    def place(one: Stock) -> tuple[str, str, str, str]:
        apart = one.dataset if one.dataset in PERPETUALS else ""
        name = "" if one.is_generated else one.instrument
        return one.exchange, one.kind, name, apart

    for (exchange, kind, *_), grouped in groupby(sorted(found, key=place), key=place):
        held = list(grouped)
        names = ", ".join(dict.fromkeys(one.instrument for one in held))
        yield f"{exchange} {kind} {names}: {', '.join(_windows(held))}"


def _windows(held: Sequence[Stock]) -> list[str]:
    if not held[0].is_generated:
        return [f"{_dataset(one)} {_between(one.start, one.end)}" for one in held]
    datasets = " and ".join(dict.fromkeys(one.dataset for one in held))
    between = _between(min(one.start for one in held), max(one.end for one in held))
    return [f"{datasets} {between} (generated)"]


def _dataset(one: Stock) -> str:
    return f"{one.dataset} {one.interval}" if one.interval else one.dataset


def _between(start: datetime, end: datetime) -> str:
    return f"{start:%Y-%m-%dT%H:%M:%SZ} to {end:%Y-%m-%dT%H:%M:%SZ}"
