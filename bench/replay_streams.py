"""Trades a second that the replay exchange streams to one client, from a process of its own.

Run by `python -m bench.replay_streams --rate 25000 --seconds 10`. The client reads raw frames, so
that it is the exchange that is measured; it counts them and looks for gaps in the ids.
"""

from __future__ import annotations

import argparse
import re
import socket
import time
from multiprocessing import get_context
from multiprocessing.connection import Connection
from urllib.parse import urlsplit

from extract.replay.busy.tape import BUSY_START, Busy
from extract.replay.engine import Rules
from extract.replay.exchange import ReplayExchange
from extract.replay.exchange_clock import Live

SYMBOL_AND_ID = re.compile(rb'"s":"(BUSY\d+USDT)","t":(\d+)')
PIECE = 1 << 20


def main() -> None:
    """Listen for some seconds and print what came, and what it took."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rate", type=int, default=25_000)
    parser.add_argument("--seconds", type=int, default=10)
    parser.add_argument("--instruments", type=int, default=20)
    asked = parser.parse_args()
    busy = Busy(asked.instruments, asked.rate)
    context = get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_serve, args=(busy, theirs))
    process.start()
    try:
        client = _connected(ours.recv(), busy)
        before = _processor_seconds(ours)
        counts, gaps = _listen(client, asked.seconds)
        took = _processor_seconds(ours) - before
    finally:
        ours.send("stop")
        process.join()
    total = sum(counts.values())
    rate, share = total / asked.seconds, took / asked.seconds
    print(
        f"{rate:,.0f} trades a second of {len(counts)} symbols, {gaps} gaps, {share:.0%} of a core"
    )


def _serve(busy: Busy, pipe: Connection) -> None:
    with ReplayExchange(Rules(live=Live(BUSY_START), busy=busy)) as exchange:
        pipe.send(exchange.urls.spot)
        while pipe.recv() != "stop":
            pipe.send(time.process_time())


def _processor_seconds(pipe: Connection) -> float:
    pipe.send("time")
    seconds: float = pipe.recv()
    return seconds


def _connected(url: str, busy: Busy) -> socket.socket:
    parts = urlsplit(url)
    streams = "/".join(f"{name.lower()}@trade" for name in busy.symbols)
    client = socket.create_connection((parts.hostname, parts.port))
    lines = (
        f"GET {parts.path}/stream?streams={streams} HTTP/1.1",
        f"Host: {parts.netloc}",
        "Upgrade: websocket",
        "Connection: Upgrade",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
        "Sec-WebSocket-Version: 13",
    )
    client.sendall(("\r\n".join(lines) + "\r\n\r\n").encode())
    return client


def _listen(client: socket.socket, seconds: int) -> tuple[dict[bytes, int], int]:
    """Return trades by symbol, and how many ids did not follow the one before."""
    counts: dict[bytes, int] = {}
    last: dict[bytes, int] = {}
    gaps, rest, until = 0, b"", time.monotonic() + seconds
    while time.monotonic() < until:
        piece = rest + client.recv(PIECE)
        whole, closed, rest = piece.rpartition(b"}}")
        for symbol, text in SYMBOL_AND_ID.findall(whole + closed):
            number = int(text)
            gaps += number != last.get(symbol, number - 1) + 1
            last[symbol] = number
            counts[symbol] = counts.get(symbol, 0) + 1
    return counts, gaps


if __name__ == "__main__":
    main()
