"""Binance's market streams: names, subscriptions, and the id of a trade by the cheapest means."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, cast

import orjson

from extract.live.plausible import is_id, is_time
from extract.live.stream import ODD, Frame, Said, Stream
from extract.live.venue import Limits
from extract.venues.binance import segment
from lake.bronze import Dataset
from lake.errors import UsageError
from lake.settings import Settings

#: binance-spot-api-docs, web-socket-streams.md: 1024 streams a connection, 5 messages a second
#: (pings and pongs count), 300 connections in 5 minutes an address.
LIMITS = Limits(
    streams=1024, channels=200, message_seconds=0.25, connects=290, connects_seconds=300
)
#: Our stream -> the suffix of the exchange's name, and the dataset of its rows.
SUFFIXES: Mapping[str, tuple[str, Dataset]] = {
    "trade": ("@trade", "trades"),
    "aggTrade": ("@aggTrade", "agg_trades"),
    "kline_1m": ("@kline_1m", "klines"),
}
#: Futures publish `@trade` too, undocumented; REST repairs it only with an API key.
DEFAULTS: Mapping[str, tuple[str, ...]] = {
    "spot": ("trade", "kline_1m"),
    "usdm": ("aggTrade", "kline_1m"),
    "coinm": ("aggTrade", "kline_1m"),
}
#: Which field of an event carries the id, by the event's name.
IDS: Mapping[str, str] = {"trade": "t", "aggTrade": "a"}


def streams_of(
    settings: Settings, kind: str, instruments: Sequence[str], wanted: Sequence[str]
) -> list[Stream]:
    """Return the streams of instruments; without `wanted` those that are taken by default.

    Raises:
        UsageError: there is no such stream.
    """
    url = f"{segment(settings, kind).ws_url}/stream"
    return [
        _stream(url, kind, instrument, name)
        for name in wanted or defaults(settings, kind)
        for instrument in instruments
    ]


def defaults(settings: Settings, kind: str) -> Sequence[str]:
    """Return the streams that are taken by default.

    Raises:
        UsageError: Binance has no such kind.
    """
    segment(settings, kind)
    return DEFAULTS[kind]


def _stream(url: str, kind: str, instrument: str, name: str) -> Stream:
    if name not in SUFFIXES:
        raise UsageError(
            f"Binance has no stream '{name}' here", hint=f"Known are {', '.join(SUFFIXES)}."
        )
    suffix, dataset = SUFFIXES[name]
    # in the names of streams symbols are in small letters; str.lower leaves other scripts alone
    channel = f"{instrument.lower()}{suffix}"
    interval = "1m" if dataset == "klines" else ""
    params = {"stream": channel, **({"interval": interval} if interval else {})}
    request = {"method": "SUBSCRIBE", "url": url, "params": params}
    return Stream("binance", kind, dataset, instrument, channel, request, interval)


class BinanceStreams:
    """The websocket of one Binance market, a `Venue`."""

    limits = LIMITS

    def __init__(self, settings: Settings, kind: str, streams: Sequence[Stream]) -> None:
        self.url = f"{segment(settings, kind).ws_url}/stream"
        self._streams = {stream.channel: stream for stream in streams}
        dataset = next((one.dataset for one in streams if one.is_numbered), "agg_trades")
        request = {"method": "SUBSCRIBE", "url": self.url, "params": {}}
        self.unnamed = Stream("binance", kind, cast("Dataset", dataset), "", "", request)

    def greeting(self) -> Sequence[str]:
        """Return nothing: Binance wants no greeting."""
        return ()

    def subscription(self, number: int, streams: Sequence[Stream]) -> str:
        """Return the message that subscribes; its answer carries the number."""
        names = [stream.channel for stream in streams]
        return json.dumps({"method": "SUBSCRIBE", "params": names, "id": number})

    def sign_of_life(self) -> str:
        """Return nothing to send: Binance pings on the level of the websocket."""
        return ""

    def read(self, frame: bytes) -> Frame:
        """Read a frame; what can't be understood is `ODD`."""
        try:
            document = orjson.loads(frame)
            stream = self._streams.get(document["stream"])
            if stream is None:
                return _beside(document)
            return _of_stream(stream, document["data"])
        except (ValueError, TypeError):
            return ODD
        except KeyError:
            return _told(document)


def _of_stream(stream: Stream, event: Mapping[str, Any]) -> Frame:
    name, time_ms = IDS.get(event["e"]), event["E"]
    if event["s"] != stream.instrument or not is_time(time_ms):
        return ODD
    if name is None:
        return _bar(stream, event["k"])
    row, time_ms = event[name], event["T"]
    return Frame(stream, (row,), (time_ms,)) if is_id(row) and is_time(time_ms) else ODD


def _bar(stream: Stream, bar: Mapping[str, Any]) -> Frame:
    """Read a bar: only one that is closed claims its minute."""
    opened = bar["t"]
    if stream.interval != bar["i"] or not is_time(opened):
        return ODD
    return Frame(stream, (opened,), (opened,)) if bar["x"] is True else Frame(stream)


def _beside(document: Mapping[str, Any]) -> Frame:
    data = document.get("data")
    told = data.get("e") if isinstance(data, dict) else None
    return Frame(None, said=Said("shutdown")) if told == "serverShutdown" else ODD


def _told(document: Any) -> Frame:
    """Read a frame without `stream`: an answer, an error, or a word of the server's."""
    if not isinstance(document, dict) or "stream" in document:
        return ODD
    if document.get("e") == "serverShutdown":
        return Frame(None, said=Said("shutdown"))
    # older markets send code and msg without an `error` around them
    error = document.get("error") or (document if "code" in document else None)
    number = document.get("id")
    if not is_id(number):
        return ODD
    if error is not None:
        return Frame(None, said=Said("answer", number, frozenset(), json.dumps(error)))
    return Frame(None, said=Said("answer", number)) if "result" in document else ODD
