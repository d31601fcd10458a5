"""The names that the venues give to bar intervals, and how long each is."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from pyspark.sql import Column
from pyspark.sql import functions as F  # noqa: N812

_MINUTES = {
    **{f"{n}m": n for n in (1, 3, 5, 10, 15, 30)},
    **{f"{n}h": 60 * n for n in (1, 2, 3, 4, 6, 8, 12)},
    "1d": 1440,
    "3d": 3 * 1440,
    "1w": 7 * 1440,
}
#: Microseconds of each interval; a month ("1M") has no fixed length.
LENGTHS: Mapping[str, int] = MappingProxyType(
    {"1s": 1_000_000, **{name: minutes * 60_000_000 for name, minutes in _MINUTES.items()}}
)
#: A week begins on a Monday; the epoch was a Thursday.
GRID_OFFSETS: Mapping[str, int] = MappingProxyType({"1w": 4 * LENGTHS["1d"]})
#: Binance's own names are ours; its archive folder of a month is named otherwise.
BINANCE: Mapping[str, str] = MappingProxyType(
    {**{name: name for name in (*LENGTHS, "1M") if name not in {"10m", "3h"}}, "1mo": "1M"}
)
#: Deribit's resolutions are minutes, but a day.
DERIBIT: Mapping[str, str] = MappingProxyType(
    {
        **{str(n): f"{n}m" for n in (1, 3, 5, 10, 15, 30)},
        **{str(60 * n): f"{n}h" for n in (1, 2, 3, 6, 12)},
        "1D": "1d",
    }
)


def named(names: Mapping[str, str], sent: Column) -> Column:
    """Return our name of a venue's interval, null for one that it does not have."""
    return F.try_element_at(_literal_map(names), sent)


def length(interval: Column) -> Column:
    """Return the microseconds of an interval, null for a month."""
    return F.try_element_at(_literal_map(LENGTHS), interval)


def grid_offset(interval: Column) -> Column:
    """Return where the grid of an interval begins, in microseconds after the epoch."""
    return F.coalesce(F.try_element_at(_literal_map(GRID_OFFSETS), interval), F.lit(0))


def _literal_map(entries: Mapping[str, str] | Mapping[str, int]) -> Column:
    return F.create_map(*[F.lit(part) for pair in entries.items() for part in pair])
