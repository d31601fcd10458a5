"""The serving database: its schema, its migrations, and the repository that reads it."""
