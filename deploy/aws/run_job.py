"""What EMR Serverless and Glue start: one job of the package, named by the first word.

    run_job.py pipeline --env aws ...                        as EMR gives arguments
    run_job.py candlelake levels --env aws ...               a command that is no job of its own
    run_job.py --command "pipeline --env aws" [--at MOMENT]  as Glue does, among its own

The jobs themselves come from candlelake.zip, which --py-files or --extra-py-files brings.
"""

from __future__ import annotations

import runpy
import shlex
import sys
from collections.abc import Sequence
from itertools import pairwise


def words_of(arguments: Sequence[str]) -> list[str]:
    """Return the job's name and its options, whichever way they were given.

    Raises:
        SystemExit: no job is named.
    """
    given = dict(pairwise(arguments))
    if "--command" in given:
        at = ["--at", given["--at"]] if "--at" in given else []
        return [*shlex.split(given["--command"]), *at]
    if not arguments:
        sys.exit("run_job.py: name a job, such as pipeline, and its options")
    return list(arguments)


def main() -> None:
    """Run the job as spark-submit.sh would, with the exit code of its outcome."""
    name, *options = words_of(sys.argv[1:])
    sys.argv[:] = [name, *options]
    module = "jobs" if name == "candlelake" else f"jobs.{name.replace('-', '_')}"
    try:
        runpy.run_module(module, run_name="__main__")
    except SystemExit as stop:
        # not every service takes an exit with 0 for success
        if stop.code:
            raise


if __name__ == "__main__":
    main()
