"""What the gates found, as a static site: Great Expectations' Data Docs, built on request."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import great_expectations as gx
from great_expectations.core.run_identifier import RunIdentifier
from great_expectations.data_context.data_context.file_data_context import FileDataContext

from expectations.validation import Expected, as_row, as_suite, quiet
from lake.errors import UsageError

_SITE = Path("gx", "uncommitted", "data_docs", "local_site")
Result = Mapping[str, Any]


def build(results: Iterable[Result], folder: Path) -> Path:
    """Build the site from recorded results, a page a batch and attempt.

    The recorded counts are validated again in detail; no table is read. A former site in `folder`
    is replaced.

    Args:
        results: rows of `ops.gate_results`, in any order.
        folder: where the site shall stand.

    Returns:
        The path of the site's index.html.

    Raises:
        UsageError: `folder` holds something else than a site of ours.
    """
    _require_site_or_nothing(folder)
    with tempfile.TemporaryDirectory() as project:
        context = gx.get_context(mode="file", project_root_dir=project)
        quiet(context)
        for batch in _batches(results):
            _validate(context, batch)
        context.build_data_docs()
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(Path(project) / _SITE, folder)
    return folder / "index.html"


def _require_site_or_nothing(folder: Path) -> None:
    is_site = (folder / "index.html").is_file() and (folder / "static").is_dir()
    if folder.exists() and not is_site and (folder.is_file() or any(folder.iterdir())):
        raise UsageError(
            "the folder for the Data Docs holds something else",
            where=str(folder),
            hint="Name a folder that is empty or does not exist yet.",
        )


def _batches(results: Iterable[Result]) -> Sequence[Sequence[Result]]:
    """Return the results of each batch and attempt together, oldest first."""
    batches: dict[tuple[Any, ...], list[Result]] = {}
    for result in results:
        named = (result["table_name"], result["run_id"], result["batch_id"], result["attempt"])
        batches.setdefault((result["checked_at"], *named), []).append(result)
    return [batches[named] for named in sorted(batches)]


def _validate(context: FileDataContext, batch: Sequence[Result]) -> None:
    """Store a batch's counts as a validation of its suite; its limits are its own."""
    first = batch[0]
    expected = [_expected(result) for result in batch]
    name = f"{first['table_name']} batch {first['batch_id']} attempt {first['attempt']}"
    unique = f"{name} of run {first['run_id']}"
    asset = context.data_sources.add_pandas(unique).add_dataframe_asset(name)
    definition = gx.ValidationDefinition(
        name=unique,
        data=asset.add_batch_definition_whole_dataframe(name),
        suite=context.suites.add(as_suite(unique, expected)),
    )
    context.validation_definitions.add(definition).run(
        batch_parameters={"dataframe": as_row(expected)},
        result_format="SUMMARY",
        run_id=RunIdentifier(run_name=first["run_id"], run_time=first["checked_at"]),
    )


def _expected(result: Result) -> Expected:
    observed = json.loads(result["observed"])
    return Expected(
        result["expectation"], result["severity"], observed["rows"], observed["allowed"]
    )
