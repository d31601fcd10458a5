"""Names of instruments: the venue's own beside CCXT's unified symbol, and matching by pattern."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fnmatch import fnmatchcase

from lake.clock import from_millis
from lake.errors import UsageError

#: Coins that CCXT calls by another name than the exchanges do (`commonCurrencies` in its source).
CCXT_CODES: Mapping[str, str] = {"XBT": "BTC", "BCHSV": "BSV", "YOYO": "YOYOW"}


@dataclass(frozen=True, slots=True)
class Listing:
    """An instrument as discovered: the venue's name, CCXT's unified symbol or empty, its sort."""

    instrument: str
    unified: str = ""
    is_perpetual: bool = False


def unified_name(
    base: str,
    quote: str,
    settle: str = "",
    *,
    expiry_ms: int | None = None,
    strike: str = "",
    option: str = "",
) -> str:
    """Return CCXT's unified symbol: `BTC/USDT`, `BTC/USD:BTC-240927`, `…-65000-C`."""
    base, quote, settle = (CCXT_CODES.get(code, code) for code in (base, quote, settle))
    name = f"{base}/{quote}" + (f":{settle}" if settle else "")
    if expiry_ms is not None:
        name += f"-{from_millis(expiry_ms):%y%m%d}"
    if strike:
        name += f"-{Decimal(strike).normalize():f}-{option}"
    return name


def matching(wanted: Sequence[str], listings: Sequence[Listing]) -> list[str]:
    """Return the venue's names that match, sorted, each once.

    Args:
        wanted: the venue's names, CCXT's unified symbols, or glob patterns of the venue's names.
        listings: what the exchange has.

    Raises:
        UsageError: a name that is no pattern and that the exchange does not have.
    """
    names = {listing.instrument for listing in listings}
    by_unified = _by_unified(listings)
    found: set[str] = set()
    for name in wanted:
        if name in names:
            found.add(name)
        elif name in by_unified:
            found.add(by_unified[name])
        elif any(mark in name for mark in "*?["):
            found.update(known for known in names if fnmatchcase(known, name))
        else:
            raise _unknown(name, sorted(names | set(by_unified)))
    return sorted(found)


def _by_unified(listings: Sequence[Listing]) -> dict[str, str]:
    """Return the venue's name of each unified symbol; of several the shortest.

    Binance keeps a settled contract beside the one that took its place (`ICPUSDT_SETTLED`).
    """
    found: dict[str, str] = {}
    for name, unified in sorted(
        ((one.instrument, one.unified) for one in listings if one.unified),
        key=lambda pair: (len(pair[0]), pair[0]),
    ):
        found.setdefault(unified, name)
    return found


def _unknown(name: str, known: Sequence[str]) -> UsageError:
    upper = {entry.upper(): entry for entry in known}
    near = [upper[hit] for hit in difflib.get_close_matches(name.upper(), list(upper), n=3)]
    hint = f"Nearest are {', '.join(near)}." if near else "Nothing is named alike."
    return UsageError(f"the exchange has no instrument '{name}'", hint=hint)
