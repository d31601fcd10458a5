"""Every error that Candlelake raises on purpose, in one tree.

    CandlelakeError                 exit 1
    ├── UsageError                  exit 2   an option or an argument can't be used
    │   └── SettingsError           exit 2   the configuration is wrong
    ├── GateError                   exit 3   a gate stopped the run
    ├── ExtractError                exit 1
    │   ├── TransientExtractError   exit 4   worth another try
    │   ├── UnreachableError        exit 4   the exchange stayed unreachable after all retries
    │   ├── BannedError             exit 4   the exchange has banned this address: everything stops
    │   ├── StoppedError            exit 130 somebody has stopped the run
    │   └── PermanentExtractError   exit 1   asking again would give the same answer
    │       └── NotPublishedError   exit 1   the archive has no such file
    ├── BronzeError                 exit 1   a landed file breaks the contract of bronze
    ├── QueueError                  exit 1   a queue can't be asked
    ├── ServeError                  exit 1   what was asked of the served data can't be answered
    │   └── DatabaseGoneError       exit 1   the serving database can't be asked now
    └── StorageError                exit 1   the store or a table can't be read or written
        ├── RoomError               exit 1   the disk, or what the lake may hold, is too small
        └── LeaseError              exit 1   another job is writing this table
            └── GivesWayError       exit 1   it gives way: whoever waits gets the table soon

A message says what happened, where (table, file, instrument, run), and what to do next.
"""

from __future__ import annotations

from typing import ClassVar


class CandlelakeError(Exception):
    """A foreseen fault: one clear line for the user, never a traceback."""

    exit_code: ClassVar[int] = 1

    def __init__(self, what: str, *, where: str | None = None, hint: str | None = None) -> None:
        self.what = what
        self.where = where
        self.hint = hint
        super().__init__(str(self))

    def __str__(self) -> str:
        place = f" [{self.where}]" if self.where else ""
        advice = f" {self.hint}" if self.hint else ""
        return f"{self.what.removesuffix('.')}{place}.{advice}"


class UsageError(CandlelakeError):
    """An option or an argument can't be used."""

    exit_code: ClassVar[int] = 2


class SettingsError(UsageError):
    """The configuration is wrong: an unknown key, a wrong type, a missing file."""


class GateError(CandlelakeError):
    """A gate stopped the run; nothing of the batch is visible downstream."""

    exit_code: ClassVar[int] = 3


class ExtractError(CandlelakeError):
    """An exchange could not be asked, or its answer could not be used."""


class TransientExtractError(ExtractError):
    """Worth another try: a time-out, a 5xx, a cut body, an exchange's own 'try again'.

    `retry_after_seconds` is what the exchange told us to wait, where it did.
    """

    exit_code: ClassVar[int] = 4

    def __init__(
        self,
        what: str,
        *,
        where: str | None = None,
        hint: str | None = None,
        retry_after_seconds: int | None = None,
    ) -> None:
        self.retry_after_seconds = retry_after_seconds
        super().__init__(what, where=where, hint=hint)


class UnreachableError(ExtractError):
    """The exchange stayed unreachable after all retries; what was landed stays."""

    exit_code: ClassVar[int] = 4


class BannedError(ExtractError):
    """The exchange has banned this address (HTTP 418): every request must stop at once.

    `seconds` is how long the ban lasts, None where the exchange did not say.
    """

    exit_code: ClassVar[int] = 4

    def __init__(
        self,
        what: str,
        *,
        where: str | None = None,
        hint: str | None = None,
        seconds: int | None = None,
    ) -> None:
        self.seconds = seconds
        super().__init__(what, where=where, hint=hint)


class StoppedError(ExtractError):
    """Somebody has stopped the run: no further request goes out; what was landed stays."""

    exit_code: ClassVar[int] = 130


class PermanentExtractError(ExtractError):
    """Asking again would give the same answer: a bad symbol, a bad parameter, a missing key."""


class NotPublishedError(PermanentExtractError):
    """The archive has no such file: not yet, or never."""


class BronzeError(CandlelakeError):
    """A landed file or its name breaks the contract of bronze."""


class QueueError(CandlelakeError):
    """A queue can't be asked, or refuses."""


class ServeError(CandlelakeError):
    """What was asked of the served data can't be answered."""


class DatabaseGoneError(ServeError):
    """The serving database can't be asked now; asking again later may help."""


class StorageError(CandlelakeError):
    """The store or a table can't be read or written."""


class RoomError(StorageError):
    """A run would not leave the room that the settings want; it has not begun."""


class LeaseError(StorageError):
    """Another job holds the lease of this table, or ours was lost."""


class GivesWayError(LeaseError):
    """The lease is held by one that gives way to a writer who waits."""
