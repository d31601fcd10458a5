"""What a task of a run is of: one instrument's dataset in a window, and where it comes from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol

from lake.bronze import Dataset, Mode
from lake.settings import Settings

Source = Literal["rest", "archive", "auto"]
#: Bars, of an interval; and all that is paged by time: the ids of its files are times in ms.
BARS: frozenset[str] = frozenset({"klines", "mark_klines"})
BY_TIME = BARS | {"funding_rates"}
#: What a file that lands this way is named by; of `auto`, its own files of REST.
MODES: dict[Source, Mode] = {"rest": "history", "archive": "archive", "auto": "history"}


#: Gold merges the mark price's own minutes, whatever interval the bars of trades come in.
MARK_INTERVAL = "1m"


def interval_of(settings: Settings, dataset: str) -> str:
    """Return the interval in which a dataset's bars land; empty of what is no bars."""
    if dataset not in BARS:
        return ""
    return MARK_INTERVAL if dataset == "mark_klines" else settings.extract.bar_interval


class OfInstrument(Protocol):
    """What is of one dataset of one instrument: a subject, a message, what a history wants."""

    @property
    def exchange(self) -> str:
        """The exchange."""

    @property
    def kind(self) -> str:
        """The venue's segment."""

    @property
    def dataset(self) -> Dataset:
        """What its rows are."""

    @property
    def instrument(self) -> str:
        """The venue's name."""


@dataclass(frozen=True, slots=True)
class Subject:
    """One instrument's dataset in a window: what a task will ask for.

    Attributes:
        exchange, kind, instrument, dataset: whose and what.
        start_ms, end_ms: the window.
        source: `rest`, Binance's bulk `archive`, or `auto`: the archive for the days that have
            closed and are published, REST for the rest.
        interval: of bars, else empty.
        starts_open, ends_open: whether nobody named the window's start, or its end.
        beside_archive: whether REST leaves alone what the archive has landed.
    """

    exchange: str
    kind: str
    instrument: str
    dataset: Dataset
    start_ms: int
    end_ms: int
    source: Source = "rest"
    interval: str = ""
    starts_open: bool = False
    ends_open: bool = False
    beside_archive: bool = False


def counted(subject: Subject) -> tuple[Mode, ...]:
    """Return the modes whose files count as held."""
    if subject.source == "auto" or subject.beside_archive:
        return ("archive", "history")
    return (MODES[subject.source],)


def reaches_back(subject: Subject) -> bool:
    """Tell whether REST gives this dataset of any time; trades of futures it gives for days."""
    is_timed = subject.dataset in BY_TIME
    return is_timed or subject.kind == "spot" or subject.exchange != "binance"
