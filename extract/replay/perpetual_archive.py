"""Zips what the generated perpetuals publish, under the bulk archive's own names and headers."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterable, Iterator, Mapping

from extract.replay.futures_tape import COINM_CONTRACTS, MINUTE, USDM_CONTRACTS, Contract
from extract.replay.perpetual_tape import (
    FUNDING_ARCHIVED,
    FUNDING_HOURS,
    MARK_ARCHIVED,
    mark_minutes,
    mark_row,
    settlements,
)
from lake.clock import from_millis

FOLDERS: Mapping[str, Mapping[str, Contract]] = {"um": USDM_CONTRACTS, "cm": COINM_CONTRACTS}
FUNDING_HEADER = "calc_time,funding_interval_hours,last_funding_rate"
BAR_HEADER = (
    "open_time,open,high,low,close,volume,close_time,quote_volume,count,taker_buy_volume,"
    "taker_buy_quote_volume,ignore"
)


def zips(seed: int) -> Iterator[tuple[str, bytes]]:
    """Yield each zip under its key: a month of funding rates and a day of mark bars a contract."""
    month = from_millis(FUNDING_ARCHIVED[0]).strftime("%Y-%m")
    day = from_millis(MARK_ARCHIVED[0]).strftime("%Y-%m-%d")
    for folder, contracts in FOLDERS.items():
        for name, contract in contracts.items():
            top = f"data/futures/{folder}"
            path = f"{top}/monthly/fundingRate/{name}/{name}-fundingRate-{month}"
            yield f"{path}.zip", _zipped(path, FUNDING_HEADER, _rates(contract, seed))
            path = f"{top}/daily/markPriceKlines/{name}/1m/{name}-1m-{day}"
            yield f"{path}.zip", _zipped(path, BAR_HEADER, _bars(contract, seed))


def _rates(contract: Contract, seed: int) -> Iterator[str]:
    for one in settlements(contract, seed, FUNDING_ARCHIVED[1] - 1):
        yield f"{one.time},{FUNDING_HOURS},{one.rate:f}"


def _bars(contract: Contract, seed: int) -> Iterator[str]:
    for one in mark_minutes(contract, seed, MARK_ARCHIVED[1] - 1):
        yield ",".join(map(str, mark_row(one, MINUTE)))


def _zipped(path: str, header: str, lines: Iterable[str]) -> bytes:
    """Return a zip of one member; the same lines give the same bytes."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        # its time is ZIP's own beginning: nobody recorded another
        member = zipfile.ZipInfo(f"{path.rpartition('/')[2]}.csv", (1980, 1, 1, 0, 0, 0))
        archive.writestr(member, "\n".join([header, *lines, ""]), zipfile.ZIP_DEFLATED)
    return content.getvalue()
