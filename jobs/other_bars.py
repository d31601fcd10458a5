"""What Spark's workers run to read the bars of any exchange with CCXT."""

from __future__ import annotations

import json

from lake.errors import BronzeError


def other_bars(request: str | None, body: str | None) -> list[str] | None:
    """Return each bar of an answer as a JSON array of texts, None where CCXT can't read it."""
    if request is None or body is None:
        return None
    # ccxt takes a second to load, and few lakes need it
    from extract.venues.ccxt_answers import Question, read_bars  # noqa: PLC0415

    try:
        return [json.dumps(bar) for bar in read_bars(Question.of(request), body)]
    except BronzeError:
        return None
