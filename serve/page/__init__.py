"""The page: candles, coverage and certificates in a browser; static files that ask the HTTP API.

The files of `static/` are served as they are, at the root, beside `/api/v1/`: there is no build.
They work under the policy `default-src 'self'`: nothing inline, nothing from another origin.
"""
