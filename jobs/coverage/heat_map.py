"""The heat map of the ledger: an instrument a line, a day a column, what is proved as a colour."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from jobs.coverage.daily_proof import Finding, Stretch, stretches
from jobs.coverage.drawing import Box, Diamond, Page, Shape, Words
from jobs.coverage.holdings import Holding

#: Blue and orange are told apart with every kind of colour blindness, and each ramp by lightness.
BLUES = ("#c6dbef", "#9ecae1", "#6baed6", "#3182bd", "#08519c")
ORANGES = ("#fdd0a2", "#fdae6b", "#fd8d3c", "#e6550d", "#a63603")
YELLOW = "#f0e442"
GROUND, GRID, QUIET_INK = "#f0f0f0", "#ffffff", "#666666"
#: Where a step of a ramp ends, in thousandths of a day; the last is a whole day.
STEPS = (250, 500, 750, 999, 1000)
STEP_NAMES = ("of a day: to 25 %", "to 50 %", "to 75 %", "less than all", "all of the day")
ROW, MARGIN, HEAD, CHARACTER = 16, 16, 64, 7
WIDEST_MAP, WIDEST_DAY, GRIDDED_DAY = 1100, 28, 5
LEGEND_WIDTH, LEGEND_HEIGHT, SWATCH = 720, 86, 96
#: A label of the axis needs so much room.
LABEL_WIDTH = 70
WORDS = {
    Finding.WHOLE: "no id missing",
    Finding.EXCHANGE: "the exchange's own hole",
    Finding.OURS: "an open hole of ours",
}


@dataclass(frozen=True, slots=True)
class _Frame:
    """Where the cells lie: the first day and how many, a day's width, the left edge."""

    first: date
    days: int
    day_width: int
    left: int

    @property
    def width(self) -> int:
        return self.days * self.day_width

    def x(self, day: date) -> int:
        return self.left + (day - self.first).days * self.day_width


def heat_map(holdings: Sequence[Holding]) -> Page:
    """Return the picture of what is held: blue where proved, orange where ids of ours are missing.

    A yellow diamond marks a hole that is proved to be the exchange's own.
    """
    lines = [(_label(one), stretches(one)) for one in holdings]
    frame = _frame(lines)
    foot = HEAD + len(lines) * ROW
    shapes: list[Shape] = [Words(MARGIN, 26, "What the ledger proves, day by day (UTC)", 16)]
    for place, (label, found) in enumerate(lines):
        shapes += _line(label, found, frame, HEAD + place * ROW)
    shapes += _grid(frame, HEAD, foot)
    for place, (_, found) in enumerate(lines):
        shapes += _diamonds(found, frame, HEAD + place * ROW)
    shapes += _axis(frame)
    shapes += _legend(foot + 22)
    width = max(frame.left + frame.width, LEGEND_WIDTH + MARGIN) + MARGIN
    return Page(width, foot + 22 + LEGEND_HEIGHT, "Heat map of what is held", shapes)


def _label(holding: Holding) -> str:
    exchange, kind, instrument, _, dataset = holding.of
    return f"{exchange} {kind} {instrument} {dataset}"


def _frame(lines: Sequence[tuple[str, Sequence[Stretch]]]) -> _Frame:
    spoken = [one for _, found in lines for one in found]
    first = min((one.first for one in spoken), default=date(1970, 1, 1))
    last = max((one.last for one in spoken), default=first)
    days = (last - first).days + 1
    left = MARGIN + max(len(label) for label, _ in lines) * CHARACTER
    return _Frame(first, days, min(WIDEST_DAY, max(1, WIDEST_MAP // days)), left)


def _line(label: str, found: Sequence[Stretch], frame: _Frame, top: int) -> Iterator[Shape]:
    yield Words(frame.left - 8, top + 12, label, anchor="end")
    yield Box(frame.left, top + 1, frame.width, ROW - 2, GROUND)
    for one in found:
        width = one.days * frame.day_width
        yield Box(
            frame.x(one.first), top + 1, width, ROW - 2, _colour(one), _told(label, one), _data(one)
        )


def _colour(one: Stretch) -> str:
    ramp = ORANGES if one.finding is Finding.OURS else BLUES
    return next(colour for colour, end in zip(ramp, STEPS, strict=True) if one.per_mille <= end)


def _told(label: str, one: Stretch) -> str:
    when = f"{one.first}" if one.days == 1 else f"{one.first} to {one.last}"
    share = f"{one.per_mille // 10}.{one.per_mille % 10} % proved"
    return f"{label}, {when}: {share}, {WORDS[one.finding]}"


def _data(one: Stretch) -> dict[str, str]:
    return {
        "first": one.first.isoformat(),
        "last": one.last.isoformat(),
        "per-mille": str(one.per_mille),
        "finding": one.finding.value,
    }


def _diamonds(found: Sequence[Stretch], frame: _Frame, top: int) -> Iterator[Shape]:
    """Mark each day with a hole of the exchange; where days are narrow, the middle of them."""
    reach = max(2, min(5, frame.day_width // 2 - 1))
    for one in found:
        if one.finding is Finding.EXCHANGE:
            parts = one.days if frame.day_width >= GRIDDED_DAY else 1
            width = one.days * frame.day_width // parts
            for part in range(parts):
                x = frame.x(one.first) + part * width + width // 2
                yield Diamond(x, top + ROW // 2, reach, YELLOW)


def _grid(frame: _Frame, top: int, foot: int) -> Iterator[Shape]:
    """Part the days, where they are wide enough to be parted."""
    if frame.day_width >= GRIDDED_DAY:
        for day in range(1, frame.days):
            yield Box(frame.left + day * frame.day_width, top, 1, foot - top, GRID)


def _axis(frame: _Frame) -> Iterator[Shape]:
    """Name days, months or years, whatever leaves room for the names."""
    free_from = frame.left
    for number in range(frame.days):
        day = frame.first + timedelta(days=number)
        x = frame.x(day)
        if x >= free_from and (number == 0 or _is_named(day, frame)):
            yield Words(x, HEAD - 14, day.isoformat(), 10, fill=QUIET_INK)
            yield Box(x, HEAD - 10, 1, 8, QUIET_INK)
            free_from = x + LABEL_WIDTH


def _is_named(day: date, frame: _Frame) -> bool:
    if frame.day_width * 7 >= LABEL_WIDTH:
        return day.weekday() == 0
    if frame.day_width * 30 >= LABEL_WIDTH:
        return day.day == 1
    if frame.day_width * 90 >= LABEL_WIDTH:
        return day.day == 1 and day.month in (1, 4, 7, 10)
    return day.day == 1 and day.month == 1


def _legend(top: int) -> Iterator[Shape]:
    rows = ((BLUES, "proved, no id missing"), (ORANGES, "ids are missing: an open hole of ours"))
    for place, name in enumerate(STEP_NAMES):
        yield Words(MARGIN + place * SWATCH, top, name, 10, fill=QUIET_INK)
    for line, (ramp, name) in enumerate(rows):
        y = top + 6 + line * 18
        for place, colour in enumerate(ramp):
            yield Box(MARGIN + place * SWATCH, y, SWATCH - 2, 14, colour)
        yield Words(MARGIN + len(ramp) * SWATCH + 6, y + 11, name)
    yield Diamond(MARGIN + 6, top + 53, 5, YELLOW)
    yield Words(MARGIN + 18, top + 57, "a hole proved to be the exchange's own")
    yield Box(MARGIN + 3 * SWATCH, top + 46, 14, 14, GROUND)
    yield Words(MARGIN + 3 * SWATCH + 20, top + 57, "the ledger says nothing")
