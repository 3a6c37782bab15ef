"""Which relay a message went to, how much each took by the minute, and how it and its providers want to be treated."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.add_column("deliveries", sa.Column("relay", sa.String(), nullable=False, server_default=sa.text("''")))
    op.create_table(
        "relay_usage",
        sa.Column("relay", sa.String(), nullable=False),
        sa.Column("minute", sa.BigInteger(), nullable=False),
        sa.Column("permits", sa.Integer(), nullable=False),
        sa.Column("accepted", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("relay", "minute"),
    )
    op.create_table(
        "paces",
        sa.Column("relay", sa.String(), nullable=False),
        sa.Column("provider", sa.String(), nullable=False),
        sa.Column("state", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("relay", "provider"),
    )
