"""Until when holes are told, apart from until when all is complete.

Revision ID: 0002
Revises: 0001
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Add the column; the next publication tells both times anew."""
    op.add_column("series", sa.Column("known_until", sa.BigInteger(), nullable=True))
    op.execute("UPDATE series SET known_until = complete_until")


def downgrade() -> None:
    """Take the column away."""
    op.drop_column("series", "known_until")
