"""The pages of the Data Docs, so that they can be read without a network and call nobody.

Great Expectations' own pages take their layout, their icons and the whole list of results from
scripts and style sheets of other hosts, and have no setting for that: without a network its index
is empty and a failure looks like a success. So scripts and foreign addresses are taken out, one
style sheet is put in, and the index is ours.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from html import escape
from pathlib import Path
from urllib.parse import quote

STYLE = """
:root { color-scheme: light dark; --line: #8885; --good: #15803d; --bad: #dc2626; }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 72rem; margin: 0 auto; padding: 1rem 2rem }
h1 { font-size: 1.5rem }
table { border-collapse: collapse; width: 100%; margin: .25rem 0 1rem }
th, td { border-bottom: 1px solid var(--line); padding: .3rem .75rem .3rem 0; text-align: left;
  vertical-align: top }
td.number { text-align: right; font-variant-numeric: tabular-nums }
.passed, i.text-success { color: var(--good) } .failed, i.text-danger { color: var(--bad) }
i { font-style: normal; font-weight: bold }
i.text-success::before { content: "passed" } i.text-danger::before { content: "failed" }
i.text-warning::before { content: "warning" }
.alert h5, .ge-section h5, .ge-section h6 { margin: 1rem 0 .25rem }
.ge-section th:first-child, .ge-section td:first-child { width: 6rem }
#section-1 td:first-child { width: 18rem }
.navbar { height: auto !important; position: static } .navbar img, footer, .ge-walkthrough-modal,
.sticky .card, .page-action-card, .modal, .collapse, [data-toggle="collapse"] { display: none }
ol.breadcrumb { list-style: none; padding: 0 }
"""
#: What calls another host, or does nothing without one that was called.
_SCRIPT = re.compile(r"<script\b.*?</script>", re.DOTALL | re.IGNORECASE)
_FOREIGN = re.compile(r"<(?:link|img)\b[^>]*\b(?:href|src)\s*=\s*\"https?:[^>]*>", re.IGNORECASE)
_HEAD = re.compile(r"</head>", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Entry:
    """A line of the index: one batch and attempt.

    Attributes:
        checked_at: when, as text in UTC.
        failed: the expectations that were not met.
        page: its own page, relative to the index.
    """

    checked_at: str
    table: str
    batch: str
    rows: int
    rejected_rows: int
    failed: tuple[str, ...]
    page: Path


def stand_alone(site: Path) -> None:
    """Make every page of the site readable without a network."""
    for path in site.rglob("*.html"):
        page = _FOREIGN.sub("", _SCRIPT.sub("", path.read_text(encoding="utf-8")))
        styled = _HEAD.sub(lambda _: f"<style>{STYLE}</style></head>", page, count=1)
        path.write_text(styled, encoding="utf-8")


def index(entries: Iterable[Entry]) -> str:
    """Return the index page: a line a batch and attempt, in the order given."""
    lines = "\n".join(_line(entry) for entry in entries)
    return f"""<!DOCTYPE html>
<html lang="en">
<head><meta charset="utf-8"><title>Data Docs of Candlelake</title><style>{STYLE}</style></head>
<body>
<h1>What the gates found</h1>
<p>A line a batch and attempt, the newest first. The same rows are in the table
<code>ops.gate_results</code>.</p>
<table>
<thead><tr><th>verdict</th><th>checked</th><th>table</th><th>batch</th><th>rows</th>
<th>rejected</th><th>expectations not met</th></tr></thead>
<tbody>
{lines}
</tbody>
</table>
</body>
</html>
"""


def _line(entry: Entry) -> str:
    verdict = "failed" if entry.failed else "passed"
    link = f'<a href="{quote(entry.page.as_posix())}">{escape(entry.table)}</a>'
    return (
        f'<tr><td class="{verdict}">{verdict}</td><td>{escape(entry.checked_at)}</td>'
        f"<td>{link}</td><td>{escape(entry.batch)}</td>"
        f'<td class="number">{entry.rows:,}</td><td class="number">{entry.rejected_rows:,}</td>'
        f"<td>{escape(', '.join(entry.failed))}</td></tr>"
    )
