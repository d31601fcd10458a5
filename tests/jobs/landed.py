"""Bronze files and listings for the tests of jobs, only what matters named."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from jobs.context import Context
from lake.bronze import BronzeName, Coverage, Envelope, to_file
from lake.frames import local_frame
from lake.schemas import INSTRUMENTS
from lake.tables import SILVER_INSTRUMENTS, Table
from tests.rows import listing

RECEIVED = datetime(2024, 1, 2, tzinfo=UTC)
#: 2024-01-01T00:00:00Z in milliseconds.
MIDNIGHT = 1_704_067_200_000


def land(
    context: Context,
    instrument: str,
    bodies: Sequence[str],
    *,
    ids: tuple[int, int],
    times: tuple[int, int] = (MIDNIGHT, MIDNIGHT + 60_000),
    dataset: str = "agg_trades",
    exchange: str = "binance",
    kind: str = "spot",
    mode: str = "history",
    tag: str = "",
    known: datetime = RECEIVED,
) -> str:
    """Land one file of an instrument, an answer a body; return its key."""
    of: dict[str, Any] = {
        "exchange": exchange,
        "kind": kind,
        "dataset": dataset,
        "instrument": instrument,
        "mode": mode,
    }
    envelopes = [
        envelope(**of, sequence=place, body=body, known=known)
        for place, body in enumerate(bodies, start=1)
    ]
    key = BronzeName(**of, coverage=Coverage(*ids, *times), tag=tag).key
    assert context.store.create(key, to_file(envelopes))
    return key


def envelope(*, body: str, sequence: int = 1, known: datetime = RECEIVED, **of: Any) -> Envelope:
    """Return one answer, received and kept at the moment `known`."""
    return Envelope(
        **of,
        region="test",
        request={},
        status=200,
        end_download_timestamp=known,
        knowledge_timestamp=known,
        run_id="run",
        sequence=sequence,
        body=body.encode(),
    )


def aggregate(agg_id: int, **changes: str) -> str:
    """Return an aggregate of one trade, as Binance writes it; `changes` are JSON texts."""
    fields = {
        "a": str(agg_id),
        "p": '"42000.10000000"',
        "q": '"0.50000000"',
        "f": str(agg_id),
        "l": str(agg_id),
        "T": str(MIDNIGHT + agg_id),
        "m": "true",
        "M": "true",
        **changes,
    }
    return "{" + ",".join(f'"{name}":{text}' for name, text in fields.items() if text) + "}"


def know(context: Context, *listings: dict[str, Any]) -> None:
    """Put listings into `silver.instruments`."""
    rows = [tuple(listing(**named).values()) for named in listings]
    context.tables.append(local_frame(context.spark, rows, INSTRUMENTS), SILVER_INSTRUMENTS)


def held(context: Context, table: Table, where: str = "true") -> list[dict[str, Any]]:
    """Return the table's rows as dictionaries."""
    return [row.asDict() for row in context.tables.read(table).where(where).collect()]
