"""What is compared of a dataset when two sources of it stand side by side."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from pyspark.sql import DataFrame
from pyspark.sql import functions as F  # noqa: N812

#: What tells rows apart within a dataset, but for the id.
IDENTITY = ("exchange", "kind", "instrument_uid")
#: The moment as both sources can tell it: archives have microseconds, streams do not.
MILLISECOND = "millisecond"


@dataclass(frozen=True, slots=True)
class Subject:
    """The rows of a dataset: their id, their time, and the fields that have to agree.

    Attributes:
        dataset: its name.
        identifier: SQL that makes the id: the trade's, the aggregate's, a bar's start in ms.
        moment: the column that says in which window a row lies.
        sent: the fields that the exchange sends: they agree, and the checksum is made of them.
        derived: fields of ours that follow from these and the listing: they agree as well.
        where_sent: fields that not every transport carries: they agree where both sides have them.
        series: what tells rows apart beside the identity and the id.
        made: further columns that are compared, name and SQL.
    """

    dataset: str
    identifier: str
    moment: str
    sent: tuple[str, ...]
    derived: tuple[str, ...]
    where_sent: tuple[str, ...] = ()
    series: tuple[str, ...] = ()
    made: tuple[tuple[str, str], ...] = ()

    @property
    def key(self) -> tuple[str, ...]:
        """What tells rows apart."""
        return (*IDENTITY, *self.series, "id")

    @property
    def fields(self) -> tuple[str, ...]:
        """All fields that are compared."""
        return (*self.sent, *self.derived, *self.where_sent)

    def keyed(self, rows: DataFrame) -> DataFrame:
        """Add `id`, `bar_interval` (empty but for bars), `moment` and the millisecond."""
        interval = {} if self.series else {"bar_interval": F.lit("")}
        return rows.withColumns(
            {
                "id": F.expr(self.identifier).cast("bigint"),
                "moment": F.col(self.moment),
                MILLISECOND: F.unix_millis(self.moment),
                **interval,
                **{name: F.expr(made) for name, made in self.made},
            }
        )


_UNITS = ("quote_quantity", "quantity_unit", "base_unit", "quote_unit", "contract_size")
#: What Deribit says of a trade; null on both sides at Binance.
_MARKS = ("mark_price", "index_price", "iv", "liquidation", "block_trade_id", "combo_id")
SUBJECTS: Mapping[str, Subject] = MappingProxyType(
    {
        "trades": Subject(
            "trades",
            "trade_seq",
            "trade_timestamp",
            sent=("price", "quantity", "taker_side", MILLISECOND),
            derived=("trade_id", "print_kind", *_UNITS, *_MARKS),
            # streams leave the quote quantity out, and only old frames have the orders' ids
            where_sent=("quote_quantity_sent", "buyer_order_id", "seller_order_id"),
        ),
        "agg_trades": Subject(
            "agg_trades",
            "agg_id",
            "trade_timestamp",
            sent=(
                *("price", "quantity", "first_trade_seq", "last_trade_seq"),
                *("taker_side", MILLISECOND),
            ),
            derived=_UNITS,
        ),
        "klines": Subject(
            "klines",
            "unix_millis(open_time)",
            "open_time",
            sent=(
                *("open", "high", "low", "close", "volume_sent", "quote_volume_sent"),
                *("trade_count", "taker_buy_volume_sent", "taker_buy_quote_volume_sent"),
                "close_millisecond",
            ),
            derived=(),
            series=("bar_interval",),
            made=(("close_millisecond", "unix_millis(close_time)"),),
        ),
    }
)
