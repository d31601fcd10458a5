"""Answers of exchanges that CCXT asks, in the forms that each documents, for a small server.

The numbers are made up, save where a test reads a recording: they are longer than a float holds.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import parse_qs, urlsplit

from tests.extract.small_server import Scripted

MINUTE = 60_000
#: 2024-01-01T00:00:00Z in milliseconds.
MIDNIGHT = 1_704_067_200_000
#: Open, high, low, close and volume; no price or volume survives a float.
Numbers = tuple[str, str, str, str, str]
LONG: Numbers = (
    *("4200012345.1234567891", "4200012345.2234567892"),
    *("4200012345.0234567893", "4200012345.1034567894"),
    "12345678901.123456789012345678",
)
PAIR = {
    "altname": "XBTUSD",
    "wsname": "XBT/USD",
    "base": "XXBT",
    "quote": "ZUSD",
    "pair_decimals": 1,
    "lot_decimals": 8,
    "cost_decimals": 5,
    "status": "online",
    "ordermin": "0.0001",
    "costmin": "0.5",
    "tick_size": "0.1",
    "lot_multiplier": 1,
    "leverage_buy": [],
    "leverage_sell": [],
    "fees": [[0, 0.4]],
    "fees_maker": [[0, 0.25]],
}


@dataclass(frozen=True, slots=True)
class Kraken:
    """Kraken's public REST: an object of arrays, times in seconds, prices as text.

    Attributes:
        bars: by open time in ms.
        newest: how many bars an answer has at most; it gives the first ones from `since` on.
        now_ms: its clock.
    """

    bars: Mapping[int, Numbers]
    newest: int = 720
    now_ms: int = MIDNIGHT + 86_400_000

    def __call__(self, path: str) -> Scripted:
        parts = urlsplit(path)
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        if parts.path == "/0/public/AssetPairs":
            return _result({"XXBTZUSD": PAIR})
        if parts.path == "/0/public/Time":
            return _result({"unixtime": self.now_ms // 1000})
        if parts.path != "/0/public/OHLC":
            return Scripted(b'{"error":["EGeneral:Unknown method"]}')
        if query["pair"] != "XXBTZUSD":
            return Scripted(b'{"error":["EQuery:Unknown asset pair"]}')
        since = int(query["since"]) * 1000
        wanted = sorted(time for time in self.bars if time > since)[: self.newest]
        rows = [self._row(time) for time in wanted]
        return _result({"XXBTZUSD": rows, "last": since // 1000})

    def _row(self, time: int) -> Sequence[object]:
        numbers = self.bars[time]
        return [time // 1000, *numbers[:4], numbers[3], numbers[4], 7]


@dataclass(frozen=True, slots=True)
class RecordedKraken:
    """Kraken whose answer about bars is a recorded body, whatever time is asked for."""

    ohlc: bytes
    now_ms: int

    def __call__(self, path: str) -> Scripted:
        if urlsplit(path).path == "/0/public/OHLC":
            return Scripted(self.ohlc)
        return Kraken({}, now_ms=self.now_ms)(path)


@dataclass(frozen=True, slots=True)
class Coinbase:
    """Coinbase Exchange: a list of lists of JSON numbers, newest first, low before high."""

    bars: Mapping[int, Numbers]
    now_ms: int = MIDNIGHT + 86_400_000

    def __call__(self, path: str) -> Scripted:
        parts = urlsplit(path)
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        if parts.path == "/time":
            return Scripted(json.dumps({"epoch": self.now_ms // 1000, "iso": ""}).encode())
        if parts.path == "/products":
            return Scripted(json.dumps([PRODUCT]).encode())
        if parts.path != "/products/BTC-USD/candles":
            return Scripted(b'{"message":"NotFound"}', status=404)
        first, last = (_in_ms(query[name]) for name in ("start", "end"))
        rows = [
            _candle(time, self.bars[time]) for time in sorted(self.bars) if first <= time <= last
        ]
        return Scripted(f"[{','.join(reversed(rows))}]".encode())


PRODUCT = {
    "id": "BTC-USD",
    "base_currency": "BTC",
    "quote_currency": "USD",
    "status": "online",
    "quote_increment": "0.01",
    "base_increment": "0.00000001",
    "min_market_funds": "1",
    "trading_disabled": False,
    "auction_mode": False,
    "post_only": False,
    "limit_only": False,
}


def minutes(*numbers: int, of: Numbers = LONG) -> dict[int, Numbers]:
    """Return bars that open so many minutes after midnight."""
    return {MIDNIGHT + number * MINUTE: of for number in numbers}


def overrides(name: str, ccxt: str, url: str) -> list[str]:
    """Return the settings, as of --set, of an exchange that is served at a loopback address."""
    of_exchange = f"exchanges.{name}"
    return [
        f"{of_exchange}.ccxt={ccxt}",
        f"{of_exchange}.rest_url={url}",
        f"{of_exchange}.requests_per_second=1000",
        f"universe.{name}.spot=BTC/USD",
    ]


def _candle(time: int, numbers: Numbers) -> str:
    opened, high, low, close, volume = numbers
    return f"[{time // 1000},{low},{high},{opened},{close},{volume}]"


def _in_ms(moment: str) -> int:
    return int(datetime.fromisoformat(moment).timestamp()) * 1000


def _result(result: object) -> Scripted:
    return Scripted(json.dumps({"error": [], "result": result}).encode())
