"""The page: candles, coverage and certificates in a browser; static files that ask the HTTP API.

The page needs no build. Whoever serves it gives `STATIC` as it is, at the root, beside
`/api/v1/`, with `CONTENT_SECURITY_POLICY` as header: nothing comes from another origin, and nothing
inline runs.
"""

from __future__ import annotations

from pathlib import Path

#: The folder to serve; `index.html` is the page.
STATIC = Path(__file__).parent / "static"
CONTENT_SECURITY_POLICY = (
    "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; "
    "object-src 'none'"
)
