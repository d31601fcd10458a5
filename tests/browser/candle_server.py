"""The page over HTTP, with answers in the API's shapes that a test sets: bars, faults, events."""

from __future__ import annotations

import asyncio
import contextlib
import csv
import gzip
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from aiohttp import web

from serve.page import CONTENT_SECURITY_POLICY, STATIC

RECORDED = (
    Path(__file__).parents[2] / "recordings" / "BTCUSDT-1h-klines-2017-08-17_2024-01-01.csv.gz"
)
FALSE_ROWS = RECORDED.with_name("BTCUSDT-1h-klines-2017-08-17_2024-01-01.false-rows.csv")
HOUR, DAY = 3_600_000, 86_400_000
Row = dict[str, Any]


def milliseconds(text: str) -> int:
    return int(datetime.fromisoformat(f"{text}+00:00").timestamp()) * 1000


def bar(time: int, prices: tuple[str | None, ...], volume: str = "1", trades: int = 1) -> Row:
    """A complete bar; `prices` are open, high, low, close."""
    return {
        "time": time,
        **dict(zip(("open", "high", "low", "close"), prices, strict=True)),
        "volume": volume,
        "base_volume": volume,
        "quote_volume": volume,
        "trade_count": trades,
        "is_complete": True,
        "is_filled": False,
    }


def recorded_hours() -> list[Row]:
    """Binance's own hours of spot BTCUSDT, 2017-08-17 to 2024-01-01, without the false rows."""
    with FALSE_ROWS.open(encoding="utf-8") as file:
        false = {row["open_time"] for row in csv.DictReader(file)}
    with gzip.open(RECORDED, "rt", encoding="utf-8") as file:
        rows = list(csv.reader(line for line in file if line[:2] == "20"))
    return [
        bar(milliseconds(row[0]), tuple(row[1:5]), row[5], int(row[8]))
        for row in rows
        if row[0] not in false
    ]


def listing(instrument: str, bars: dict[str, list[Row]], **more: Any) -> Row:
    every = [one["time"] for rows in bars.values() for one in rows]
    return {
        "exchange": "binance",
        "kind": "spot",
        "instrument": instrument,
        "series_type": "bars",
        "quantity_unit": "BTC",
        "base_unit": "BTC",
        "quote_unit": "USDT",
        "first_time": min(every, default=None),
        "last_time": max(every, default=None),
        "complete_until": None,
        "intervals": list(bars),
        **more,
    }


@dataclass
class CandleServer:
    """What it holds and how it fails may be changed while it runs."""

    bars: dict[str, dict[str, list[Row]]] = field(default_factory=dict)
    certificates: list[Row] = field(default_factory=list)
    holes: list[Row] = field(default_factory=list)
    #: Paths that fail, with status and body.
    faults: dict[str, tuple[int, Row]] = field(default_factory=dict)
    key: str | None = None
    url: str = ""
    asked: list[str] = field(default_factory=list)
    listeners: list[asyncio.Queue[bytes]] = field(default_factory=list)

    def push(self, event: str, data: Row) -> None:
        """Send an event to every page that listens."""
        text = f"event: {event}\ndata: {json.dumps(data)}\n\n".encode()
        for queue in self.listeners:
            self.loop.call_soon_threadsafe(queue.put_nowait, text)

    loop: asyncio.AbstractEventLoop = field(init=False)

    def application(self) -> web.Application:
        made = web.Application(middlewares=[self.guard])
        routes = {
            "instruments": self.instruments,
            "ohlcv": self.ohlcv,
            "coverage": self.coverage,
            "reconciliation": self.reconciliation,
            "live/sse": self.live,
        }
        for path, handler in routes.items():
            made.router.add_get(f"/api/v1/{path}", handler)
        made.router.add_get("/", self.index)
        made.router.add_static("/", STATIC)
        return made

    @web.middleware
    async def guard(self, request: web.Request, handler: Any) -> web.StreamResponse:
        path = request.path.removeprefix("/api/v1/")
        self.asked.append(request.path_qs)
        if path in self.faults:
            status, body = self.faults[path]
            return web.json_response({"error": body}, status=status)
        if self.key and path != request.path and request.headers.get("X-API-Key") != self.key:
            return web.json_response(error("no_key", "An API key is needed."), status=401)
        response: web.StreamResponse = await handler(request)
        if not response.prepared:
            response.headers["Content-Security-Policy"] = CONTENT_SECURITY_POLICY
        return response

    async def index(self, _: web.Request) -> web.FileResponse:
        return web.FileResponse(STATIC / "index.html")

    async def instruments(self, request: web.Request) -> web.Response:
        words = request.query.get("q", "").lower()
        found = [listing(name, bars) for name, bars in self.bars.items() if words in name.lower()]
        return web.json_response({"instruments": found[:50], "next_cursor": None})

    async def ohlcv(self, request: web.Request) -> web.Response:
        asked = request.query
        held = self.bars.get(asked["instrument"])
        if held is None:
            said = error("unknown", f"No such instrument: {asked['instrument']}.", "Near: BTCUSDT.")
            return web.json_response(said, status=404)
        newest_first = asked.get("order") == "desc"
        end = int(asked.get("cursor") or asked.get("end") or 1 << 60)
        rows = [
            one
            for one in held.get(asked["interval"], [])
            if int(asked.get("start") or 0) <= one["time"] < end
        ]
        limit = int(asked.get("limit", 1000))
        page = rows[::-1][:limit] if newest_first else rows[:limit]
        more = len(rows) > len(page)
        body = {"bars": page, "next_cursor": str(page[-1]["time"]) if more else None}
        return web.json_response({**body, "publication": 1})

    async def coverage(self, request: web.Request) -> web.Response:
        held = self.bars[request.query["instrument"]]
        bars = next(iter(held.values()))
        days: dict[int, int] = {}
        for one in bars:
            start = one["time"] // DAY * DAY
            days[start] = days.get(start, 0) + 60 * one["is_complete"]
        told = [
            {"day": day, "complete_bars": min(n, 1440), "expected": 1440} for day, n in days.items()
        ]
        return web.json_response({"days": told, "holes": self.holes, "complete_until": None})

    async def reconciliation(self, request: web.Request) -> web.Response:
        start, end = int(request.query["start"]), int(request.query["end"])
        told = [
            one
            for one in self.certificates
            if one["window_start"] < end and one["window_end"] > start
        ]
        return web.json_response({"certificates": told})

    async def live(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        queue: asyncio.Queue[bytes] = asyncio.Queue()
        self.listeners.append(queue)
        await response.write(b": here\n\n")
        with contextlib.suppress(ConnectionError):
            while True:
                await response.write(await queue.get())
        return response


def error(code: str, message: str, hint: str = "") -> Row:
    return {"error": {"code": code, "message": message, "hint": hint}}


@contextlib.contextmanager
def running(server: CandleServer, port: int = 0) -> Iterator[CandleServer]:
    """Run the server in a thread on a loopback port; it is gone afterwards."""
    server.loop = asyncio.new_event_loop()
    runner = web.AppRunner(server.application(), shutdown_timeout=0.1)

    async def start() -> None:
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", port).start()
        server.url = f"http://127.0.0.1:{runner.addresses[0][1]}/"

    server.loop.run_until_complete(start())
    thread = threading.Thread(target=server.loop.run_forever)
    thread.start()
    try:
        yield server
    finally:
        asyncio.run_coroutine_threadsafe(runner.cleanup(), server.loop).result(10)
        server.loop.call_soon_threadsafe(server.loop.stop)
        thread.join(10)
        server.loop.close()
