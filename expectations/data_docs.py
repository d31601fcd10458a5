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

from expectations import data_docs_pages
from expectations.rules import Expected
from expectations.validation import as_row, as_suite, quiet
from lake.clock import to_iso
from lake.errors import UsageError

_SITE = Path("gx", "uncommitted", "data_docs", "local_site")
Result = Mapping[str, Any]


def build(results: Iterable[Result], folder: Path) -> Path:
    """Build the site from recorded results, a page a batch and attempt.

    The recorded counts are validated again in detail; no table is read. A former site in `folder`
    is replaced. The pages need no network.

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
        batches = _batches(results)
        for batch in batches:
            _validate(context, batch)
        context.build_data_docs()
        site = Path(project) / _SITE
        data_docs_pages.stand_alone(site)
        entries = [_entry(site, batch) for batch in reversed(batches)]
        (site / "index.html").write_text(data_docs_pages.index(entries), encoding="utf-8")
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(site, folder)
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
    name, unique = _name(first), _unique(first)
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


def _name(result: Result) -> str:
    return f"{result['table_name']} batch {result['batch_id']} attempt {result['attempt']}"


def _unique(result: Result) -> str:
    return f"{_name(result)} of run {result['run_id']}"


def _entry(site: Path, batch: Sequence[Result]) -> data_docs_pages.Entry:
    """Return the index's line of a batch; its page lies below a folder of the suite's name."""
    first = batch[0]
    (page,) = (site / "validations" / _unique(first).replace(".", "/")).rglob("*.html")
    return data_docs_pages.Entry(
        checked_at=to_iso(first["checked_at"])[:19] + "Z",
        table=first["table_name"],
        batch=f"{first['batch_id']}, attempt {first['attempt']}, run {first['run_id']}",
        rows=first["rows"],
        rejected_rows=first["rejected_rows"],
        failed=tuple(sorted(each["expectation"] for each in batch if not each["success"])),
        page=page.relative_to(site),
    )
