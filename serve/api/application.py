"""Puts the application together: the routes, the errors, the watcher, the gate in front."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from fastapi import FastAPI
from starlette.middleware.cors import CORSMiddleware

from lake.setting_sections import Serve
from serve.api import errors, health, history, listings, live, ohlcv, pages, proofs, trades, udf
from serve.api.gate import Application, Gate, Rules
from serve.api.keys import KeyRing
from serve.api.limits import RateLimit
from serve.api.serving import Options, Serving
from serve.api.watching import Watcher
from serve.repository import Repository

ABOUT = (
    "Candles, index prices and trades that were proved before they were published. Times are UNIX"
    " milliseconds, decimals are exact text. Read only. Every answer of rows comes as JSON, CSV,"
    " NDJSON, Parquet or Arrow, by ?format= or Accept."
)


class Api:
    """The application as servers run it, and its parts for those who describe or test it."""

    def __init__(self, app: FastAPI, entrance: Application, watcher: Watcher) -> None:
        self.app = app
        self.entrance = entrance
        self.watcher = watcher


def build(
    repository: Repository,
    settings: Serve,
    intervals: tuple[str, ...],
    *,
    static: Path = pages.STATIC,
) -> Api:
    """Return the application of a database.

    Args:
        repository: closed by the application when it ends.
        settings: who may ask, how often and for how much.
        intervals: of the bars that are published.
        static: the page's folder.

    Raises:
        SettingsError: the file of API keys can't be used.
    """
    options = Options(intervals, settings.page_rows, settings.most_rows, settings.statement_seconds)
    serving = Serving(repository, options)
    watcher = Watcher(serving)
    app = _described(repository, watcher)
    app.state.serving, app.state.watcher = serving, watcher
    errors.install(app)
    _route(app, static)
    keys = KeyRing.of(Path(settings.keys_file)) if settings.keys_file else None
    limit = RateLimit(settings.requests_per_second, settings.burst)
    entrance: Application = Gate(app, Rules(keys, limit, settings.cors_origins))
    if settings.cors_origins:
        entrance = CORSMiddleware(
            entrance,
            allow_origins=settings.cors_origins,
            allow_methods=["GET", "HEAD"],
            allow_headers=["Authorization", "X-API-Key", "Last-Event-ID"],
            expose_headers=["ETag", "Last-Modified", "Link", "Retry-After", "X-Next-Cursor"],
        )
    return Api(app, entrance, watcher)


def _described(repository: Repository, watcher: Watcher) -> FastAPI:
    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        watcher.start()
        try:
            yield
        finally:
            await watcher.stop()
            await repository.close()

    return FastAPI(
        title="Candlelake",
        version="1",
        description=ABOUT,
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
    )


def _route(app: FastAPI, static: Path) -> None:
    for router in (
        ohlcv.router,
        trades.router,
        listings.router,
        proofs.router,
        health.router,
        live.router,
        udf.router,
        # behind the fixed routes: an exchange may not hide one
        history.router,
    ):
        # as they are: FastAPI's way to include a router asks each of its routes twice
        app.router.routes.extend(router.routes)
    app.add_api_route("/metrics", health.metrics, include_in_schema=False)
    app.include_router(pages.documentation(app))
    app.include_router(pages.static_files(static))
