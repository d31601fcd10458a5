"""Asks the exchanges: patient, within their limits, and silent at once after a ban."""

from __future__ import annotations

import hashlib
import logging
import random
import threading
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

import requests

from extract.answer import Answer, Driver, Request
from extract.budget import Unlimited
from extract.budgets import budgets, pace
from extract.host import PROCESS_HOSTS, Host, Hosts
from extract.verdict import document, require_reachable
from lake.clock import Clock, SystemClock
from lake.errors import (
    BannedError,
    NotPublishedError,
    PermanentExtractError,
    StoppedError,
    TransientExtractError,
    UnreachableError,
)
from lake.settings import Settings

log = logging.getLogger(__name__)

T = TypeVar("T")
BLOCK = 1 << 20
LOST = (
    requests.exceptions.ConnectionError,
    requests.exceptions.Timeout,
    requests.exceptions.ChunkedEncodingError,
    requests.exceptions.ContentDecodingError,
)


class Client:
    """Sends requests for one task; hosts, and with them limits and bans, are the process's.

    Attributes:
        requests: how many requests went out, retries included.
        bytes: how many body bytes came back.

    `driver` sends what `ask` and `examine` ask for; the host's own session does by default.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        clock: Clock | None = None,
        chance: random.Random | None = None,
        hosts: Hosts = PROCESS_HOSTS,
        driver: Driver | None = None,
    ) -> None:
        self.clock = clock or SystemClock()
        self.requests = 0
        self.bytes = 0
        self._settings = settings
        self._patience = settings.extract
        self._budgets = budgets(settings)
        self._chance = chance or random.Random()  # noqa: S311 - jitter is no secret
        self._hosts = hosts
        self._driver = driver
        self._stopped = threading.Event()

    def stop(self) -> None:
        """Let no further request go out, from any thread: each raises a StoppedError instead."""
        self._stopped.set()

    def used_percent(self) -> int | None:
        """Return how much of the tightest weight limit is used now, None where nobody counts."""
        return self._hosts.used_percent(self.clock.now())

    def grant(self, base: str, weight_per_minute: int) -> None:
        """Keep to our share of what a host says that it grants, where the settings say more."""
        ceiling = int(weight_per_minute * self._patience.limit_share)
        self._host(base).grant(max(1, ceiling))

    def ask(self, request: Request, read: Callable[[Any], T]) -> tuple[Answer, T]:
        """Return the answer and what `read` makes of its JSON document.

        Args:
            request: what to ask.
            read: takes the document; a TransientExtractError that it raises (an impossible page)
                is worth another try like any other.

        Raises:
            UnreachableError: no usable answer after all attempts.
            BannedError: the host has banned this address; a ban ends when the host said.
            PermanentExtractError: the exchange refused the question.
            StoppedError: `stop` was called.
        """
        return self.examine(request, lambda answer: read(document(answer)))

    def examine(self, request: Request, judge: Callable[[Answer], T]) -> tuple[Answer, T]:
        """Return the answer and what `judge` makes of it, its status included.

        Raises like `ask`; a TransientExtractError of `judge` is worth another try, too.
        """

        def once(host: Host) -> tuple[Answer, T]:
            answer = self._sent(request, host)
            return answer, judge(answer)

        return self._persist(request, once)

    def keep_pace(self, base: str, per_second: float) -> None:
        """Ask a host that the settings do not name at most so often, less our share of it."""
        self._budgets = {**self._budgets, base: pace(self._settings, base, per_second)}

    def fetch(self, request: Request) -> Answer:
        """Return an answer that is no JSON (a checksum file), status 200; raises like `ask`."""

        def once(host: Host) -> Answer:
            answer = self._sent(request, host)
            _require_found(answer)
            return answer

        return self._persist(request, once)

    def download(
        self, request: Request, target: Path, verify: Callable[[str], None]
    ) -> Mapping[str, str]:
        """Stream a body to a file; `verify` gets its SHA-256 and may call for another try.

        Returns the answer's headers, their names in small letters.

        Raises like `ask`. No more than one block is held in memory.
        """

        def once(host: Host) -> Mapping[str, str]:
            digest, headers = self._streamed(request, host, target)
            verify(digest)
            return headers

        return self._persist(request, once)

    def _persist(self, request: Request, once: Callable[[Host], T]) -> T:
        host = self._host(request.base)
        for attempt in range(1, self._patience.attempts + 1):
            self._wait_for_leave(host, request.weight)
            try:
                return once(host)
            except BannedError as error:
                host.ban(error.what, error.seconds, self.clock.now())
                raise
            except TransientExtractError as error:
                log.warning("attempt=%d/%d %s", attempt, self._patience.attempts, error)
                last = error
                self._back_off(host, error, attempt)
        raise UnreachableError(
            f"no usable answer after {self._patience.attempts} attempts; the last: {last.what}",
            where=last.where or request.url,
            hint="What was landed stays; the next run goes on from there.",
        ) from last

    def _host(self, base: str) -> Host:
        return self._hosts.of(base, self._budgets.get(base, Unlimited))

    def _wait_for_leave(self, host: Host, weight: int) -> None:
        self._require_running()
        while (seconds := host.reserve(weight, self.clock.now())) > 0:
            if seconds > 1:
                log.info("host=%s limit reached, waiting %.1f s", host.base, seconds)
            self.clock.sleep(seconds)
            self._require_running()

    def _require_running(self) -> None:
        if self._stopped.is_set():
            raise StoppedError("the run was stopped", hint="The next run goes on from there.")

    def _back_off(self, host: Host, error: TransientExtractError, attempt: int) -> None:
        """Wait as told by the exchange, else exponentially with full jitter."""
        if error.retry_after_seconds:
            host.pause(error.retry_after_seconds, self.clock.now())
        elif attempt < self._patience.attempts:
            ceiling = self._patience.backoff_seconds * 2 ** (attempt - 1)
            ceiling = min(ceiling, self._patience.backoff_ceiling_seconds)
            self.clock.sleep(self._chance.uniform(0, ceiling))

    def _sent(self, request: Request, host: Host) -> Answer:
        sent = self.clock.now()
        if self._driver is not None:
            return self._driven(self._driver, request, host, sent)
        response = self._opened(request, host)
        with response:
            body = _read(request, lambda: response.content)
            return replace(self._answer(request, response, body), sent=sent)

    def _driven(self, driver: Driver, request: Request, host: Host, sent: datetime) -> Answer:
        headers: Mapping[str, str] = {}
        self.requests += 1
        try:
            status, headers, body = driver.get(
                request,
                connect_seconds=self._patience.connect_timeout_seconds,
                read_seconds=self._patience.read_timeout_seconds,
            )
        finally:
            host.settle(request.weight, headers, self.clock.now())
        self.bytes += len(body)
        return Answer(request, status, headers, body, self.clock.now(), sent)

    def _streamed(
        self, request: Request, host: Host, target: Path
    ) -> tuple[str, Mapping[str, str]]:
        digest = hashlib.sha256()
        with self._opened(request, host) as response:
            if response.status_code != 200:
                body = _read(request, lambda: response.content)
                _require_found(self._answer(request, response, body))
            blocks = response.iter_content(BLOCK)
            with target.open("wb") as file:
                while block := _read(request, lambda: next(blocks, b"")):
                    digest.update(block)
                    file.write(block)
                    self.bytes += len(block)
        return digest.hexdigest(), _lowered(response.headers)

    def _opened(self, request: Request, host: Host) -> requests.Response:
        headers: Mapping[str, str] = {}
        self.requests += 1
        patience = (self._patience.connect_timeout_seconds, self._patience.read_timeout_seconds)
        try:
            response = _read(
                request,
                lambda: host.session.get(
                    request.url,
                    params=dict(request.params),
                    headers=dict(request.headers),
                    timeout=patience,
                    allow_redirects=False,
                    stream=True,
                ),
            )
            headers = _lowered(response.headers)
        finally:
            host.settle(request.weight, headers, self.clock.now())
        return response

    def _answer(self, request: Request, response: requests.Response, body: bytes) -> Answer:
        self.bytes += len(body)
        return Answer(
            request, response.status_code, _lowered(response.headers), body, self.clock.now()
        )


def _read(request: Request, step: Callable[[], T]) -> T:
    try:
        return step()
    except LOST as error:
        raise TransientExtractError(
            f"the connection failed: {type(error).__name__}: {error}", where=request.url
        ) from error
    except requests.exceptions.RequestException as error:
        raise PermanentExtractError(
            f"the request can't be sent: {error}",
            where=request.url,
            hint="Check the address in the settings.",
        ) from error


def _require_found(answer: Answer) -> None:
    require_reachable(answer)
    if answer.status == 404:
        raise NotPublishedError(
            "not published yet, or never",
            where=answer.request.url,
            hint="Daily archive files appear on the next day (UTC); check the name and the date.",
        )
    if answer.status != 200:
        raise PermanentExtractError(f"HTTP {answer.status}", where=answer.request.url)


def _lowered(headers: Mapping[str, str]) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items()}
