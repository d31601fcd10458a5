"""Which budget each address of the settings has: of this process, or shared through Redis."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

from extract.budget import Budget, MinuteWeight, Pace, Unlimited
from lake.settings import Settings

Make = Callable[[], Budget]
#: Binance counts no weight for funding rates, but grants an address 500 requests in 5 minutes
#: (usds-margined-futures docs, Get-Funding-Rate-History).
FUNDING_PER_SECOND = 500 / 300
FUNDING_PATHS = {"usdm": "/fapi/v1/fundingRate", "coinm": "/dapi/v1/fundingRate"}


def funding_address(settings: Settings, kind: str) -> str:
    """Return where Binance's funding rates are asked for, as a host with a budget of its own."""
    base: str = getattr(settings.exchanges.binance, kind).rest_url
    return base.rstrip("/") + FUNDING_PATHS[kind]


def weights(settings: Settings) -> Mapping[str, int]:
    """Return the weight a minute that each address of Binance's grants, as the settings say."""
    binance = settings.exchanges.binance
    segments = (binance.spot, binance.usdm, binance.coinm)
    return {
        address: segment.weight_limit_per_minute
        for segment in segments
        for address in (segment.rest_url, segment.historical_trades_url)
        if address
    }


def paces(settings: Settings) -> Mapping[str, float]:
    """Return the requests a second that each other limited address grants."""
    deribit = settings.exchanges.deribit
    rates = {funding_address(settings, kind): FUNDING_PER_SECOND for kind in FUNDING_PATHS}
    hosts = (deribit.rest_url, deribit.history_url)
    return {**rates, **dict.fromkeys(hosts, deribit.requests_per_second)}


def budgets(settings: Settings) -> Mapping[str, Make]:
    """Return how to make the budget of each address in the settings.

    Where `workers.redis_url` is set, all workers of a region share one: exchanges count by
    address, and a region's workers go out by one.
    """
    share = settings.extract.limit_share
    weight, paced = _kinds(settings)
    made: dict[str, Make] = {settings.exchanges.binance.archive_url: Unlimited}
    for address, limit in weights(settings).items():
        made[address] = partial(weight, address, int(limit * share))
    for address, rate in paces(settings).items():
        made[address] = partial(paced, address, rate * share)
    return made


def pace(settings: Settings, base: str, per_second: float) -> Make:
    """Return how to make the budget of a host that grants so many requests a second."""
    _, paced = _kinds(settings)
    return partial(paced, base, per_second * settings.extract.limit_share)


def _kinds(
    settings: Settings,
) -> tuple[Callable[[str, int], Budget], Callable[[str, float], Budget]]:
    """Return what makes a budget of weight a minute, and one of requests a second."""
    if not settings.workers.redis_url:
        return (lambda _, ceiling: MinuteWeight(ceiling)), (lambda _, rate: Pace(rate))
    from redis import Redis  # noqa: PLC0415 - only workers that share a budget need it

    from extract.shared_budget import SharedMinuteWeight, SharedPace  # noqa: PLC0415

    redis, region = Redis.from_url(settings.workers.redis_url), settings.lake.region
    return (
        lambda base, ceiling: SharedMinuteWeight(redis, f"{region}:{base}", ceiling),
        lambda base, rate: SharedPace(redis, f"{region}:{base}", rate),
    )
