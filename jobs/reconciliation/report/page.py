"""The page of one run: verdict, certificate, differences, causes, trend, coverage, raw data."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from jobs.coverage.drawing import to_svg
from jobs.reconciliation.report import words
from jobs.reconciliation.report.elements import (
    Column,
    Content,
    Html,
    element,
    link,
    listed,
    table,
    visible,
)
from jobs.reconciliation.report.facts import Report, Row
from jobs.reconciliation.report.style import CSS
from jobs.reconciliation.report.trend import trend
from transform.reconciliation.causes import OPEN

#: Nothing is fetched and nothing runs, whatever a name on the page may try.
POLICY = "default-src 'none'; style-src 'unsafe-inline'"
CERTIFICATE = (
    Column("What"),
    Column("Compared"),
    *[
        Column(name, "count")
        for name in (
            *("Left rows", "Right rows", "The same", "Only left", "Only right"),
            *("Fields different", "Undetermined", "Unexplained"),
        )
    ],
    Column("Verdict", "word"),
)
COUNTS = (
    *("left_rows", "right_rows", "matched", "only_left", "only_right"),
    *("different", "undetermined", "unexplained"),
)
DIFFERENCES = (
    Column("What differs"),
    Column("When (UTC)", "word"),
    Column("Why"),
    Column("Evidence"),
)
CAUSES = (
    Column("Cause"),
    Column("What it means"),
    Column("Rows", "count"),
    Column("Answered", "word"),
)
CHECKSUMS = (
    Column("What"),
    Column("Compared"),
    Column("Left"),
    Column("Right"),
    Column("Equal", "word"),
)

#: A candle has other columns than the exchange's bar: its checksum is made of other values.
UNEQUAL = {"ohlcv": "not comparable"}


def page(report: Report) -> str:
    """Return the page as one HTML document: no script, no network, no font of its own."""
    title = words.TITLES.get(report.check, report.check)
    start = words.window(report.window)
    parts = [
        "<!doctype html>",
        '<html lang="en">',
        '<head><meta charset="utf-8">',
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        element("title", f"Reconciliation, {start}"),
        f"<style>{CSS}</style></head>",
        "<body><header>",
        element("h1", title),
        element("p", f"{start} (check “{report.check}”, run {report.run_id})", "quiet"),
        "</header><main>",
        *_verdict(report),
        *_certificate(report.certificates),
        *_differences(report),
        *_causes(report.certificates),
        *_trend(report),
        *_coverage(report),
        *_raw(report),
        "</main>",
        f"<footer>{element('p', EXPLAINED)}</footer>",
        "</body></html>",
        "",
    ]
    return "\n".join(parts)


EXPLAINED = (
    "Left is the side that is checked, right the one that it is held against. Both were read from"
    " the raw answers of the exchange, row by row and field by field. A difference is explained"
    " where its cause is known and proved by what is kept; it is undetermined where only the"
    " exchange could tell which side is right; a run with an unexplained difference ends as failed."
)


def _verdict(report: Report) -> Iterator[str]:
    style = "stopped" if report.is_stopped or not report.certificates else "passed"
    yield f'<section class="verdict {style}" aria-label="Verdict">'
    headline = words.headline(report)
    yield element("p", headline, "headline")
    if report.is_stopped:
        yield element("p", "The run ended as failed (exit code 3): somebody has to look.")
    told = [one for one in words.compared(report.certificates) if one != headline]
    if told:
        yield listed(told)
    yield "</section>"


def _certificate(rows: Sequence[Row]) -> Iterator[str]:
    if not rows:
        return
    yield element("h2", "Certificate")
    yield table("A line for each instrument and pair of sides", CERTIFICATE, map(_certified, rows))
    yield "<details><summary>Checksums of both sides</summary>"
    yield table("Checksums of all that each side says", CHECKSUMS, map(_checked, rows))
    yield "</details>"


def _certified(row: Row) -> Iterator[Content]:
    yield _named(row)
    yield _sides(row)
    yield from ("-" if row[name] is None else words.number(row[name]) for name in COUNTS)
    outcome = words.outcome(row)
    yield Html(element("span", outcome, "open")) if outcome == "unexplained" else outcome


def _checked(row: Row) -> Iterator[Content]:
    yield _named(row)
    yield _sides(row)
    hashes = [row[f"{side}_hash"] or "" for side in ("left", "right")]
    yield from (Html(element("code", one)) if one else "" for one in hashes)
    yield "yes" if hashes[0] == hashes[1] != "" else UNEQUAL.get(row["dataset"], "no")


def _named(row: Row) -> str:
    dataset = words.noun(row)[1]
    parts = (row["exchange"], row["kind"], row["instrument"], dataset, row["bar_interval"])
    return " ".join(part for part in parts if part)


def _sides(row: Row) -> str:
    return f"{words.side(row['left_side'])} / {words.side(row['right_side'])}"


def _differences(report: Report) -> Iterator[str]:
    yield element("h2", "Differences")
    if not report.differences:
        yield element("p", "None.")
        return
    yield table("The unexplained ones first", DIFFERENCES, map(_told, report.differences))
    if report.left_out:
        left_out = words.counted(report.left_out, "difference is", "differences are")
        yield element("p", f"{left_out} not shown here; ops.reconciliation_differences has all.")


def _told(row: Row) -> Iterator[Content]:
    yield words.difference(row)
    yield words.moment(row["from_timestamp"])
    says = words.cause(row["cause"])
    yield says if row["is_explained"] else Html(element("span", says, "open"))
    yield Html("<br>".join(element("span", part) for part in _evidence(row)))


def _evidence(row: Row) -> Iterator[str]:
    if row["incident_id"]:
        yield f"incident {row['incident_id']}"
    if row["evidence"]:
        yield row["evidence"]
    for side in ("left", "right"):
        if row[f"{side}_bronze_file"]:
            yield f"{side}: {row[f'{side}_bronze_file']}, line {row[f'{side}_bronze_line']}"


def _causes(certificates: Sequence[Row]) -> Iterator[str]:
    counts = Counter[str]()
    for row in certificates:
        counts.update(row["causes"])
    if counts:
        yield element("h2", "Causes")
        rows = sorted(counts.items(), key=lambda it: (it[0] not in OPEN, -it[1], it[0]))
        yield table("Why the sides differ, and how often", CAUSES, map(_caused, rows))


def _caused(counted: tuple[str, int]) -> Iterator[Content]:
    name, count = counted
    yield name.replace("_", " ")
    yield words.cause(name)
    yield words.number(count)
    yield Html(element("span", "no", "open")) if name in OPEN else "yes"


def _trend(report: Report) -> Iterator[str]:
    yield element("h2", "Over time")
    if not report.runs:
        yield element("p", "No run of this check has compared a row yet.")
        return
    runs = words.counted(len(report.runs), "run", "runs")
    yield element("p", f"The last {runs} of this check, the newest on the right.")
    yield f'<div class="picture small">{to_svg(trend(report.runs))}</div>'


def _coverage(report: Report) -> Iterator[str]:
    yield element("h2", "Coverage")
    if not report.coverage:
        yield element("p", "The ledger says nothing of these instruments yet.")
        return
    yield element(
        "p", "What is held of these instruments, day by day, whatever the check looked at."
    )
    # it is wider than a telephone: whoever has no mouse scrolls it with the keyboard
    yield '<div class="picture" role="region" aria-label="Heat map of what is held" tabindex="0">'
    yield f"{visible(report.coverage)}</div>"
    if report.coverage_left_out:
        lines = words.counted(report.coverage_left_out, "line is", "lines are")
        yield element("p", f"{lines} not drawn; candlelake coverage draws all.")


def _raw(report: Report) -> Iterator[str]:
    yield element("h2", "Raw data")
    yield (
        listed(
            Html(f"{link(one.address, one.name).text}: {element('span', one.says)}")
            for one in report.links
        )
        if report.links
        else element("p", "None was kept.")
    )
