"""Says every few seconds in the lake how a collector fares, from a thread of its own."""

from __future__ import annotations

import logging
import os
import socket
import threading
from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from types import TracebackType
from typing import Self

from extract.live.counters import Counter, Counters
from extract.live.state import CollectorState, Life, StreamState, remove_superseded
from lake import status
from lake.clock import Clock, to_iso, to_millis
from lake.errors import CandlelakeError
from lake.objects import ObjectStore

log = logging.getLogger(__name__)

#: The end of a collector waits for the last word no longer than this.
LAST_WORD_SECONDS = 2.0


class StateWriter:
    """While it is entered, replaces the collector's status object every few seconds.

    A store that refuses never stops the collector: it is told in the log once, and tried again.

    Args:
        store: the lake.
        clock: the process's clock.
        counters: of the collector.
        region: where it runs.
        run_id: its name.
        every_seconds: how often it says how it fares.
    """

    def __init__(
        self,
        store: ObjectStore,
        clock: Clock,
        counters: Counters,
        *,
        region: str,
        run_id: str,
        every_seconds: float,
    ) -> None:
        self._store = store
        self._clock = clock
        self._counters = counters
        self._region = region
        self._run_id = run_id
        self._every_seconds = every_seconds
        self._started = clock.now()
        self._before: tuple[datetime, dict[int, tuple[int, int]]] = (self._started, {})
        self._ending = threading.Event()
        self._end: tuple[Life, str] = ("ended", "")
        self._is_told = False
        self._thread = threading.Thread(target=self._run, name="status", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        if error is not None:
            words = str(error) if isinstance(error, CandlelakeError) else type(error).__name__
            self._end = ("failed", words)
        self._ending.set()
        self._thread.join(LAST_WORD_SECONDS)

    def state(self, life: Life, error: str = "") -> CollectorState:
        """Return how the collector fares; rates are over the time since the last call."""
        now, counted = self._clock.now(), self._counters.snapshot()
        since, before = self._before
        self._before = (now, {id(one.stream): (one.messages, one.trades) for one in counted})
        return CollectorState(
            run_id=self._run_id,
            region=self._region,
            host=socket.gethostname(),
            pid=os.getpid(),
            started=to_iso(self._started),
            updated=to_iso(now),
            written_as=life,
            error=error,
            every_ms=int(self._every_seconds * 1000),
            interval_ms=to_millis(now) - to_millis(since),
            files=self._counters.files,
            streams=tuple(_stream(one, before.get(id(one.stream), (0, 0))) for one in counted),
        )

    def _run(self) -> None:
        is_first = True
        while not self._ending.wait(0 if is_first else self._every_seconds):
            self._publish(self.state("running"), clears=is_first)
            is_first = False
        self._publish(self.state(*self._end))

    def _publish(self, state: CollectorState, *, clears: bool = False) -> None:
        try:
            status.publish(self._store, state.key, asdict(state))
            if clears:
                remove_superseded(self._store, state, self._clock.now())
        except Exception as error:  # noqa: BLE001 - whatever it is, collecting goes on
            if not self._is_told:
                log.warning("the collector's status can't be written, it goes on: %s", error)
            self._is_told = True


def _stream(counter: Counter, before: Sequence[int]) -> StreamState:
    stream, messages, trades = counter.stream, *before
    return StreamState(
        exchange=stream.exchange,
        kind=stream.kind,
        dataset=stream.dataset,
        instrument=stream.instrument,
        channel=stream.channel,
        last_message=to_iso(counter.last_message) if counter.last_message else None,
        messages=counter.messages,
        trades=counter.trades,
        bytes=counter.bytes,
        odd=counter.odd,
        reconnects=counter.reconnects,
        refused=counter.refused,
        holes_opened=counter.holes_opened,
        holes_closed=counter.holes_closed,
        holes_lost=counter.holes_lost,
        holes_open=counter.holes_open,
        newest_ms=counter.newest_ms,
        lag_ms=counter.lag_ms,
        last_file=counter.last_file,
        interval_messages=counter.messages - messages,
        interval_trades=counter.trades - trades,
    )
