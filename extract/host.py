"""What all requests of the process to one host share: the session, the budget, a pause, a ban."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from threading import Lock

import requests
from requests.adapters import HTTPAdapter

from extract.budget import Budget
from lake.clock import EPOCH
from lake.errors import BannedError

#: More connections than any worker pool of ours holds open at once to a host.
CONNECTIONS = 32
LONGEST_BAN_SECONDS = 3 * 86_400


class Host:
    """One host of an exchange, shared by all threads."""

    def __init__(self, base: str, budget: Budget) -> None:
        self.base = base
        self.session = requests.Session()
        for scheme in ("http://", "https://"):
            self.session.mount(scheme, HTTPAdapter(pool_maxsize=CONNECTIONS))
        self._budget = budget
        self._lock = Lock()
        self._ban = ""
        self._banned_until = EPOCH
        self._not_before = EPOCH

    def reserve(self, weight: int, now: datetime) -> float:
        """Return 0 where a request may go out now, else the seconds to wait.

        Raises:
            BannedError: the host has banned this address, and the ban has not ended.
        """
        with self._lock:
            if now < self._banned_until:
                raise BannedError(self._ban, where=self.base, hint="No request was sent.")
            if now < self._not_before:
                return (self._not_before - now).total_seconds()
            return self._budget.reserve(weight, now)

    def settle(self, weight: int, headers: Mapping[str, str], now: datetime) -> None:
        """Report what came back for a reservation."""
        with self._lock:
            self._budget.settle(weight, headers, now)

    def grant(self, ceiling: int) -> None:
        """Grant no more than `ceiling` weight a minute from now on."""
        with self._lock:
            self._budget.grant(ceiling)

    def used_percent(self, now: datetime) -> int | None:
        """Return how much of what the host grants now is used, None where nobody counts."""
        with self._lock:
            return self._budget.used_percent(now)

    def pause(self, seconds: float, now: datetime) -> None:
        """Let no request of any thread go out for `seconds`."""
        with self._lock:
            self._not_before = max(self._not_before, now + timedelta(seconds=seconds))
            self._budget.share_pause(seconds, now)

    def ban(self, reason: str, seconds: int | None, now: datetime) -> None:
        """Refuse every further request to the host until the ban ends.

        One of an unknown end lasts as long as the longest that Binance states, three days.
        """
        lasts = LONGEST_BAN_SECONDS if seconds is None else seconds
        with self._lock:
            self._ban, self._banned_until = reason, now + timedelta(seconds=lasts)
            self._budget.share_ban(reason, lasts)


class Hosts:
    """The hosts that the process speaks to, by the address in the settings."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._hosts: dict[str, Host] = {}

    def of(self, base: str, budget: Callable[[], Budget]) -> Host:
        """Return the host of an address; the first call makes its budget."""
        with self._lock:
            if base not in self._hosts:
                self._hosts[base] = Host(base, budget())
            return self._hosts[base]

    def used_percent(self, now: datetime) -> int | None:
        """Return the use of the host that is used most, None where nobody counts."""
        with self._lock:
            hosts = list(self._hosts.values())
        found = [used for host in hosts if (used := host.used_percent(now)) is not None]
        return max(found, default=None)

    def close(self) -> None:
        """Close every connection and forget every host."""
        with self._lock:
            for host in self._hosts.values():
                host.session.close()
            self._hosts.clear()


PROCESS_HOSTS = Hosts()
