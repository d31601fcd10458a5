"""`python -m jobs`: the `candlelake` command, for who starts it as a process of their own."""

from __future__ import annotations

import sys

from jobs.cli import main

if __name__ == "__main__":
    sys.exit(main())
