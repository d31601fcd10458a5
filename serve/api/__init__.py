"""The HTTP API: what a serving database holds, to programs and people. Nothing here writes."""
