"""Writes the messages of Binance's streams, field by field in the order that was recorded.

Spot was recorded in 2021 and 2024, USD-M and COIN-M in 2021 and 2024; futures put the trade's time
before the symbol, carry `X`, and have no `M`.
"""

from __future__ import annotations

from collections.abc import Sequence

from extract.replay.futures_tape import FuturesAggregate, FuturesTrade
from extract.replay.made_bar import MadeBar
from extract.replay.trade_tape import TradeRow

# How late a message is sent after its trade, in ms: the middle of what was recorded.
SPOT_DELAY = 1
FUTURES_DELAY = 8
FLAGS = (b"false", b"true")

SPOT_TRADE = b'{"e":"trade","E":%d,"s":"%b","t":%d,"p":"%b","q":"%b","T":%d,"m":%b,"M":true}'
SPOT_AGGREGATE = (
    b'{"e":"aggTrade","E":%d,"s":"%b","a":%b,"p":"%b","q":"%b","f":%b,"l":%b,"T":%d,"m":%b,'
    b'"M":true}'
)
FUTURES_TRADE = b'{"e":"trade","E":%d,"T":%d,"s":"%b","t":%d,"p":"%b","q":"%b","X":"MARKET","m":%b}'
FUTURES_AGGREGATE = (
    b'{"e":"aggTrade","E":%d,"a":%d,"s":"%b","p":"%b","q":"%b","f":%d,"l":%d,"T":%d,"m":%b}'
)
KLINE = (
    '{"e":"kline","E":%d,"s":"%s","k":{"t":%s,"T":%s,"s":"%s","i":"%s","f":%d,"L":%d,"o":"%s",'
    '"c":"%s","h":"%s","l":"%s","v":"%s","n":%s,"x":%s,"q":"%s","V":"%s","Q":"%s","B":"0"}}'
)


def spot_trade(symbol: str, row: TradeRow) -> bytes:
    """Return `@trade` of spot, from the object that REST prints, time in ms."""
    time = int(str(row["time"]))
    return SPOT_TRADE % (
        time + SPOT_DELAY,
        symbol.encode(),
        row["id"],
        str(row["price"]).encode(),
        str(row["qty"]).encode(),
        time,
        FLAGS[bool(row["isBuyerMaker"])],
    )


def spot_aggregate(symbol: str, cells: Sequence[bytes], time_ms: int) -> bytes:
    """Return `@aggTrade` of spot, from the archive's cells `a,p,q,f,l,T,m,M`."""
    number, price, quantity, first, last, _, maker, _ = cells
    return SPOT_AGGREGATE % (
        time_ms + SPOT_DELAY,
        symbol.encode(),
        number,
        price,
        quantity,
        first,
        last,
        time_ms,
        maker.lower(),
    )


def futures_trade(symbol: str, trade: FuturesTrade) -> bytes:
    """Return `@trade` of futures."""
    return FUTURES_TRADE % (
        trade.time + FUTURES_DELAY,
        trade.time,
        symbol.encode(),
        trade.trade_id,
        f"{trade.price:f}".encode(),
        f"{trade.quantity:f}".encode(),
        FLAGS[trade.buyer_is_maker],
    )


def futures_aggregate(symbol: str, aggregate: FuturesAggregate, event_ms: int) -> bytes:
    """Return `@aggTrade` of futures, sent at `event_ms` when it has filled."""
    return FUTURES_AGGREGATE % (
        event_ms,
        aggregate.agg_id,
        symbol.encode(),
        f"{aggregate.price:f}".encode(),
        f"{aggregate.quantity:f}".encode(),
        aggregate.first_id,
        aggregate.last_id,
        aggregate.time,
        FLAGS[aggregate.buyer_is_maker],
    )


def kline(symbol: str, interval: str, made: MadeBar, event_ms: int, *, is_closed: bool) -> bytes:
    """Return `@kline_…` of any segment, from the fields that REST prints."""
    start, opened, high, low, close, volume, end, quote, count, taker, taker_quote, _ = made.row
    text = KLINE % (
        event_ms,
        symbol,
        start,
        end,
        symbol,
        interval,
        made.first_id,
        made.last_id,
        opened,
        close,
        high,
        low,
        volume,
        count,
        "true" if is_closed else "false",
        quote,
        taker,
        taker_quote,
    )
    return text.encode()
