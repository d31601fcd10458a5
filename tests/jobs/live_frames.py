"""Frames of Binance's trade stream, landed as a live collector lands them: packs with coverage."""

from __future__ import annotations

import json
from datetime import datetime, timedelta

from extract.packing import Packer, Small
from jobs.context import Lake
from lake.bronze import BronzeName, Coverage, Envelope
from lake.clock import to_millis


def frame(instrument: str, identifier: int, time_ms: int) -> bytes:
    """Return one trade as the stream sends it; its price tells its id."""
    event = {
        "e": "trade",
        "E": time_ms + 3,
        "s": instrument,
        "t": identifier,
        "p": f"100.{identifier:08}",
        "q": "0.01000000",
        "T": time_ms,
        "m": identifier % 2 == 0,
        "M": True,
    }
    return json.dumps(event, separators=(",", ":")).encode()


def land(lake: Lake, instrument: str, first_id: int, count: int, start: datetime) -> None:
    """Land trades, one a second from `start` on, in one pack."""
    begin = to_millis(start)
    received = start + timedelta(seconds=count)
    envelopes = [
        Envelope(
            exchange="binance",
            kind="spot",
            dataset="trades",
            instrument=instrument,
            mode="live",
            region="local",
            request={"stream": f"{instrument.lower()}@trade"},
            status=0,
            end_download_timestamp=received,
            knowledge_timestamp=received,
            run_id=lake.run_id,
            sequence=place + 1,
            body=frame(instrument, first_id + place, begin + 1000 * place),
        )
        for place in range(count)
    ]
    covered = Coverage(first_id, first_id + count - 1, begin, begin + 1000 * count)
    name = BronzeName("trades", "binance", "spot", instrument, "live", covered, "run")
    packer = Packer(lake.store, lake.clock)
    packer.take(Small(name, envelopes, count, lambda _: None))
    packer.flush()
