"""The record of a bulk run: its labels and counts, one JSON object a run, named by its run id."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from jobs.bulk.request import BulkRequest, Labels
from jobs.context import Lake
from lake.clock import to_iso
from lake.errors import StorageError

FOLDER = "bulk/runs/"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a bulk run came to.

    Attributes:
        files: bronze files created.
        rows: rows in them.
        requests: requests sent.
        missing_parts: parts of the window that are not there.
        exports: the keys of the files beside bronze.
    """

    files: int
    rows: int
    requests: int
    missing_parts: int
    exports: Sequence[str]


def begin(lake: Lake, request: BulkRequest, labels: Labels, instruments: Sequence[str]) -> None:
    """Record a run's labels before anything of it lands.

    Bronze carries the run id in every envelope, so a run that is killed has its labels too.
    """
    record = {
        "run_id": lake.run_id,
        "started_timestamp": to_iso(lake.clock.now()),
        **_described(lake, request),
        **asdict(labels),
        "instruments": list(instruments),
        "outcome": None,
    }
    lake.store.create(_key(lake), _text(record))


def end(lake: Lake, outcome: Outcome) -> None:
    """Add what a run came to.

    Raises:
        StorageError: the record is gone, or somebody has changed it.
    """
    found = lake.store.read_versioned(_key(lake))
    if found is not None:
        content, version = found
        record = {
            **json.loads(content),
            "finished_timestamp": to_iso(lake.clock.now()),
            "outcome": asdict(outcome),
        }
        if lake.store.replace(_key(lake), _text(record), version=version):
            return
    raise StorageError("the record of this run has changed", where=lake.store.location(_key(lake)))


def _described(lake: Lake, request: BulkRequest) -> dict[str, Any]:
    is_bars = request.data_type == "ohlcv"
    return {
        "vendor": request.vendor,
        "exchange_id": request.exchange,
        "kind": request.kind,
        "contract_type": request.contract_type,
        "universe": request.universe,
        "data_type": request.data_type,
        "dataset": request.dataset(lake.settings),
        "bar_interval": lake.settings.extract.bar_interval if is_bars else None,
        "data_format": request.data_format,
        "start_timestamp": to_iso(request.start),
        "end_timestamp": to_iso(request.end),
    }


def _key(lake: Lake) -> str:
    return f"{FOLDER}{lake.run_id}.json"


def _text(record: dict[str, Any]) -> bytes:
    return json.dumps(record, ensure_ascii=False).encode() + b"\n"
