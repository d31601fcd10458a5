"""What `candlelake coverage` makes of the ledger: figures, days, and a picture with these cells."""

from __future__ import annotations

import io
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from rich.console import Console

from jobs.coverage.command import as_grid, draw, figures
from jobs.coverage.daily_proof import Finding, Stretch, stretches
from jobs.coverage.drawing import to_svg
from jobs.coverage.heat_map import BLUES, ORANGES, YELLOW, heat_map
from jobs.coverage.holdings import Entry, Holding
from jobs.options import segments_of
from lake.errors import UsageError

HOUR = 3_600_000_000
DAY = 24 * HOUR
#: 2024-01-01, in days since the epoch.
NEW_YEAR = 19_723
SVG = "{http://www.w3.org/2000/svg}"


def entry(
    sort: str, ids: tuple[int, int], hours: tuple[int, int], cause: str = "", state: str = "proved"
) -> Entry:
    first, last = (NEW_YEAR * DAY + hour * HOUR for hour in hours)
    return Entry(sort, *ids, first, last, cause, state)


def holding(*entries: Entry, instrument: str = "BTCUSDT") -> Holding:
    return Holding(("binance", "spot", instrument, instrument, "trades"), entries)


EVERY_CAUSE = holding(
    entry("held", (0, 1_000_000_099), (0, 36)),
    entry("hole", (0, 999_999_999), (0, 0), "exchange_hole"),
    entry("hole", (1_000_000_010, 1_000_000_011), (1, 2), "left_out", "open"),
    entry("hole", (1_000_000_010, 1_000_000_009), (1, 1), "off_book"),
    entry("hole", (1_000_000_100, 1_000_000_199), (36, 60), "not_loaded", "open"),
    entry("held", (1_000_000_200, 1_000_000_299), (60, 72)),
    entry("hole", (1_000_000_205, 1_000_000_205), (61, 61), "quarantined", "open"),
    entry("quiet", (1_000_000_300, 1_000_000_299), (72, 96)),
)


def test_the_figures_count_ids_between_holes_and_never_one_by_one() -> None:
    found = figures(EVERY_CAUSE)

    assert (found.first_id, found.last_id) == (1_000_000_000, 1_000_000_299)
    assert found.ids_held == 100 - 2 + 100 - 1
    assert found.share_held == "0.656666"
    assert (str(found.proved_from), str(found.proved_until)) == (
        "2024-01-01 00:00:00+00:00",
        "2024-01-05 00:00:00+00:00",
    )
    assert (found.open_holes, found.open_ids) == (3, 103)
    assert [(one.cause, one.state, one.holes, one.ids) for one in found.holes] == [
        ("exchange_hole", "proved", 1, 1_000_000_000),
        ("left_out", "open", 1, 2),
        ("not_loaded", "open", 1, 100),
        ("off_book", "proved", 1, 0),
        ("quarantined", "open", 1, 1),
    ]


def test_the_table_has_a_line_an_instrument_with_each_cause() -> None:
    out = io.StringIO()

    Console(file=out, width=300).print(as_grid([EVERY_CAUSE]))

    _, line = out.getvalue().splitlines()
    assert line.startswith("binance spot BTCUSDT  trades ")
    assert " 65.6666 %  2024-01-01 00:00:00  2024-01-05 00:00:00  exchange_hole proved" in line
    assert (
        "not_loaded open 1 (100 ids); off_book proved 1 (0 ids); quarantined open 1 (1 id)     3"
        in line
    )


def test_a_day_says_its_share_and_whose_hole_it_has() -> None:
    assert stretches(EVERY_CAUSE) == [
        Stretch(day(1), day(1), 958, Finding.OURS),
        Stretch(day(2), day(3), 500, Finding.OURS),
        Stretch(day(4), day(4), 1000, Finding.WHOLE),
    ]


def day(number: int) -> date:
    return date(2024, 1, number)


def test_equal_days_are_one_stretch_and_silence_parts_them() -> None:
    own = entry("hole", (50, 60), (130, 131), "exchange_hole")

    found = stretches(
        holding(entry("held", (1, 99), (0, 49)), entry("held", (50, 200), (120, 144)), own)
    )

    assert found == [
        Stretch(day(1), day(2), 1000, Finding.WHOLE),
        Stretch(day(3), day(3), 41, Finding.WHOLE),
        Stretch(day(6), day(6), 1000, Finding.EXCHANGE),
    ]


def test_a_moment_of_proof_is_seen_and_never_a_whole_day() -> None:
    (moment,) = stretches(holding(Entry("held", 1, 2, NEW_YEAR * DAY, NEW_YEAR * DAY + 1, "", "")))
    (nearly,) = stretches(
        holding(Entry("held", 1, 2, NEW_YEAR * DAY, NEW_YEAR * DAY + DAY - 1, "", ""))
    )

    assert (moment.per_mille, nearly.per_mille) == (1, 999)


def cells(root: ET.Element) -> Sequence[tuple[str | None, ...]]:
    names = ("data-first", "data-last", "data-per-mille", "data-finding", "fill", "y")
    rects = [rect for rect in root.iter(f"{SVG}rect") if rect.get("data-first")]
    return [tuple(rect.get(name) for name in names) for rect in rects]


def test_the_picture_has_a_line_an_instrument_and_its_cells() -> None:
    other = holding(
        entry("held", (1, 99), (0, 48)),
        entry("hole", (5, 6), (30, 31), "exchange_hole"),
        instrument="A<B&C",
    )

    root = ET.fromstring(to_svg(heat_map([EVERY_CAUSE, other])))  # noqa: S314 - of our own making

    found = cells(root)
    assert [cell[:5] for cell in found] == [
        ("2024-01-01", "2024-01-01", "958", "ours", ORANGES[3]),
        ("2024-01-02", "2024-01-03", "500", "ours", ORANGES[1]),
        ("2024-01-04", "2024-01-04", "1000", "whole", BLUES[4]),
        ("2024-01-01", "2024-01-01", "1000", "whole", BLUES[4]),
        ("2024-01-02", "2024-01-02", "1000", "exchange", BLUES[4]),
    ]
    assert len({cell[5] for cell in found}) == 2
    words = [text.text for text in root.iter(f"{SVG}text")]
    assert {"binance spot BTCUSDT trades", "binance spot A<B&C trades"} <= set(words)
    diamonds = [one for one in root.iter(f"{SVG}polygon") if one.get("fill") == YELLOW]
    assert len(diamonds) == 1 + 1, "one of a day, one of the legend"
    titles = [title.text for title in root.iter(f"{SVG}title")]
    assert "binance spot BTCUSDT trades, 2024-01-01: 95.8 % proved, an open hole of ours" in titles


def test_ten_years_of_many_instruments_fit_a_page() -> None:
    many = [
        holding(entry("held", (1, 9), (0, 24 * 3650)), instrument=f"I{number}")
        for number in range(300)
    ]

    page = heat_map(many)

    assert page.width < 5000
    assert len(to_svg(page)) < 500_000


@pytest.mark.parametrize(("name", "magic"), [("a.svg", b"<svg "), ("a.png", b"\x89PNG")])
def test_a_picture_is_drawn_as_its_name_says(tmp_path: Path, name: str, magic: bytes) -> None:
    draw(heat_map([EVERY_CAUSE]), tmp_path / name)

    assert (tmp_path / name).read_bytes().startswith(magic)


def test_a_picture_that_cannot_be_written_is_said_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="can't be written"):
        draw(heat_map([EVERY_CAUSE]), tmp_path / "nowhere" / "a.svg")


def test_the_options_name_what_the_ledger_holds_and_no_universe_narrows_it() -> None:
    everything = segments_of(None, None, None)

    assert ("deribit", "option") in {(one.exchange, one.kind) for one in everything}
    assert all(one.admits("ANY") for one in everything)
    (spot,) = segments_of("binance", "spot", "BTC*,ETHUSDT")
    assert [spot.admits(name) for name in ("BTCUSDT", "ETHUSDT", "ETHBTC")] == [True, True, False]
    with pytest.raises(UsageError, match="--kind is one of"):
        segments_of("deribit", "usdm", None)
