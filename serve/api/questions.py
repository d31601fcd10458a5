"""The parameters of the routes, as pydantic reads them: an unknown one is refused."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal, TypeVar

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    model_validator,
)

from serve.api.errors import invalid
from serve.api.formats import Format
from serve.api.moments import EndTime, Moment, StartTime
from serve.api.serving import Options

Name = Annotated[str, StringConstraints(min_length=1, max_length=100)]
Order = Literal["asc", "desc"]
LARGEST_LIMIT = 1_000_000_000
Limit = Annotated[int, Field(ge=1, le=LARGEST_LIMIT)]
Cursor = Annotated[str, StringConstraints(min_length=1, max_length=40)]


class Question(BaseModel):
    """What every route takes."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    format: Format | None = Field(None, description="In place of `Accept`.")

    @model_validator(mode="before")
    @classmethod
    def _without_empty(cls, values: Any) -> Any:
        """Leave out what a form sends of fields that nobody filled in."""
        if not isinstance(values, dict):
            return values
        return {name: value for name, value in values.items() if value != ""}


class TickerQuestion(Question):
    """One series of an exchange, by its ticker."""

    ticker: Name = Field(description="The venue's name, or an index: btc_usd.")
    kind: Name | None = Field(None, description="Where the name exists in several kinds.")


class HistoryQuestion(TickerQuestion):
    """The whole history of a ticker: in pages, or as one stream."""

    limit: Limit | None = Field(None, description="Rows of a page.")
    cursor: Cursor | None = Field(None, description="`next_cursor` of the page before.")
    order: Order = "asc"
    stream: bool = Field(False, description="All at once, as NDJSON or CSV, row by row.")


class FilterQuestion(HistoryQuestion):
    """The history of a ticker in a range of time; one of the two ends may stay open."""

    start_date: StartTime | None = None
    end_date: EndTime | None = None


class SeriesQuestion(Question):
    """One series."""

    exchange: Name
    instrument: Name = Field(description="The venue's name.")
    kind: Name | None = Field(None, description="Where the name exists in several kinds.")
    uid: Name | None = Field(None, description="Of a name that came back: which listing.")


class RangeQuestion(SeriesQuestion):
    """One series in a range of time, in pages."""

    start: StartTime | None = None
    end: EndTime | None = None
    limit: Limit | None = Field(None, description="Rows of a page.")
    cursor: Cursor | None = Field(None, description="`next_cursor` of the page before.")


class OhlcvQuestion(RangeQuestion):
    """Candles."""

    interval: Literal["1m", "5m", "15m", "1h", "4h", "1d"] = "1m"
    order: Order = "asc"
    as_of: Moment | None = None
    label: Literal["start", "end"] = Field("start", description="Which end of a bar `time` is.")
    filled: bool = Field(False, description="Bars without prints too, as the exchange has them.")
    columns: str | None = Field(
        None, max_length=500, description="Of the bars, parted by commas; time and fields of a bar."
    )


class InstrumentsQuestion(Question):
    """A search among the series."""

    q: str = Field("", max_length=100, description="A part of the name.")
    exchange: Name | None = None
    kind: Name | None = None
    limit: Limit | None = None
    cursor: Cursor | None = None


class ListingsQuestion(Question):
    """What listings were, and when."""

    exchange: Name | None = None
    kind: Name | None = None


class CertificatesQuestion(SeriesQuestion):
    """Certificates whose window touches a range of time."""

    start: StartTime | None = None
    end: EndTime | None = None
    limit: Limit | None = None


class LiveQuestion(BaseModel):
    """What is followed."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    exchange: Name
    instrument: Name
    kind: Name | None = None
    interval: Literal["1m", "5m", "15m", "1h", "4h", "1d"] = "1m"


Asked = TypeVar("Asked", bound=BaseModel)


def asked(request: Request, kind: type[Asked]) -> Asked:
    """Return the parameters of a request; FastAPI's own way takes longer than the whole answer.

    Raises:
        RequestValidationError: one is missing, unknown, or can't be read.
    """
    try:
        return kind.model_validate(dict(request.query_params))
    except ValidationError as error:
        raise RequestValidationError(error.errors(include_url=False)) from error


def parameters(kind: type[BaseModel]) -> dict[str, Any]:
    """Return what the description of a route says of the parameters that it reads so."""
    schema = kind.model_json_schema()
    needed = schema.get("required", ())
    properties: dict[str, Any] = schema["properties"]
    return {"parameters": [_parameter(name, properties[name], needed) for name in properties]}


def _parameter(name: str, schema: dict[str, Any], needed: Sequence[str]) -> dict[str, Any]:
    kept = {key: value for key, value in schema.items() if key not in ("title", "anyOf")}
    known: dict[str, Any] = next(
        (one for one in schema.get("anyOf", ()) if one.get("type") != "null"), {}
    )
    described = {**known, **kept}
    if described.get("default", 0) is None:
        del described["default"]
    words = described.pop("description", "")
    return {
        "name": name,
        "in": "query",
        "required": name in needed,
        "description": words,
        "schema": described,
    }


def rows_of(limit: int | None, options: Options) -> int:
    """Return how many rows a page has.

    Raises:
        RefusedError: 422, more are asked for than are given at once.
    """
    if limit is None:
        return min(options.page_rows, options.most_rows)
    if limit > options.most_rows:
        hint = "Ask in pages, with `cursor`, or for a stream of /api/v1/{exchange}/."
        raise invalid("limit", f"is at most {options.most_rows}, was {limit}", hint=hint)
    return limit


def require_order(start: int | None, end: int | None, names: tuple[str, str]) -> None:
    """Refuse a range that ends before it begins.

    Raises:
        RefusedError: 422, which names both.
    """
    if start is not None and end is not None and end <= start:
        what = f"is not after `{names[0]}`: the range [{start}, {end}) ms holds nothing"
        raise invalid(names[1], what, hint="A bare date as the end is the whole day.")
