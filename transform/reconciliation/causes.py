"""Why two sides differ: every cause by its name, and which of them leave a question open."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

from pyspark.sql import Column
from pyspark.sql import functions as F  # noqa: N812


class Cause(NamedTuple):
    """What a cause says, and whether it answers the question."""

    says: str
    is_explained: bool = True


#: In words, as the report and the documents print them.
CAUSES: Mapping[str, Cause] = MappingProxyType(
    {
        "disconnect": Cause("the stream lost it, and it was asked for over REST by its id"),
        "archive_hole": Cause("the bulk archive covers that time and lacks it"),
        "exchange_hole": Cause("asked for exactly this id, the exchange answered without it"),
        "off_book": Cause("not traded on the book: the exchange's own fund, or a deleveraging"),
        "invalidated_by_the_exchange": Cause("the exchange sent it with a quantity of 0 or no ids"),
        "quarantined": Cause("it came, and a rule turned it away; ops.quarantine has it"),
        "republished": Cause("the archive's file was published anew with other content"),
        "unit": Cause("the same amount or time in another unit"),
        "edge_of_window": Cause("at the window's edge, beyond all that this side holds"),
        "bar_fetched_too_early": Cause("the bar was downloaded before it was final"),
        "aggregate_spans_edge": Cause("a futures aggregate stands for trades of two bars"),
        "not_loaded": Cause("our candle is not complete: the ledger shows what is missing"),
        "off_grid": Cause("the exchange published a bar that opens off the grid"),
        "cut_short": Cause("the exchange published a bar that closes before its end"),
        "published_odd": Cause("the exchange published a bar that contradicts itself"),
        "outvoted": Cause("of several publications of one bar, this one stands alone"),
        "exchange_down": Cause("the exchange was down; see the incident"),
        "maintenance": Cause("the exchange was being maintained; see the incident"),
        "our_outage": Cause("we were down; see the incident"),
        "undetermined": Cause("the exchange said two things; only it could tell which is right"),
        "only_left": Cause("a whole bar that only we have", is_explained=False),
        "only_right": Cause("a whole bar that only the exchange has", is_explained=False),
        "not_held": Cause("this side holds nothing of that time", is_explained=False),
        "unexplained": Cause("nothing that is known explains it", is_explained=False),
    }
)
#: Causes that leave a question open: above zero, the gate stops the run.
OPEN = tuple(name for name, cause in CAUSES.items() if not cause.is_explained)
#: Nobody but the exchange can close it: counted apart.
UNDETERMINED = "undetermined"


def is_explained(cause: Column) -> Column:
    """Return whether a cause answers why two sides differ; never null."""
    return ~F.coalesce(cause.isin(*OPEN), F.lit(True))
