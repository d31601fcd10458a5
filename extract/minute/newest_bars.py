"""Polls the newest bar of instruments, and goes back for those that nobody asked for."""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass, field

from extract.answer import Answer
from extract.bars import BarPage, BarSource, check_open_times
from extract.coverage import missing
from extract.landing import Landed, Landing, Piece
from extract.minute.desk import Desk
from extract.minute.timetable import shown
from extract.minute.wanted import Instrument
from extract.packing import Packer
from extract.pool import run_all
from extract.sources import bar_source
from extract.subject import Subject
from extract.window import tasks_of
from lake.bronze import Coverage
from lake.clock import to_millis

log = logging.getLogger(__name__)

BAR, BAR_MS = "1m", 60_000
#: The header of an answer tells the exchange's clock in whole seconds.
SECOND_MS = 1_000


@dataclass(slots=True)
class NewestBars:
    """One instrument's bars of a minute.

    Attributes:
        since: the open time (ms) of the first bar that has not landed; None asks the names.
    """

    desk: Desk
    instrument: Instrument
    packer: Packer | None = None
    since: int | None = None
    _source: BarSource | None = field(default=None, init=False)

    def poll(self, interval: int) -> Landed:
        """Land the bar that ended last when an interval ended, and those before it.

        A bar counts as landed once the exchange answered so late that it was final. What came too
        early lands too, claims nothing, and is asked for again.

        Raises:
            UnreachableError, BannedError, PermanentExtractError: as `Client.ask`.
        """
        end = self.desk.timetable.end(interval)
        end -= end % BAR_MS
        newest = end - BAR_MS
        if self.since is None:
            self.since = self._first_missing(newest, end)
        landed = Landed()
        if self.since < newest:
            furthest = newest - self.desk.settings.minute.backfill_minutes * BAR_MS
            landed += self._backfilled(max(self.since, furthest), newest)
            self.since = newest
        if self.since < end:
            landed += self._newest(newest)
        return landed

    def _newest(self, opened: int) -> Landed:
        landed, final = Landed(), self._final_from(opened)
        for _ in range(self.desk.settings.minute.attempts):
            page = self._page(opened)
            answered = self._answered_ms(page.answer)
            if answered >= final and opened in page.open_times:
                landed += self._land(page, answered, opened, is_final=True)
                self.since = opened + BAR_MS
                return landed
            landed += self._land(page, answered, opened, is_final=False)
            if answered >= final:
                break  # the exchange has not made the bar yet
            log.warning("%s %s: asked too early, asked again", self.instrument.name, shown(opened))
            self.desk.ask_time()
            # the meant delay, not the least: `answered` may be a second later than it was
            due = opened + BAR_MS + self.desk.timetable.delay_ms
            self.desk.clock.sleep(min(due - answered, BAR_MS) / 1000)
        log.warning("%s %s: left to the next poll", self.instrument.name, shown(opened))
        return landed

    def _final_from(self, opened: int) -> int:
        """Return from when on an answer counts, by the exchange's clock: as late as was meant.

        That clock is known to the second, so a second less will do, but never before the end.
        """
        return opened + BAR_MS + max(0, self.desk.timetable.delay_ms - SECOND_MS)

    def _page(self, opened: int) -> BarPage:
        until = opened + BAR_MS
        return self._asked().page(
            opened, until, lambda times: check_open_times(times, opened, until)
        )

    def _asked(self) -> BarSource:
        """Return who is asked; CCXT, which asks Binance, takes long to be made."""
        if self._source is None:
            one = self.instrument
            self._source = bar_source(
                self.desk.client,
                self.desk.settings,
                exchange=one.exchange,
                kind=one.kind,
                instrument=one.name,
                interval=BAR,
            )
        return self._source

    def _answered_ms(self, answer: Answer) -> int:
        """Return when the exchange answered, by its own clock.

        Deribit says it to the microsecond. Binance's bars carry no time: our estimate of its clock
        counts, held within the second that the `Date` of the answer names.
        """
        document = json.loads(answer.body, parse_float=str)
        self.desk.clock.learn(answer, document)
        if isinstance(document, dict) and isinstance(document.get("usOut"), int):
            return int(document["usOut"]) // 1000
        best = self.desk.clock.offset()
        estimate = to_millis(answer.received) + (best.offset_us // 1000 if best else 0)
        if answer.date_ms is None:
            return estimate
        return min(max(estimate, answer.date_ms), answer.date_ms + SECOND_MS - 1)

    def _land(self, page: BarPage, answered: int, opened: int, *, is_final: bool) -> Landed:
        """Land an answer with the exchange's clock beside it: ours may run ahead of it."""
        asked = {**page.answer.request.recorded(), "exchange_clock_ms": answered}
        answer = page.answer
        piece = Piece(asked, answer.status, answer.received, answer.body)
        until = opened + BAR_MS
        held = Coverage(opened, until - 1, opened, until)
        if not is_final:
            held = Coverage(opened, opened - 1, opened, opened)
        tag = BAR if is_final else f"{BAR}-early-{answered}"
        return self._landing().land([piece], held, rows=1 if is_final else 0, tag=tag)

    def _landing(self) -> Landing:
        desk = self.desk
        return Landing.of(
            self._subject(0, 1),
            desk.settings,
            desk.store,
            desk.client.clock,
            run_id=desk.run_id,
            mode="history",
            packer=self.packer,
        )

    def _subject(self, start_ms: int, end_ms: int) -> Subject:
        one = self.instrument
        return Subject(one.exchange, one.kind, one.name, "klines", start_ms, end_ms, interval=BAR)

    def _first_missing(self, newest: int, end: int) -> int:
        """Return the first bar that no name claims since the first one held, else the newest."""
        start = newest - self.desk.settings.minute.backfill_minutes * 60_000
        runs = self._landing().runs(start, end, interval=BAR)
        held = [run.from_ms for run in runs if run.until_ms > start]
        if not held:
            return newest
        gaps = missing(runs, max(min(held), start), end)
        return min((gap.from_ms for gap in gaps), default=end)

    def _backfilled(self, start_ms: int, end_ms: int) -> Landed:
        desk = self.desk
        if start_ms >= end_ms:
            return Landed()
        log.info("%s: back to %s", self.instrument.name, shown(start_ms))
        tasks = tasks_of(
            desk.settings,
            desk.store,
            desk.client,
            self._subject(start_ms, end_ms),
            run_id=desk.run_id,
            packer=self.packer,
        )
        return run_all(tasks, 1)
