"""Great Expectations on the counts of a batch: one row a batch, one column an expectation."""

from __future__ import annotations

import logging
from collections.abc import Collection, Sequence
from functools import cache
from typing import Any

import great_expectations as gx
import pandas as pd
from great_expectations.core.batch_definition import BatchDefinition
from great_expectations.data_context.data_context.abstract_data_context import AbstractDataContext
from great_expectations.data_context.types.base import ProgressBarsConfig
from great_expectations.expectations.core.expect_column_max_to_be_between import (
    ExpectColumnMaxToBeBetween,
)
from great_expectations.expectations.metadata_types import FailureSeverity

from expectations.rules import Expected

# types.base sets a level of its own at its import, and tells a temporary folder at it
for chatty in ("great_expectations", "great_expectations.data_context.types.base"):
    logging.getLogger(chatty).setLevel(logging.WARNING)


def failed(table: str, expected: Sequence[Expected]) -> Collection[str]:
    """Return the names of the expectations that are not met.

    The fast path BOOLEAN_ONLY, validated without being stored: what a context stores it keeps for
    the life of the process.
    """
    batch = _counts().get_batch(batch_parameters={"dataframe": as_row(expected)})
    result = batch.validate(as_suite(table, expected), result_format="BOOLEAN_ONLY")
    return {
        outcome.expectation_config.kwargs["column"]
        for outcome in result.results
        if outcome.expectation_config is not None and not outcome.success
    }


def as_suite(table: str, expected: Sequence[Expected]) -> gx.ExpectationSuite:
    """Return the suite of Great Expectations that holds each count to what is allowed."""
    return gx.ExpectationSuite(
        name=table,
        expectations=[
            ExpectColumnMaxToBeBetween(
                column=each.name,
                max_value=each.allowed,
                severity=FailureSeverity(each.severity),
                description=f"{each.name}: at most {each.allowed} rows break it",
            )
            for each in expected
        ],
    )


def as_row(expected: Sequence[Expected]) -> pd.DataFrame:
    """Return the counts as one row: a frame in memory, so that no Spark job runs for it."""
    return pd.DataFrame([{each.name: each.rows for each in expected}])


def quiet(context: AbstractDataContext) -> None:
    """Keep a context from calling home and drawing progress bars."""
    context.enable_analytics(enable=False)
    context.variables.progress_bars = ProgressBarsConfig(globally=False, metric_calculations=False)


@cache
def _counts() -> BatchDefinition[Any]:
    """Return the process's only batch definition, in a context that lives in memory."""
    context = gx.get_context(mode="ephemeral")
    quiet(context)
    asset = context.data_sources.add_pandas("counts").add_dataframe_asset("counts")
    return asset.add_batch_definition_whole_dataframe("counts")
