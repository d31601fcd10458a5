"""How long after each minute's end, by the replay exchange's clock, gold was complete."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from bench.soak.plan import LEAD_SECONDS
from jobs.status.pipeline_state import PipelineState
from lake.clock import to_millis

#: When the recorded trades begin, and how long they last.
BEGIN = datetime(2025, 3, 25, 23, 7, tzinfo=UTC)
RECORDED_SECONDS = 185
#: The ends of the minutes that the recording has whole.
MINUTES = tuple(BEGIN + timedelta(minutes=n) for n in range(1, RECORDED_SECONDS // 60 + 1))
GOLD = "gold.ohlcv"


def seconds_late(
    state: PipelineState, clock_began: datetime, speed: Decimal
) -> Mapping[tuple[str, datetime], float]:
    """Return by instrument and minute's end how late the pipeline's last pass has completed it.

    Args:
        state: what the pipeline says at the end of a pass.
        clock_began: when the exchange's clock was started, `LEAD_SECONDS` of ours before `BEGIN`.
        speed: of the exchange's clock.
    """
    found = {}
    for mark in state.marks:
        for minute in MINUTES:
            if mark.table_name == GOLD and to_millis(minute) <= mark.complete_until_ms:
                ours = Decimal((minute - BEGIN).total_seconds()) / speed + LEAD_SECONDS
                ended = clock_began + timedelta(seconds=float(ours))
                found[mark.instrument, minute] = (state.ended - ended).total_seconds()
    return found
