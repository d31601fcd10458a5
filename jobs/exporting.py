"""`candlelake export` and `candlelake list-data`: what the lake holds, as files and as a list."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from fnmatch import fnmatchcase
from functools import partial
from pathlib import Path
from typing import Annotated

import pyarrow as pa
import typer

from jobs.context import Lake, open_lake
from jobs.export_progress import Progress, progress
from jobs.options import End, Env, Exchange, Instruments, Kind, Sets, Start, names_in
from jobs.sql import Format as Printed
from jobs.sql import print_rows
from lake.errors import UsageError
from lake.moment import moment
from serve.files.asked import Asked, Dataset, Series
from serve.files.exporting import Written
from serve.files.exporting import export as write
from serve.files.holdings import Holding, holdings
from serve.files.listing import Listing, listings
from serve.files.placing import layout_of
from serve.files.reading import Rows, rows_of
from serve.files.styles import candlelake, freqtrade, nautilus
from serve.files.styles.form import Form
from serve.files.writing import Format

log = logging.getLogger(__name__)


class Style(StrEnum):
    """Whose columns, names and folders the files have."""

    CANDLELAKE = "candlelake"
    FREQTRADE = "freqtrade"
    NAUTILUS = "nautilus"


#: The rows of a series, in order, in parts that fit in memory.
Parts = Callable[[Series], Iterator[pa.Table]]


@dataclass(frozen=True, slots=True)
class Export:
    """One run of `candlelake export`."""

    rows: Rows
    parts: Parts
    known: dict[Series, Listing]
    style: Style
    format_: Format
    layout: tuple[str, ...]
    out: Path

    def form(self, series: Series) -> Form:
        """Return how the file of a series looks."""
        asked, listing = self.rows.asked, self.known.get(series)
        if self.style is Style.FREQTRADE:
            return freqtrade.form(series, asked, listing, self.format_)
        if self.style is Style.NAUTILUS:
            return nautilus.form(series, asked, listing, self.format_, self.parts(series))
        first = next(self.parts(series))
        return candlelake.form(series, asked, first.schema, self.format_, self.layout)


def export(
    *,
    exchange: Exchange = None,
    kind: Kind = None,
    instruments: Instruments = None,
    dataset: Annotated[Dataset, typer.Option(help="What is exported.")] = Dataset.BARS,
    interval: Annotated[str, typer.Option(help="Of bars: 1m 5m 15m 1h 4h 1d.")] = "1m",
    start: Start = None,
    end: End = None,
    form: Annotated[Format, typer.Option("--format", help="Of the files.")] = Format.CSV,
    style: Annotated[
        Style, typer.Option(help="Whose columns and names the files have.")
    ] = Style.CANDLELAKE,
    filled: Annotated[
        bool, typer.Option("--filled", help="With quiet minutes too; this starts Spark.")
    ] = False,
    as_of: Annotated[
        str | None, typer.Option("--as-of", help="Bars as they were known at this moment.")
    ] = None,
    layout: Annotated[
        str, typer.Option(help="Folders of columns, such as kind=…/instrument=…; else none.")
    ] = "",
    out: Annotated[Path, typer.Option(help="The folder of the files.")] = Path("exported"),
    env: Env = "replay",
    sets: Sets = None,
) -> None:
    """Write candles or trades into files, one an instrument; print the files' names.

    Example: candlelake export --interval 1h --format parquet --out data/files
    """
    _require(not layout or style is Style.CANDLELAKE, f"the layout of {style} is its own")
    _require(not (filled and as_of), "--filled and --as-of don't go together")
    _require(dataset is Dataset.BARS or not (filled or as_of), "--filled and --as-of are of bars")
    lake = open_lake(env, sets or ())
    asked = _asked(lake, dataset, interval, (start, end, as_of))
    rows, known = rows_of(lake.store, asked), dict(listings(lake.store))
    chosen = _chosen(rows.series(), known, exchange, kind, instruments)
    with _parts(lake, rows, filled=filled) as parts:
        run = Export(rows, parts, known, style, form, layout_of(layout), out)
        _run(run, chosen)


def list_data(
    *,
    exchange: Exchange = None,
    kind: Kind = None,
    instruments: Instruments = None,
    show_timerange: Annotated[
        bool, typer.Option("--show-timerange", help="With first, last and number of rows.")
    ] = False,
    form: Annotated[Printed, typer.Option("--format", help="How to print it.")] = Printed.TABLE,
    env: Env = "replay",
    sets: Sets = None,
) -> None:
    """List what gold and silver hold: per instrument, table and interval.

    Example: candlelake list-data --show-timerange
    """
    found = holdings(open_lake(env, sets or ()).store)
    wanted = [one for one in found if _admits(Series(*one[:3]), None, exchange, kind, instruments)]
    columns = Holding._fields if show_timerange else Holding._fields[:5]
    print_rows(columns, [one[: len(columns)] for one in wanted], form, sys.stdout)


def _require(holds: bool, message: str) -> None:  # noqa: FBT001 - a condition
    if not holds:
        raise UsageError(message)


def _asked(
    lake: Lake, dataset: Dataset, interval: str, times: tuple[str | None, str | None, str | None]
) -> Asked:
    """Return what the options ask for; the times are --start, --end and --as-of."""
    options = ("--start", "--end", "--as-of")
    start, end, as_of = (
        moment(text or "", option) for text, option in zip(times, options, strict=True)
    )
    if start is not None and end is not None and end <= start:
        raise UsageError("--end is not after --start")
    if dataset is not Dataset.BARS:
        return Asked(dataset, "", start, end)
    known = lake.settings.gold.bar_intervals
    _require(interval in known, f"--interval is one of {', '.join(known)}, was '{interval}'")
    return Asked(dataset, interval, start, end, as_of)


def _chosen(
    held: Sequence[Series],
    known: dict[Series, Listing],
    exchange: str | None,
    kind: str | None,
    instruments: str | None,
) -> list[Series]:
    """Return the series that the options name, all where they name none."""
    chosen = [one for one in held if _admits(one, known.get(one), exchange, kind, instruments)]
    if not chosen:
        names = ", ".join(map(str, held[:5])) or "nothing"
        raise UsageError(
            "nothing that is held is selected",
            hint=f"Held {'is' if len(held) < 2 else 'are'} {names}{' …' if len(held) > 5 else ''};"
            " candlelake list-data names all.",
        )
    return chosen


def _admits(
    series: Series,
    listing: Listing | None,
    exchange: str | None,
    kind: str | None,
    instruments: str | None,
) -> bool:
    """Tell whether the options want a series, by the venue's name or by CCXT's unified symbol."""
    names = [series.instrument, listing.pair(series.kind) if listing else None]
    wanted = names_in(instruments) or ("*",)
    return (
        exchange in (None, series.exchange)
        and kind in (None, series.kind)
        and any(fnmatchcase(name, one) for name in names if name for one in wanted)
    )


@contextmanager
def _parts(lake: Lake, rows: Rows, *, filled: bool) -> Iterator[Parts]:
    if not filled:
        yield rows.parts
        return
    from jobs.filled_candles import filled_candles  # noqa: PLC0415 - Spark only where it is used

    with filled_candles(lake, rows.asked) as parts:
        yield parts


def _run(run: Export, chosen: Sequence[Series]) -> None:
    with progress(sum(map(run.rows.count, chosen))) as shown:
        written = [_written(run, series, shown) for series in chosen]
    if not any(one.path for one in written):
        raise UsageError(
            "no row that is held lies in the range",
            hint="See candlelake list-data --show-timerange.",
        )


def _written(run: Export, series: Series, shown: Progress) -> Written:
    if not run.rows.count(series):
        log.info("%s: no row in the range", series)
        return Written()
    done = write(run.form(series), run.parts(series), run.out, partial(shown.add, series))
    if done.left_out:
        log.warning("%s: %s rows left out, %s can't hold them", series, done.left_out, run.style)
    if done.incomplete:
        log.warning("%s: %s bars are not proved complete", series, done.incomplete)
    if done.path is not None:
        print(done.path, flush=True)
    return done
