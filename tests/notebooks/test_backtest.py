"""The backtest's notebook, on the first hours of the bundled day; the rule again in Python."""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import deltalake
import nbformat
import pytest
from nbclient.exceptions import CellExecutionError

from tests.notebooks.executed import NOTEBOOKS, Outputs, execute, outputs_of, rows

BACKTEST = NOTEBOOKS / "backtest_without_look_ahead.ipynb"
PNG = b"\x89PNG\r\n\x1a\n"
MINUTE = timedelta(minutes=1)
#: The bar that the notebook makes a revision of.
REVISED = datetime(2024, 1, 1, 1, tzinfo=UTC)
pytestmark = pytest.mark.timeout(1500)


class Bar(NamedTuple):
    start: datetime
    open: Decimal
    close: Decimal


@pytest.fixture(scope="module")
def outputs(bundled_lake: Path) -> Outputs:
    return outputs_of(BACKTEST, bundled_lake)


@pytest.fixture(scope="module")
def bars(bundled_lake: Path) -> list[Bar]:
    """The candles of a minute as they stand; every minute of the window has one."""
    held = deltalake.DeltaTable(bundled_lake / "gold" / "ohlcv").to_pyarrow_table().to_pylist()
    minutes = (row for row in held if row["bar_interval"] == "1m")
    found = sorted(Bar(row["bar_start"], row["open"], row["close"]) for row in minutes)
    assert [bar.start for bar in found] == [
        found[0].start + place * MINUTE for place in range(len(found))
    ]
    return found


def is_long(closes: list[Decimal]) -> bool:
    return sum(closes[-5:]) * 4 > sum(closes[-20:])


def counted(bars: list[Bar], decisions: list[bool]) -> dict[str, str]:
    """What the notebook prints of decisions from the 22nd bar to the last but one."""
    opens = [bar.open for bar in bars[21:]]
    moves = [after - before for before, after in pairwise(opens)]
    earned = sum((move for move, held in zip(moves, decisions, strict=True) if held), Decimal(0))
    return {
        "decisions": str(len(decisions)),
        "long": str(sum(decisions)),
        "earned_usdt": f"{earned:f}".rstrip("0").rstrip("."),
    }


def printed(outputs: Outputs, cell: str, rule: str) -> tuple[dict[str, str], int]:
    """Return what a rule came to, and how many closes it used before they were known."""
    (row,) = [row for row in rows(outputs[cell]) if row.pop("rule") == rule]
    early = int(row.pop("not_known_yet"))
    return row, early


def test_the_bars_of_the_bundled_day_are_back_filled(outputs: Outputs, bars: list[Bar]) -> None:
    (row,) = rows(outputs["known"])

    assert row["bars"] == row["back_filled"] == str(len(bars))
    assert row["first_bar"] == "2024-01-01 00:00:00"
    last = bars[-1].start + MINUTE
    assert row["last_end"] == f"{last:%Y-%m-%d %H:%M:%S}"
    assert row["last_known"] == f"{last:%Y-%m-%d %H:%M:}05"


def test_what_was_known_ends_a_minute_before_a_decision(outputs: Outputs, bars: list[Bar]) -> None:
    closes = [bar.close for bar in bars]
    decisions = [is_long(closes[: at - 1]) for at in range(21, len(bars) - 1)]

    assert printed(outputs, "rules", "known_then") == (counted(bars, decisions), 0)


def test_the_naive_one_uses_two_closes_a_decision_that_nobody_had(
    outputs: Outputs, bars: list[Bar]
) -> None:
    closes = [bar.close for bar in bars]
    decisions = [is_long(closes[: at + 1]) for at in range(21, len(bars) - 1)]

    assert printed(outputs, "rules", "naive") == (counted(bars, decisions), 2 * len(decisions))


def test_a_revised_bar_counts_from_its_revision_on(outputs: Outputs, bars: list[Bar]) -> None:
    """At first the bar closed one percent lower; what it became has left the means by then."""
    closes = [bar.close * Decimal("0.99") if bar.start == REVISED else bar.close for bar in bars]
    decisions = [is_long(closes[: at - 1]) for at in range(21, len(bars) - 1)]

    first, second = rows(outputs["revised"])
    assert (first["known_from"], first["known_until"]) == (
        "2024-01-01 01:01:01",
        "2024-01-01 01:41:00",
    )
    assert (second["known_from"], second["known_until"]) == ("2024-01-01 01:41:00", "None")
    assert printed(outputs, "leak", "known_then") == (counted(bars, decisions), 0)


def test_todays_value_leaks_into_twenty_decisions_before_it_was_known(outputs: Outputs) -> None:
    as_before, _ = printed(outputs, "rules", "known_then")

    assert printed(outputs, "leak", "newest") == (as_before, 20)
    changed = rows(outputs["decisions"])
    assert changed
    assert all(row["long_as_known"] != row["long_by_newest"] for row in changed)
    assert all("01:02:00" <= row["t"][-8:] <= "01:21:00" for row in changed)
    assert {row["not_known_yet"] for row in changed} == {"1"}


def test_the_chart_is_a_picture(outputs: Outputs) -> None:
    picture = base64.b64decode(outputs["chart"])

    assert picture.startswith(PNG)
    assert len(picture) > 10_000


def test_without_a_lake_it_says_what_to_run(tmp_path: Path) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CANDLELAKE_LAKE__ROOT", str(tmp_path / "nothing"))
        notebook = nbformat.read(BACKTEST, as_version=4)
        del notebook.cells[2:]

        with pytest.raises(CellExecutionError, match=r"run ./spark-submit.sh pipeline first"):
            execute(notebook)
