"""A pipeline whose history went to a queue: what has not landed is not certified."""

from __future__ import annotations

from typing import cast

from extract.landing import Landed
from jobs.extraction.run import Extraction, Prepared
from jobs.pipeline import _outcome
from lake.errors import ExtractError


class Sending:
    """An extraction that sends messages and lands no trade."""

    def __init__(self, sent: int) -> None:
        self._done = Extraction(Landed(), (), sent)

    def run(self) -> Extraction:
        return self._done


def test_a_pipeline_ends_where_messages_wait_in_a_queue() -> None:
    outcome = _outcome(cast("Prepared", Sending(3)))

    assert isinstance(outcome, ExtractError)
    assert "3 messages are in the queue" in str(outcome)


def test_a_pipeline_goes_on_where_nothing_had_to_be_sent() -> None:
    assert isinstance(_outcome(cast("Prepared", Sending(0))), Extraction)
