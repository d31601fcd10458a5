"""What a bulk run is asked for, in the vocabulary of data teams, turned into a selection."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, cast

from extract.sources import bars_alone, trades_dataset
from jobs.options import OTHER_KINDS, Segment, Selection
from lake.bronze import Dataset
from lake.clock import to_millis
from lake.errors import UsageError
from lake.moment import moment
from lake.settings import Settings
from lake.universes import load_universe

VENDORS = ("ccxt",)
EXCHANGES = ("binance",)
DATA_TYPES = ("ohlcv", "trades")
CONTRACT_TYPES = ("spot", "futures")
FUTURES = ("usdm", "coinm")
OTHER_FUTURES = tuple(kind for kind in OTHER_KINDS if kind != "spot")
DATA_FORMATS = ("parquet", "csv")

DataFormat = Literal["parquet", "csv"]


@dataclass(frozen=True, slots=True)
class Labels:
    """What only describes a run: kept beside it, and never acted upon."""

    download_mode: str = ""
    downloading_entity: str = ""
    action_tag: str = ""


@dataclass(frozen=True, slots=True)
class Wanted:
    """The words of the command line that act, as they were given."""

    vendor: str
    exchange_id: str
    kind: str | None
    contract_type: str | None
    universe: str
    data_type: str
    data_format: str | None
    start_timestamp: str
    end_timestamp: str


@dataclass(frozen=True, slots=True)
class BulkRequest:
    """A bulk run that makes sense.

    Attributes:
        contract_type: `spot` or `futures`, as given or as the kind implies.
        instruments: names or patterns of the universe.
        start: included.
        end: excluded.
        data_format: what is written beside bronze, None for nothing.
    """

    vendor: str
    exchange: str
    kind: str
    contract_type: str
    universe: str
    instruments: tuple[str, ...]
    data_type: str
    data_format: DataFormat | None
    start: datetime
    end: datetime

    @property
    def window(self) -> tuple[int, int]:
        """Start (included) and end (excluded) in ms."""
        return to_millis(self.start), to_millis(self.end)

    def dataset(self, settings: Settings) -> Dataset:
        """Return the dataset of bronze that the data type stands for."""
        if self.data_type == "ohlcv":
            return "klines"
        return trades_dataset(settings, self.exchange, self.kind)

    def selection(self, settings: Settings, instruments: tuple[str, ...]) -> Selection:
        """Return the extraction of these instruments: by REST what neither way has landed."""
        return Selection(
            segments=(Segment(self.exchange, self.kind, instruments),),
            start=self.start,
            end=self.end,
            datasets=(self.dataset(settings),),
            source="rest",
            beside_archive=True,
        )


def understood(wanted: Wanted, others: Collection[str] = ()) -> BulkRequest:
    """Return the run that these words ask for.

    Args:
        wanted: the words.
        others: the exchanges that CCXT asks, which have bars alone.

    Raises:
        UsageError: a word is unknown, two of them contradict each other, or the window is empty.
        SettingsError: the universe is unknown.
    """
    _one_of("--vendor", wanted.vendor, VENDORS)
    _one_of("--exchange-id", wanted.exchange_id, (*EXCHANGES, *others))
    _one_of("--data-type", wanted.data_type, DATA_TYPES)
    if wanted.data_format is not None:
        _one_of("--data-format", wanted.data_format, DATA_FORMATS)
    is_other = wanted.exchange_id in others
    if is_other and wanted.data_type != "ohlcv":
        raise bars_alone(wanted.exchange_id, wanted.data_type)
    futures = OTHER_FUTURES if is_other else FUTURES
    kind = kind_of(wanted.kind, wanted.contract_type, futures)
    start, end = window_of(wanted.start_timestamp, wanted.end_timestamp)
    instruments = load_universe(wanted.universe).instruments(wanted.exchange_id, kind)
    if not instruments:
        raise UsageError(
            f"the universe {wanted.universe} names no {kind} of {wanted.exchange_id}",
            hint="A universe with some is a new version of it.",
        )
    return BulkRequest(
        vendor=wanted.vendor,
        exchange=wanted.exchange_id,
        kind=kind,
        contract_type="spot" if kind == "spot" else "futures",
        universe=wanted.universe,
        instruments=instruments,
        data_type=wanted.data_type,
        data_format=cast("DataFormat | None", wanted.data_format),
        start=start,
        end=end,
    )


def kind_of(kind: str | None, contract_type: str | None, futures: tuple[str, ...] = FUTURES) -> str:
    """Return the venue's segment that the two words name together.

    Raises:
        UsageError: they name none, more than one, or contradict each other.
    """
    kinds = ("spot", *futures)
    if kind is not None:
        _one_of("--kind", kind, kinds)
    if contract_type is not None:
        _one_of("--contract-type", contract_type, CONTRACT_TYPES)
    if contract_type == "futures" and kind is None:
        named = " or ".join(f"--kind {name}" for name in futures)
        raise UsageError(f"--contract-type futures needs {named}")
    if kind is None and contract_type is None:
        raise UsageError(
            "nothing says which contracts are wanted",
            hint=f"Add --contract-type spot, or --kind with {', '.join(kinds)}.",
        )
    found = kind or "spot"
    if contract_type is not None and (contract_type == "spot") != (found == "spot"):
        raise UsageError(
            f"--contract-type {contract_type} and --kind {kind} contradict each other",
            hint=f"spot goes with spot, futures with {' or '.join(futures)}.",
        )
    return found


def window_of(start_timestamp: str, end_timestamp: str) -> tuple[datetime, datetime]:
    """Return the window's start (included) and end (excluded).

    Raises:
        UsageError: a time can't be read, or the end is not after the start.
    """
    start = moment(start_timestamp, "--start-timestamp")
    end = moment(end_timestamp, "--end-timestamp")
    if start is None or end is None:
        raise UsageError("--start-timestamp and --end-timestamp can't be empty")
    if end <= start:
        said = "is" if end == start else "is before"
        raise UsageError(
            f"--end-timestamp {end.isoformat()} {said} --start-timestamp {start.isoformat()}",
            hint="The end is excluded and comes after the start.",
        )
    return start, end


def _one_of(option: str, value: str, known: tuple[str, ...]) -> None:
    if value not in known:
        raise UsageError(f"{option} is {_listed(known)}, was '{value}'")


def _listed(known: tuple[str, ...]) -> str:
    return f"one of {', '.join(known)}" if len(known) > 1 else f"{known[0]} for now"
