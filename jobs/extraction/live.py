"""`candlelake extract live`: collects what the exchanges push, until its life ends or a signal."""

from __future__ import annotations

import asyncio
import logging
import random
import signal
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any

import typer

from extract.client import Client
from extract.discovery import look
from extract.listing import matching
from jobs.context import Lake, exchanges_of, open_lake
from jobs.extraction.chosen import Chosen
from jobs.extraction.run import land_snapshot
from jobs.options import Env, Exchange, Instruments, Kind, Segment, Sets, names_in, select
from lake.clock import to_millis
from lake.errors import UsageError
from lake.moment import seconds_of
from lake.settings import Settings

if TYPE_CHECKING:
    from extract.live.collector import Subscribed, Tools
    from extract.live.counters import Counters, Totals
    from extract.live.resuming import Held
    from extract.live.sink import Sink
    from extract.live.stream import Stream

log = logging.getLogger(__name__)

Streams = Annotated[
    str | None,
    typer.Option(
        help="Binance: trade, aggTrade, kline_1m; Deribit: trades, chart, index. Parted by commas."
    ),
]
Vendor = Annotated[
    str,
    typer.Option(help="Who connects: native, or ccxt for ccxt.pro; the frames are the same."),
]
Lifetime = Annotated[
    str | None, typer.Option(help="How long until the next collector starts: 1h; else for ever.")
]
Overlap = Annotated[
    str | None, typer.Option(help="How long to go on beside the next one: 2m. Wants --lifetime.")
]
Region = Annotated[
    str | None, typer.Option(help="Where this collector runs; told in names and envelopes.")
]
SinkName = Annotated[
    str | None,
    typer.Option(
        "--sink", help="bronze, the default; or kafka, from where land-topic brings it to bronze."
    ),
]
MetricsPort = Annotated[
    int | None,
    typer.Option(min=0, max=65535, help="Serve /metrics for Prometheus here; 0 is off."),
]


def live(
    *,
    env: Env = "replay",
    exchange: Exchange = None,
    kind: Kind = None,
    instruments: Instruments = None,
    streams: Streams = None,
    vendor: Vendor = "native",
    lifetime: Lifetime = None,
    overlap: Overlap = None,
    sink: SinkName = None,
    region: Region = None,
    metrics_port: MetricsPort = None,
    sets: Sets = None,
) -> None:
    """Collect trades, bars and index prices as the exchanges push them; holes close over REST.

    Example: candlelake extract live --exchange binance --kind spot --instruments BTCUSDT
    --streams trade --lifetime 10s
    """
    life = life_of(lifetime, overlap)
    names, chosen = _names(streams, exchange), _vendor(vendor)
    lake = open_lake(env, _placed(sets, region, metrics_port, sink))
    to_sink = _sink(lake)
    selection = select(lake.settings, exchange=exchange, kind=kind, instruments=instruments)
    with exchanges_of(lake.settings, clock="from_first_trade") as settings:
        client = Client(settings, clock=lake.clock)
        subscribed = [
            one
            for segment in selection.segments
            if (one := _subscribed(lake, settings, client, segment, names, vendor=chosen))
        ]
        if not subscribed:
            raise UsageError(
                "no stream is selected", hint="Name --exchange, --kind, --instruments."
            )
        held = _held(lake, settings, subscribed)
        tools = _tools(lake, settings, client, to_sink)
        with _observable(lake, settings, tools.counters):
            totals, interrupted = asyncio.run(_collect(settings, subscribed, held, tools, life))
    typer.echo(str(totals))
    if interrupted:
        raise KeyboardInterrupt


def life_of(lifetime: str | None, overlap: str | None) -> int | None:
    """Return after how many seconds a collector ends by itself, None for never.

    Raises:
        UsageError: a length can't be read, or an overlap has no lifetime beside it.
    """
    if overlap and not lifetime:
        raise UsageError("--overlap wants a --lifetime beside it")
    if not lifetime:
        return None
    beyond = seconds_of(overlap, "--overlap") if overlap else 0
    return seconds_of(lifetime, "--lifetime") + beyond


def _placed(
    sets: Sequence[str] | None, region: str | None, metrics_port: int | None, sink: str | None
) -> Sequence[str]:
    """Return the settings that options stand for, after those that are set by name."""
    placed = [*(sets or ())]
    if region:
        placed.append(f"lake.region={region}")
    if metrics_port is not None:
        placed.append(f"live.metrics_port={metrics_port}")
    if sink:
        placed.append(f"live.sink={sink}")
    return placed


@contextmanager
def _observable(lake: Lake, settings: Settings, counters: Counters) -> Iterator[None]:
    """Let others see how the collector fares: in the lake, and where it is wanted over HTTP."""
    from extract.live.state_writer import StateWriter  # noqa: PLC0415 - as below

    live = settings.live
    writer = StateWriter(
        lake.store,
        lake.clock,
        counters,
        region=settings.lake.region,
        run_id=lake.run_id,
        every_seconds=live.status_seconds,
    )
    if not live.metrics_port:
        with writer:
            yield
        return
    # a collector that nobody scrapes needs no library for it
    from extract.live.metrics import served  # noqa: PLC0415

    with served(counters, lake.clock, live.metrics_host, live.metrics_port), writer:
        yield


def _names(streams: str | None, exchange: str | None) -> tuple[str, ...]:
    names = names_in(streams)
    if names and not exchange:
        raise UsageError("--streams needs --exchange beside it: each has names of its own")
    return names


def _vendor(name: str) -> str:
    from extract.live.venues import known_vendor  # noqa: PLC0415 - as below

    return known_vendor(name)


def _subscribed(
    lake: Lake,
    settings: Settings,
    client: Client,
    segment: Segment,
    wanted: Sequence[str],
    *,
    vendor: str,
) -> Subscribed | None:
    """Return what is wanted of a segment; its instruments land on the way."""
    # aiohttp only where something is collected
    from extract.live.venues import subscribed  # noqa: PLC0415

    _require_streams(settings, segment)
    snapshot = look(client, settings, segment.exchange, segment.kind)
    chosen = Chosen(segment, snapshot, matching(segment.instruments, snapshot.listings))
    land_snapshot(lake, settings, client, chosen)
    if not chosen.instruments:
        log.warning("%s %s: no instrument is wanted", segment.exchange, segment.kind)
        return None
    bodies = [answer.body for answer in snapshot.answers]
    return subscribed(
        settings,
        segment.exchange,
        segment.kind,
        chosen.instruments,
        wanted,
        discovered=bodies,
        vendor=vendor,
    )


def _require_streams(settings: Settings, segment: Segment) -> None:
    if segment.exchange in settings.exchanges.others:
        raise UsageError(
            f"{segment.exchange} is asked through CCXT, which gives its bars alone, no streams",
            hint="Name --exchange binance or deribit.",
        )


def _held(
    lake: Lake, settings: Settings, subscribed: Sequence[Subscribed]
) -> Mapping[Stream, Held]:
    """Return what bronze holds of the streams, by names alone."""
    from extract.live.resuming import held_of  # noqa: PLC0415 - as above

    streams = [stream for one in subscribed for stream in one.streams]
    back = settings.live.look_back_seconds * 1000
    held = held_of(lake.store, streams, back, to_millis(lake.clock.now()))
    log.info("collecting streams=%d held=%d run=%s", len(streams), len(held), lake.run_id)
    return held


async def _collect(
    settings: Settings,
    subscribed: Sequence[Subscribed],
    held: Mapping[Stream, Held],
    tools: Tools,
    life: int | None,
) -> tuple[Totals, bool]:
    """Collect until the end of life or a signal; return the totals and whether it was ^C."""
    from extract.live.collector import collect  # noqa: PLC0415 - as above

    stop, caught = asyncio.Event(), set[int]()

    def stopped(number: int) -> None:
        caught.add(number)
        stop.set()

    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped, number)
    totals = await collect(settings, subscribed, held, tools, stop=stop, life_seconds=life)
    return totals, signal.SIGINT in caught


def _tools(lake: Lake, settings: Settings, client: Client, sink: Sink) -> Tools:
    from extract.live.collector import Tools  # noqa: PLC0415 - as above
    from extract.live.counters import Counters  # noqa: PLC0415
    from extract.live.filling import Filler  # noqa: PLC0415

    filler = Filler(settings, lake.store, client, run_id=lake.run_id)
    chance = random.Random()  # noqa: S311 - jitter is no secret
    return Tools(sink, filler, lake.clock, Counters(), chance)


def _sink(lake: Lake) -> Sink:
    """Return where batches go, as the settings say.

    Raises:
        UsageError: the client of Kafka is not installed.
        SettingsError: the settings don't say how its brokers are reached.
    """
    live = lake.settings.live
    named: dict[str, Any] = {
        "region": lake.settings.lake.region,
        "run_id": lake.run_id,
        "patience_seconds": live.store_patience_seconds,
    }
    if live.sink == "bronze":
        from extract.live.sink import BronzeSink  # noqa: PLC0415 - as above

        return BronzeSink(lake.store, lake.clock, **named)
    try:
        from extract.live.kafka_sink import KafkaSink  # noqa: PLC0415 - only where it is wanted
    except ImportError as error:
        raise UsageError(
            "the client of Kafka is not installed",
            where=str(error),
            hint="Install the package confluent-kafka, or the group kafka of pyproject.toml.",
        ) from error
    return KafkaSink(lake.settings.kafka, lake.clock, **named)
