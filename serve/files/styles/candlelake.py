"""Our own way: every column with its exact type, the usual ones first."""

from __future__ import annotations

from functools import partial
from pathlib import PurePosixPath

import pyarrow as pa

from serve.files.asked import Asked, Dataset, Series
from serve.files.placing import flat, folder
from serve.files.styles.form import Form, Range, range_named
from serve.files.writing import WRITERS, Format

#: The same in every row of a file.
OF_SERIES = ("exchange", "kind", "instrument", "instrument_uid")
BARS = (
    *("bar_start", "open", "high", "low", "close", "volume", "bar_end", "base_volume"),
    *("quote_volume", "trade_count", "taker_buy_volume", "taker_buy_base_volume"),
    *("taker_buy_quote_volume", "is_complete"),
)
TRADES = (
    *("trade_timestamp", "price", "quantity", "taker_side", "trade_id", "trade_seq"),
    *("quote_quantity", "print_kind"),
)
AGG_TRADES = (
    *("trade_timestamp", "price", "quantity", "taker_side", "agg_id"),
    *("first_trade_seq", "last_trade_seq", "quote_quantity"),
)
COLUMNS = {
    Dataset.BARS: (*BARS, *OF_SERIES, "bar_interval"),
    Dataset.TRADES: (*TRADES, *OF_SERIES),
    Dataset.AGG_TRADES: (*AGG_TRADES, *OF_SERIES),
}


def form(
    series: Series, asked: Asked, rows: pa.Schema, format_: Format, layout: tuple[str, ...]
) -> Form:
    """Return the form of a series: what a folder of the layout tells is no column.

    Args:
        series: whose file it is.
        asked: which rows.
        rows: the schema of the rows that are read; `is_filled` is kept where it is there.
        format_: any of them.
        layout: the columns that folders stand for, none for all files in one folder.
    """
    filled = ("is_filled",) if "is_filled" in rows.names else ()
    columns = [name for name in (*COLUMNS[asked.dataset], *filled) if name not in layout]
    schema = pa.schema([rows.field(name).with_nullable(True) for name in columns])

    def place(range_: Range) -> PurePosixPath:
        stem = flat(series, asked, range_named(asked, range_))
        return folder(series, asked, layout) / f"{stem}.{format_}"

    ends = "bar_end" if asked.dataset is Dataset.BARS else asked.time_column
    times = (asked.time_column, ends)
    return Form(place, times, lambda rows: rows, schema, partial(_chosen, schema), WRITERS[format_])


def _chosen(schema: pa.Schema, rows: pa.Table) -> pa.Table:
    return rows.select(schema.names).cast(schema)
