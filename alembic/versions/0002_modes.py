"""Which mode made the vectors: runs of embedding ids, and the mode of staged vectors."""

import sqlalchemy as sa

from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.create_table(
        "embedding_runs",
        sa.Column("first_id", sa.Integer(), nullable=False),
        sa.Column("mode", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("first_id"),
    )
    op.add_column("staged_vectors", sa.Column("mode", sa.Text(), server_default="", nullable=False))
