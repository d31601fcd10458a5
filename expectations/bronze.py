"""The suite of bronze: envelopes as the silver job reads them, with the fault it found in each."""

from __future__ import annotations

from dataclasses import replace

from expectations.rules import (
    DATASETS,
    EXCHANGES,
    KINDS,
    MODES,
    Rule,
    Suite,
    one_of,
    ordered,
    within_history,
)

_NEEDED = (
    "region",
    "request",
    "run_id",
    "bronze_file",
    "end_download_timestamp",
    "knowledge_timestamp",
    "sequence",
)
_ABSENT = " OR ".join(f"{column} IS NULL" for column in _NEEDED)


def suite() -> Suite:
    """Return the rules of the envelopes that carry no fault; the others are rejected, and counted.

    Envelopes are read once more for this, so all rules are held in one pass and no key is checked.
    """
    rules = (
        *(one_of("exchange", EXCHANGES), one_of("kind", KINDS)),
        *(one_of("dataset", DATASETS), one_of("mode", MODES)),
        Rule("envelope_complete", _ABSENT),
        Rule("body_present", "body IS NULL"),
        Rule("status_ok_or_none", "status NOT IN (0, 200)"),
        Rule("sequence_from_one", "sequence < 1"),
        within_history("end_download_timestamp"),
        ordered("persisted_after_download", "end_download_timestamp", "knowledge_timestamp"),
    )
    return Suite(tuple(_of_faultless(rule) for rule in rules), whole=False)


def _of_faultless(rule: Rule) -> Rule:
    return replace(rule, broken_when=f"size(faults) = 0 AND ({rule.broken_when})")
