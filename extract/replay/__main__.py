"""Runs the replay exchange by itself: `python -m extract.replay --port 8080`."""

from __future__ import annotations

import argparse
import json
import sys

from extract.replay.exchange import ReplayExchange
from lake.errors import CandlelakeError


def main(arguments: list[str] | None = None) -> int:
    """Serve until interrupted; the settings that point at it go to standard output as JSON."""
    parser = argparse.ArgumentParser(prog="python -m extract.replay", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="port on 127.0.0.1; 0 for a free one")
    port = parser.parse_args(arguments).port
    try:
        with ReplayExchange(port=port) as exchange:
            sys.stdout.write(json.dumps(exchange.urls.settings(), indent=2) + "\n")
            sys.stdout.flush()
            exchange.wait()
    except KeyboardInterrupt:
        return 130
    except CandlelakeError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
