"""One door to the parsers: a batch of envelopes of any exchange to candidates of one table."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from functools import reduce
from types import MappingProxyType

from pyspark.sql import DataFrame
from pyspark.sql import functions as F  # noqa: N812

from transform import binance, binance_funding, deribit, deribit_funding, deribit_index
from transform.binance_klines import mark_klines

Parser = Callable[[DataFrame, DataFrame], DataFrame]

#: Adding an exchange is its module and its entry here.
PARSERS: Mapping[str, Mapping[str, Parser]] = MappingProxyType(
    {
        binance.EXCHANGE: {
            "trades": binance.trades,
            "agg_trades": binance.agg_trades,
            "klines": binance.klines,
            "mark_klines": mark_klines,
            "funding_rates": binance_funding.funding_rates,
        },
        deribit.EXCHANGE: {
            "trades": deribit.trades,
            "klines": deribit.klines,
            "funding_rates": deribit_funding.funding_rates,
            "index_prices": deribit_index.index_prices,
        },
    }
)


def parse(
    dataset: str,
    envelopes: DataFrame,
    instruments: DataFrame,
    *,
    exchanges: Collection[str] | None = None,
    others: Mapping[str, Parser] = MappingProxyType({}),
) -> DataFrame:
    """Parse envelopes into candidates of a dataset's silver table.

    Args:
        dataset: `trades`, `agg_trades`, `klines`, `mark_klines`, `funding_rates` or
            `index_prices`.
        envelopes: as `transform.envelopes.read` returns them.
        instruments: rows of `silver.instruments`.
        exchanges: which exchanges the batch holds, where the caller knows; each one named is a
            scan of the batch. Envelopes of any other become candidates with `exchange_unknown`.
        others: what reads the dataset of further exchanges.

    Returns:
        Candidates, see `transform.rows.candidates`: each element of each answer is one row.
    """
    parsers = {name: of[dataset] for name, of in PARSERS.items() if dataset in of} | dict(others)
    able = list(parsers)
    named = [name for name in able if exchanges is None or name in exchanges] or able[:1]
    # what no other parser claims goes to the first, which names the fault
    claimed = F.coalesce(F.col("exchange").isin(named[1:]), F.lit(False))
    parts = [
        parsers[name](
            envelopes.where(F.col("exchange") == name if place else ~claimed), instruments
        )
        for place, name in enumerate(named)
    ]
    return reduce(DataFrame.unionByName, parts)
