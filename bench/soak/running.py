"""Runs a soak: collectors of two regions, a pipeline and a storage, each with its troubles."""

from __future__ import annotations

import json
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

from bench.soak.comparison import INSTRUMENTS, Report, compare, seconds_told
from bench.soak.gold import BEGIN, RECORDED_SECONDS, seconds_late
from bench.soak.plan import FROZEN_SECONDS, LEAD_SECONDS, REGIONS, Life, Plan
from bench.soak.processes import Process, Processes, SoakError, kill
from bench.soak.storage import Storage
from extract.replay.engine import Rules
from extract.replay.exchange import ReplayExchange
from extract.replay.exchange_clock import Live
from extract.replay.faults import Fault
from jobs.status import pipeline_state
from lake.errors import StorageError
from lake.objects import FolderStore

#: What a collector is told: small batches, and a hole is asked for soon.
LIVE = ("live.seconds=2", "live.hole_seconds=0.5", "live.quiet_seconds=5")
COLLECT = ("extract", "live", "--exchange", "binance", "--kind", "spot", "--streams", "trade")
DISCONNECTS = 10_000
#: A last collector asks for what a kill has lost.
LAST_SECONDS = 15
ENDS_WITHIN_SECONDS = 120
#: The step that is under way ends first: minutes, where the machine is busy and the JVM new.
STOPS_WITHIN_SECONDS = 900
LAST_PASS_SECONDS = 1800
#: A process that the storage has ended is started again after so long, so often at most.
AGAIN_SECONDS = 1.0
RESTARTS = 50
#: The exit code of a fault that a next start may not meet: a store that is away, for one.
UNEXPECTED = 1


class Soak:
    """One lake that is fed and refined while everything around it fails now and then.

    Args:
        storage: where the lake lies.
        plan: what goes wrong, and when.
        log: takes what all processes say.
    """

    def __init__(self, storage: Storage, plan: Plan, log: Path) -> None:
        self._storage = storage
        self._plan = plan
        self._log = log
        self._report = Report()
        self._over = threading.Event()
        self._faults: list[BaseException] = []
        self._lateness: dict[tuple[str, datetime], float] = {}
        self._lock = threading.Lock()

    def run(self) -> Report:
        """Run it to its end and compare.

        Raises:
            SoakError: a part of it could not be brought to its end.
        """
        self._speed = Decimal(RECORDED_SECONDS) / Decimal(int(self._plan.seconds))
        lead = timedelta(microseconds=int(LEAD_SECONDS * self._speed * 1_000_000))
        with ReplayExchange(Rules(live=Live(BEGIN - lead, self._speed))) as exchange:
            self._began, self._clock_began = time.monotonic(), datetime.now(UTC)
            exchange.order(*self._stream_faults())
            self._feed_and_refine(exchange)
            self._count_streams(exchange)
        compare(self._storage, self._report)
        self._report.gold_seconds = seconds_told(list(self._lateness.values()))
        return self._report

    def _feed_and_refine(self, exchange: ReplayExchange) -> None:
        addresses = [f"{name}={url}" for name, url in exchange.urls.settings().items()]
        sets = [f"lake.root={self._storage.root}", *addresses]
        self._processes = Processes(self._log, sets, self._storage.environment)
        try:
            self._fail_and_go_on()
            self._collect_the_rest()
            self._refine_the_rest()
        finally:
            self._over.set()
            self._processes.end()

    def _fail_and_go_on(self) -> None:
        """Run every part in a thread of its own until the lives are over, or one part fails."""
        works: list[Callable[[], None]] = [
            lambda: self._live(REGIONS[0]),
            lambda: self._live(REGIONS[1]),
            self._disturb,
        ]
        beside = [self._keep_refining, self._watch_gold]
        threads = [self._thread(work) for work in works]
        others = [self._thread(work) for work in beside]
        for thread in threads:
            thread.join()
        self._over.set()
        for thread in others:
            thread.join()
        if self._faults:
            raise self._faults[0]

    def _thread(self, work: Callable[[], None]) -> threading.Thread:
        def guarded() -> None:
            try:
                work()
            except BaseException as error:  # noqa: BLE001 - raised where the threads are joined
                self._faults.append(error)
                self._over.set()
                self._processes.end()

        thread = threading.Thread(target=guarded, daemon=True)
        thread.start()
        return thread

    def _until(self, at_seconds: float) -> None:
        """Wait for a moment of the plan."""
        if self._over.wait(max(0.0, self._began + at_seconds - time.monotonic())):
            raise SoakError("the soak ended before its time")

    def _stream_faults(self) -> Iterator[Fault]:
        seed = self._plan.stream_seed
        yield Fault("random_disconnect", one_in=900, seed=seed, times=DISCONNECTS)
        for instrument in INSTRUMENTS:
            path = f"{instrument.lower()}@trade"
            yield Fault("dropped_message", path=path, after=150, times=7)
            yield Fault("duplicated_message", path=path, after=300, times=5)
            yield Fault("silence", path=path, after=600, times=1)

    def _live(self, region: str) -> None:
        """Start the collectors of a region one after the other; each is awaited for its overlap."""
        lives = [life for life in self._plan.lives if life.region == region]
        threads = []
        for life in lives:
            self._until(life.begins)
            threads.append(self._thread(lambda life=life: self._live_once(life)))  # type: ignore[misc]
        for thread in threads:
            thread.join()

    def _live_once(self, life: Life) -> None:
        ends = life.begins + life.lifetime + life.overlap
        process = self._collector(life.region, life.lifetime, life.overlap)
        suffers_at = life.begins + life.fate_after
        process = self._kept_alive(process, life, suffers_at)
        if life.fate == "killed":
            self._count("collectors killed")
            kill(process)
            return
        if life.fate == "frozen" and process.poll() is None:
            self._count("collectors frozen")
            process.send_signal(signal.SIGSTOP)
            time.sleep(FROZEN_SECONDS)
            process.send_signal(signal.SIGCONT)
        process = self._kept_alive(process, life, ends)
        self._awaited(process, ENDS_WITHIN_SECONDS, "a collector")

    def _kept_alive(self, process: Process, life: Life, until_seconds: float) -> Process:
        """Watch a collector up to a moment; one that the storage has ended is started again."""
        ends = life.begins + life.lifetime + life.overlap
        while (now := time.monotonic() - self._began) < until_seconds:
            code = process.poll()
            if code is not None and ends - now > 2 * AGAIN_SECONDS:
                if code == 0:
                    break
                self._again("collectors started again", code)
                process = self._collector(life.region, int(ends - now), 0)
            self._until(min(until_seconds, now + 0.2))
        return process

    def _again(self, event: str, code: int) -> None:
        """Count a process that ended with an error, and wait for a moment.

        Raises:
            SoakError: it is none of the storage's, or there were too many.
        """
        self._count(event)
        if code != UNEXPECTED or self._report.events[event] > RESTARTS:
            raise SoakError(f"{event}: exit code {code}, {self._report.events[event]:.0f} times")
        time.sleep(AGAIN_SECONDS)

    def _collector(self, region: str, lifetime: int, overlap: int) -> Process:
        words = [*COLLECT, "--instruments", ",".join(INSTRUMENTS), "--region", region]
        words += ["--lifetime", f"{max(1, lifetime)}s"]
        words += ["--overlap", f"{overlap}s"] if overlap else []
        self._count(f"collectors in {region}")
        return self._processes.candlelake(words, *LIVE)

    def _awaited(self, process: Process, seconds: float, what: str) -> None:
        with suppress(Exception):
            process.wait(timeout=seconds)
        if process.poll() is None:
            raise SoakError(f"{what} did not end within {seconds:.0f} seconds")

    def _disturb(self) -> None:
        """Make the storage slow, frozen and away, by the plan."""
        try:
            for trouble in self._plan.troubles:
                self._until(trouble.begins)
                if self._storage.begin(trouble):
                    self._count(f"storage {trouble.kind}")
                    self._count(f"seconds of storage {trouble.kind}", trouble.seconds)
                self._until(trouble.begins + trouble.seconds)
                self._storage.end()
        finally:
            self._storage.end()

    def _keep_refining(self) -> None:
        """Run the pipeline that goes on; kill it by the plan, and tell the last one to stop."""
        kills = list(self._plan.pipeline_kills)
        process = self._pipeline("--continuous")
        while not self._over.wait(0.2):
            code = process.poll()
            if code is not None:
                self._again("pipelines started again", code)
                process = self._pipeline("--continuous")
            elif kills and time.monotonic() - self._began >= kills[0]:
                kills.pop(0)
                self._count("pipelines killed")
                kill(process)
                process = self._pipeline("--continuous")
        process.send_signal(signal.SIGTERM)
        self._awaited(process, STOPS_WITHIN_SECONDS, "the pipeline")

    def _pipeline(self, *words: str) -> Process:
        self._count("pipelines")
        return self._processes.pipeline(*words)

    def _collect_the_rest(self) -> None:
        """Let one more collector bring what a kill has lost."""
        process = self._collector(REGIONS[0], LAST_SECONDS, 0)
        self._awaited(process, LAST_SECONDS + ENDS_WITHIN_SECONDS, "the last collector")
        if process.returncode:
            raise SoakError(f"the last collector ended with exit code {process.returncode}")

    def _refine_the_rest(self) -> None:
        process = self._pipeline("--datasets", "index_prices")
        self._awaited(process, LAST_PASS_SECONDS, "the last pass of the pipeline")
        if process.returncode:
            raise SoakError(
                f"the last pass of the pipeline ended with exit code {process.returncode}"
            )

    def _watch_gold(self) -> None:
        """Note when the pipeline says that gold is complete up to each minute's end."""
        store = FolderStore(self._storage.files)
        while not self._over.wait(0.5):
            with suppress(StorageError, ValueError):
                if (state := pipeline_state.last(store)) is not None:
                    late = seconds_late(state, self._clock_began, self._speed)
                    # a minute is late once: by the first pass that has it
                    self._lateness = {**late, **self._lateness}

    def _count_streams(self, exchange: ReplayExchange) -> None:
        left = [one for one in exchange.faults_left() if one["kind"] == "random_disconnect"]
        spent = DISCONNECTS - sum(int(str(one["times"])) for one in left)
        self._count("disconnects", spent)

    def _count(self, event: str, more: float = 1) -> None:
        with self._lock:
            events = self._report.events
            events[event] = round(events.get(event, 0) + more, 1)


def told(report: Report, *, seconds: float) -> str:
    """Return the report as one line of JSON."""
    return json.dumps({**vars(report), "sound": report.is_sound, "seconds": round(seconds)})
