"""Deribit's channels: names, subscriptions by JSON-RPC, and the trade_seq of what comes."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from extract.live.plausible import is_id, is_time
from extract.live.stream import ODD, Frame, Said, Stream
from extract.live.venue import Limits
from lake.bronze import Dataset
from lake.errors import UsageError
from lake.settings import Settings

#: docs, rate-limits (2026-05): public/subscribe costs 3,000 credits of 30,000, refilled 10,000 a
#: second; notifications.md: 500 channels a message. How many a connection may have is not said.
LIMITS = Limits(
    streams=500,
    channels=500,
    message_seconds=0.35,
    connects=30,
    connects_seconds=60,
    counts_by_address=True,
)
#: Without a login the interval `raw` is refused (error 13778).
CHANNELS: Mapping[str, tuple[str, Dataset]] = {
    "trades": ("trades.{}.100ms", "trades"),
    "chart": ("chart.trades.{}.1", "klines"),
    "index": ("deribit_price_index.{}", "index_prices"),
}
#: What stands for the kind of an index.
INDEX_KIND = "index"
DEFAULTS = ("trades", "chart", "index")
#: The least that public/set_heartbeat takes, in seconds.
HEARTBEAT_SECONDS = 10
GREETING, SIGN = 1_000_000_001, 1_000_000_002


def streams_of(
    settings: Settings,
    kind: str,
    instruments: Sequence[str],
    wanted: Sequence[str],
    *,
    indices: Sequence[str] = (),
) -> list[Stream]:
    """Return the channels of instruments; without `wanted` those that are taken by default.

    Args:
        settings: where the exchange is.
        kind: the venue's segment.
        instruments: the venue's names.
        wanted: trades, chart, index.
        indices: the names of the instruments' price indices.

    Raises:
        UsageError: there is no such channel.
    """
    found = []
    for name in wanted or DEFAULTS:
        if name not in CHANNELS:
            raise UsageError(
                f"Deribit has no stream '{name}' here", hint=f"Known are {', '.join(CHANNELS)}."
            )
        subjects = indices if name == "index" else instruments
        found += [_stream(settings, kind, subject, name) for subject in subjects]
    return found


def _stream(settings: Settings, kind: str, subject: str, name: str) -> Stream:
    pattern, dataset = CHANNELS[name]
    channel, is_bar = pattern.format(subject), dataset == "klines"
    params = {"channel": channel, **({"resolution": "1"} if is_bar else {})}
    url = settings.exchanges.deribit.ws_url
    request = {"method": "public/subscribe", "url": url, "params": params}
    interval = "1m" if is_bar else ""
    # an index is of no kind of instruments
    place = INDEX_KIND if dataset == "index_prices" else kind
    return Stream("deribit", place, dataset, subject, channel, request, interval)


def price_indices(documents: Sequence[Any], instruments: Sequence[str]) -> list[str]:
    """Return the names of the price indices of instruments, by documents of get_instruments."""
    wanted = set(instruments)
    entries = (entry for document in documents for entry in document["result"])
    named = {
        str(entry["price_index"])
        for entry in entries
        if entry["instrument_name"] in wanted and entry.get("price_index")
    }
    return sorted(named)


class DeribitStreams:
    """Deribit's websocket for one kind, a `Venue`."""

    limits = LIMITS

    def __init__(self, settings: Settings, kind: str, streams: Sequence[Stream]) -> None:
        self.url = settings.exchanges.deribit.ws_url
        self._streams = {stream.channel: stream for stream in streams}
        request = {"method": "public/subscribe", "url": self.url, "params": {}}
        self.unnamed = Stream("deribit", kind, "trades", "", "", request)

    def greeting(self) -> Sequence[str]:
        """Return what asks for heartbeats."""
        return (_call(GREETING, "public/set_heartbeat", {"interval": HEARTBEAT_SECONDS}),)

    def subscription(self, number: int, streams: Sequence[Stream]) -> str:
        """Return the message that subscribes; its answer carries the number."""
        channels = [stream.channel for stream in streams]
        return _call(number, "public/subscribe", {"channels": channels})

    def sign_of_life(self) -> str:
        """Return what answers a `test_request`; without it the server closes the connection."""
        return _call(SIGN, "public/test", {})

    def read(self, frame: bytes) -> Frame:
        """Read a frame; what can't be understood is `ODD`."""
        try:
            document = orjson.loads(frame)
            if document.get("method") != "subscription":
                return _told(document)
            params = document["params"]
            stream = self._streams.get(params["channel"])
            return ODD if stream is None else _of_stream(stream, params["data"])
        except (ValueError, TypeError, KeyError, AttributeError):
            return ODD


def _of_stream(stream: Stream, data: Any) -> Frame:
    if stream.dataset == "trades":
        ids = [row["trade_seq"] for row in data]
        times = [row["timestamp"] for row in data]
        same = all(row["instrument_name"] == stream.instrument for row in data)
        is_sound = ids and same and all(map(is_id, ids)) and all(map(is_time, times))
        return Frame(stream, ids, times) if is_sound else ODD
    # no chart frame says that its bar is closed, and an index price has no number: neither claims
    time_ms = data["tick"] if stream.dataset == "klines" else data["timestamp"]
    return Frame(stream) if is_time(time_ms) else ODD


def _told(document: Mapping[str, Any]) -> Frame:
    if document.get("method") == "heartbeat":
        asks = document["params"]["type"] == "test_request"
        return Frame(None, said=Said("test_request" if asks else "nothing"))
    number = document.get("id")
    if not is_id(number):
        return ODD
    if number in (GREETING, SIGN):
        return Frame(None, said=Said("nothing")) if "result" in document else ODD
    if "error" in document:
        return Frame(None, said=Said("answer", number, frozenset(), json.dumps(document["error"])))
    return Frame(None, said=Said("answer", number, frozenset(document["result"])))


def _call(number: int, method: str, params: Mapping[str, object]) -> str:
    return json.dumps({"jsonrpc": "2.0", "id": number, "method": method, "params": params})
