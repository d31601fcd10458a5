"""What only perpetuals have: which exchange publishes it of which kind, and who pages it."""

from __future__ import annotations

from collections.abc import Mapping

from extract.bars import BarSource
from extract.client import Client
from extract.subject import OfInstrument
from extract.venues.binance_perpetuals import BinanceFunding, BinanceMarkBars
from extract.venues.deribit_funding import DeribitFunding
from lake.errors import UsageError
from lake.settings import Settings

#: Deribit publishes no bars of the mark price: get_mark_price_history is of options alone
#: (OpenAPI 2.1.1).
PUBLISHED: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "funding_rates": {"binance": ("usdm", "coinm"), "deribit": ("future",)},
    "mark_klines": {"binance": ("usdm", "coinm")},
}


def is_of_perpetuals(dataset: str) -> bool:
    """Tell whether only perpetuals have this dataset."""
    return dataset in PUBLISHED


def is_published(exchange: str, kind: str, dataset: str) -> bool:
    """Tell whether an exchange publishes a dataset of perpetuals for one of its kinds."""
    return kind in PUBLISHED[dataset].get(exchange, ())


def not_published(exchange: str, kind: str, dataset: str) -> UsageError:
    """Return what to say where an exchange has no such thing."""
    return UsageError(
        f"{exchange} {kind} has no {dataset}: they are of perpetuals",
        hint=f"Published are those of {publishers(dataset)}.",
    )


def publishers(dataset: str) -> str:
    """Return who publishes a dataset of perpetuals, and of which kinds, in words."""
    venues = PUBLISHED[dataset].items()
    return "; ".join(f"{venue} {', '.join(kinds)}" for venue, kinds in venues)


def perpetual_source(
    client: Client, settings: Settings, of: OfInstrument, interval: str
) -> BarSource:
    """Return an instrument's funding rates, or bars of its mark price, at its exchange.

    Raises:
        UsageError: the exchange does not publish it.
    """
    if not is_published(of.exchange, of.kind, of.dataset):
        raise not_published(of.exchange, of.kind, of.dataset)
    if of.exchange == "deribit":
        return DeribitFunding(client, settings, instrument=of.instrument)
    if of.dataset == "funding_rates":
        return BinanceFunding(client, settings, kind=of.kind, symbol=of.instrument)
    return BinanceMarkBars(client, settings, kind=of.kind, symbol=of.instrument, interval=interval)
