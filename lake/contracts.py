"""The version of what each table promises its readers, kept in the table's own properties.

docs/contracts.md says what a version covers; docs/contracts.json holds the columns of each.
"""

from __future__ import annotations

from collections.abc import Mapping

#: The property of a table; any reader of Delta finds it in the table's configuration.
CONTRACT = "candlelake.contract"
#: `major.minor` by table. What is not listed promises nothing: it is the system's own.
VERSIONS: Mapping[str, str] = {
    "silver.trades": "1.0",
    "silver.agg_trades": "1.0",
    "silver.klines": "1.0",
    "silver.funding_rates": "1.0",
    "silver.mark_klines": "1.0",
    "silver.index_prices": "1.0",
    "silver.instruments": "1.0",
    "gold.ohlcv": "1.0",
    "gold.ohlcv_revisions": "1.0",
    "gold.funding_rates": "1.0",
    "gold.mark_ohlcv": "1.0",
    "gold.information_bars": "1.0",
    "ops.watermarks": "1.0",
}


def contract_of(table_name: str) -> dict[str, str]:
    """Return the property of a table that tells its version, nothing where it promises nothing."""
    version = VERSIONS.get(table_name)
    return {} if version is None else {CONTRACT: version}
