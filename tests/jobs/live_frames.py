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
    _pack(
        lake, BronzeName("trades", "binance", "spot", instrument, "live", covered, "run"), envelopes
    )


def land_bar(lake: Lake, instrument: str, start: datetime) -> None:
    """Land a closed minute as the exchange's own stream of bars tells it."""
    begin, stream = to_millis(start), f"{instrument.lower()}@kline_1m"
    bar: dict[str, object] = {"t": begin, "T": begin + 59_999, "s": instrument, "i": "1m"}
    bar |= dict.fromkeys(("o", "c", "h", "l"), "100.00000001")
    bar |= dict.fromkeys(("v", "q", "V", "Q"), "0.60000000")
    bar |= {"f": 1, "L": 60, "n": 60, "x": True, "B": "0"}
    event = {"e": "kline", "E": begin + 60_005, "s": instrument, "k": bar}
    received = start + timedelta(seconds=61)
    envelope = Envelope(
        exchange="binance",
        kind="spot",
        dataset="klines",
        instrument=instrument,
        mode="live",
        region="local",
        request={"method": "SUBSCRIBE", "params": {"interval": "1m", "stream": stream}},
        status=0,
        end_download_timestamp=received,
        knowledge_timestamp=received,
        run_id=lake.run_id,
        sequence=1,
        body=json.dumps({"stream": stream, "data": event}, separators=(",", ":")).encode(),
    )
    covered = Coverage(begin, begin, begin, begin + 60_000)
    name = BronzeName("klines", "binance", "spot", instrument, "live", covered, "1m-run")
    _pack(lake, name, [envelope])


def _pack(lake: Lake, name: BronzeName, envelopes: list[Envelope]) -> None:
    packer = Packer(lake.store, lake.clock)
    packer.take(Small(name, envelopes, len(envelopes), lambda _: None))
    packer.flush()
