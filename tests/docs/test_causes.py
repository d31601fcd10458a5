"""The table of causes in docs/reconciliation.md says what the code knows."""

from __future__ import annotations

import re

from tests.docs.documents import ROOT
from transform.reconciliation.causes import CAUSES

TEXT = (ROOT / "docs" / "reconciliation.md").read_text(encoding="utf-8")
ROW = re.compile(r"^\| `(\w+)` \| (.+?) \| (yes|\*\*no\*\*) \|", re.MULTILINE)


def test_every_cause_is_in_the_table_in_the_same_words() -> None:
    said = {name: (words, answer == "yes") for name, words, answer in ROW.findall(TEXT)}

    assert said == {name: tuple(cause) for name, cause in CAUSES.items()}
