"""`candlelake watch`: the market and its collectors, in a terminal, until ^C."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Annotated, cast

import typer
from rich.console import Console, RenderableType
from rich.live import Live

from jobs.context import Lake, open_lake
from jobs.options import Env, Sets, names_in
from jobs.status.pipeline_state import Listing
from jobs.status.report import StreamLine, report
from jobs.watch.candles import MINUTE_MS, Candle, candles
from jobs.watch.newest import NewestPrints
from jobs.watch.screen import frame
from lake.bronze import Dataset

SECONDS = 2.0
#: Away from a terminal there is no width to ask for.
WIDTH = 100
#: Gold takes trades where it can prove them whole, else aggregates.
OF_PRINTS = ("trades", "agg_trades")

Wanted = Annotated[
    str | None, typer.Option("--instruments", help="Names or patterns, parted by commas.")
]


def watch(
    *,
    instruments: Wanted = None,
    minutes: Annotated[int, typer.Option(min=0, max=30, help="Candles before the last.")] = 3,
    once: Annotated[bool, typer.Option("--once", help="Print one frame and end.")] = False,
    env: Env = "replay",
    sets: Sets = None,
) -> None:
    """Show streams (age, rate, lag, holes) and the candles that are forming, until ^C.

    It reads the collectors' status and the newest files of bronze; what has not landed yet
    (live.seconds) is not in a candle. `…` forms, `?` may miss a print.

    Example: candlelake watch --once
    """
    watching = _Watching(open_lake(env, sets or ()), names_in(instruments) or ("*",), minutes)
    console = Console(highlight=False)
    if once:
        # a pipe has no width of its own
        Console(highlight=False, width=None if console.is_terminal else WIDTH).print(
            watching.frame()
        )
        return
    live = Live(watching.frame(), console=console, screen=True, auto_refresh=False)
    try:
        # not entered as a context: an interrupt while it starts would leave its screen behind
        live.start(refresh=True)
        while True:
            watching.lake.clock.sleep(SECONDS)
            live.update(watching.frame(), refresh=True)
    except KeyboardInterrupt:
        return  # the way to leave it
    finally:
        live.stop()


class _Watching:
    """What is watched: a lake, some instruments of it, and so many minutes."""

    def __init__(self, lake: Lake, wanted: Sequence[str], minutes: int) -> None:
        self.lake = lake
        self._wanted = wanted
        self._minutes = minutes
        self._newest = NewestPrints(lake.store)

    def frame(self) -> RenderableType:
        """Return the present frame."""
        lake = self.lake
        found = report(lake.store, lake.settings.status, lake.clock.now())
        streams = [line for line in found.streams if self._admits(line.state.instrument)]
        return frame(found, streams, self._market(streams))

    def _admits(self, instrument: str) -> bool:
        return any(fnmatchcase(instrument, wanted) for wanted in self._wanted)

    def _market(self, streams: Sequence[StreamLine]) -> Mapping[Listing, Sequence[Candle]]:
        """Return the candles of each instrument of which prints are collected."""
        market: dict[Listing, Sequence[Candle]] = {}
        for dataset in OF_PRINTS:
            for listing, newest_ms in _newest_of(streams, dataset).items():
                if listing not in market:
                    market[listing] = self._candles(cast("Dataset", dataset), listing, newest_ms)
        return market

    def _candles(self, dataset: Dataset, listing: Listing, newest_ms: int) -> Sequence[Candle]:
        # one minute more: the print before the first candle proves that it is whole
        since_ms = newest_ms - newest_ms % MINUTE_MS - (self._minutes + 1) * MINUTE_MS
        prints = self._newest.of(dataset, listing, since_ms, newest_ms)
        return candles(prints, newest_ms, self._minutes)


def _newest_of(streams: Sequence[StreamLine], dataset: str) -> Mapping[Listing, int]:
    """Return the exchange's time of the newest print in bronze (ms), of each instrument."""
    newest: dict[Listing, int] = {}
    for line in streams:
        one = line.state
        if one.dataset == dataset and one.instrument and one.newest_ms is not None:
            newest[one.listing] = max(one.newest_ms, newest.get(one.listing, 0))
    return newest
