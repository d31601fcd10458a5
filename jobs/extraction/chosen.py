"""What a run has chosen of a segment, and which of it an exchange publishes a dataset of."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass

from extract.discovery import Snapshot
from extract.perpetuals import is_of_perpetuals, is_published, publishers
from extract.subject import Subject
from jobs.options import Segment, Selection
from lake.errors import UsageError

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Chosen:
    """A segment, what its exchange has, and the venue's names that are wanted of it."""

    segment: Segment
    snapshot: Snapshot
    instruments: Sequence[str]

    @property
    def named(self) -> list[tuple[str, str, str]]:
        """Exchange, kind and instrument of each."""
        return [(self.segment.exchange, self.segment.kind, name) for name in self.instruments]


def having(chosen: Chosen, dataset: str) -> Sequence[str]:
    """Return the chosen instruments that have a dataset; the others are named in the log."""
    if not is_of_perpetuals(dataset):
        return chosen.instruments
    segment, perpetuals = chosen.segment, set[str]()
    if is_published(segment.exchange, segment.kind, dataset):
        perpetuals = {one.instrument for one in chosen.snapshot.listings if one.is_perpetual}
    passed_over = [name for name in chosen.instruments if name not in perpetuals]
    if passed_over:
        log.warning(
            "%s %s: no %s of %s", segment.exchange, segment.kind, dataset, ", ".join(passed_over)
        )
    return [name for name in chosen.instruments if name in perpetuals]


def require_perpetuals(selection: Selection, subjects: Sequence[Subject]) -> None:
    """Require a perpetual for each dataset of perpetuals that is named.

    Raises:
        UsageError: none of the selection has it; it says who has.
    """
    wanted = {name for name in selection.datasets or () if is_of_perpetuals(name)}
    lacking = sorted(wanted - {subject.dataset for subject in subjects})
    if not lacking:
        return
    dataset = lacking[0]
    asked = "; ".join(
        f"{one.exchange} {one.kind} {', '.join(one.instruments)}" for one in selection.segments
    )
    raise UsageError(
        f"no {dataset} of {asked}",
        hint=f"They are published of perpetuals alone: {publishers(dataset)}.",
    )
