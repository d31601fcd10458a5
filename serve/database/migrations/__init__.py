"""The migrations of the serving database, as Alembic finds them."""
