"""The options that every job shares: which environment, which part of the market, which window."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from fnmatch import fnmatchcase
from typing import Annotated

import typer

from extract.replay.stock import what_is_held
from extract.sources import bars_alone, trades_dataset
from lake.errors import UsageError
from lake.moment import moment
from lake.settings import Settings

Env = Annotated[str, typer.Option("--env", envvar="CANDLELAKE_ENV", help="replay, local or aws.")]
Sets = Annotated[list[str] | None, typer.Option("--set", help="A setting: path=value, repeatable.")]
Exchange = Annotated[
    str | None, typer.Option(help="binance, deribit, or one of conf/'s; all by default.")
]
Kind = Annotated[str | None, typer.Option(help="The venue's segment: spot, usdm, coinm, future …")]
Instruments = Annotated[str | None, typer.Option(help="Names or patterns, parted by commas.")]
Start = Annotated[str | None, typer.Option("--start", "-s", help="ISO 8601 or UNIX ms; included.")]
End = Annotated[str | None, typer.Option("--end", "-e", help="ISO 8601 or UNIX ms; excluded.")]
Datasets = Annotated[
    str | None,
    typer.Option(
        help="instruments, trades, agg_trades, klines, and of perpetuals funding_rates and"
        " mark_klines, which land only where they are named; parted by commas."
    ),
]
Source = Annotated[
    str,
    typer.Option(
        help="rest; archive: Binance's bulk files of closed days; auto: the archive for the days"
        " that are published, REST for the rest. Bars come by REST unless --datasets names klines."
    ),
]
Yes = Annotated[bool, typer.Option("--yes", help="Run without asking, however much it is.")]

SOURCES = ("rest", "archive", "auto")
DATASETS = ("instruments", "trades", "agg_trades", "klines", "funding_rates", "mark_klines")
#: What has no history to load: it is polled, and comes to silver as it lands.
POLLED = ("index_prices",)
KINDS = {
    "binance": ("spot", "usdm", "coinm"),
    "deribit": ("future", "option", "spot", "future_combo", "option_combo", "index"),
}
#: CCXT's own names of market types, of an exchange that it asks.
OTHER_KINDS = ("spot", "swap", "future")


@dataclass(frozen=True, slots=True)
class Segment:
    """One kind of one exchange, and the instruments of it that are wanted (names or patterns)."""

    exchange: str
    kind: str
    instruments: tuple[str, ...]

    def admits(self, instrument: str) -> bool:
        """Tell whether the venue's name is wanted."""
        return any(fnmatchcase(instrument, wanted) for wanted in self.instruments)


@dataclass(frozen=True, slots=True)
class Selection:
    """What a run extracts, reconciles and prints.

    Attributes:
        start: included; None means since the listing.
        end: excluded; None means until now.
        datasets: None means what the environment takes by default.
        source: where trades come from, and bars that `datasets` names: `rest`, `archive`, `auto`.
        beside_archive: whether REST leaves alone what the archive has landed.
    """

    segments: tuple[Segment, ...]
    start: datetime | None
    end: datetime | None
    datasets: tuple[str, ...] | None
    source: str
    beside_archive: bool = False

    def source_of(self, dataset: str) -> str:
        """Return where a dataset comes from.

        Bars that nobody named come by REST: the certificate compares with them.
        """
        unnamed = dataset == "klines" and not self.datasets
        return "rest" if unnamed else self.source


def select(
    settings: Settings,
    *,
    exchange: str | None = None,
    kind: str | None = None,
    instruments: str | None = None,
    start: str | None = None,
    end: str | None = None,
    datasets: str | None = None,
    source: str = "rest",
) -> Selection:
    """Turn the options into a selection; what is left out is what the universe names.

    Raises:
        UsageError: an unknown exchange, kind or dataset, a bad time, or an end before its start.
    """
    first = moment(start or settings.window.start, "--start")
    last = moment(end or settings.window.end, "--end")
    if first is not None and last is not None and last <= first:
        raise UsageError(f"--end {last.isoformat()} is not after --start {first.isoformat()}")
    if source not in SOURCES:
        raise UsageError(f"--source is {', '.join(SOURCES)}, was '{source}'")
    segments = tuple(_segments(settings, exchange, kind, names_in(instruments)))
    if not segments:
        raise _nothing_selected(settings, exchange, kind)
    wanted = _datasets(datasets)
    for segment in segments:
        _require_bars_alone(settings, segment, wanted, source)
    return Selection(segments, first, last, wanted, source)


def segments_of(
    exchange: str | None, kind: str | None, instruments: str | None
) -> tuple[Segment, ...]:
    """Return the segments that the options name, of all there are: no universe narrows them.

    Raises:
        UsageError: an unknown exchange or kind.
    """
    names = names_in(instruments) or ("*",)
    return tuple(Segment(venue, segment, names) for venue, segment in _kinds(KINDS, exchange, kind))


def only_polled(datasets: str | None) -> bool:
    """Tell whether a run names nothing but what is polled: there is nothing to extract for it."""
    names = names_in(datasets)
    return bool(names) and set(names) <= set(POLLED)


def kinds_of(settings: Settings) -> Mapping[str, Sequence[str]]:
    """Return the kinds of each exchange that the settings know."""
    return {**KINDS, **dict.fromkeys(settings.exchanges.others, OTHER_KINDS)}


def windowed(selection: Selection, start: datetime | None, end: datetime | None) -> Selection:
    """Return the selection with another window."""
    return replace(selection, start=start, end=end)


def default_datasets(settings: Settings, segment: Segment) -> Sequence[str]:
    """Return what a run takes of a segment where --datasets names nothing."""
    if segment.exchange in settings.exchanges.others:
        return ("klines",)
    return (trades_dataset(settings, segment.exchange, segment.kind), "klines")


def _require_bars_alone(
    settings: Settings, segment: Segment, datasets: tuple[str, ...] | None, source: str
) -> None:
    """Refuse what CCXT does not give of an exchange, before anybody is asked."""
    if segment.exchange not in settings.exchanges.others:
        return
    for name in datasets or ():
        if name != "klines":
            raise bars_alone(segment.exchange, name)
    if source == "archive" and datasets:
        raise UsageError(f"{segment.exchange} has no archive", hint="Leave --source out.")


def _nothing_selected(settings: Settings, exchange: str | None, kind: str | None) -> UsageError:
    hint = "Name some with --exchange, --kind and --instruments, or in conf/."
    if settings.env == "replay":
        hint = f"{hint} {what_is_held(exchange, kind)}"
    return UsageError(
        "nothing is selected: the universe of this environment names no such instrument", hint=hint
    )


def _segments(
    settings: Settings, exchange: str | None, kind: str | None, instruments: tuple[str, ...]
) -> list[Segment]:
    chosen = _kinds(kinds_of(settings), exchange, kind)
    if instruments and not (exchange and kind):
        raise UsageError("--instruments needs --exchange and --kind beside it")
    wanted = (
        (venue, segment, instruments or settings.universe.get(venue, {}).get(segment, ()))
        for venue, segment in chosen
    )
    return [Segment(venue, segment, names) for venue, segment, names in wanted if names]


def _kinds(
    kinds: Mapping[str, Sequence[str]], exchange: str | None, kind: str | None
) -> list[tuple[str, str]]:
    """Return the exchanges and kinds that the two options name, all where they name none."""
    _known("--exchange", exchange, tuple(kinds))
    venues = [exchange] if exchange else list(kinds)
    _known("--kind", kind, tuple(dict.fromkeys(name for venue in venues for name in kinds[venue])))
    pairs = ((venue, segment) for venue in venues for segment in kinds[venue])
    return [(venue, segment) for venue, segment in pairs if kind in (None, segment)]


def _known(option: str, value: str | None, known: tuple[str, ...]) -> None:
    if value is not None and value not in known:
        raise UsageError(f"{option} is one of {', '.join(known)}, was '{value}'")


def names_in(text: str | None) -> tuple[str, ...]:
    """Return the names in a text, parted by commas."""
    return tuple(name.strip() for name in (text or "").split(",") if name.strip())


def _datasets(text: str | None) -> tuple[str, ...] | None:
    if text is None:
        return None
    names = names_in(text)
    for name in names:
        if name in POLLED:
            raise UsageError(
                f"no window of {name} can be loaded: the exchange gives the present price alone",
                hint="Poll them with candlelake extract minute; ./spark-submit.sh pipeline"
                f" --datasets {name} brings what has landed to silver.",
            )
        _known("--datasets", name, DATASETS)
    return names
