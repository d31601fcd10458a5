"""What a request is refused with: one JSON shape, whatever was wrong."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException

from lake.errors import DatabaseGoneError, ServeError

JSON = "application/json"
#: After so many seconds a caller that was refused for now may ask again.
RETRY_AFTER_SECONDS = 2
#: What is repeated of a caller's own words in a message.
LONGEST_QUOTE = 80
_BY_STATUS = {
    404: ("not_found", "There is no such page", "The routes are listed at /docs."),
    405: ("method_not_allowed", "Only GET and HEAD are answered", "Nothing can be written here."),
}


class ErrorBody(BaseModel):
    """What was wrong, and what to do next."""

    code: str = Field(description="For programs: never changes.")
    message: str = Field(description="For people: what was wrong, and where.")
    hint: str | None = Field(description="What to do next.")


class ErrorAnswer(BaseModel):
    """What every refused request is answered with."""

    error: ErrorBody


class RefusedError(ServeError):
    """A request can't be answered; `status` is HTTP's, `code` is ours and never changes."""

    def __init__(
        self,
        status: int,
        code: str,
        what: str,
        *,
        hint: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        self.status = status
        self.code = code
        self.headers = dict(headers or {})
        super().__init__(what, hint=hint)


def invalid(name: str, what: str, *, hint: str | None = None) -> RefusedError:
    """Return the refusal of a parameter that can't be used."""
    return RefusedError(422, "invalid", f"`{name}` {what}", hint=hint)


def unavailable(code: str, what: str, hint: str) -> RefusedError:
    """Return the refusal of what may be answered soon."""
    headers = {"Retry-After": str(RETRY_AFTER_SECONDS)}
    return RefusedError(503, code, what, hint=hint, headers=headers)


def quoted(text: str) -> str:
    """Return a caller's own words for a message: short, and on one line."""
    shown = "".join(
        letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in text
    )
    return shown if len(shown) <= LONGEST_QUOTE else f"{shown[:LONGEST_QUOTE]}…"


def rendered(error: RefusedError, path: str) -> bytes:
    """Return the JSON of a refusal; below /udf with what the chart library looks for, too."""
    said = {"code": error.code, "message": error.what, "hint": error.hint}
    document: dict[str, Any] = {"error": said}
    if path.startswith("/udf/"):
        document = {"s": "error", "errmsg": str(error), **document}
    return orjson.dumps(document)


def answer(error: RefusedError, path: str) -> Response:
    """Return the response to a refused request."""
    return Response(
        rendered(error, path), status_code=error.status, headers=error.headers, media_type=JSON
    )


def refusal_of(error: ServeError) -> RefusedError:
    """Return what a caller is told of an error of the serving side."""
    if isinstance(error, RefusedError):
        return error
    if isinstance(error, DatabaseGoneError):
        return unavailable("database_gone", error.what, "Ask again in a moment.")
    return unavailable("database_ill", error.what, error.hint or "Ask again in a moment.")


def install(app: FastAPI) -> None:
    """Let every error of the application be answered in the one shape."""
    app.add_exception_handler(ServeError, _serve_error)
    app.add_exception_handler(RequestValidationError, _validation_error)
    app.add_exception_handler(HTTPException, _http_error)
    app.add_exception_handler(Exception, _unforeseen)


def _serve_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, ServeError)  # noqa: S101 - registered for no other
    return answer(refusal_of(error), request.url.path)


def _validation_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)  # noqa: S101 - registered for no other
    first = error.errors()[0]
    name = str(first["loc"][-1])
    hint = "The parameters are listed at /docs."
    if first["type"] == "extra_forbidden":
        refused = invalid(quoted(name), "is no parameter of this route", hint=hint)
    elif first["type"] == "missing":
        refused = invalid(name, "is required", hint=hint)
    else:
        said = str(first["msg"]).removeprefix("Value error, ")
        was = quoted(str(first.get("input")))
        refused = invalid(name, f"can't be read (was '{was}'): {said}", hint=hint)
    return answer(refused, request.url.path)


def _http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101 - registered for no other
    code, message, hint = _BY_STATUS.get(error.status_code, ("refused", str(error.detail), None))
    refused = RefusedError(error.status_code, code, message, hint=hint, headers=error.headers)
    return answer(refused, request.url.path)


def _unforeseen(request: Request, _: Exception) -> Response:
    hint = "It stands in the server's log."
    return answer(RefusedError(500, "fault", "The server has a fault", hint=hint), request.url.path)
