"""Says what the replay exchange holds, recorded and generated apart."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from functools import lru_cache

from extract.replay import deribit_tape
from extract.replay.contract_tape import FuturesTape
from extract.replay.deribit_funding import is_perpetual
from extract.replay.deribit_market import INSTRUMENTS
from extract.replay.exchange_clock import (
    COINM,
    DERIBIT,
    DERIBIT_HISTORY,
    GENERATED_NOW,
    SPOT,
    USDM,
)
from extract.replay.futures_tape import COINM_CONTRACTS, MINUTE, SEED, USDM_CONTRACTS, Contract
from extract.replay.perpetual_tape import FUNDING_START, HOUR, MARK_START
from extract.replay.recordings import CATALOGUE
from lake.clock import from_millis, to_iso, to_millis


@dataclass(frozen=True, slots=True)
class Holding:
    """One instrument's data of one kind.

    Attributes:
        segment: where it is served.
        dataset: `aggTrades`, `trades`, `klines` (Deribit's chart data too), and of perpetuals
            `fundingRate` and `markPriceKlines`.
        start: time of the first row, ISO 8601 UTC; end: of the last (klines: its open time).
        first_id: lowest trade or aggregate id (Deribit: trade_seq); None for klines.
        rows: rows served; None where it depends on the interval asked.
        interval: `any` where bars are computed from a generated tape.
        generated: made from the seed, so it proves nothing about the exchange.
        source: the recording's file, or the seed.
    """

    segment: str
    dataset: str
    instrument: str
    start: str
    end: str
    rows: int | None
    first_id: int | None
    last_id: int | None
    interval: str | None
    generated: bool
    source: str


def holdings(seed: int = SEED) -> list[Holding]:
    """Return everything that the replay exchange can serve."""
    return [*_recorded(), *_generated(seed)]


def as_documents(held: Iterable[Holding]) -> list[Mapping[str, object]]:
    """Return holdings as JSON objects."""
    return [asdict(holding) for holding in held]


def _recorded() -> Iterator[Holding]:
    for recording in CATALOGUE:
        yield Holding(
            segment=SPOT,
            dataset=recording.dataset,
            instrument=recording.symbol,
            start=recording.start,
            end=recording.end,
            rows=recording.rows,
            first_id=recording.first_id,
            last_id=recording.last_id,
            interval=recording.interval,
            generated=False,
            source=recording.file,
        )


@lru_cache(maxsize=4)
def _generated(seed: int) -> tuple[Holding, ...]:
    futures = [(USDM, c) for c in USDM_CONTRACTS.values()]
    futures += [(COINM, c) for c in COINM_CONTRACTS.values()]
    found = [h for segment, contract in futures for h in _futures(segment, contract, seed)]
    return (*found, *_deribit(seed))


def _futures(segment: str, contract: Contract, seed: int) -> Iterator[Holding]:
    tape = FuturesTape(contract, seed)
    trades, aggregates = tape.trades, tape.aggregates
    sides = (
        ("trades", len(trades), trades[0].trade_id, trades[-1].trade_id),
        ("aggTrades", len(aggregates), aggregates[0].agg_id, aggregates[-1].agg_id),
        ("klines", None, None, None),
    )
    for dataset, rows, first_id, last_id in sides:
        yield _made(
            segment,
            dataset,
            contract.symbol,
            times=(trades[0].time, trades[-1].time),
            rows=rows,
            ids=(first_id, last_id),
            seed=seed,
        )
    yield from _of_perpetual(segment, contract.symbol, ("fundingRate", "markPriceKlines"), seed)


def _of_perpetual(
    segment: str, name: str, datasets: tuple[str, ...], seed: int
) -> Iterator[Holding]:
    """Yield what is generated up to the segment's clock."""
    now = to_millis(GENERATED_NOW)
    times = {
        "fundingRate": (FUNDING_START, now - now % HOUR),
        "markPriceKlines": (MARK_START, now - now % MINUTE - MINUTE),
    }
    for dataset in datasets:
        yield _made(
            segment, dataset, name, times=times[dataset], rows=None, ids=(None, None), seed=seed
        )


def _deribit(seed: int) -> Iterator[Holding]:
    tapes = deribit_tape.generate(seed)
    for segment in (DERIBIT, DERIBIT_HISTORY):
        for name in INSTRUMENTS:
            tape = tapes[name]
            times = (tape[0].time, tape[-1].time)
            ids = (tape[0].trade_seq, tape[-1].trade_seq)
            yield _made(segment, "trades", name, times=times, rows=len(tape), ids=ids, seed=seed)
            yield _made(
                segment, "klines", name, times=times, rows=None, ids=(None, None), seed=seed
            )
            if is_perpetual(INSTRUMENTS[name]):
                yield from _of_perpetual(segment, name, ("fundingRate",), seed)


def _made(
    segment: str,
    dataset: str,
    instrument: str,
    *,
    times: tuple[int, int],
    rows: int | None,
    ids: tuple[int | None, int | None],
    seed: int,
) -> Holding:
    return Holding(
        segment=segment,
        dataset=dataset,
        instrument=instrument,
        start=to_iso(from_millis(times[0])),
        end=to_iso(from_millis(times[1])),
        rows=rows,
        first_id=ids[0],
        last_id=ids[1],
        interval="any" if dataset in ("klines", "markPriceKlines") else None,
        generated=True,
        source=f"seed={seed}",
    )
