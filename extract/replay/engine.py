"""Takes a request through limits, faults and its venue: the replay exchange without HTTP."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path

from extract.replay import recordings
from extract.replay.answer import Answer, Query
from extract.replay.archive import Archive
from extract.replay.binance import Binance
from extract.replay.busy.listings import busy_holdings
from extract.replay.busy.tape import Busy
from extract.replay.deribit import Deribit
from extract.replay.exchange_clock import (
    ARCHIVE,
    COINM,
    DERIBIT,
    DERIBIT_HISTORY,
    SPOT,
    USDM,
    Live,
    SegmentClocks,
)
from extract.replay.faults import Fault, FaultBoard
from extract.replay.futures_tape import SEED
from extract.replay.holdings import Holding, holdings
from extract.replay.limits import (
    Charge,
    CreditBucket,
    CreditRules,
    Seconds,
    WeightMeter,
    WeightRules,
)
from extract.replay.misbehaviour import answer_instead, refused, spoil
from extract.replay.request_log import LoggedRequest, RequestLog
from extract.replay.streams.rules import StreamRules

INSTRUMENTS_METHOD = "/public/get_instruments"
# Deribit, rate limits of 2026-05: `get_instruments` has a pool of its own.
INSTRUMENTS_CREDITS = CreditRules(cost=10_000, pool=500_000)
OTHER_CREDITS = CreditRules(cost=500, pool=50_000)


@dataclass(frozen=True, slots=True)
class Rules:
    """The settings of one replay exchange.

    Attributes:
        directory: where the recordings lie.
        seed: of the generated tapes.
        now: each segment's clock, where it is not the default one; with `live`, where it starts.
        live: makes the clocks run; None, and they stand still.
        weight: Binance's limits by segment.
        instruments_credits: Deribit's pool for `get_instruments`.
        other_credits: Deribit's pool for every other method.
        busy: adds generated symbols with as many trades as wanted; None, and there are none.
        streams: limits and pace of the websocket side.
        seconds: by which clock the limits count and the live clocks run.
    """

    directory: Path = recordings.DIRECTORY
    seed: int = SEED
    now: Mapping[str, datetime] = field(default_factory=dict)
    live: Live | None = None
    weight: Mapping[str, WeightRules] = field(default_factory=dict)
    instruments_credits: CreditRules = INSTRUMENTS_CREDITS
    other_credits: CreditRules = OTHER_CREDITS
    busy: Busy | None = None
    streams: StreamRules = field(default_factory=StreamRules)
    seconds: Seconds = time.monotonic


DEFAULT_WEIGHT: Mapping[str, WeightRules] = {
    SPOT: WeightRules(6_000),
    USDM: WeightRules(2_400),
    COINM: WeightRules(2_400),
}


@dataclass(frozen=True, slots=True)
class Outcome:
    """An answer and how the server is to deliver it."""

    answer: Answer
    stall_seconds: int = 0
    cut: bool = False


class Engine:
    """Everything that one replay exchange knows and remembers."""

    def __init__(self, rules: Rules) -> None:
        self.rules = rules
        self.faults = FaultBoard()
        self.log = RequestLog()
        self.clocks = SegmentClocks(rules.now, rules.live, rules.seconds)
        weight = {**DEFAULT_WEIGHT, **rules.weight}
        self._meters = {
            segment: WeightMeter(limit, rules.seconds) for segment, limit in weight.items()
        }
        self._credits = (
            CreditBucket(rules.instruments_credits, rules.seconds),
            CreditBucket(rules.other_credits, rules.seconds),
        )
        limit = {segment: rule.weight_per_minute for segment, rule in weight.items()}
        self.binance = Binance(rules.directory, rules.seed, limit, rules.busy)
        self._archive = Archive(rules.directory, rules.seed)
        self.deribit = Deribit(rules.seed)
        self._previous: dict[tuple[str, str], Answer] = {}

    def holdings(self) -> list[Holding]:
        """Return everything that it can serve, up to its clocks where trading never ends."""
        busy, seed = self.rules.busy, self.rules.seed
        more = () if busy is None else busy_holdings(busy, seed, self.clocks.moments())
        return [*holdings(seed), *more]

    def serve(self, query: Query, query_string: str) -> Outcome:
        """Answer one request and log it."""
        fault = self.faults.take(query.segment, query.path)
        if fault is not None and fault.kind == "clock_skew":
            query = replace(query, now=query.now.skewed(fault.seconds))
        answer = self._answer(query, fault).with_headers({"Date": query.now.http_date})
        kind = None if fault is None else fault.kind
        path, status = query.path, answer.status
        self.log.add(LoggedRequest(query.segment, path, query_string, status, kind))
        stalled = fault.seconds if fault is not None and fault.kind == "stall" else 0
        return Outcome(answer, stalled, cut=kind == "cut_body")

    def query(
        self,
        segment: str,
        path: str,
        *,
        parameters: Mapping[str, str],
        headers: Mapping[str, str],
        body: bytes = b"",
    ) -> Query:
        """Return a request as of now; arguments as of `Query`."""
        now = self.clocks.instant(segment)
        horizon = now if self.clocks.is_live else None
        return Query(segment, path, parameters, headers, now, body, horizon)

    def _answer(self, query: Query, fault: Fault | None) -> Answer:
        instead = None if fault is None else answer_instead(fault, query)
        if instead is not None:
            return instead
        answer = self._within_limits(query)
        if answer.status in (418, 429):
            return answer
        place = (query.segment, query.path)
        previous = self._previous.get(place)
        self._previous[place] = answer
        return answer if fault is None else spoil(fault, answer, previous)

    def _within_limits(self, query: Query) -> Answer:
        if query.segment == ARCHIVE:
            return self._archive.answer(query)
        if query.segment in (DERIBIT, DERIBIT_HISTORY):
            return self._deribit_answer(query)
        charge = self._meters[query.segment].charge(self.binance.weight(query))
        is_refused = charge.status != 200
        answer = _refusal(query, charge) if is_refused else self.binance.answer(query)
        return answer.with_headers({"X-MBX-USED-WEIGHT-1M": str(charge.used)})

    def _deribit_answer(self, query: Query) -> Answer:
        bucket = self._credits[0 if query.path.endswith(INSTRUMENTS_METHOD) else 1]
        if bucket.take():
            return self.deribit.answer(query)
        error = {"error": {"code": 10028, "message": "too_many_requests"}}
        return self.deribit.envelope(query, error, status=429)


def _refusal(query: Query, charge: Charge) -> Answer:
    return refused(query, charge.status, charge.retry_after_seconds)
