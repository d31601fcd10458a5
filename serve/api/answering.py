"""How an answer is sent: in the format asked for, with its tag, small, never twice for nothing."""

from __future__ import annotations

import asyncio
import gzip
import hashlib
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from email.utils import formatdate, parsedate_to_datetime
from typing import Any, NamedTuple

import orjson
from fastapi import Request, Response

from lake.clock import to_millis
from serve.api.errors import ErrorAnswer
from serve.api.formats import MEDIA, WRITERS, Column, Format, Rows, chosen, json_rows
from serve.api.serving import Kept, Serving
from serve.records import Publication

PREFIX = "/api/v1"
#: Where the gate finds how many rows an answer has.
ROWS = "candlelake.rows"
EVERY_FORMAT: tuple[Format, ...] = ("json", "csv", "ndjson", "parquet", "arrow")
#: Below it gzip makes nothing faster; above the second it is done beside the event loop.
WORTH_GZIP = 1400
WORTH_A_THREAD = 64_000
#: Level 1: a tenth of the time of level 6 for a body a tenth larger.
GZIP_LEVEL = 1
_DENSE = ("parquet", "arrow")
#: A publication younger than this may have a twin in the same second: no date tells them apart.
_DATED_AFTER_MILLIS = 2000

Answer = dict[int | str, dict[str, Any]]


class Made(NamedTuple):
    """What a route found: rows, and the fields that stand around them in JSON.

    Attributes:
        head: fields of the JSON answer.
        key: the field that holds the rows; of a single row the row itself.
        columns: of the rows.
        rows: their values.
        next_cursor: where the next page begins, None on the last.
        single: whether the answer is one row.
        rendered: the rows as a JSON array, in place of them, where the database has written it.
        row_count: how many rows are rendered.
    """

    head: Mapping[str, Any]
    key: str
    columns: Sequence[Column]
    rows: Rows
    next_cursor: str | None = None
    single: bool = False
    rendered: bytes | None = None
    row_count: int = 0


Make = Callable[[Publication, Format], Awaitable[Made]]


def serving_of(request: Request) -> Serving:
    """Return what the application of a request serves from."""
    serving: Serving = request.app.state.serving
    return serving


def described(model: type[Any], *, formats: bool = True, errors: Sequence[int] = ()) -> Answer:
    """Return what the description of a route says of its answers."""
    others = EVERY_FORMAT[1:] if formats else ()
    content: dict[str, Any] = {MEDIA[name].partition(";")[0]: {} for name in others}
    refused: Answer = {
        status: {"model": ErrorAnswer, "description": words}
        for status, words in _REFUSALS.items()
        if status in {401, 422, 429, 503, *errors} | ({406} if formats else set())
    }
    return {
        200: {"model": model, "content": content, "description": "The answer"},
        304: {"description": "Unchanged"},
        **refused,
    }


_REFUSALS = {
    401: "An API key is needed",
    404: "Unknown exchange or ticker: near names are told",
    406: "The format is not offered",
    409: "The name exists in several kinds: they are told",
    422: "A parameter can't be used: it is named",
    429: "Asked too often: Retry-After says when again",
    503: "The database can't be asked now: Retry-After says when again",
}


async def answered(
    request: Request,
    format_asked: Format | None,
    make: Make,
    offered: Sequence[Format] = EVERY_FORMAT,
) -> Response:
    """Answer a request: 304 where the caller has it, from what is kept, or by making it.

    Raises:
        RefusedError: 406, the format is not offered; and what `make` raises.
        DatabaseGoneError: the database can't be asked.
    """
    serving = serving_of(request)
    headers = request.headers
    wanted = chosen(headers.get("accept", ""), format_asked, offered)
    publication = await serving.publication()
    tag = tag_of(request, publication, wanted)
    shared = _headers(publication, tag)
    if unchanged(headers, tag, publication):
        return Response(status_code=304, headers=shared)
    zipped = wanted not in _DENSE and "gzip" in headers.get("accept-encoding", "")
    kept = serving.answers.get(f"{tag}{zipped}")
    if kept is None:
        kept = await _kept(request, await make(publication, wanted), wanted, zipped=zipped)
        serving.answers.put(f"{tag}{zipped}", kept)
    request.scope[ROWS] = kept.rows
    return Response(kept.body, headers={**shared, **kept.headers})


async def _kept(request: Request, made: Made, wanted: Format, *, zipped: bool) -> Kept:
    headers = {"content-type": MEDIA[wanted]}
    if made.next_cursor is not None:
        url = request.url.include_query_params(cursor=made.next_cursor)
        headers["x-next-cursor"] = made.next_cursor
        headers["link"] = f'<{url.path}?{url.query}>; rel="next"'
    body = written(made, wanted)
    if zipped and len(body) > WORTH_GZIP:
        headers["content-encoding"] = "gzip"
        body = await squeezed(body)
    return Kept(body, headers, made.row_count or len(made.rows))


def written(made: Made, wanted: Format) -> bytes:
    """Return the body of an answer in a format."""
    if wanted != "json":
        return WRITERS[wanted](made.columns, made.rows)
    rows = json_rows(made.columns, made.rows) if made.rendered is None else made.rendered
    if made.single:
        return orjson.dumps({**made.head, made.key: orjson.Fragment(rows[1:-1])})
    held = {**made.head, made.key: orjson.Fragment(rows), "next_cursor": made.next_cursor}
    return orjson.dumps(held)


async def squeezed(body: bytes) -> bytes:
    """Return a body in gzip; a large one is made beside the event loop."""
    if len(body) > WORTH_A_THREAD:
        return await asyncio.to_thread(gzip.compress, body, GZIP_LEVEL, mtime=0)
    return gzip.compress(body, GZIP_LEVEL, mtime=0)


def tag_of(request: Request, publication: Publication, wanted: str) -> str:
    """Return the entity tag of what a request asks of a publication: weak, as gzip may be on it."""
    scope = request.scope
    asked = b"\0".join((scope["path"].encode(), scope["query_string"], wanted.encode()))
    short = hashlib.blake2b(asked, digest_size=9).hexdigest()
    return f'W/"{publication.number}-{publication.published_at}-{short}"'


def unchanged(headers: Mapping[str, str], tag: str, publication: Publication) -> bool:
    """Tell whether the caller holds the answer already, by its tag, or else by its date."""
    tags = headers.get("if-none-match")
    if tags is not None:
        return tag in (one.strip() for one in tags.split(",")) or tags.strip() == "*"
    since = headers.get("if-modified-since")
    if since is None or not publication.number:
        return False
    try:
        moment = to_millis(parsedate_to_datetime(since))
    except (ValueError, TypeError):
        return False
    return publication.published_at // 1000 * 1000 <= moment


def _headers(publication: Publication, tag: str) -> dict[str, str]:
    headers = {
        "etag": tag,
        "cache-control": "private, no-cache",
        "vary": "accept, accept-encoding, authorization, x-api-key",
    }
    age = time.time_ns() // 1_000_000 - publication.published_at
    if publication.number and age > _DATED_AFTER_MILLIS:
        headers["last-modified"] = formatdate(publication.published_at // 1000, usegmt=True)
    return headers
