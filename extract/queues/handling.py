"""What a worker does with a message from a queue, whichever queue it is."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from extract.client import Client
from extract.history.message import Message
from extract.history.work import work
from extract.landing import Landed
from lake.errors import BannedError, CandlelakeError, PermanentExtractError, UsageError
from lake.objects import ObjectStore, open_store
from lake.settings import Settings


@dataclass(frozen=True, slots=True)
class Equipment:
    """What a worker needs for every message.

    Attributes:
        settings: where the exchanges and the lake are.
        store: the lake.
        client: asks the exchanges.
    """

    settings: Settings
    store: ObjectStore
    client: Client

    @classmethod
    def of(cls, settings: Settings) -> Equipment:
        """Open what the settings name.

        Raises:
            StorageError: the store can't be reached.
        """
        return cls(settings, open_store(settings.lake.root), Client(settings))


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a message.

    Attributes:
        verdict: `done`; `later`, it has to be delivered again; `dead`, it never can be worked on.
        landed: what landed.
        message: the message, None where it can't be read.
        following: what has to be sent before this message is given back, None at a chain's end.
        reason: why it is to be delivered again, or dead.
    """

    verdict: Literal["done", "later", "dead"]
    landed: Landed = field(default_factory=Landed)
    message: Message | None = None
    following: Message | None = None
    reason: str = ""


def handle(text: str, equipment: Equipment) -> Outcome:
    """Work one message off; handled twice, it lands the same objects once.

    A fault that asking again can't mend makes it dead. One that may pass, a ban included, leaves
    it to be delivered again; how often is the queue's own rule.
    """
    message = None
    try:
        message = Message.from_json(text)
        landed, following = work(message, equipment.settings, equipment.store, equipment.client)
    except BannedError as error:
        return Outcome("later", message=message, reason=f"banned: {error}")
    except (UsageError, PermanentExtractError) as error:
        return Outcome("dead", message=message, reason=str(error))
    except CandlelakeError as error:
        return Outcome("later", message=message, reason=str(error))
    return Outcome("done", landed, message, following)
