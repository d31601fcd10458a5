"""What a collector says of itself, in the form in which others read it from the lake."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from typing import Any, Literal, TypeVar

from lake import status
from lake.bronze import encoded
from lake.objects import ObjectStore

log = logging.getLogger(__name__)

#: A collector that has missed so many of its own intervals, and no less than so long, is gone.
MISSED_INTERVALS = 4
LEAST_GONE_SECONDS = 20

Life = Literal["running", "ended", "failed", "gone"]
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class StreamState:
    """The numbers of one stream, as its `Counter` has them; times ISO 8601 in UTC, sizes bytes.

    Attributes:
        last_message: when the last frame came, None before the first.
        newest_ms: the exchange's time of the newest row in bronze (UNIX ms), None before the first.
        lag_ms: from that time to the landing, None before the first.
        interval_messages, interval_trades: what came within the collector's last interval.
    """

    exchange: str
    kind: str
    dataset: str
    instrument: str
    channel: str
    last_message: str | None
    messages: int
    trades: int
    bytes: int
    odd: int
    reconnects: int
    refused: bool
    holes_opened: int
    holes_closed: int
    holes_lost: int
    holes_open: int
    newest_ms: int | None
    lag_ms: int | None
    last_file: str
    interval_messages: int
    interval_trades: int

    @property
    def listing(self) -> tuple[str, str, str]:
        """Exchange, kind and instrument."""
        return (self.exchange, self.kind, self.instrument)


@dataclass(frozen=True, slots=True)
class CollectorState:
    """One collector and its streams; times are ISO 8601 in UTC, intervals ms.

    Attributes:
        run_id, region, host, pid: which process, where.
        started, updated: since when, and when it last said so.
        written_as: running, ended, or failed with its `error`.
        every_ms: how often it says so.
        interval_ms: the length of the interval that rates are over.
        files: the bronze files that it has landed.
    """

    run_id: str
    region: str
    host: str
    pid: int
    started: str
    updated: str
    written_as: Life
    error: str
    every_ms: int
    interval_ms: int
    files: int
    streams: tuple[StreamState, ...]

    @property
    def key(self) -> str:
        """The key of its object in the lake."""
        return f"{status.LIVE}{encoded(self.region)}-{self.run_id}.json"

    def age(self, now: datetime) -> timedelta:
        """Return how long ago it was heard of."""
        return now - datetime.fromisoformat(self.updated)

    def life(self, now: datetime) -> Life:
        """Return how it fares; one that says it runs and has been silent for long is gone."""
        silent = timedelta(milliseconds=MISSED_INTERVALS * self.every_ms)
        patience = max(silent, timedelta(seconds=LEAST_GONE_SECONDS))
        return (
            "gone"
            if self.written_as == "running" and self.age(now) > patience
            else (self.written_as)
        )


def collectors(store: ObjectStore) -> Iterator[CollectorState]:
    """Yield what every collector of a lake has said last, in the order of regions and runs.

    Raises:
        StorageError: the store can't be read.
    """
    for key, document in status.read_all(store, status.LIVE):
        try:
            streams = tuple(_of(StreamState, one) for one in document["streams"])
            yield _of(CollectorState, {**document, "streams": streams})
        except (KeyError, TypeError, AttributeError):
            log.warning("no collector's status, passed over: %s", store.location(key))


def _of(form: type[T], document: Mapping[str, Any]) -> T:
    """Return a document in its form; what another version says beside is left out."""
    known = {field.name for field in fields(form)}  # type: ignore[arg-type]
    return form(**{name: value for name, value in document.items() if name in known})


def remove_superseded(store: ObjectStore, new: CollectorState, now: datetime) -> None:
    """Remove the objects of dead collectors of a region whose streams a new one has taken over.

    Raises:
        StorageError: the store refuses.
    """
    taken = {(one.exchange, one.kind, one.channel) for one in new.streams}
    for old in list(collectors(store)):
        theirs = {(one.exchange, one.kind, one.channel) for one in old.streams}
        is_dead = old.life(now) != "running" and old.run_id != new.run_id
        if is_dead and old.region == new.region and theirs <= taken:
            store.delete(old.key)


def remove_older(store: ObjectStore, than: timedelta, now: datetime) -> Iterator[str]:
    """Remove the objects of collectors that have been dead for so long; yield their keys.

    Raises:
        StorageError: the store refuses.
    """
    for old in list(collectors(store)):
        if old.life(now) != "running" and old.age(now) > than:
            store.delete(old.key)
            yield old.key
