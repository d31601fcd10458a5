"""Judges an answer: usable, worth another try, refused for good, or a ban."""

from __future__ import annotations

import json
from typing import Any

from extract.answer import Answer
from lake.errors import BannedError, PermanentExtractError, TransientExtractError

#: Deribit codes worth another try (docs.deribit.com, "Complete RPC" error table).
DERIBIT_RETRIED = frozenset({10028, 10040, 10041, 10047, 10066, 11051, 11094, 13028, 13503, 13888})
#: Binance codes worth another try (binance-spot-api-docs errors.md): unknown, disconnected,
#: too many requests, unexpected response, timeout, server busy.
BINANCE_RETRIED = frozenset({-1000, -1001, -1003, -1006, -1007, -1008})
SHOWN = 120


def document(answer: Answer) -> Any:
    """Return the JSON of a usable answer; every number with a fraction stays text.

    Raises:
        BannedError: HTTP 418.
        TransientExtractError: 429, 408, 5xx, no JSON where JSON is due, or an error that the
            exchange itself calls passing.
        PermanentExtractError: any other error object or 4xx, with the exchange's code and message.
    """
    require_reachable(answer)
    parsed = _parsed(answer)
    _require_no_error(parsed, answer)
    if answer.status >= 300:
        raise PermanentExtractError(
            f"HTTP {answer.status} without an error object: {_shown(answer)}",
            where=answer.request.url,
            hint="A firewall or a redirect may stand between; check the address in the settings.",
        )
    return parsed


def require_reachable(answer: Answer) -> None:
    """Raise for the statuses that say nothing about the question: ban, limit, server fault."""
    where = answer.request.url
    if answer.status == 418:
        raise BannedError(
            f"the exchange has banned this address for {_wait(answer) or 'unknown'} s (HTTP 418)",
            where=where,
            hint="Wait until the ban ends; what was landed stays, the next run goes on from it.",
            seconds=_wait(answer),
        )
    if answer.status in (408, 429) or answer.status >= 500:
        raise TransientExtractError(
            f"HTTP {answer.status}: {_shown(answer)}",
            where=where,
            retry_after_seconds=_wait(answer),
        )


def _parsed(answer: Answer) -> Any:
    try:
        return json.loads(answer.body, parse_float=str)
    except ValueError as error:
        what = f"HTTP {answer.status} with a body that is no JSON: {_shown(answer)}"
        if answer.status >= 300:
            hint = "The exchange refuses this address or path; check the address in the settings."
            raise PermanentExtractError(what, where=answer.request.url, hint=hint) from error
        raise TransientExtractError(what, where=answer.request.url) from error


def _require_no_error(parsed: Any, answer: Answer) -> None:
    if not isinstance(parsed, dict):
        return
    fault = parsed.get("error")
    if isinstance(fault, dict):
        _refuse(fault.get("code"), fault.get("message"), DERIBIT_RETRIED, answer)
    if "code" in parsed and "msg" in parsed:
        _refuse(parsed["code"], parsed["msg"], BINANCE_RETRIED, answer)


def _refuse(code: Any, message: Any, retried: frozenset[int], answer: Answer) -> None:
    what = f"the exchange answered code {code}: {message} (HTTP {answer.status})"
    where = f"{answer.request.url} {dict(answer.request.params)}"
    if code in retried:
        raise TransientExtractError(what, where=where, retry_after_seconds=_wait(answer))
    raise PermanentExtractError(
        what, where=where, hint="Asking again would give the same answer; check the parameters."
    )


def _wait(answer: Answer) -> int | None:
    told = answer.headers.get("retry-after", "")
    return int(told) if told.isdecimal() else None


def _shown(answer: Answer) -> str:
    text = answer.body[:SHOWN].decode("utf-8", "replace")
    return repr(text) + ("…" if len(answer.body) > SHOWN else "")
