"""How a run of `reconcile` ends: its page is written, whether or not the gate stops it."""

from __future__ import annotations

import logging
from dataclasses import replace

from jobs.context import Context
from jobs.reconciliation import gate
from jobs.reconciliation.download import folder_of
from jobs.reconciliation.notebook import keep_notebook
from jobs.reconciliation.report.gathering import Checked, gather
from jobs.reconciliation.report.page import page
from lake.errors import GateError

log = logging.getLogger(__name__)
NAME = "report.html"


def conclude(context: Context, checked: Checked, *, report: bool, notebook: bool) -> None:
    """Keep the notebook and the page of a run, where they are wanted, and let the gate judge it.

    Raises:
        GateError: as `gate.require`, after the page is written.
    """
    stopped: GateError | None = None
    try:
        gate.require(context, checked.certificates)
    except GateError as error:
        stopped = error
    if notebook and checked.certificates:
        keep_notebook(context)
    if report:
        keep_page(context, replace(checked, is_stopped=stopped is not None))
    if stopped is not None:
        raise stopped


def keep_page(context: Context, checked: Checked) -> None:
    """Write the page beside what the run has compared, and say where it is."""
    key = f"{folder_of(context)}/{NAME}"
    context.store.create(key, page(gather(context, checked)).encode())
    log.info("report %s", context.store.location(key))
