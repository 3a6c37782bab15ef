"""The editions, and what became of each reader's copy."""

from datetime import datetime

from sqlalchemy import JSON, LargeBinary, Text, UniqueConstraint
from sqlmodel import Field, SQLModel

from mailer.store.instant import Instant, Key
from mailer.store.rows.columns import EMPTY_LIST, EMPTY_TEXT, partial_index


class MetaRow(SQLModel, table=True):
    """Numbers that belong to the database as a whole: the sender's epoch."""

    __tablename__ = "meta"

    key: str = Field(primary_key=True)
    value: int


class EditionRow(SQLModel, table=True):
    """One digest of one cadence for one period. `hi` is NULL only where a first edition was held back.

    `since`: of a cadence's first edition, held back or not, the oldest date that counts; no two cadences share one.
    `intro`: the editor's words, Markdown. `findings`: what lint found, a sentence each.
    `draft_at`: when the draft that it was made with was last changed.
    """

    __tablename__ = "editions"
    __table_args__ = (UniqueConstraint("cadence", "period"),)

    id: int | None = Field(default=None, primary_key=True, sa_type=Key)
    cadence: str
    period: str
    state: str
    reason: str = ""
    due_at: datetime = Field(sa_type=Instant)
    planned_at: datetime = Field(sa_type=Instant)
    done_at: datetime | None = Field(default=None, sa_type=Instant)
    lo: int | None = Field(default=None, sa_type=Key)
    hi: int | None = Field(default=None, sa_type=Key)
    since: datetime | None = Field(default=None, sa_type=Instant)
    planned: int = 0
    nonce: str = ""
    key_id: str = ""
    intro: str = Field(default="", sa_type=Text, sa_column_kwargs=EMPTY_TEXT)
    findings: list[str] = Field(default_factory=list, sa_type=JSON, sa_column_kwargs=EMPTY_LIST)
    draft_at: datetime | None = Field(default=None, sa_type=Instant)


class VariantRow(SQLModel, table=True):
    """What the readers of one variant get: `content` is the compiled message, `articles` a JSON list of seqs.

    `related`: the seqs under 'Related reading'. A test copy's variant has no edition. (`lo`, `since`) is the window's
    beginning of its readers who had nothing before. `number`: 0, 1, 2 in its edition, part of its page's address.
    `over`: the seqs that stayed over the cap, or were left out to keep the mail short.
    """

    __tablename__ = "variants"

    id: int | None = Field(default=None, primary_key=True, sa_type=Key)
    edition_id: int | None = Field(default=None, foreign_key="editions.id", sa_type=Key, index=True)
    lo: int = Field(sa_type=Key)
    since: datetime | None = Field(default=None, sa_type=Instant)
    language: str
    articles: list[int] = Field(sa_type=JSON)
    more: int = 0
    subject: str
    content: bytes = Field(sa_type=LargeBinary)
    related: list[int] = Field(default_factory=list, sa_type=JSON, sa_column_kwargs=EMPTY_LIST)
    number: int = Field(default=0, sa_column_kwargs={"server_default": "0"})
    over: list[int] = Field(default_factory=list, sa_type=JSON, sa_column_kwargs=EMPTY_LIST)


class DeliveryRow(SQLModel, table=True):
    """The ledger. One edition to one subscriber, or one transactional mail (no edition, a purpose, a `dedupe_key`).

    `relay`: that its last permit was for.
    """

    __tablename__ = "deliveries"
    __table_args__ = (
        UniqueConstraint("edition_id", "subscriber_id"),
        # Small indexes of what is still to do; settled rows, nearly all of them, are in none.
        partial_index("ix_deliveries_pending", "edition_id", "variant_id", where="state = 'pending'"),
        partial_index("ix_deliveries_held", "state", where="state IN ('claimed', 'sending')"),
        partial_index("ix_deliveries_later", "state", "next_at", where="state IN ('deferred', 'in_doubt')"),
        partial_index("ix_deliveries_in_doubt_held", "edition_id", where="state = 'in_doubt_held'"),
        partial_index("ix_deliveries_dedupe_key", "dedupe_key", where="dedupe_key IS NOT NULL", unique=True),
    )

    id: int | None = Field(default=None, primary_key=True, sa_type=Key)
    edition_id: int | None = Field(default=None, foreign_key="editions.id", sa_type=Key)
    subscriber_id: int | None = Field(default=None, foreign_key="subscribers.id", sa_type=Key)
    variant_id: int = Field(foreign_key="variants.id", sa_type=Key)
    purpose: str = "digest"
    dedupe_key: str | None = None
    address: str | None = None
    generation: int = 1
    state: str = "pending"
    reason: str = ""
    epoch: int = 0
    relay: str = Field(default="", sa_column_kwargs=EMPTY_TEXT)
    attempts: int = 0
    waits: int = 0
    doubts: int = 0
    permit_at: datetime | None = Field(default=None, sa_type=Instant)
    next_at: datetime | None = Field(default=None, sa_type=Instant)
    expires_at: datetime = Field(sa_type=Instant)
    settled_at: datetime | None = Field(default=None, sa_type=Instant)


class AttemptRow(SQLModel, table=True):
    """A try that did not end well: what was said, and where. An accepted message leaves none."""

    __tablename__ = "attempts"

    id: int | None = Field(default=None, primary_key=True, sa_type=Key)
    delivery_id: int = Field(foreign_key="deliveries.id", sa_type=Key, index=True)
    at: datetime = Field(sa_type=Instant)
    stage: str
    code: int = 0
    enhanced: str = ""
    text: str = ""
    outcome: str
