"""Answers REST for busy symbols, by page and without a walk, on spot and on USD-M."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from extract.replay import binance_parameters as ask
from extract.replay.answer import Answer, Query, json_answer
from extract.replay.bar_tape import in_micros
from extract.replay.binance_parameters import RefusalError
from extract.replay.busy.rows import BusyRows, Style
from extract.replay.busy.tape import FIRST_ID, Busy, BusyTape
from extract.replay.made_bar import INTERVAL_MILLIS, SECOND
from extract.replay.trade_tape import time_in_micros

MOST = 1_000
MOST_BARS = 1_500


class BusyVenue:
    """The busy symbols of one segment; `prefix` is `/api/v3` or `/fapi/v1`.

    Nothing exists after the segment's clock, one that stands still too: trading never ends.
    """

    def __init__(self, busy: Busy, seed: int, prefix: str, style: Style) -> None:
        self.rows = {name: BusyRows(BusyTape(name, busy, seed), style) for name in busy.symbols}
        self._marked = {"X-Replay-Generated": f"seed={seed}"}
        self._is_spot = style.is_spot
        self._routes: Mapping[str, Callable[[BusyRows, Query], Answer]] = {
            f"{prefix}/trades": self._trades,
            f"{prefix}/historicalTrades": self._trades,
            f"{prefix}/aggTrades": self._aggregates,
            f"{prefix}/klines": self._klines,
            f"{prefix}/fundingRate": lambda *_: json_answer([]),
            f"{prefix}/markPriceKlines": lambda *_: json_answer([]),
        }

    def knows(self, query: Query) -> bool:
        """Say whether a request is for a busy symbol."""
        return query.parameters.get("symbol") in self.rows and query.path in self._routes

    def answer(self, query: Query) -> Answer:
        """Answer one request that it knows, marked as generated."""
        rows = self.rows[query.parameters["symbol"]]
        try:
            answer = self._routes[query.path](rows, query)
        except RefusalError as refusal:
            answer = refusal.answer()
        return answer.with_headers(self._marked)

    def _trades(self, rows: BusyRows, query: Query) -> Answer:
        first_id = None
        if query.path.endswith("historicalTrades"):
            if not self._is_spot and not query.headers.get("x-mbx-apikey"):
                raise RefusalError(-2014, "API-key format invalid.", status=401)
            first_id = ask.integer(query.parameters, "fromId")
        places = _page(rows.tape, query, self._limit(query, MOST), first_id=first_id)
        page = [rows.trade(place) for place in places]
        return json_answer([time_in_micros(row) for row in page] if _in_micros(query) else page)

    def _aggregates(self, rows: BusyRows, query: Query) -> Answer:
        first_id = ask.integer(query.parameters, "fromId")
        start, end = _window(query)
        if first_id is not None and (start is not None or end is not None):
            raise RefusalError(-1128, "Combination of optional parameters invalid.")
        limit = self._limit(query, MOST)
        places = _page(rows.tape, query, limit, first_id=first_id, start=start, end=end)
        page = [rows.aggregate(place) for place in places]
        if _in_micros(query):
            page = [{**row, "T": int(str(row["T"])) * 1000} for row in page]
        return json_answer(page)

    def _klines(self, rows: BusyRows, query: Query) -> Answer:
        interval = ask.interval_of(query.parameters, seconds_allowed=self._is_spot)
        length = SECOND if interval == "1s" else INTERVAL_MILLIS.get(interval)
        limit = self._limit(query, MOST if self._is_spot else MOST_BARS)
        start, end = _window(query)
        if length is None:
            return json_answer([])
        known = query.known_ms
        begin = rows.tape.time(0) // length * length
        first = max(begin, begin if start is None else -(-start // length) * length)
        starts = range(first, min(known, known if end is None else end) + 1, length)
        chosen = starts[-limit:] if start is None else starts[:limit]
        made = (rows.bar(length, one, known) for one in chosen)
        page = [bar.row for bar in made if bar is not None]
        return json_answer([in_micros(row) for row in page] if _in_micros(query) else page)

    def _limit(self, query: Query, most: int) -> int:
        limit_of = ask.clamped_limit if self._is_spot else ask.strict_limit
        return limit_of(query.parameters, default=500, most=most)


def _window(query: Query) -> tuple[int | None, int | None]:
    """Return `startTime`, rounded up, and `endTime` in ms."""
    start, end = ask.start_micros(query.parameters), ask.end_micros(query.parameters)
    return None if start is None else -(-start // 1000), None if end is None else end // 1000


def _page(
    tape: BusyTape,
    query: Query,
    limit: int,
    *,
    first_id: int | None = None,
    start: int | None = None,
    end: int | None = None,
) -> range:
    """Return the places of a page: the oldest with a start, else the newest."""
    first = max(0, 0 if first_id is None else first_id - FIRST_ID)
    if start is not None:
        first = max(first, tape.count(start - 1))
    known = query.known_ms if end is None else min(end, query.known_ms)
    places = range(first, max(first, tape.count(known)))
    return places[-limit:] if first_id is None and start is None else places[:limit]


def _in_micros(query: Query) -> bool:
    return query.headers.get("x-mbx-time-unit", "").upper() == "MICROSECOND"
