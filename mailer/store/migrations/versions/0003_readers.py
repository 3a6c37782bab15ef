"""What readers ask for on pages and confirm by mail; their consent in full; pages of editions."""

import sqlalchemy as sa
from alembic import op

from mailer.store.instant import Instant, Key

revision = "0003"
down_revision = "0002"

_EMPTY = sa.text("''")


def upgrade() -> None:
    op.add_column("subscribers", sa.Column("hour", sa.Integer(), nullable=True))
    pending = sa.text("state = 'pending'")
    op.create_index(
        "ix_subscribers_pending", "subscribers", ["joined_at"], sqlite_where=pending, postgresql_where=pending
    )
    for name in ("source", "text_version", "language", "ip", "agent", "message_id"):
        op.add_column("consent", sa.Column(name, sa.String(), nullable=False, server_default=_EMPTY))
    whole = sa.text("ip <> '' AND ip NOT LIKE '%/%'")
    op.create_index("ix_consent_ip", "consent", ["at"], sqlite_where=whole, postgresql_where=whole)
    op.create_table(
        "consent_texts",
        sa.Column("version", sa.String(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("since", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("version"),
    )
    _confirmations()
    _notices()
    _signup_attempts()
    op.add_column("variants", sa.Column("number", sa.Integer(), nullable=False, server_default="0"))
    op.add_column("variants", sa.Column("over", sa.JSON(), nullable=False, server_default="[]"))
    # Their pages have addresses now, in the order in which they were made.
    op.execute(
        "UPDATE variants SET number = (SELECT count(*) FROM variants v "
        "WHERE v.edition_id = variants.edition_id AND v.id < variants.id) WHERE edition_id IS NOT NULL"
    )


def _confirmations() -> None:
    op.create_table(
        "confirmations",
        sa.Column("id", Key, nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("subscriber_id", Key, nullable=False),
        sa.Column("generation", sa.Integer(), nullable=False),
        sa.Column("asked_at", Instant(), nullable=False),
        sa.Column("cadence", sa.String(), nullable=False),
        sa.Column("interest_set_id", Key, nullable=True),
        sa.Column("timezone", sa.String(), nullable=False),
        sa.Column("language", sa.String(), nullable=False),
        sa.Column("address", sa.String(), nullable=True),
        sa.Column("confirmed_at", Instant(), nullable=True),
        sa.ForeignKeyConstraint(["subscriber_id"], ["subscribers.id"]),
        sa.ForeignKeyConstraint(["interest_set_id"], ["interest_sets.id"]),
        sa.PrimaryKeyConstraint("id"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_confirmations_subscriber_id", "confirmations", ["subscriber_id"])


def _notices() -> None:
    op.create_table(
        "notices",
        sa.Column("id", Key, nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("subscriber_id", Key, nullable=False),
        sa.Column("generation", sa.Integer(), nullable=False),
        sa.Column("confirmation_id", Key, nullable=True),
        sa.Column("wanted_at", Instant(), nullable=False),
        sa.Column("throttled", sa.Integer(), nullable=False),
        sa.Column("held", sa.Boolean(), nullable=False),
        sa.Column("told", sa.JSON(), nullable=False),
        sa.Column("dropped", sa.String(), nullable=False),
        sa.Column("posted_at", Instant(), nullable=True),
        sa.Column("delivery_id", Key, nullable=True),
        sa.Column("nonce", sa.String(), nullable=False),
        sa.Column("key_id", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(["subscriber_id"], ["subscribers.id"]),
        sa.ForeignKeyConstraint(["confirmation_id"], ["confirmations.id"]),
        sa.ForeignKeyConstraint(["delivery_id"], ["deliveries.id"]),
        sa.PrimaryKeyConstraint("id"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_notices_subscriber_id", "notices", ["subscriber_id"])
    wanted = sa.text("delivery_id IS NULL AND dropped = ''")
    op.create_index("ix_notices_wanted", "notices", ["throttled", "id"], sqlite_where=wanted, postgresql_where=wanted)
    op.create_index("ix_notices_posted", "notices", ["throttled", "posted_at"])
    made = sa.text("delivery_id IS NOT NULL")
    op.create_index(
        "ix_notices_delivery_id", "notices", ["delivery_id"], unique=True, sqlite_where=made, postgresql_where=made
    )


def _signup_attempts() -> None:
    op.create_table(
        "signup_attempts",
        sa.Column("id", Key, nullable=False),
        sa.Column("at", Instant(), nullable=False),
        sa.Column("address", sa.String(), nullable=False),
        sa.Column("network", sa.String(), nullable=False),
        sa.Column("domain", sa.String(), nullable=False),
        sa.Column("outcome", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    for column in ("address", "network", "domain", "outcome"):
        op.create_index(f"ix_signup_attempts_{column}", "signup_attempts", [column, "at"])
    op.create_index("ix_signup_attempts_at", "signup_attempts", ["at"])
