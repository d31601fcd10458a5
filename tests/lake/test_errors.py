"""Errors: one tree, one line each, and the exit codes of the design."""

from __future__ import annotations

import pickle
import re

import pytest

from lake import errors


def test_a_message_says_what_where_and_what_to_do_next() -> None:
    error = errors.StorageError(
        "the table is gone", where="silver.trades", hint="Run the pipeline."
    )

    assert str(error) == "the table is gone [silver.trades]. Run the pipeline."
    assert (error.what, error.where, error.hint) == (
        "the table is gone",
        "silver.trades",
        "Run the pipeline.",
    )


@pytest.mark.parametrize(
    ("what", "where", "hint", "said"),
    [
        ("it broke", None, None, "it broke."),
        ("it broke.", None, None, "it broke."),
        ("it broke", "here", None, "it broke [here]."),
        ("it broke.", "here", "Mend it.", "it broke [here]. Mend it."),
        ("it broke", None, "Mend it.", "it broke. Mend it."),
    ],
)
def test_a_message_is_one_sentence_and_a_hint(
    what: str, where: str | None, hint: str | None, said: str
) -> None:
    assert str(errors.CandlelakeError(what, where=where, hint=hint)) == said


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        (errors.CandlelakeError, 1),
        (errors.UsageError, 2),
        (errors.SettingsError, 2),
        (errors.GateError, 3),
        (errors.ExtractError, 1),
        (errors.TransientExtractError, 4),
        (errors.UnreachableError, 4),
        (errors.BannedError, 4),
        (errors.PermanentExtractError, 1),
        (errors.BronzeError, 1),
        (errors.QueueError, 1),
        (errors.StorageError, 1),
        (errors.LeaseError, 1),
    ],
)
def test_each_error_ends_the_process_with_the_code_of_the_design(
    kind: type[errors.CandlelakeError], code: int
) -> None:
    assert kind("x").exit_code == code


def test_the_tree_drawn_in_the_docstring_is_the_tree() -> None:
    classes = [
        name
        for name, found in vars(errors).items()
        if isinstance(found, type) and issubclass(found, errors.CandlelakeError)
    ]

    drawn = re.findall(r"(\w+) +exit (\d+)", errors.__doc__ or "")
    assert sorted(name for name, _ in drawn) == sorted(classes)
    for name, code in drawn:
        assert getattr(errors, name).exit_code == int(code), name


def test_what_the_exchange_told_us_to_wait_is_kept() -> None:
    assert errors.TransientExtractError("slow down", retry_after_seconds=7).retry_after_seconds == 7
    assert errors.TransientExtractError("cut body").retry_after_seconds is None


def test_an_error_survives_the_way_between_processes() -> None:
    error = errors.TransientExtractError("slow", where="host", hint="Wait.", retry_after_seconds=7)

    copy = pickle.loads(pickle.dumps(error))  # noqa: S301 - our own bytes

    assert str(copy) == "slow [host]. Wait."
    assert copy.retry_after_seconds == 7
