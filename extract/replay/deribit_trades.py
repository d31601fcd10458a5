"""Chooses which trades one `get_last_trades…` answer holds, and in which order."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from extract.replay.deribit_tape import DeribitTrade


@dataclass(frozen=True, slots=True)
class Selection:
    """The bounds of one call, all inclusive; `place` is trade_seq, or the id's number by currency.

    Attributes:
        count: trades at most, 1 to 1000.
        sorting: `asc`, `desc` or `default`.
    """

    start_place: int | None
    end_place: int | None
    start_ms: int | None
    end_ms: int
    count: int
    sorting: str

    @property
    def has_start(self) -> bool:
        """Whether a lower bound was sent: then trades come from the earliest on."""
        return self.start_place is not None or self.start_ms is not None

    def admits(self, trade: DeribitTrade, place: int) -> bool:
        """Say whether a trade lies within the bounds."""
        after = self.start_place is None or place >= self.start_place
        before = self.end_place is None or place <= self.end_place
        return after and before and (self.start_ms or 0) <= trade.time <= self.end_ms


def select(
    trades: Sequence[DeribitTrade], selection: Selection, place: Callable[[DeribitTrade], int]
) -> tuple[list[DeribitTrade], bool]:
    """Return one page and whether the bounds hold more trades than it.

    With a start the earliest trades come first, without one the latest do; `sorting` turns both.
    """
    held = [trade for trade in trades if selection.admits(trade, place(trade))]
    newest = selection.sorting == "desc" or not selection.has_start
    page = held[-selection.count :] if newest else held[: selection.count]
    descending = selection.sorting == "desc" or (selection.sorting == "default" and newest)
    return page[::-1] if descending else page, len(held) > len(page)
