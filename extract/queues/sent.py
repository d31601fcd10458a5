"""Which messages have been sent already, as marks in the lake's own store."""

from __future__ import annotations

from extract.history.message import Message
from lake.objects import ObjectStore

FOLDER = "queues/sent"


class SentMarks:
    """Remembers each message that follows another.

    Without it, messages that take longer than they stay invisible would double at every step.
    """

    def __init__(self, store: ObjectStore) -> None:
        self._store = store

    def has(self, message: Message) -> bool:
        """Tell whether this message is known to be in the queue, or worked off.

        Raises:
            StorageError: the store can't be reached.
        """
        return self._store.read(_key(message)) is not None

    def add(self, message: Message) -> None:
        """Remember that a message is in the queue; called after it is, so that none is lost.

        Raises:
            StorageError: the store can't be reached.
        """
        self._store.create(_key(message), b"")


def _key(message: Message) -> str:
    return f"{FOLDER}/{message.digest}"
