"""Runs the API on the known market as a process of its own: `python -m tests.serve_api.served`."""

from __future__ import annotations

import sys

from serve.api.server import Service, run
from tests.serve_api.conftest import serve_settings
from tests.serve_api.market import INTERVALS, filled_repository


def main() -> None:
    """Serve on the port of the first argument, with the processes of the second."""
    settings = serve_settings(port=int(sys.argv[1]))
    service = Service(filled_repository, settings, INTERVALS)

    def say(url: str) -> None:
        sys.stdout.write(f"{url}\n")
        sys.stdout.flush()

    run(service, int(sys.argv[2]), say)


if __name__ == "__main__":
    main()
