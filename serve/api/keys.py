"""API keys: 256 random bits each, of which a file holds the SHA-256 alone.

A slow hash (scrypt) guards words that people choose; 256 random bits can't be guessed at any
speed, and a slow hash at each request would be a way to wear the server out.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import re
import secrets
from collections.abc import Mapping
from pathlib import Path

from lake.errors import SettingsError, UsageError

PREFIX = "candlelake_"
_NAME = re.compile(r"[A-Za-z0-9._-]{1,64}")
_LINE = re.compile(r"([A-Za-z0-9._-]{1,64}) sha256:([0-9a-f]{64})")
_OTHERS = 0o077


def new_key(path: Path, name: str) -> str:
    """Make a key, append its hash to the file of mode 600, and return the key.

    Raises:
        UsageError: the name can't be used, or is taken.
        SettingsError: the file can't be read or written.
    """
    if not _NAME.fullmatch(name):
        raise UsageError("--name is up to 64 letters, digits, dots, dashes and underscores")
    if path.exists() and name in names(path):
        hint = "Choose another, or delete its line: that key is refused from the next start on."
        raise UsageError(f"a key of the name '{name}' exists", where=str(path), hint=hint)
    key = PREFIX + secrets.token_urlsafe(32)
    line = f"{name} sha256:{digest(key)}\n"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            os.write(file, line.encode())
        finally:
            os.close(file)
    except OSError as error:
        raise SettingsError(f"the keys can't be written: {error}", where=str(path)) from error
    return key


def digest(key: str) -> str:
    """Return what the file holds of a key."""
    return hashlib.sha256(key.encode("utf-8", "surrogateescape")).hexdigest()


def names(path: Path) -> tuple[str, ...]:
    """Return the names of the keys of a file, in its order; raises as `KeyRing.of`."""
    return tuple(_entries(path))


class KeyRing:
    """The keys that are admitted."""

    def __init__(self, hashes: Mapping[str, str]) -> None:
        self._hashes = dict(hashes)

    @classmethod
    def of(cls, path: Path) -> KeyRing:
        """Read the keys of a file.

        Raises:
            SettingsError: the file is not there, others may read it, or a line is no key.
        """
        return cls(_entries(path))

    def owner(self, key: str) -> str | None:
        """Return the name of a key, None where it is not admitted; equally slow for any."""
        shown = digest(key)
        found = None
        for name, known in self._hashes.items():
            if hmac.compare_digest(known, shown):
                found = name
        return found


def _entries(path: Path) -> dict[str, str]:
    hint = "Make one with: candlelake api-key new --name NAME"
    try:
        if path.stat().st_mode & _OTHERS:
            raise SettingsError(
                "others may read the API keys", where=str(path), hint="Let its mode be 600."
            )
        lines = path.read_text(encoding="ascii").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError("the API keys can't be read", where=str(path), hint=hint) from error
    entries = {}
    for number, line in enumerate(lines, 1):
        match = _LINE.fullmatch(line)
        if match is None:
            raise SettingsError(f"line {number} is no API key", where=str(path), hint=hint)
        entries[match[1]] = match[2]
    if not entries:
        raise SettingsError("the file holds no API key", where=str(path), hint=hint)
    return entries
