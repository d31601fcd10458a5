"""What the page of one reconciliation is made of: plain rows, and nothing that has to be asked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

#: A row of `ops.reconciliation` or `ops.reconciliation_differences`, its times aware.
Row = Mapping[str, Any]
#: Shares are whole numbers of this: none of them is rounded up to all.
WHOLE = 100_000


@dataclass(frozen=True, slots=True)
class Link:
    """A place that the page leads to, by an address relative to it, and what lies there."""

    name: str
    address: str
    says: str


@dataclass(frozen=True, slots=True)
class Run:
    """What one run of the same check came to, over all of its certificates.

    Attributes:
        rows: how many rows either side has.
        matched: of them, those that are the same on both sides.
    """

    run_id: str
    checked_at: datetime
    rows: int
    matched: int
    unexplained: int

    @property
    def share(self) -> int:
        """The share that matched, of `WHOLE`, rounded down."""
        return self.matched * WHOLE // self.rows if self.rows else 0


@dataclass(frozen=True, slots=True)
class Report:
    """All that the page shows of one run.

    Attributes:
        check: its name: stream, daily, archive or bars.
        window: what was looked at, [start, end).
        certificates: the run's rows of `ops.reconciliation`.
        differences: some of its rows of `ops.reconciliation_differences`, the open ones first.
        left_out: how many more of these there are.
        runs: earlier runs of the check and this one, the newest last.
        coverage: the heat map as SVG; empty where the ledger says nothing of the instruments.
        coverage_left_out: how many more lines the heat map would have.
        is_stopped: whether the gate stopped the run.
        links: where the raw data lies.
    """

    run_id: str
    check: str
    window: tuple[datetime, datetime]
    certificates: Sequence[Row]
    differences: Sequence[Row] = ()
    left_out: int = 0
    runs: Sequence[Run] = ()
    coverage: str = ""
    coverage_left_out: int = 0
    is_stopped: bool = False
    links: Sequence[Link] = ()


def rows_of(certificate: Row) -> int:
    """Return how many rows either side of a certificate has."""
    return int(certificate["left_rows"] or 0) + int(certificate["only_right"])


def total(certificates: Sequence[Row], name: str) -> int:
    """Return the sum of a count; what an older version did not count is nothing."""
    return sum(int(row[name] or 0) for row in certificates)
