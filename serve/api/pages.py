"""What a browser is shown: the page's files, and the description of the routes at /docs.

Nothing is fetched from elsewhere at run time: files are read once, at the start, and only what was
read then can be asked for.
"""

from __future__ import annotations

import gzip
import hashlib
import mimetypes
import re
from collections.abc import Iterator, Mapping
from html import escape
from pathlib import Path
from typing import Any, NamedTuple

from fastapi import APIRouter, FastAPI, Request, Response

from serve.api.errors import RefusedError

STATIC = Path(__file__).parents[1] / "page" / "static"
STYLE = Path(__file__).with_name("docs.css")
#: Files of third parties change with their version alone; ours with every release.
_LASTING = "vendor"
_CODE = re.compile(r"`([^`]+)`")
_SQUEEZED = (".html", ".js", ".mjs", ".css", ".svg", ".json", ".txt")


class _File(NamedTuple):
    body: bytes
    squeezed: bytes | None
    headers: Mapping[str, str]


def static_files(folder: Path) -> APIRouter:
    """Return the routes of a folder's files, `index.html` at `/`; none where there is no such."""
    router = APIRouter(include_in_schema=False)
    if not (folder / "index.html").is_file():
        return router
    files = {
        path.relative_to(folder).as_posix(): _read(path, folder)
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }

    @router.get("/{name:path}", response_model=None)
    async def file(request: Request, name: str) -> Response:
        found = files.get(name or "index.html")
        if found is None:
            hint = "The routes are listed at /docs."
            raise RefusedError(404, "not_found", "There is no such page", hint=hint)
        return _sent(request, found)

    return router


def _read(path: Path, folder: Path) -> _File:
    body = path.read_bytes()
    media = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
    if path.suffix in (".js", ".mjs"):
        media = "text/javascript"
    lasting = _LASTING in path.relative_to(folder).parts
    headers = {
        "content-type": f"{media}; charset=utf-8" if media.startswith("text/") else media,
        "cache-control": "public, max-age=86400" if lasting else "no-cache",
        "etag": f'W/"{hashlib.sha256(body).hexdigest()[:24]}"',
        "vary": "accept-encoding",
    }
    squeezed = gzip.compress(body, 9, mtime=0) if path.suffix in _SQUEEZED else None
    return _File(body, squeezed, headers)


def _sent(request: Request, file: _File) -> Response:
    if file.headers["etag"] in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=file.headers)
    if file.squeezed and "gzip" in request.headers.get("accept-encoding", ""):
        headers = {**file.headers, "content-encoding": "gzip"}
        return Response(file.squeezed, headers=headers)
    return Response(file.body, headers=file.headers)


def documentation(app: FastAPI) -> APIRouter:
    """Return the route /docs: each route of the application with a form to try it."""
    router = APIRouter(include_in_schema=False)

    @router.get("/docs", response_model=None)
    async def docs() -> Response:
        return Response(rendered(app.openapi()), media_type="text/html; charset=utf-8")

    @router.get("/docs.css", response_model=None)
    async def style() -> Response:
        return Response(STYLE.read_bytes(), media_type="text/css; charset=utf-8")

    return router


def rendered(description: Mapping[str, Any]) -> str:
    """Return an OpenAPI description as one page of HTML, without a script."""
    info = description["info"]
    lines = [
        '<!doctype html><html lang="en"><head><meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>{escape(info['title'])}</title>",
        '<link rel="stylesheet" href="/docs.css"></head><body><main>',
        f"<h1>{escape(info['title'])} <small>{escape(info['version'])}</small></h1>",
        f"<p>{escape(info['description'])}</p>",
        '<p>For programs: <a href="/openapi.json">/openapi.json</a> (OpenAPI 3.1).</p>',
    ]
    for path, methods in description["paths"].items():
        lines += _route(path, methods["get"])
    return "\n".join([*lines, "</main></body></html>"])


def _route(path: str, route: Mapping[str, Any]) -> Iterator[str]:
    parameters = route.get("parameters", [])
    # a form can't fill a path: the exchange of the examples stands in it
    action = path.replace("{exchange}", "binance")
    yield f"<section><h2><code>GET {escape(path)}</code></h2>"
    yield f"<p><strong>{escape(route['summary'])}.</strong> {_prose(route['description'])}</p>"
    yield f'<form action="{escape(action)}" method="get" target="_blank">'
    yield from (_field(one) for one in parameters if one["in"] == "query")
    yield "<button>Ask</button></form><ul>"
    for status, told in route["responses"].items():
        yield f"<li><code>{escape(status)}</code> {_prose(told['description'])}</li>"
    yield "</ul></section>"


def _prose(text: str) -> str:
    """Return a text as HTML, what stands between backticks as code."""
    return _CODE.sub(r"<code>\1</code>", escape(text))


def _field(parameter: Mapping[str, Any]) -> str:
    name = escape(parameter["name"])
    schema = parameter["schema"]
    known = schema.get("anyOf", [schema])
    said = parameter.get("description") or next(
        (one["description"] for one in known if "description" in one), ""
    )
    choices = next((one["enum"] for one in known if "enum" in one), None)
    if known[0].get("type") == "boolean":
        choices = ["false", "true"]
    needed = " required" if parameter.get("required") else ""
    words = _prose(f"Required. {said}" if needed else said)
    if choices:
        options = "".join(f"<option>{escape(str(one))}</option>" for one in ["", *choices])
        control = f'<select name="{name}"{needed}>{options}</select>'
    else:
        control = f'<input name="{name}"{needed}>'
    return f"<label><code>{name}</code> {control} <span>{words}</span></label>"
