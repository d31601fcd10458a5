"""What becomes of a task whose command has ended: done, tried again, or failed for good.

Exit codes are those of lake/errors.py: an option or setting that is wrong (2) and a gate (3) say
the same however often they are tried. All else may pass: an exchange that can't be reached (4), a
lease that another job holds or a store that refuses (1), an interruption (130).
"""

# mypy: disable-error-code="import-not-found"

from __future__ import annotations

import re
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field

from airflow.sdk.exceptions import AirflowException, AirflowFailException

FINAL: Mapping[int, str] = {
    2: "an option or a setting is wrong",
    3: "a gate stopped the run",
}
PASSING: Mapping[int, str] = {
    1: "the job failed",
    4: "the exchange stayed unreachable",
    130: "the job was interrupted",
}
FAULT = re.compile(r"^candlelake: (?P<fault>.*)")
REPORT = re.compile(r" report (?P<place>\S+report\.html)$")
#: How EMR Serverless (ExitCode: 3) and Glue (SystemExit: 3) tell of an exit code.
CODE_OF_AWS = re.compile(r"(?:ExitCode|SystemExit): (?P<code>\d+)")


@dataclass(slots=True)
class Told:
    """What the lines of a command told.

    Attributes:
        fault: the line that says what was wrong.
        report: where the page of a reconciliation was written.
        last: the last lines, for a command that ended without a word on why.
    """

    fault: str = ""
    report: str = ""
    last: deque[str] = field(default_factory=lambda: deque(maxlen=3))

    def hear(self, line: str) -> None:
        """Take in one line, of standard output or standard error."""
        if found := FAULT.match(line):
            self.fault = found["fault"]
        if found := REPORT.search(line):
            self.report = found["place"]
        if line.strip():
            self.last.append(line)


def failure_of(code: int, told: Told) -> AirflowException:
    """Return the exception for an exit code other than 0; it says what, where and what to do."""
    meaning = FINAL.get(code) or PASSING.get(code, "the job ended unexpectedly")
    said = told.fault or " | ".join(told.last) or "it said nothing"
    report = f" The certificate is in ops.reconciliation, its page: {told.report}"
    text = f"{meaning} (exit code {code}): {said}{report if told.report else ''}"
    return AirflowFailException(text) if code in FINAL else AirflowException(text)


def failure_at_aws(job: str, run: str, why: str) -> AirflowException:
    """Return the exception for a run that has failed at AWS, by what AWS says of it.

    Args:
        job: the name of ours.
        run: its id at AWS.
        why: its state and what AWS adds; where an exit code of ours is in it, that decides.
    """
    found = CODE_OF_AWS.search(why)
    code = int(found["code"]) if found else None
    meaning = FINAL.get(code or 0, "the job failed")
    text = f"{meaning}: {job}, run {run}, {why}. Its log has the line that says what was wrong."
    return AirflowFailException(text) if code in FINAL else AirflowException(text)
