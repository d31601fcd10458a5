"""Where the next page begins: an opaque word that says it, and in which order."""

from __future__ import annotations

import base64
import binascii
import re

from serve.api.errors import RefusedError, invalid

_WORD = re.compile(r"([adsn])(\d{1,16})")
_LONGEST = 40


def written(letter: str, place: int) -> str:
    """Return the cursor of a place: a time, `a` up or `d` down, `s` a trade, or `n` a row."""
    return base64.urlsafe_b64encode(f"{letter}{place}".encode()).decode().rstrip("=")


def read(cursor: str, letter: str) -> int:
    """Return the place that a cursor holds.

    Raises:
        RefusedError: 422, it is no cursor of ours, or one of another order.
    """
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        text = base64.urlsafe_b64decode(padded.encode("ascii")).decode("ascii")
    except (binascii.Error, UnicodeError):
        raise _foreign() from None
    match = _WORD.fullmatch(text)
    if match is None or len(cursor) > _LONGEST:
        raise _foreign()
    if match[1] != letter:
        raise invalid("cursor", "belongs to another order", hint="Keep `order` from page to page.")
    return int(match[2])


def _foreign() -> RefusedError:
    return invalid("cursor", "is none", hint="Give what `next_cursor` of the page before says.")
