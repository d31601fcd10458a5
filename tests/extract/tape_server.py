"""Spot aggregate trades of a made-up tape, served as Binance does: by id, with holes and bursts."""

from __future__ import annotations

import bisect
import json
from collections.abc import Callable, Iterable
from urllib.parse import parse_qs, urlsplit

from tests.extract.small_server import Scripted, SmallServer

CLOCK_MS = 1_756_900_000_000


def tape_server(
    ids: Iterable[int], time_of: Callable[[int], int], *, clock_ms: int = CLOCK_MS
) -> SmallServer:
    """Return a server of the trades with these ids, each at its time in ms."""
    held = sorted(ids)

    def route(path: str) -> Scripted:
        parts = urlsplit(path)
        if parts.path.endswith("/time"):
            return Scripted(json.dumps({"serverTime": clock_ms}).encode())
        query = {
            name: int(values[0])
            for name, values in parse_qs(parts.query).items()
            if values[0].isdigit()
        }
        first = len(held) - query["limit"]
        if "fromId" in query:
            first = bisect.bisect_left(held, query["fromId"])
        rows = held[max(0, first) :][: query["limit"]]
        return Scripted(json.dumps([_row(one, time_of(one)) for one in rows]).encode())

    return SmallServer(route=route)


def _row(trade_id: int, time_ms: int) -> dict[str, object]:
    return {
        "a": trade_id, "p": "1.0", "q": "1.0", "f": trade_id, "l": trade_id, "T": time_ms,
        "m": False, "M": True,
    }  # fmt: skip
