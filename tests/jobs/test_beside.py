"""A step beside the caller's: both have ended behind it, and an error of either is told."""

from __future__ import annotations

from threading import Event

import pytest

from jobs.beside import beside

PATIENCE_SECONDS = 10


def test_both_run_at_once_and_have_ended_behind_it() -> None:
    begun, may_end, ended = Event(), Event(), Event()

    def step() -> None:
        begun.set()
        may_end.wait(PATIENCE_SECONDS)
        ended.set()

    with beside(step):
        assert begun.wait(PATIENCE_SECONDS)
        assert not ended.is_set()
        may_end.set()
    assert ended.is_set()


def test_an_error_of_the_step_is_told() -> None:
    def step() -> None:
        raise ValueError("of the step")

    with pytest.raises(ValueError, match="of the step"), beside(step):
        pass


def test_an_error_of_the_body_is_told_when_the_step_has_ended() -> None:
    begun, ended = Event(), Event()

    def step() -> None:
        begun.set()
        ended.set()
        raise ValueError("of the step")

    def body() -> None:
        begun.wait(PATIENCE_SECONDS)
        raise ValueError("of the body")

    with pytest.raises(ValueError, match="of the body"), beside(step):
        body()
    assert ended.is_set()
