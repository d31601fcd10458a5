"""`/api/v1/health` and `/metrics`: how the service fares, to people and to Prometheus."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator

import orjson
from fastapi import APIRouter, Request, Response
from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    generate_latest,
)
from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from lake.errors import ServeError
from serve.api.answering import PREFIX, serving_of
from serve.api.errors import JSON, RETRY_AFTER_SECONDS
from serve.api.replies import HealthReply
from serve.records import Publication, Series

router = APIRouter(prefix=PREFIX, tags=["service"])
#: Where the processes of one service keep their numbers, so that any of them tells all.
SHARED_FOLDER = "PROMETHEUS_MULTIPROC_DIR"
#: Bounds of the latency histogram, in seconds: the promises are 10 and 50 ms.
BOUNDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)

_registry = CollectorRegistry()
_requests = Counter(
    "candlelake_http_requests",
    "Requests, by route and status.",
    ["route", "status"],
    registry=_registry,
)
_seconds = Histogram(
    "candlelake_http_request_seconds",
    "Seconds to the end of an answer, by route.",
    ["route"],
    buckets=BOUNDS,
    registry=_registry,
)
_rows = Counter("candlelake_http_rows", "Rows of answers, by route.", ["route"], registry=_registry)
live_clients = Gauge(
    "candlelake_live_clients",
    "Clients that follow candles.",
    registry=_registry,
    multiprocess_mode="livesum",
)
live_dropped = Counter(
    "candlelake_live_dropped",
    "Live clients that were too slow and were let go.",
    registry=_registry,
)


def observe(route: str, status: int, seconds: float, rows: int) -> None:
    """Count an answer."""
    _requests.labels(route, str(status)).inc()
    _seconds.labels(route).observe(seconds)
    if rows:
        _rows.labels(route).inc(rows)


class _Published(Collector):
    """What is published, as of this scrape."""

    def __init__(self, publication: Publication, series: tuple[Series, ...]) -> None:
        self._publication = publication
        self._series = series

    def collect(self) -> Iterator[Metric]:
        number = GaugeMetricFamily("candlelake_publication", "Number of the newest publication.")
        number.add_metric([], self._publication.number)
        yield number
        now = time.time_ns() // 1_000_000
        since = GaugeMetricFamily(
            "candlelake_publication_age_seconds", "Seconds since the newest publication."
        )
        if self._publication.number:
            since.add_metric([], (now - self._publication.published_at) / 1000)
        yield since
        age = GaugeMetricFamily(
            "candlelake_published_row_age_seconds",
            "Seconds since the start of the newest published row, by type of series.",
            labels=["series_type"],
        )
        for series_type in ("bars", "index"):
            newest = [
                one.last_time
                for one in self._series
                if one.series_type == series_type and one.last_time is not None
            ]
            if newest:
                age.add_metric([series_type], (now - max(newest)) / 1000)
        yield age


async def metrics(request: Request) -> Response:
    """Numbers of this service, of all its processes, in Prometheus' text format."""
    serving = serving_of(request)
    told = CollectorRegistry()
    try:
        catalogue = await serving.catalogue()
        told.register(_Published(await serving.publication(), catalogue.series))
        reachable = 1
    except ServeError:
        reachable = 0
    Gauge("candlelake_database_up", "Whether the database answers.", registry=told).set(reachable)
    counted = _registry
    if SHARED_FOLDER in os.environ:
        counted = CollectorRegistry()
        MultiProcessCollector(counted)  # type: ignore[no-untyped-call]
    return Response(
        generate_latest(counted) + generate_latest(told), media_type=CONTENT_TYPE_LATEST
    )


@router.get(
    "/health",
    summary="How the service fares",
    response_model=None,
    responses={200: {"model": HealthReply}, 503: {"model": HealthReply}},
)
async def health(request: Request) -> Response:
    """Which part is ill, if any; 503 where nothing can be answered. Needs no key."""
    serving = serving_of(request)
    database = {"status": "ok", "detail": "answers"}
    publication: Publication | None = None
    served = 0
    try:
        publication = await serving.publication()
        served = len((await serving.catalogue()).series)
    except ServeError as error:
        database = {"status": "ill", "detail": error.what}
    published = {"status": "ok", "detail": f"{served} series"}
    if publication is not None and not publication.number:
        published = {"status": "ill", "detail": "nothing yet: run ./spark-submit.sh publish"}
    ill = database["status"] == "ill"
    document = {
        "status": "ill" if ill else "ok",
        "publication": publication.number if publication else None,
        "published_at": publication.published_at if publication else None,
        "parts": {"database": database, "publication": published},
    }
    headers = {"cache-control": "no-store"}
    if ill:
        headers["retry-after"] = str(RETRY_AFTER_SECONDS)
    return Response(
        orjson.dumps(document), status_code=503 if ill else 200, headers=headers, media_type=JSON
    )


router.add_api_route(
    "/metrics",
    metrics,
    summary="Numbers for Prometheus",
    response_model=None,
    responses={200: {"content": {"text/plain": {}}}},
)
