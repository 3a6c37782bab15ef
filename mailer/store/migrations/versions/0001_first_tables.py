"""The first tables."""

import sqlalchemy as sa
from alembic import op

from mailer.store.instant import Instant, Key

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "articles",
        sa.Column("seq", Key, autoincrement=False, nullable=False),
        sa.Column("origin", sa.String(), nullable=False),
        sa.Column("guid", sa.String(), nullable=False),
        sa.Column("title", sa.String(), nullable=False),
        sa.Column("link", sa.String(), nullable=False),
        sa.Column("summary", sa.Text(), nullable=False),
        sa.Column("author", sa.String(), nullable=False),
        sa.Column("picture", sa.JSON(), nullable=True),
        sa.Column("topics", sa.JSON(), nullable=False),
        sa.Column("published", Instant(), nullable=True),
        sa.Column("language", sa.String(), nullable=False),
        sa.Column("minutes", sa.Integer(), nullable=False),
        sa.Column("hidden", sa.Boolean(), nullable=False),
        sa.Column("known", sa.Boolean(), nullable=False),
        sa.Column("pins", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("seq"),
        sa.UniqueConstraint("origin", "guid"),
    )
    op.create_table(
        "editions",
        sa.Column("id", Key, nullable=False),
        sa.Column("cadence", sa.String(), nullable=False),
        sa.Column("period", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("due_at", Instant(), nullable=False),
        sa.Column("planned_at", Instant(), nullable=False),
        sa.Column("done_at", Instant(), nullable=True),
        sa.Column("lo", Key, nullable=True),
        sa.Column("hi", Key, nullable=True),
        sa.Column("planned", sa.Integer(), nullable=False),
        sa.Column("nonce", sa.String(), nullable=False),
        sa.Column("key_id", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("cadence", "period"),
    )
    op.create_table(
        "feeds",
        sa.Column("id", Key, nullable=False),
        sa.Column("url", sa.String(), nullable=False),
        sa.Column("title", sa.String(), nullable=False),
        sa.Column("removed", sa.Boolean(), nullable=False),
        sa.Column("taken", sa.Boolean(), nullable=False),
        sa.Column("etag", sa.String(), nullable=False),
        sa.Column("last_modified", sa.String(), nullable=False),
        sa.Column("polled_at", Instant(), nullable=True),
        sa.Column("ok_at", Instant(), nullable=True),
        sa.Column("problem", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("url"),
    )
    op.create_table(
        "interest_sets",
        sa.Column("id", Key, nullable=False),
        sa.Column("topics", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("topics"),
    )
    op.create_table(
        "meta",
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("value", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("key"),
    )
    op.create_table(
        "suppressions",
        sa.Column("id", Key, nullable=False),
        sa.Column("email", sa.String(), nullable=True),
        sa.Column("fingerprint", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("at", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("email"),
        sa.UniqueConstraint("fingerprint"),
    )
    op.create_table(
        "subscribers",
        sa.Column("id", Key, nullable=False),
        sa.Column("email", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("cadence", sa.String(), nullable=False),
        sa.Column("timezone", sa.String(), nullable=False),
        sa.Column("language", sa.String(), nullable=False),
        sa.Column("interest_set_id", Key, nullable=False),
        sa.Column("generation", sa.Integer(), nullable=False),
        sa.Column("given", Key, nullable=True),
        sa.Column("start", Key, nullable=True),
        sa.Column("start_since", Instant(), nullable=True),
        sa.Column("paused_until", Instant(), nullable=True),
        sa.Column("joined_at", Instant(), nullable=False),
        sa.ForeignKeyConstraint(
            ["interest_set_id"],
            ["interest_sets.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("email"),
        sqlite_autoincrement=True,
    )
    op.create_index(
        "ix_subscribers_due",
        "subscribers",
        ["cadence", "state", "given", "start", "start_since", "interest_set_id", "language"],
        unique=False,
    )
    op.create_table(
        "variants",
        sa.Column("id", Key, nullable=False),
        sa.Column("edition_id", Key, nullable=True),
        sa.Column("lo", Key, nullable=False),
        sa.Column("since", Instant(), nullable=True),
        sa.Column("language", sa.String(), nullable=False),
        sa.Column("articles", sa.JSON(), nullable=False),
        sa.Column("more", sa.Integer(), nullable=False),
        sa.Column("subject", sa.String(), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["edition_id"],
            ["editions.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(op.f("ix_variants_edition_id"), "variants", ["edition_id"], unique=False)
    op.create_table(
        "consent",
        sa.Column("id", Key, nullable=False),
        sa.Column("subscriber_id", Key, nullable=False),
        sa.Column("at", Instant(), nullable=False),
        sa.Column("event", sa.String(), nullable=False),
        sa.Column("route", sa.String(), nullable=False),
        sa.Column("statement", sa.String(), nullable=False),
        sa.Column("detail", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(
            ["subscriber_id"],
            ["subscribers.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(op.f("ix_consent_subscriber_id"), "consent", ["subscriber_id"], unique=False)
    op.create_table(
        "deliveries",
        sa.Column("id", Key, nullable=False),
        sa.Column("edition_id", Key, nullable=True),
        sa.Column("subscriber_id", Key, nullable=True),
        sa.Column("variant_id", Key, nullable=False),
        sa.Column("purpose", sa.String(), nullable=False),
        sa.Column("dedupe_key", sa.String(), nullable=True),
        sa.Column("address", sa.String(), nullable=True),
        sa.Column("generation", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("waits", sa.Integer(), nullable=False),
        sa.Column("doubts", sa.Integer(), nullable=False),
        sa.Column("permit_at", Instant(), nullable=True),
        sa.Column("next_at", Instant(), nullable=True),
        sa.Column("expires_at", Instant(), nullable=False),
        sa.Column("settled_at", Instant(), nullable=True),
        sa.ForeignKeyConstraint(
            ["edition_id"],
            ["editions.id"],
        ),
        sa.ForeignKeyConstraint(
            ["subscriber_id"],
            ["subscribers.id"],
        ),
        sa.ForeignKeyConstraint(
            ["variant_id"],
            ["variants.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("edition_id", "subscriber_id"),
    )
    op.create_index(
        "ix_deliveries_in_doubt_held",
        "deliveries",
        ["edition_id"],
        unique=False,
        sqlite_where=sa.text("state = 'in_doubt_held'"),
        postgresql_where=sa.text("state = 'in_doubt_held'"),
    )
    op.create_index(
        "ix_deliveries_dedupe_key",
        "deliveries",
        ["dedupe_key"],
        unique=True,
        sqlite_where=sa.text("dedupe_key IS NOT NULL"),
        postgresql_where=sa.text("dedupe_key IS NOT NULL"),
    )
    op.create_index(
        "ix_deliveries_held",
        "deliveries",
        ["state"],
        unique=False,
        sqlite_where=sa.text("state IN ('claimed', 'sending')"),
        postgresql_where=sa.text("state IN ('claimed', 'sending')"),
    )
    op.create_index(
        "ix_deliveries_later",
        "deliveries",
        ["state", "next_at"],
        unique=False,
        sqlite_where=sa.text("state IN ('deferred', 'in_doubt')"),
        postgresql_where=sa.text("state IN ('deferred', 'in_doubt')"),
    )
    op.create_index(
        "ix_deliveries_pending",
        "deliveries",
        ["edition_id", "variant_id"],
        unique=False,
        sqlite_where=sa.text("state = 'pending'"),
        postgresql_where=sa.text("state = 'pending'"),
    )
    op.create_table(
        "attempts",
        sa.Column("id", Key, nullable=False),
        sa.Column("delivery_id", Key, nullable=False),
        sa.Column("at", Instant(), nullable=False),
        sa.Column("stage", sa.String(), nullable=False),
        sa.Column("code", sa.Integer(), nullable=False),
        sa.Column("enhanced", sa.String(), nullable=False),
        sa.Column("text", sa.String(), nullable=False),
        sa.Column("outcome", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(
            ["delivery_id"],
            ["deliveries.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(op.f("ix_attempts_delivery_id"), "attempts", ["delivery_id"], unique=False)
    # Row 1 is the interest in everything.
    op.execute("INSERT INTO interest_sets (topics) VALUES ('[]')")
    op.execute("INSERT INTO meta (key, value) VALUES ('epoch', 0)")
