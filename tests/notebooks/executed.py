"""Runs a notebook as a reader would, and gives what its cells printed."""

from __future__ import annotations

from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"
Outputs = dict[str, str]


def outputs_of(path: Path, lake: Path) -> Outputs:
    """What each cell printed, under the cell's id; a picture as its base64 text."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CANDLELAKE_LAKE__ROOT", str(lake))
        patch.setenv("TZ", "Asia/Tokyo")
        notebook = nbformat.read(path, as_version=4)
        execute(notebook)
    return {
        cell["id"]: "".join(
            output["text"] if output["output_type"] == "stream" else output["data"]["image/png"]
            for output in cell["outputs"]
        )
        for cell in notebook.cells
        if cell["cell_type"] == "code"
    }


def rows(printed: str) -> list[dict[str, str]]:
    """Return a printed answer as rows; two spaces part the columns, as a time holds one."""
    header, *lines = (
        [cell.strip() for cell in line.split("  ") if cell.strip()] for line in printed.splitlines()
    )
    return [dict(zip(header, line, strict=True)) for line in lines]


def execute(notebook: nbformat.NotebookNode) -> None:
    """Run a notebook where it stands, with this process's Python and environment."""
    folder = {"metadata": {"path": str(NOTEBOOKS)}}
    NotebookClient(notebook, timeout=300, kernel_name="python3", resources=folder).execute()
