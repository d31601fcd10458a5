"""What a collector has done so far, for Prometheus: /metrics in its text format, over HTTP."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta

from prometheus_client import CollectorRegistry, ProcessCollector, start_http_server
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from extract.live.counters import Counter, Counters
from lake.clock import Clock
from lake.errors import UsageError

PREFIX = "candlelake_live"
LABELS = ("exchange", "kind", "dataset", "instrument")
SECOND = timedelta(seconds=1)
Labels = tuple[str, ...]
Count = Callable[[Counter], int]

#: The name of each sum, what it says, and where it is counted; Prometheus adds `_total`.
COUNTS: Sequence[tuple[str, str, Count]] = (
    ("messages", "Frames that came.", lambda one: one.messages),
    ("trades", "Numbered rows in them.", lambda one: one.trades),
    ("bytes", "Their bytes.", lambda one: one.bytes),
    ("odd", "Frames that nobody understands.", lambda one: one.odd),
    ("reconnects", "Connections that were opened again.", lambda one: one.reconnects),
    ("holes_opened", "Holes in the ids that were found.", lambda one: one.holes_opened),
    ("holes_closed", "Holes that were filled over REST.", lambda one: one.holes_closed),
    ("holes_lost", "Holes that are left to repair.", lambda one: one.holes_lost),
)
#: The name of each present value, what it says, and where it stands.
STANDS: Sequence[tuple[str, str, Count]] = (
    ("holes_open", "Holes that are neither filled nor given up.", lambda one: one.holes_open),
    ("refused", "1 where the exchange refuses the stream.", lambda one: int(one.refused)),
)


class LiveCollector(Collector):
    """Reads the counters of a collector each time it is asked.

    Args:
        counters: of the collector.
        clock: the process's clock.
    """

    def __init__(self, counters: Counters, clock: Clock) -> None:
        self._counters = counters
        self._clock = clock

    def collect(self) -> Iterator[Metric]:
        """Yield every metric with a sample a stream, then those of the collector itself."""
        streams = _by_labels(self._counters.snapshot())
        for name, words, count in COUNTS:
            family = CounterMetricFamily(f"{PREFIX}_{name}", words, labels=LABELS)
            for labels, ones in streams:
                family.add_metric(labels, sum(map(count, ones)))
            yield family
        for name, words, count in STANDS:
            gauge = GaugeMetricFamily(f"{PREFIX}_{name}", words, labels=LABELS)
            for labels, ones in streams:
                gauge.add_metric(labels, sum(map(count, ones)))
            yield gauge
        yield _ages(streams, self._clock.now())
        yield _lags(streams)
        files = f"{PREFIX}_files"
        yield CounterMetricFamily(files, "Bronze files that landed.", value=self._counters.files)
        yield GaugeMetricFamily(
            f"{PREFIX}_buffer_bytes",
            "What waits in memory for the store.",
            value=self._counters.buffer_bytes,
        )


@contextmanager
def served(counters: Counters, clock: Clock, host: str, port: int) -> Iterator[None]:
    """Serve /metrics on an address while it is entered, from a thread of its own.

    Raises:
        UsageError: the address is taken, or is none of this machine's.
    """
    registry = CollectorRegistry()
    registry.register(LiveCollector(counters, clock))
    # when the process began, and what it takes of the machine
    ProcessCollector(registry=registry)
    try:
        server, thread = start_http_server(port, addr=host, registry=registry)
    except OSError as error:
        raise UsageError(
            f"no metrics can be served: {error.strerror or error}",
            where=f"{host}:{port}",
            hint="Another --metrics-port or live.metrics_host; 0 is off.",
        ) from None
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


Streams = Sequence[tuple[Labels, Sequence[Counter]]]


def _by_labels(counted: Iterable[Counter]) -> Streams:
    """Return the streams by their labels: an index that two kinds listen to is one series."""
    found = defaultdict[Labels, list[Counter]](list)
    for one in counted:
        stream = one.stream
        found[stream.exchange, stream.kind, stream.dataset, stream.instrument].append(one)
    return list(found.items())


def _ages(streams: Streams, now: datetime) -> Metric:
    words = "How long ago the last frame came; none before the first."
    ages = GaugeMetricFamily(f"{PREFIX}_last_message_age_seconds", words, labels=LABELS)
    for labels, ones in streams:
        if times := [one.last_message for one in ones if one.last_message is not None]:
            ages.add_metric(labels, (now - max(times)) / SECOND)
    return ages


def _lags(streams: Streams) -> Metric:
    words = "From the exchange's time of the newest row to its landing; none before the first."
    lags = GaugeMetricFamily(f"{PREFIX}_lag_seconds", words, labels=LABELS)
    for labels, ones in streams:
        if known := [one.lag_ms for one in ones if one.lag_ms is not None]:
            lags.add_metric(labels, max(known) / 1000)
    return lags
