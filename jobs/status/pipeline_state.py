"""What the pipeline says of its tables at the end of a pass, for readers without Spark."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from lake import status
from lake.objects import ObjectStore

log = logging.getLogger(__name__)

Listing = tuple[str, str, str]


@dataclass(frozen=True, slots=True)
class Mark:
    """Until when a table is complete for an instrument, as `ops.watermarks` says (UNIX ms)."""

    exchange: str
    kind: str
    instrument: str
    table_name: str
    complete_until_ms: int

    @property
    def listing(self) -> Listing:
        """Exchange, kind and instrument."""
        return (self.exchange, self.kind, self.instrument)


@dataclass(frozen=True, slots=True)
class OpenHoles:
    """The open holes of a dataset of an instrument, as `ops.continuity` says.

    Attributes:
        holes, ids: how many, and how many ids they span.
        oldest_ms: the end of the oldest one (UNIX ms, by the exchange's time).
    """

    exchange: str
    kind: str
    instrument: str
    dataset: str
    holes: int
    ids: int
    oldest_ms: int

    @property
    def listing(self) -> Listing:
        """Exchange, kind and instrument."""
        return (self.exchange, self.kind, self.instrument)


@dataclass(frozen=True, slots=True)
class PipelineState:
    """The end of the last pass: when it began and ended (ISO 8601), and what the tables say.

    Attributes:
        error: what stopped the pipeline since, empty where nothing did.
    """

    run_id: str
    pass_began: str
    pass_ended: str
    marks: tuple[Mark, ...]
    open_holes: tuple[OpenHoles, ...]
    error: str = ""

    @property
    def ended(self) -> datetime:
        """When the last pass ended."""
        return datetime.fromisoformat(self.pass_ended)


def put(store: ObjectStore, state: PipelineState) -> None:
    """Put the state into the lake, in the place of the last one.

    Raises:
        StorageError: the store refuses.
    """
    status.publish(store, status.PIPELINE, asdict(state))


def last(store: ObjectStore) -> PipelineState | None:
    """Return what the pipeline has said last, None where it never has.

    Raises:
        StorageError: the store can't be read.
    """
    document = status.read(store, status.PIPELINE)
    if document is None:
        return None
    try:
        return _of(document)
    except (KeyError, TypeError):
        log.warning("no pipeline's status, passed over: %s", store.location(status.PIPELINE))
        return None


def _of(document: Mapping[str, Any]) -> PipelineState:
    return PipelineState(
        run_id=document["run_id"],
        pass_began=document["pass_began"],
        pass_ended=document["pass_ended"],
        marks=tuple(Mark(**one) for one in document["marks"]),
        open_holes=tuple(OpenHoles(**one) for one in document["open_holes"]),
        error=document["error"],
    )
