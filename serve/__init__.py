"""Gold to people and programs: the published database, the HTTP API, the page and files."""
