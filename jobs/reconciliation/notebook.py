"""Runs the notebook of a reconciliation and keeps the executed copy beside what was compared."""

from __future__ import annotations

import importlib.util
import logging
from pathlib import Path

from jobs.context import Context
from jobs.reconciliation.download import folder_of
from lake.objects import FolderStore

log = logging.getLogger(__name__)
NOTEBOOK = Path(__file__).parents[2] / "notebooks" / "reconciliation.ipynb"
NAME = "notebook.ipynb"
PARAMETERS = "parameters"
NEEDS = ("deltalake", "duckdb", "ipykernel", "matplotlib", "nbclient")
CELL_SECONDS = 300


def keep_notebook(context: Context) -> None:
    """Run the notebook on this run, and keep it as it came out; say why where it can't be run."""
    reason = _reason(context)
    if reason:
        log.info("the notebook was not run: %s", reason)
        return
    content, fault = executed(context.store.location(""), context.run_id)
    key = f"{folder_of(context)}/{NAME}"
    context.store.create(key, content)
    if fault:
        log.warning("a cell of the notebook failed: %s [%s]", fault, context.store.location(key))
    else:
        log.info("notebook %s", context.store.location(key))


def _reason(context: Context) -> str:
    if not isinstance(context.store, FolderStore):
        return "the lake is in S3, and it opens a folder"
    if not NOTEBOOK.exists():
        return f"{NOTEBOOK.name} is not beside the code"
    # what its cells need comes with the environment for development alone
    absent = [name for name in NEEDS if importlib.util.find_spec(name) is None]
    if absent:
        return f"{', '.join(absent)} is not installed; ./run-tests.sh installs it"
    return ""


def executed(root: str, run_id: str) -> tuple[bytes, str]:
    """Run the notebook with these values; return it as it came out, and what went wrong in it.

    Args:
        root: the lake's folder.
        run_id: the run that it shows.
    """
    import nbformat  # noqa: PLC0415 - only here where the environment has it
    from nbclient import NotebookClient  # noqa: PLC0415
    from nbclient.exceptions import CellExecutionError  # noqa: PLC0415

    notebook = nbformat.read(NOTEBOOK, as_version=4)
    place = next(
        place
        for place, cell in enumerate(notebook.cells)
        if PARAMETERS in cell.metadata.get("tags", [])
    )
    # as every tool that runs notebooks with parameters does it
    named = nbformat.v4.new_code_cell(
        f"lake_root = {root!r}\nrun_id = {run_id!r}",
        id="injected-parameters",
        metadata={"tags": ["injected-parameters"]},
    )
    notebook.cells.insert(place + 1, named)
    where = {"metadata": {"path": str(NOTEBOOK.parent)}}
    client = NotebookClient(notebook, timeout=CELL_SECONDS, kernel_name="python3", resources=where)
    fault = ""
    try:
        client.execute()
    except CellExecutionError as error:
        fault = f"{error.ename}: {error.evalue}"
    return nbformat.writes(notebook).encode(), fault
