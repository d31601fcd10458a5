"""As freqtrade keeps its data: `binance/BTC_USDT-1m.feather`, where prices are floats.

freqtrade's own arrays are doubles: what is written is the double nearest to each decimal, in JSON
all its digits, which the reader rounds.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import PurePosixPath

import pyarrow as pa

from lake.bronze import encoded
from lake.errors import ServeError, UsageError
from serve.files.asked import Asked, Dataset, Series
from serve.files.exact import DOUBLE, as_floats
from serve.files.listing import Listing
from serve.files.styles.form import Form, Range, priced
from serve.files.writing import WRITERS, Format, Write, write_values

FORMATS: Mapping[Format, Write] = {
    **{one: WRITERS[one] for one in (Format.FEATHER, Format.PARQUET)},
    Format.JSON: write_values,
}
#: Kinds that freqtrade knows: spot, and what it calls futures.
FUTURES = ("usdm", "coinm", "future", "swap")
#: What freqtrade's pair_to_filename replaces.
_REPLACED = re.compile(r"[/ .@$+:]")


def form(series: Series, asked: Asked, listing: Listing | None, format_: Format) -> Form:
    """Return the form of a series in freqtrade's data folder.

    Raises:
        UsageError: freqtrade has no such format or kind.
        ServeError: the lake does not know the units that freqtrade's name is made of.
    """
    if format_ not in FORMATS:
        raise UsageError(f"freqtrade reads {', '.join(FORMATS)}, was '{format_}'")
    if series.kind not in ("spot", *FUTURES):
        raise UsageError(f"freqtrade has no data of the kind {series.kind}", where=str(series))
    pair = listing.pair(series.kind) if listing else None
    if pair is None:
        raise ServeError(
            "freqtrade's name of the instrument is not known: silver.instruments has no units",
            where=str(series),
            hint="Run ./spark-submit.sh pipeline --datasets instruments, or export candlelake's.",
        )
    stem = PurePosixPath(encoded(series.exchange), _stem(pair, series.kind, asked))
    schema = _schema(asked, format_)

    def place(_: Range) -> PurePosixPath:
        return stem.with_name(f"{stem.name}.{format_}")

    def shape(rows: pa.Table) -> pa.Table:
        columns = _bars if asked.dataset is Dataset.BARS else _prints
        return _typed(columns(rows), schema)

    times = (asked.time_column, asked.time_column)
    return Form(place, times, priced, schema, shape, FORMATS[format_])


def _stem(pair: str, kind: str, asked: Asked) -> str:
    name = _REPLACED.sub("_", pair)
    of_futures = kind != "spot"
    if asked.dataset is not Dataset.BARS:
        name = f"{name}-trades"
    else:
        name = f"{name}-{asked.interval}{'-futures' if of_futures else ''}"
    return f"futures/{name}" if of_futures else name


def _schema(asked: Asked, format_: Format) -> pa.Schema:
    """Return freqtrade's columns, in its order; in JSON times are ms, numbers keep their digits."""
    as_json = format_ is Format.JSON
    price, amount = (pa.decimal128(20, 10), pa.decimal128(38, 18)) if as_json else [DOUBLE] * 2
    millis = pa.int64() if as_json else pa.timestamp("ms", "UTC")
    if asked.dataset is Dataset.BARS:
        prices = [(name, price) for name in ("open", "high", "low", "close")]
        return pa.schema([("date", millis), *prices, ("volume", amount)])
    texts = [(name, pa.string()) for name in ("id", "type", "side")]
    numbers = [("price", price), ("amount", amount), ("cost", amount)]
    return pa.schema([("timestamp", pa.int64()), *texts, *numbers])


def _bars(rows: pa.Table) -> list[pa.ChunkedArray]:
    """Return date, prices and the volume in the base, which is CCXT's too."""
    names = ("bar_start", "open", "high", "low", "close", "base_volume")
    return [rows[name] for name in names]


def _prints(rows: pa.Table) -> list[pa.ChunkedArray]:
    identity = rows["trade_id" if "trade_id" in rows.schema.names else "agg_id"]
    # freqtrade's word for the kind of an order; no exchange of ours tells it
    type_ = pa.chunked_array([pa.nulls(rows.num_rows, pa.string())])
    numbers = [rows[name] for name in ("price", "quantity", "quote_quantity")]
    return [rows["trade_timestamp"], identity, type_, rows["taker_side"], *numbers]


def _typed(columns: list[pa.ChunkedArray], schema: pa.Schema) -> pa.Table:
    cast = [_cast(one, field.type) for one, field in zip(columns, schema, strict=True)]
    return pa.Table.from_arrays(cast, schema=schema)


def _cast(column: pa.ChunkedArray, kind: pa.DataType) -> pa.ChunkedArray:
    if pa.types.is_decimal(column.type) and pa.types.is_floating(kind):
        return as_floats(column)
    if pa.types.is_timestamp(column.type):
        # microseconds of a trade are cut, as freqtrade's own are milliseconds
        column = column.cast(pa.timestamp("ms", "UTC"), safe=False)
    return column.cast(kind)
