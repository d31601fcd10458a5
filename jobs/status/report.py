"""How collectors and tables fare at a moment, and what of it is stale by the settings."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from extract.live.state import CollectorState, Life, StreamState, collectors
from jobs.status.pipeline_state import Listing, Mark, OpenHoles, PipelineState, last
from lake.clock import from_millis
from lake.objects import ObjectStore
from lake.setting_sections import Status

SECOND = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class StreamLine:
    """One stream of a collector.

    Attributes:
        age: since its last message, None before the first.
        stale: why it is stale, empty where it is not.
    """

    collector: CollectorState
    life: Life
    state: StreamState
    age: timedelta | None
    stale: str

    @property
    def name(self) -> str:
        """Exchange, kind, dataset and instrument."""
        one = self.state
        return f"{one.exchange} {one.kind} {one.dataset} {one.instrument}"

    def rate(self, count: int) -> float | None:
        """Return a count of the last interval as one a second, None where nothing runs."""
        if self.life != "running" or not self.collector.interval_ms:
            return None
        return round(count * 1000 / self.collector.interval_ms, 1)


@dataclass(frozen=True, slots=True)
class TableLine:
    """A table's mark for one instrument.

    Attributes:
        behind: how far the mark is behind the newest row of bronze, None where nobody collects.
        stale: why it is stale, empty where it is not.
    """

    mark: Mark
    behind: timedelta | None
    stale: str


@dataclass(frozen=True, slots=True)
class HoleLine:
    """The open holes of a dataset of an instrument, and whether they are open for too long."""

    holes: OpenHoles
    oldest: datetime
    stale: str


@dataclass(frozen=True, slots=True)
class Report:
    """All of it at one moment (UTC); `findings` say in words what is stale."""

    now: datetime
    collectors: Sequence[CollectorState]
    streams: Sequence[StreamLine]
    pipeline: PipelineState | None
    tables: Sequence[TableLine]
    holes: Sequence[HoleLine]
    findings: Sequence[str]

    @property
    def is_fresh(self) -> bool:
        """Whether nothing is stale."""
        return not self.findings


def report(store: ObjectStore, limits: Status, now: datetime) -> Report:
    """Return how all fares.

    Raises:
        StorageError: the store can't be read.
    """
    found, pipeline = list(collectors(store)), last(store)
    streams = [
        _stream_line(one, state, limits, now)
        for one in found
        for state in one.streams
        if state.instrument or state.odd
    ]
    newest = _newest(streams)
    tables = [_table_line(mark, newest, limits) for mark in (pipeline.marks if pipeline else ())]
    holes = [_hole_line(one, limits, now) for one in (pipeline.open_holes if pipeline else ())]
    findings = [
        *_of_collectors(found, now),
        *(f"{line.name} ({line.collector.region}): {line.stale}" for line in streams if line.stale),
        *_of_pipeline(pipeline, limits, now),
        *(f"{' '.join(one.mark.listing)}: {one.stale}" for one in tables if one.stale),
        *(f"{' '.join(one.holes.listing)}: {one.stale}" for one in holes if one.stale),
    ]
    return Report(now, found, streams, pipeline, tables, holes, findings)


def _stream_line(
    collector: CollectorState, state: StreamState, limits: Status, now: datetime
) -> StreamLine:
    life = collector.life(now)
    age = now - datetime.fromisoformat(state.last_message) if state.last_message else None
    stale = ""
    if life == "running" and state.instrument:
        silent = age or now - datetime.fromisoformat(collector.started)
        stale = _why_stale(state, silent, limits)
    return StreamLine(collector, life, state, age, stale)


def _why_stale(state: StreamState, silent: timedelta, limits: Status) -> str:
    if state.refused:
        return "the exchange refuses the stream"
    if _beyond(silent, limits.stream_seconds):
        return f"no message for {silent // SECOND} s"
    lag = timedelta(milliseconds=state.lag_ms or 0)
    if _beyond(lag, limits.lag_seconds):
        return f"rows land {lag // SECOND} s after the exchange's time"
    return ""


def _newest(streams: Sequence[StreamLine]) -> dict[Listing, int]:
    """Return the exchange's time of the newest row in bronze (ms), of what is collected now."""
    newest: dict[Listing, int] = {}
    for line in streams:
        one = line.state
        if line.life == "running" and one.newest_ms is not None:
            newest[one.listing] = max(one.newest_ms, newest.get(one.listing, 0))
    return newest


def _table_line(mark: Mark, newest: dict[Listing, int], limits: Status) -> TableLine:
    known = newest.get(mark.listing)
    if known is None:
        return TableLine(mark, None, "")
    behind = timedelta(milliseconds=max(0, known - mark.complete_until_ms))
    is_stale = _beyond(behind, limits.gold_seconds)
    words = f"{mark.table_name} is {behind // SECOND} s behind bronze" if is_stale else ""
    return TableLine(mark, behind, words)


def _hole_line(holes: OpenHoles, limits: Status, now: datetime) -> HoleLine:
    oldest = from_millis(holes.oldest_ms)
    is_stale = _beyond(now - oldest, limits.hole_seconds)
    words = f"{holes.dataset} has {holes.holes} open holes of {holes.ids} ids" if is_stale else ""
    return HoleLine(holes, oldest, words)


def _of_collectors(found: Sequence[CollectorState], now: datetime) -> Iterator[str]:
    lives = [one.life(now) for one in found]
    if "running" not in lives:
        yield "no collector runs"
    for one, life in zip(found, lives, strict=True):
        who = f"collector {one.run_id} ({one.region}, {one.host} pid {one.pid})"
        if life == "gone":
            yield f"{who} is gone: silent for {one.age(now) // SECOND} s"
        if life == "failed":
            yield f"{who} failed: {one.error}"


def _of_pipeline(pipeline: PipelineState | None, limits: Status, now: datetime) -> Iterator[str]:
    if pipeline is None:
        return
    if pipeline.error:
        yield f"the pipeline was stopped: {pipeline.error}"
    silent = now - pipeline.ended
    if _beyond(silent, limits.pipeline_seconds):
        yield f"the pipeline's last pass ended {silent // SECOND} s ago"


def _beyond(span: timedelta, limit_seconds: float) -> bool:
    return bool(limit_seconds) and span > timedelta(seconds=limit_seconds)
