"""As nautilus_trader's ParquetDataCatalog keeps bars and trade ticks: exact, in fixed point.

A bar's `ts_event` and `ts_init` are its end, when it was known first; a tick's are its own time.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal
from pathlib import PurePosixPath

import pyarrow as pa

from lake.clock import to_micros
from lake.errors import UsageError
from serve.files.asked import Asked, Dataset, Series
from serve.files.exact import FIXED_DECIMALS, as_fixed, decimals_needed
from serve.files.listing import Listing
from serve.files.styles.form import Form, Range, priced
from serve.files.writing import Format, write_parquet
from serve.records import plain

STEPS = {
    "1m": "1-MINUTE",
    "5m": "5-MINUTE",
    "15m": "15-MINUTE",
    "1h": "1-HOUR",
    "4h": "4-HOUR",
    "1d": "1-DAY",
}
FIXED = pa.binary(FIXED_DECIMALS)
TIMES = [pa.field("ts_event", pa.uint64(), nullable=False)]
TIMES += [pa.field("ts_init", pa.uint64(), nullable=False)]
BARS = ("open", "high", "low", "close", "volume")
PRINTS = ("price", "quantity")
#: nautilus_trader's AggressorSide.
SIDES = {"buy": 1, "sell": 2}
NANOSECONDS = 1000


def form(
    series: Series,
    asked: Asked,
    listing: Listing | None,
    format_: Format,
    rows: Iterable[pa.Table],
) -> Form:
    """Return the form of a series in a catalog.

    Args:
        series: whose file it is.
        asked: which rows.
        listing: its tick and lot size give the precision.
        format_: Parquet, as nautilus_trader knows no other.
        rows: all of the rows; they are read through, for a price may have more decimals.

    Raises:
        UsageError: another format is asked for.
    """
    if format_ is not Format.PARQUET:
        raise UsageError(f"nautilus_trader reads parquet, was '{format_}'")
    of_bars = asked.dataset is Dataset.BARS
    identity = instrument_id(series)
    owner = f"{identity}-{STEPS[asked.interval]}-LAST-EXTERNAL" if of_bars else identity
    prices, sizes = _precisions(rows, listing, BARS[:4] if of_bars else PRINTS[:1])
    metadata = {"instrument_id": identity, "price_precision": prices, "size_precision": sizes}
    schema = (_BAR_SCHEMA if of_bars else _TICK_SCHEMA).with_metadata(
        {key: str(value) for key, value in metadata.items()}
        | ({"bar_type": owner} if of_bars else {})
    )
    place_in = PurePosixPath("data", "bar" if of_bars else "trade_tick", owner.replace("/", ""))

    def place(range_: Range) -> PurePosixPath:
        return place_in / f"{'_'.join(map(_stamp, range_))}.parquet"

    def shape(table: pa.Table) -> pa.Table:
        columns = (_bars if of_bars else _ticks)(table, str(series))
        return pa.Table.from_arrays(columns, schema=schema)

    time = "bar_end" if of_bars else "trade_timestamp"
    return Form(place, (time, time), priced, schema, shape, write_parquet)


def instrument_id(series: Series) -> str:
    """Return nautilus_trader's name of an instrument, as its own adapters make it."""
    symbol = series.instrument
    if series.exchange == "binance" and series.kind in ("usdm", "coinm"):
        if symbol.endswith("_PERP"):
            symbol = f"{symbol.removesuffix('_PERP')}-PERP"
        elif not symbol[-1:].isdigit():
            symbol = f"{symbol}-PERP"
    return f"{symbol}.{series.exchange.upper()}"


_BAR_SCHEMA = pa.schema([*(pa.field(name, FIXED, nullable=False) for name in BARS), *TIMES])
_TICK_SCHEMA = pa.schema(
    [
        *(pa.field(name, FIXED, nullable=False) for name in ("price", "size")),
        pa.field("aggressor_side", pa.uint8(), nullable=False),
        pa.field("trade_id", pa.string(), nullable=False),
        *TIMES,
    ]
)


def _precisions(
    rows: Iterable[pa.Table], listing: Listing | None, priced_by: tuple[str, ...]
) -> tuple[int, int]:
    """Return the decimals of prices and of sizes: the listing's, or more where a value has more."""
    prices = _decimals(listing.tick_size if listing else None)
    sizes = _decimals(listing.lot_size if listing else None)
    for table in rows:
        prices = max(prices, *(decimals_needed(table[name]) for name in priced_by))
        sized_by = "volume" if "volume" in table.schema.names else "quantity"
        sizes = max(sizes, decimals_needed(table[sized_by]))
    return prices, sizes


def _decimals(step: Decimal | None) -> int:
    return 0 if step is None else len(plain(step).partition(".")[2])


def _bars(rows: pa.Table, where: str) -> list[pa.ChunkedArray]:
    values = [as_fixed(rows[name], f"{where} {name}") for name in BARS]
    return [*values, *_times(rows["bar_end"])]


def _ticks(rows: pa.Table, where: str) -> list[pa.ChunkedArray]:
    values = [as_fixed(rows[name], f"{where} {name}") for name in PRINTS]
    identity = rows["trade_id" if "trade_id" in rows.schema.names else "agg_id"]
    sides = rows["taker_side"].to_pylist()
    side = pa.chunked_array([pa.array([SIDES[one] for one in sides], pa.uint8())])
    return [*values, side, identity.cast(pa.string()), *_times(rows["trade_timestamp"])]


def _times(column: pa.ChunkedArray) -> list[pa.ChunkedArray]:
    nanoseconds = column.cast(pa.timestamp("ns", "UTC")).cast(pa.int64()).cast(pa.uint64())
    return [nanoseconds, nanoseconds]


def _stamp(moment: datetime) -> str:
    return f"{moment:%Y-%m-%dT%H-%M-%S}-{to_micros(moment) % 1_000_000 * NANOSECONDS:09}Z"
