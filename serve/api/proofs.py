"""`/api/v1/coverage` and `/reconciliation`: what is held, and how it compares with the exchange."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from fastapi import APIRouter, Request, Response

from serve.api.answering import PREFIX, Made, answered, described, serving_of
from serve.api.filling import LENGTHS, MINUTE
from serve.api.formats import Column, Format, Kind
from serve.api.questions import (
    CertificatesQuestion,
    SeriesQuestion,
    asked,
    parameters,
    require_order,
    rows_of,
)
from serve.api.replies import CertificatesReply, CoverageReply
from serve.api.serving import Serving, within
from serve.records import Certificate, Publication, Run, Series, Stretch
from serve.repository import Between

router = APIRouter(prefix=PREFIX, tags=["proofs"])
DAY = LENGTHS["1d"]
_CERTIFICATE_KINDS: dict[str, Kind] = {
    **dict.fromkeys(("window_start", "window_end", "checked_at"), "time"),
    **dict.fromkeys(
        (
            *("run_id", "check_name", "dataset", "bar_interval", "left_side", "right_side"),
            *("left_hash", "right_hash"),
        ),
        "text",
    ),
    "causes": "document",
}
CERTIFICATES = tuple(
    Column(name, _CERTIFICATE_KINDS.get(name, "integer")) for name in Certificate._fields
)
DAYS = (Column("day", "time"), Column("complete_bars", "integer"), Column("expected", "integer"))


@router.get(
    "/coverage",
    summary="What is held of an instrument",
    response_model=None,
    openapi_extra=parameters(SeriesQuestion),
    responses=described(CoverageReply, errors=(404, 409)),
)
async def coverage(request: Request) -> Response:
    """Each UTC day with its complete minutes, with prints or proved quiet, and each known hole.

    JSON has days and holes, every other format the days alone.
    """
    question = asked(request, SeriesQuestion)
    serving = serving_of(request)

    async def make(_: Publication, __: Format) -> Made:
        series = await serving.find(
            question.exchange, question.instrument, kind=question.kind, uid=question.uid
        )
        stretches = await within(serving.repository.stretches(series), serving.options)
        head = {
            "exchange": series.exchange,
            "kind": series.kind,
            "instrument": series.instrument,
            "complete_until": series.complete_until,
            "holes": [_hole(one) for one in stretches if one.entry == "hole"],
        }
        return Made(head, "days", DAYS, await _days(serving, series))

    return await answered(request, question.format, make)


async def _days(serving: Serving, series: Series) -> list[tuple[int, int, int]]:
    if series.first_time is None or series.last_time is None:
        return []
    repository, options = serving.repository, serving.options
    counted = await within(repository.bars_a_day(series.series_id, "1m"), options)
    runs = await within(repository.runs(series.series_id, "1m", None, None), options)
    until = series.told_until(MINUTE)
    quiet = quiet_minutes(runs)
    first = series.first_time // DAY * DAY
    return [
        (
            day,
            counted.get(day, 0) + quiet.get(day, 0),
            (min(until, day + DAY) - max(series.first_time, day)) // MINUTE,
        )
        for day in range(first, until, DAY)
    ]


def quiet_minutes(runs: Sequence[Run]) -> Mapping[int, int]:
    """Return how many minutes of each UTC day are proved quiet, by the day's start in ms."""
    minutes: dict[int, int] = {}
    for run in runs:
        if run.state != "quiet":
            continue
        for day in range(run.from_time // DAY * DAY, run.until_time, DAY):
            inside = min(run.until_time, day + DAY) - max(run.from_time, day)
            minutes[day] = minutes.get(day, 0) + inside // MINUTE
    return minutes


def _hole(stretch: Stretch) -> dict[str, Any]:
    return {
        "dataset": stretch.dataset,
        "first_id": stretch.first_id,
        "last_id": stretch.last_id,
        "from": stretch.proved_from,
        "until": stretch.proved_until,
        "cause": stretch.cause,
        "state": stretch.state,
    }


@router.get(
    "/reconciliation",
    summary="Certificates of an instrument",
    response_model=None,
    openapi_extra=parameters(CertificatesQuestion),
    responses=described(CertificatesReply, errors=(404, 409)),
)
async def reconciliation(request: Request) -> Response:
    """How our bars compare with the exchange's own, check by check, the newest first."""
    question = asked(request, CertificatesQuestion)
    require_order(question.start, question.end, ("start", "end"))
    serving = serving_of(request)
    limit = rows_of(question.limit, serving.options)

    async def make(_: Publication, __: Format) -> Made:
        series = await serving.find(
            question.exchange, question.instrument, kind=question.kind, uid=question.uid
        )
        between = Between(question.start, question.end, limit, newest_first=True)
        asked = serving.repository.certificates(series, between)
        return Made({}, "certificates", CERTIFICATES, await within(asked, serving.options))

    return await answered(request, question.format, make)
