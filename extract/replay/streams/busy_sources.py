"""Sends a busy symbol's trades, tens of thousands a second; what stays is written once."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from extract.replay.busy.rows import BusyRows
from extract.replay.busy.tape import FIRST_ID, PERIOD
from extract.replay.streams.binance_frames import FLAGS, FUTURES_DELAY, SPOT_DELAY
from extract.replay.streams.kline_source import FUTURES_PACE, SPOT_PACE, kline_source
from extract.replay.streams.source import Source

Write = Callable[[int, int, bytes, bytes], bytes]


class BusyTrades:
    """`@trade` or `@aggTrade` of a busy symbol."""

    def __init__(self, rows: BusyRows, delay_ms: int, write: Write) -> None:
        self._tape = rows.tape
        self._delay_ms = delay_ms
        self._write = write
        sides = zip(self._tape.ticks, self._tape.quantities, strict=True)
        self._values = [
            f'"p":"{rows.price(tick)}","q":"{rows.quantity(steps)}"'.encode()
            for tick, steps in sides
        ]
        self._flags = [FLAGS[maker] for maker in self._tape.makers]

    def payloads(self, after_ms: int, until_ms: int) -> Sequence[bytes]:
        """Return the trades whose event time lies in (after, until]."""
        first, end = (self._tape.count(ms - self._delay_ms) for ms in (after_ms, until_ms))
        time, write, values, flags = self._tape.time, self._write, self._values, self._flags
        return [
            write(FIRST_ID + place, time(place), values[place % PERIOD], flags[place % PERIOD])
            for place in range(first, end)
        ]


def busy_source(rows: BusyRows, kind: str) -> Source | None:
    """Return what a stream of a busy symbol sends; None for a kind that there is not."""
    is_spot = rows.style.is_spot
    symbol = rows.tape.symbol
    delay = SPOT_DELAY if is_spot else FUTURES_DELAY
    writers = _spot_writers(symbol, delay) if is_spot else _futures_writers(symbol, delay)
    if kind in writers:
        return BusyTrades(rows, delay, writers[kind])
    pace = SPOT_PACE if is_spot else FUTURES_PACE
    return kline_source(rows, symbol, kind, pace_ms=pace, seconds_allowed=is_spot)


def _spot_writers(symbol: str, delay: int) -> dict[str, Write]:
    name = symbol.encode()

    def trade(number: int, time: int, values: bytes, maker: bytes) -> bytes:
        return b'{"e":"trade","E":%d,"s":"%b","t":%d,%b,"T":%d,"m":%b,"M":true}' % (
            *(time + delay, name, number),
            *(values, time, maker),
        )

    def aggregate(number: int, time: int, values: bytes, maker: bytes) -> bytes:
        head = b'{"e":"aggTrade","E":%d,"s":"%b","a":%d,%b,' % (time + delay, name, number, values)
        return head + b'"f":%d,"l":%d,"T":%d,"m":%b,"M":true}' % (number, number, time, maker)

    return {"trade": trade, "aggTrade": aggregate}


def _futures_writers(symbol: str, delay: int) -> dict[str, Write]:
    name = symbol.encode()

    def trade(number: int, time: int, values: bytes, maker: bytes) -> bytes:
        return b'{"e":"trade","E":%d,"T":%d,"s":"%b","t":%d,%b,"X":"MARKET","m":%b}' % (
            *(time + delay, time, name),
            *(number, values, maker),
        )

    def aggregate(number: int, time: int, values: bytes, maker: bytes) -> bytes:
        head = b'{"e":"aggTrade","E":%d,"a":%d,"s":"%b",%b,' % (time + delay, number, name, values)
        return head + b'"f":%d,"l":%d,"T":%d,"m":%b}' % (number, number, time, maker)

    return {"trade": trade, "aggTrade": aggregate}
