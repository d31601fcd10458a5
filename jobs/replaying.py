"""`candlelake replay`: serve the recordings as the exchanges do, with clocks that stand or run."""

from __future__ import annotations

import json
from decimal import Decimal, InvalidOperation
from typing import Annotated

import typer

from extract.replay.exchange_clock import Live
from lake.errors import UsageError
from lake.moment import moment


def replay(
    *,
    port: Annotated[int, typer.Option(help="The loopback port; 0 takes a free one.")] = 0,
    holdings: Annotated[bool, typer.Option("--holdings", help="Only print what it holds.")] = False,
    live_from: Annotated[
        str, typer.Option(help="Let the exchanges' clocks run from this moment, and stream.")
    ] = "",
    speed: Annotated[str, typer.Option(help="Seconds of the running clock in a real one.")] = "1",
    busy: Annotated[
        int, typer.Option(help="Trades a second of 20 more, generated symbols; 0 for none.")
    ] = 0,
) -> None:
    """Serve the bundled recordings as the exchanges do, until interrupted.

    The clocks stand still, and the streams are silent, unless they are to run from a moment.

    Example: candlelake replay --holdings
    """
    from extract.replay.busy.tape import Busy  # noqa: PLC0415 - aiohttp only where served
    from extract.replay.engine import Rules  # noqa: PLC0415
    from extract.replay.exchange import ReplayExchange  # noqa: PLC0415
    from extract.replay.holdings import as_documents  # noqa: PLC0415
    from extract.replay.holdings import holdings as held  # noqa: PLC0415

    if holdings:
        for document in as_documents(held()):
            typer.echo(json.dumps(document))
        return
    market = Busy(trades_per_second=busy) if busy else None
    rules = Rules(live=_live(live_from, speed), busy=market)
    with ReplayExchange(rules, port=port) as exchange:
        for name, url in exchange.urls.settings().items():
            typer.echo(f"{name}={url}")
        exchange.wait()


def _live(live_from: str, speed: str) -> Live | None:
    start = moment(live_from, "--live-from")
    try:
        pace = Decimal(speed)
    except InvalidOperation as error:
        hint = "Use a number, such as 1 or 0.5."
        raise UsageError(f"--speed can't be read: '{speed}'", hint=hint) from error
    return None if start is None else Live(start, pace)
