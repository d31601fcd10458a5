"""Which venue module pages through an instrument's trades or bars."""

from __future__ import annotations

from extract.bars import BarSource
from extract.client import Client
from extract.pages import TradeSource
from extract.subject import OfInstrument
from extract.venues.binance import BinanceTrades
from extract.venues.deribit import DeribitTrades
from extract.venues.deribit_bars import DeribitBars
from lake.bronze import Dataset
from lake.errors import UsageError
from lake.setting_sections import BinanceSegment
from lake.settings import Settings


def trade_source(client: Client, settings: Settings, of: OfInstrument) -> TradeSource:
    """Return an instrument's trades at its exchange.

    Raises:
        UsageError: the exchange, kind or dataset is unknown there, or an API key is missing.
    """
    name, dataset = of.instrument, of.dataset
    if of.exchange == "binance" and dataset in ("trades", "agg_trades"):
        return BinanceTrades(client, settings, kind=of.kind, symbol=name, dataset=dataset)
    if of.exchange == "deribit" and dataset == "trades":
        return DeribitTrades(client, settings, instrument=name)
    if of.exchange in settings.exchanges.others:
        raise bars_alone(of.exchange, dataset)
    raise UsageError(f"{of.exchange} has no dataset '{dataset}' of trades")


def bars_alone(exchange: str, dataset: str) -> UsageError:
    """Return the error that an exchange of CCXT's has nothing but bars."""
    return UsageError(
        f"{exchange} is asked through CCXT, which gives its bars alone, no '{dataset}'",
        hint="Use --datasets klines, or --data-type ohlcv.",
    )


def trades_dataset(settings: Settings, exchange: str, kind: str) -> Dataset:
    """Return the dataset of an exchange's trades that is taken where none is named.

    Raises:
        UsageError: only bars of the exchange can be had.
    """
    if exchange in settings.exchanges.others:
        raise bars_alone(exchange, "trades")
    if exchange != "binance":
        return "trades"
    market: BinanceSegment = getattr(settings.exchanges.binance, kind)
    return market.trades_dataset


def bar_source(
    client: Client, settings: Settings, *, exchange: str, kind: str, instrument: str, interval: str
) -> BarSource:
    """Return an instrument's bars at its exchange.

    Raises:
        UsageError: the exchange, kind or interval is unknown there.
    """
    if exchange == "deribit":
        return DeribitBars(client, settings, instrument=instrument, interval=interval)
    if exchange != "binance":
        from extract.venues.ccxt_asking import OtherBars  # noqa: PLC0415 - as below

        return OtherBars(
            client,
            settings,
            exchange=exchange,
            kind=kind,
            instrument=instrument,
            interval=interval,
        )
    from extract.venues.ccxt_bars import BinanceBars  # noqa: PLC0415 - ccxt takes a second to load

    return BinanceBars(client, settings, kind=kind, symbol=instrument, interval=interval)
