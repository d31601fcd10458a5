"""Builders of what collectors and pipelines say of themselves."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Any

from extract.live.state import CollectorState, StreamState
from jobs.status.pipeline_state import PipelineState, put
from lake import status
from lake.clock import to_iso, to_millis
from lake.objects import ObjectStore

NOW = datetime(2025, 3, 5, 12, tzinfo=UTC)


def ago(seconds: int) -> str:
    """Return the moment so long before NOW, as ISO 8601."""
    return to_iso(NOW - timedelta(seconds=seconds))


def ms_ago(seconds: int) -> int:
    """Return the moment so long before NOW, as UNIX ms."""
    return to_millis(NOW - timedelta(seconds=seconds))


def stream(**named: Any) -> StreamState:
    """Return a stream that fares well: 1.5 messages and 3 trades a second."""
    given: dict[str, Any] = {
        "exchange": "binance",
        "kind": "spot",
        "dataset": "trades",
        "instrument": "BTCUSDT",
        "channel": "btcusdt@trade",
        "last_message": ago(1),
        "messages": 1000,
        "trades": 2000,
        "bytes": 1_234_567,
        "odd": 0,
        "reconnects": 1,
        "refused": False,
        "holes_opened": 6,
        "holes_closed": 3,
        "holes_lost": 1,
        "holes_open": 2,
        "newest_ms": ms_ago(1),
        "lag_ms": 900,
        "last_file": "bronze/trades/x.ndjson.gz",
        "interval_messages": 15,
        "interval_trades": 30,
    }
    return StreamState(**{**given, **named})


def collector(*streams: StreamState, **named: Any) -> CollectorState:
    """Return a collector that runs."""
    given: dict[str, Any] = {
        "run_id": "run-1",
        "region": "eu",
        "host": "box",
        "pid": 7,
        "started": ago(1000),
        "updated": ago(2),
        "written_as": "running",
        "error": "",
        "every_ms": 5000,
        "interval_ms": 10_000,
        "files": 9,
        "streams": streams or (stream(),),
    }
    return CollectorState(**{**given, **named})


def say(store: ObjectStore, *states: CollectorState | PipelineState) -> None:
    """Put states into a lake."""
    for state in states:
        if isinstance(state, PipelineState):
            put(store, state)
        else:
            status.publish(store, state.key, asdict(state))
