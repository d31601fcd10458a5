"""What a comparison came to, in sentences for somebody who knows no table and no SQL."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from types import MappingProxyType

from jobs.reconciliation.report.facts import WHOLE, Report, Row, rows_of, total
from lake.clock import EPOCH, to_iso
from transform.reconciliation.causes import CAUSES

#: One and many of what a dataset holds.
NOUNS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "trades": ("trade", "trades"),
        "agg_trades": ("aggregate trade", "aggregate trades"),
        "klines": ("bar", "bars"),
        "ohlcv": ("candle", "candles"),
    }
)
#: A side as it follows "the trades", and as it stands alone.
SIDES: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "live": ("that were streamed", "what was streamed"),
        "rest": ("that the exchange answered", "what the exchange answered"),
        "archive": ("in the exchange's archive", "the exchange's archive"),
        "gold": ("of ours", "our candles"),
        "published": ("that the exchange published", "the exchange's own bars"),
        "the most": ("that most publications agree on", "what most publications say"),
    }
)
TITLES: Mapping[str, str] = MappingProxyType(
    {
        "stream": "What was streamed, against what the exchange answers",
        "daily": "A day as it was streamed, against the exchange's answers and its archive",
        "archive": "What the exchange answered, against its archive",
        "bars": "Our candles, against the exchange's own bars",
    }
)
#: The field of a difference of which a whole instrument is what no side has.
UNIVERSE = "universe"
DECIMAL = re.compile(r"-?\d+\.\d+")


def number(count: int) -> str:
    """Return a count with its thousands parted."""
    return f"{count:,}"


def counted(count: int, one: str, many: str) -> str:
    """Return a count and its noun."""
    return f"{number(count)} {one if count == 1 else many}"


def percent(share: int) -> str:
    """Return a share of `WHOLE`, never rounded up: only all of it is 100 %."""
    if share == WHOLE:
        return "100 %"
    return f"{share // 1000}.{share % 1000:03} %"


def moment(at: datetime) -> str:
    """Return a time in UTC to the second."""
    return "the beginning" if at == EPOCH else to_iso(at)[:19].replace("T", " ")


def value(told: str) -> str:
    """Return a value without the zeros that its column's scale adds to a number."""
    return told.rstrip("0").rstrip(".") if DECIMAL.fullmatch(told) else told


def window(of: tuple[datetime, datetime]) -> str:
    """Return a window in words."""
    return f"{moment(of[0])} to {moment(of[1])} UTC"


def noun(row: Row) -> tuple[str, str]:
    """Return one and many of what a row's dataset holds."""
    return NOUNS.get(row["dataset"] or "", ("row", "rows"))


def side(name: str | None, *, follows: bool = False) -> str:
    """Return a side in words; which part of it is meant, as a stream's region, comes behind."""
    known = name or ""
    source, _, part = (known, "", "") if known in SIDES else known.partition(" ")
    if source not in SIDES:
        return f"of {known}" if follows else known
    told = SIDES[source][0 if follows else 1]
    return f"{told} ({part})" if part else told


def cause(name: str) -> str:
    """Return what a cause says; one that a later version knows is told by its name."""
    known = CAUSES.get(name)
    return known.says if known is not None else name.replace("_", " ")


def headline(report: Report) -> str:
    """Return the verdict in one sentence."""
    unexplained = total(report.certificates, "unexplained")
    if not report.certificates:
        return "Nothing was compared: one of the sides holds nothing of this time."
    if unexplained:
        verb = "is" if unexplained == 1 else "are"
        told = f"{counted(unexplained, 'difference', 'differences')} {verb} unexplained"
        opened = [row for row in report.differences if not row["is_explained"]]
        begins = ": " if unexplained == 1 else "; the first: "
        return f"{told}{begins}{_first(opened[0])}" if opened else f"{told}."
    undetermined = total(report.certificates, "undetermined")
    if undetermined:
        places = f"In {counted(undetermined, 'place', 'places')} the exchange said two things"
        if report.is_stopped:
            return f"{places}: too many to be its own slips."
        return (
            f"{places}, and only it could tell which is right; all else is the same or explained."
        )
    if _differences(report.certificates):
        return "The two sides differ, and every difference is explained."
    groups = list(compared(report.certificates))
    return groups[0] if len(groups) == 1 else "Everything that was compared is the same."


def compared(certificates: Sequence[Row]) -> Iterator[str]:
    """Yield a sentence for each dataset and pair of sides."""
    groups: dict[tuple[str, ...], list[Row]] = {}
    for row in certificates:
        key = tuple(row[name] or "" for name in ("dataset", "left_side", "right_side"))
        groups.setdefault(key, []).append(row)
    for rows in groups.values():
        yield _sentence(rows)


def outcome(row: Row) -> str:
    """Return the verdict of one certificate in a word or two."""
    if row["unexplained"]:
        return "unexplained"
    if row["undetermined"]:
        return "undetermined"
    return "explained" if _differences([row]) else "the same"


def _sentence(rows: Sequence[Row]) -> str:
    first, everything = rows[0], sum(map(rows_of, rows))
    one, many = noun(first)
    left, right = side(first["left_side"], follows=True), side(first["right_side"])
    matched = total(rows, "matched")
    if matched == everything and not _differences(rows):
        if everything == 1:
            return f"The one {one} {_singular(left)} is the same as {right}."
        return f"All {counted(everything, one, many)} {left} are the same as {right}."
    causes = sum(count for row in rows for count in row["causes"].values())
    same = f"{number(matched)} of {counted(everything, one, many)} are the same"
    sides = f"in {side(first['left_side'])} and in {right}"
    return f"{same} {sides}; {counted(causes, 'difference was', 'differences were')} found."


def _singular(clause: str) -> str:
    return clause.replace("that were", "that was")


def _differences(rows: Sequence[Row]) -> bool:
    names = ("only_left", "only_right", "different", "undetermined", "unexplained")
    return any(total(rows, name) for name in names) or any(row["causes"] for row in rows)


def _first(row: Row) -> str:
    return f"{difference(row)}, at {moment(row['from_timestamp'])} UTC."


def difference(row: Row) -> str:
    """Return in words what differs, and where."""
    one, many = noun(row)
    if row["field"] == UNIVERSE:
        return f"{row['instrument']}: neither side has {many} of it"
    what = f"{one} {row['first_id']}"
    if row["rows"] != 1:
        what = f"{counted(row['rows'], one, many)} ({row['first_id']} to {row['last_id']})"
    of = f"{what} of {row['instrument']}"
    if row["left_value"] is not None and row["right_value"] is not None:
        left, right = side(row["left_side"]), side(row["right_side"])
        values = f"{value(row['left_value'])} in {left}, {value(row['right_value'])} in {right}"
        return f"{of}, {row['field'].replace('_', ' ')}: {values}"
    if row["left_value"] is None and row["right_value"] is None:
        return f"{of}, {row['field'].replace('_', ' ')}"
    has, lacks = ("left_side", "right_side")
    if row["left_value"] is None:
        has, lacks = lacks, has
    verb = "is" if row["rows"] == 1 else "are"
    return f"{of} {verb} in {side(row[has])} and not in {side(row[lacks])}"
