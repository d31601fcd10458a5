"""The page of a reconciliation, made of plain rows: what it says, and that nothing breaks it."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from jobs.reconciliation.report import words
from jobs.reconciliation.report.facts import WHOLE, Report, Run
from jobs.reconciliation.report.page import page
from jobs.reconciliation.report.trend import FLOORS, trend
from tests.reconciled import CHECKED, broken, certificate, difference, lost, report, run

VOID = {"meta", "br", "rect", "polygon"}


class Structure(HTMLParser):
    """Reads a page strictly: each element closes in its order; text is gathered."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.names: list[str] = []
        self.attributes: list[tuple[str, dict[str, str | None]]] = []
        self.said = ""
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names.append(tag)
        self.attributes.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names.append(tag)
        self.attributes.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.said += data


def headline(**changes: object) -> str:
    return words.headline(report(**changes))


def test_what_is_the_same_is_told_in_one_sentence() -> None:
    one = certificate(left_rows=1, right_rows=1, matched=1)

    assert (
        headline()
        == "All 417 trades that were streamed are the same as what the exchange answered."
    )
    assert headline(certificates=[one]) == (
        "The one trade that was streamed is the same as what the exchange answered."
    )
    bars = certificate(dataset="klines", left_side="live eu", bar_interval="1m")
    assert headline(certificates=[certificate(), bars]) == (
        "Everything that was compared is the same."
    )
    assert list(words.compared([bars])) == [
        "All 417 bars that were streamed (eu) are the same as what the exchange answered."
    ]


def test_what_is_unexplained_is_told_first() -> None:
    assert words.headline(broken()) == (
        "1 difference is unexplained: trade 7 of BTCUSDT, price: 42283.58 in what was streamed,"
        " 42283.59 in what the exchange answered, at 2024-01-01 00:05:00 UTC."
    )
    two = [certificate(unexplained=2, causes={"not_held": 2})]
    missing = lost(cause="not_held", is_explained=False)
    assert headline(certificates=two, differences=[missing]) == (
        "2 differences are unexplained; the first: 12 trades (20 to 31) of BTCUSDT are in what"
        " the exchange answered and not in what was streamed, at 2024-01-01 00:05:00 UTC."
    )


def test_other_verdicts() -> None:
    explained = [certificate(matched=405, left_rows=405, only_right=12, causes={"disconnect": 12})]
    doubtful = [certificate(undetermined=9, causes={"undetermined": 9})]

    assert headline(certificates=[]).startswith("Nothing was compared")
    assert headline(certificates=explained) == (
        "The two sides differ, and every difference is explained."
    )
    assert headline(certificates=doubtful, is_stopped=True) == (
        "In 9 places the exchange said two things: too many to be its own slips."
    )
    assert headline(certificates=doubtful) == (
        "In 9 places the exchange said two things, and only it could tell which is right;"
        " all else is the same or explained."
    )
    (told,) = words.compared(explained)
    assert told == (
        "405 of 417 trades are the same in what was streamed and in what the exchange answered;"
        " 12 differences were found."
    )


@pytest.mark.parametrize(
    ("share", "told"),
    [
        (WHOLE, "100 %"),
        (WHOLE - 1, "99.999 %"),
        (99_500, "99.500 %"),
        (7, "0.007 %"),
        (0, "0.000 %"),
    ],
)
def test_only_all_of_it_is_a_hundred_percent(share: int, told: str) -> None:
    assert words.percent(share) == told
    assert Run("run", CHECKED, 10_000_000, 9_999_999, 0).share == WHOLE - 1


@pytest.mark.parametrize("facts", [report(), broken(), report(certificates=[], runs=[])])
def test_the_page_is_whole_and_needs_nobody(facts: Report) -> None:
    text = page(facts)
    read = Structure(text)

    assert text == page(facts)
    assert not {"script", "img", "link", "iframe", "object", "form"} & set(read.names)
    assert all(not name.startswith("on") for _, found in read.attributes for name in found)
    addresses = [value or "" for _, found in read.attributes for value in [found.get("href")]]
    assert not [one for one in addresses if ":" in one or one.startswith("/")]
    assert not re.search(r"url\(|@import", text)
    assert read.names.count("table") == read.names.count("caption")
    assert all(found.get("scope") for tag, found in read.attributes if tag == "th")
    assert read.names.count("h1") == 1


def test_names_and_values_are_text_whatever_they_hold() -> None:
    text = page(broken())

    assert "<img" not in text
    assert "&lt;img src=x onerror=&quot;alert(1)&quot;&gt;&amp;\\u202e" in text
    assert "\u202e" not in text


def test_all_parts_stand_in_the_page() -> None:
    read = Structure(page(broken()))

    for told in (
        *("Certificate", "Differences", "Causes", "Over time", "Coverage", "Raw data"),
        "the stream lost it, and it was asked for over REST by its id",
        "incident 2024-01-01-x",
        "1,234 differences are not shown here",
        "bronze/trades/binance/spot/live/2024-01-01/0001.ndjson.gz, line 3",
        "3 lines are not drawn",
        "exit code 3",
    ):
        assert told in read.said
    assert read.names.count("svg") == 2


def test_a_cause_of_a_later_version_is_told_by_its_name() -> None:
    facts = report(certificates=[certificate(causes={"moon_phase": 1})])

    assert "moon phase" in Structure(page(facts)).said
    assert words.difference(difference(left_value=None, right_value=None)) == (
        "trade 7 of BTCUSDT, price"
    )


@pytest.mark.parametrize(
    ("matched", "floor"), [(100_000, "99.9 %"), (99_500, "99 %"), (90_000, "90 %"), (5, "0 %")]
)
def test_the_axis_starts_below_every_run_and_says_so(matched: int, floor: str) -> None:
    drawn = trend([run(1), run(2, rows=100_000, matched=matched)])
    told = [shape.text for shape in drawn.shapes if hasattr(shape, "text")]

    assert set(told) & set(FLOORS.values()) == {floor}


def test_more_runs_than_have_room_lose_the_oldest() -> None:
    titles = [getattr(shape, "title", "") for shape in trend([run(n) for n in range(99)]).shapes]

    assert sum(title.endswith("417 rows") for title in titles) < 40
    newest = [title for title in titles if title][-1]
    assert newest.startswith(words.moment(run(98).checked_at))


def test_a_stopped_run_says_that_it_failed() -> None:
    stopped = replace(report(), is_stopped=True)

    assert 'class="verdict stopped"' in page(stopped)
    assert 'class="verdict passed"' in page(report())


def test_an_instrument_of_which_no_side_has_a_word_is_told_as_such() -> None:
    absent = difference(field="universe", left_value=None, right_value=None, cause="not_held")

    assert words.difference(absent) == "BTCUSDT: neither side has trades of it"


def test_sides_that_are_none_of_a_source_keep_their_names() -> None:
    assert words.side("the most") == "what most publications say"
    assert words.side("archive daily") == "the exchange's archive (daily)"
    assert words.side("each publication", follows=True) == "of each publication"
