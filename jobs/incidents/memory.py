"""`ops.incidents`: every revision of every incident, appended and never taken away."""

from __future__ import annotations

import difflib
from collections.abc import Collection
from dataclasses import astuple, dataclass, replace
from datetime import datetime
from typing import Any

from pyspark.sql import DataFrame, Row
from pyspark.sql import functions as F  # noqa: N812

from jobs.context import Context, Lake
from jobs.options import kinds_of
from lake.clock import to_iso
from lake.errors import UsageError
from lake.frames import local_frame
from lake.schemas_of_incidents import CAUSES, CLOSED, OPEN, WITHDRAWN
from lake.settings import Settings
from lake.tables import OPS_INCIDENTS
from transform import incidents


@dataclass(frozen=True, slots=True)
class Incident:
    """One revision of an incident: the columns of `ops.incidents`, in their order."""

    incident_id: str
    revision: int
    exchange: str
    kind: str | None
    instrument: str | None
    cause: str
    started_at: datetime
    ended_at: datetime | None
    title: str
    description: str | None
    link: str | None
    reported_by: str | None
    state: str
    created_at: datetime
    updated_at: datetime


def current(context: Context) -> DataFrame:
    """Return `ops.incidents_current`: the newest revision of each, empty where none was told."""
    return incidents.current(_revisions(context))


def told(context: Context, where: str, *, revisions: bool = False) -> list[Incident]:
    """Return the incidents that stand, or every revision, in the order of their time."""
    standing = current(context).where(F.col("state") != WITHDRAWN)
    rows = _revisions(context) if revisions else standing
    ordered = rows.where(where).orderBy("started_at", "incident_id", "revision")
    return [_incident(row) for row in ordered.collect()]


def begun(lake: Lake, given: dict[str, Any]) -> Incident:
    """Return the first revision of what a person tells, its id still empty; no table is read.

    Args:
        lake: whose settings say which exchanges there are.
        given: the columns that a person gives.

    Raises:
        UsageError: something of it makes no sense.
    """
    now = lake.clock.now()
    lineage: dict[str, Any] = {"revision": 1, "state": OPEN, "created_at": now, "updated_at": now}
    first = Incident(incident_id="", **given, **lineage)
    _require_sense(first, lake.settings)
    return first


def tell(context: Context, first: Incident) -> str:
    """Write the first revision of an incident; return its id."""
    # the day and the exchange only name it: both may be mended later, the id stays
    name = f"{first.started_at:%Y-%m-%d}-{first.exchange}"
    ids = {row["incident_id"] for row in _revisions(context).select("incident_id").collect()}
    return _write(context, replace(first, incident_id=_free(name, ids)))


def revise(context: Context, incident_id: str, given: dict[str, Any]) -> None:
    """Write a new revision of an incident with the columns given; none where nothing changes.

    Raises:
        UsageError: no such incident, one that was withdrawn, or a change that makes no sense.
    """
    if not given:
        raise UsageError("nothing is given that could change", where=incident_id)
    before = _standing(context, incident_id)
    after = replace(before, **given)
    if after == before:
        return
    _require_sense(after, context.settings)
    now = context.clock.now()
    _write(context, replace(after, revision=before.revision + 1, updated_at=now))


def close(context: Context, incident_id: str, ended: datetime | None) -> None:
    """Write the end of an incident that goes on: now where none is given.

    Raises:
        UsageError: no such incident, one that was withdrawn or is over, or an end before its start.
    """
    over = _standing(context, incident_id).ended_at
    if over is not None:
        hint = "candlelake incidents change --end mends when."
        raise UsageError(f"it is over since {to_iso(over)}", where=incident_id, hint=hint)
    revise(context, incident_id, {"ended_at": ended or context.clock.now()})


def _standing(context: Context, incident_id: str) -> Incident:
    held = _revisions(context)
    rows = held.where(F.col("incident_id") == incident_id).collect()
    if not rows:
        ids = [row["incident_id"] for row in held.select("incident_id").collect()]
        hint = f"{_nearest(incident_id, ids)} candlelake incidents list prints them."
        raise UsageError(f"there is no incident '{incident_id}'", hint=hint.strip())
    newest = max(map(_incident, rows), key=lambda one: one.revision)
    if newest.state == WITHDRAWN:
        hint = "Tell it anew with candlelake incidents add."
        raise UsageError("the incident was withdrawn", where=incident_id, hint=hint)
    return newest


def _require_sense(one: Incident, settings: Settings) -> None:
    kinds = kinds_of(settings)
    _require_known("--exchange", one.exchange, tuple(kinds))
    _require_known("--cause", one.cause, CAUSES)
    if one.kind is not None:
        _require_known("--kind", one.kind, kinds[one.exchange])
    elif one.instrument is not None:
        raise UsageError("--instrument needs --kind beside it: kinds share names")
    if not (one.title or "").strip() or not one.title.isprintable():
        raise UsageError("--title is one line that says what happened")
    if one.ended_at is not None and one.ended_at <= one.started_at:
        end, start = to_iso(one.ended_at), to_iso(one.started_at)
        raise UsageError(f"--end {end} is not after --start {start}")


def _require_known(option: str, value: str | None, known: Collection[str]) -> None:
    if value not in known:
        named = f"{option} is one of {', '.join(known)}, was '{value or ''}'"
        raise UsageError(named, hint=_nearest(value or "", known) or None)


def _nearest(name: str, known: Collection[str]) -> str:
    near = difflib.get_close_matches(name, list(known), n=1)
    return f"Did you mean '{near[0]}'?" if near else ""


def _free(name: str, taken: Collection[str]) -> str:
    place, free = 1, name
    while free in taken:
        place += 1
        free = f"{name}-{place}"
    return free


def _write(context: Context, one: Incident) -> str:
    if one.state != WITHDRAWN:
        one = replace(one, state=CLOSED if one.ended_at else OPEN)
    context.tables.ensure(OPS_INCIDENTS)
    frame = local_frame(context.spark, [astuple(one)], OPS_INCIDENTS.schema)
    context.tables.append(frame, OPS_INCIDENTS)
    return one.incident_id


def _revisions(context: Context) -> DataFrame:
    if context.tables.exists(OPS_INCIDENTS):
        return context.tables.read(OPS_INCIDENTS)
    return local_frame(context.spark, [], OPS_INCIDENTS.schema)


def _incident(row: Row) -> Incident:
    # Spark hands out naive datetimes in the machine's zone
    aware: dict[str, Any] = {
        name: value.astimezone() if isinstance(value, datetime) else value
        for name, value in row.asDict().items()
    }
    return Incident(**aware)
