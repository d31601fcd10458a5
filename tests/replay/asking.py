"""Short ways to ask a replay exchange."""

from __future__ import annotations

import json
from typing import Any

import requests

from extract.replay.exchange import Urls

TIMEOUT_SECONDS = 20


class Asking:
    """GET requests by segment; numbers of an answer stay text where they have a fraction."""

    def __init__(self, urls: Urls) -> None:
        self.urls = urls

    def get(
        self, url: str, headers: dict[str, str] | None = None, **parameters: Any
    ) -> requests.Response:
        return requests.get(url, params=parameters, headers=headers, timeout=TIMEOUT_SECONDS)

    def spot(self, name: str, headers: dict[str, str] | None = None, **parameters: Any) -> Any:
        return exact(self.get(f"{self.urls.spot}/api/v3/{name}", headers, **parameters))

    def usdm(self, name: str, headers: dict[str, str] | None = None, **parameters: Any) -> Any:
        return exact(self.get(f"{self.urls.usdm}/fapi/v1/{name}", headers, **parameters))

    def coinm(self, name: str, headers: dict[str, str] | None = None, **parameters: Any) -> Any:
        return exact(self.get(f"{self.urls.coinm}/dapi/v1/{name}", headers, **parameters))

    def deribit(self, method: str, **parameters: Any) -> Any:
        return exact(self.get(f"{self.urls.deribit}/api/v2/public/{method}", **parameters))


def exact(response: requests.Response) -> Any:
    return json.loads(response.content, parse_float=str)
