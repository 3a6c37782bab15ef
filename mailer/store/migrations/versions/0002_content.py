"""Health and rhythm of feeds, articles under several names, storms, drafts of editions, what lint found."""

import sqlalchemy as sa
from alembic import op

from mailer.core.canonical import canonical_link
from mailer.store.instant import Instant, Key

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    # With a default in the database a column is added in place; without one SQLite would copy the table.
    op.add_column("feeds", sa.Column("home", sa.String(), nullable=False, server_default=sa.text("''")))
    op.add_column("feeds", sa.Column("next_poll_at", Instant(), nullable=True))
    op.add_column("feeds", sa.Column("failures", sa.Integer(), nullable=False, server_default="0"))
    op.add_column("feeds", sa.Column("changes", sa.JSON(), nullable=False, server_default="[]"))
    op.add_column("feeds", sa.Column("notes", sa.JSON(), nullable=False, server_default="[]"))
    op.add_column("feeds", sa.Column("gone", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.add_column("feeds", sa.Column("ttl_minutes", sa.Integer(), nullable=True))
    op.add_column("articles", sa.Column("canonical", sa.String(), nullable=False, server_default=sa.text("''")))
    op.add_column("articles", sa.Column("storm", sa.Boolean(), nullable=False, server_default=sa.false()))
    _fill_canonical()
    op.create_index("ix_articles_canonical", "articles", ["canonical"])
    op.create_table(
        "article_names",
        sa.Column("origin", sa.String(), nullable=False),
        sa.Column("guid", sa.String(), nullable=False),
        sa.Column("seq", Key, nullable=False),
        sa.Column("topics", sa.JSON(), nullable=False, server_default="[]"),
        sa.ForeignKeyConstraint(["seq"], ["articles.seq"]),
        sa.PrimaryKeyConstraint("origin", "guid"),
    )
    op.create_index("ix_article_names_seq", "article_names", ["seq"])
    op.create_table(
        "edition_drafts",
        sa.Column("cadence", sa.String(), nullable=False),
        sa.Column("intro", sa.Text(), nullable=False),
        sa.Column("articles", sa.JSON(), nullable=False),
        sa.Column("changed_at", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("cadence"),
    )
    op.add_column("editions", sa.Column("intro", sa.Text(), nullable=False, server_default=sa.text("''")))
    op.add_column("editions", sa.Column("findings", sa.JSON(), nullable=False, server_default="[]"))
    op.add_column("editions", sa.Column("since", Instant(), nullable=True))
    op.execute(
        "UPDATE editions SET since = (SELECT min(v.since) FROM variants v WHERE v.edition_id = editions.id) "
        "WHERE lo IS NULL"
    )
    op.add_column("editions", sa.Column("draft_at", Instant(), nullable=True))
    op.add_column("variants", sa.Column("related", sa.JSON(), nullable=False, server_default="[]"))


def _fill_canonical() -> None:
    """Or an article would come a second time through another feed that carries it, too."""
    articles = sa.table("articles", sa.column("seq"), sa.column("link"), sa.column("canonical"))
    rows = op.get_bind().execute(sa.select(articles.c.seq, articles.c.link)).all()
    found = [{"number": seq, "found": canonical_link(link)} for seq, link in rows]
    if found:
        by_number = sa.update(articles).where(articles.c.seq == sa.bindparam("number"))
        op.get_bind().execute(by_number.values(canonical=sa.bindparam("found")), found)
