"""Readers: what they chose, how they consented, and addresses that must not be mailed."""

from datetime import datetime

from sqlalchemy import Index, Text
from sqlmodel import Field, SQLModel

from mailer.store.instant import Instant, Key
from mailer.store.rows.columns import EMPTY_TEXT, partial_index


class InterestSetRow(SQLModel, table=True):
    """A set of topics that many readers share: `topics` is a sorted JSON list. Row 1 is 'all'."""

    __tablename__ = "interest_sets"

    id: int | None = Field(default=None, primary_key=True, sa_type=Key)
    topics: str = Field(unique=True)


class SubscriberRow(SQLModel, table=True):
    """One address.

    `given` is the watermark: the newest `seq` of their last edition that is done. (`start`, `start_since`) is the
    window's beginning of a reader who was due an edition but has had none yet, so that nothing is lost to them.
    `generation`: of the consent in force; leaving ends it and raises the number. `hour`: of their day, 0 to 23, at
    which they want their mail; NULL is the cadence's own.
    """

    __tablename__ = "subscribers"
    __table_args__ = (
        # Who is due what, grouped by walking this index alone (`plans.groups`).
        Index("ix_subscribers_due", "cadence", "state", "given", "start", "start_since", "interest_set_id", "language"),
        # Who has not confirmed: few, and some of them have had their time.
        partial_index("ix_subscribers_pending", "joined_at", where="state = 'pending'"),
        # A number is never used twice, or an old link could speak for a new reader.
        {"sqlite_autoincrement": True},
    )

    id: int | None = Field(default=None, primary_key=True, sa_type=Key)
    email: str = Field(unique=True)
    name: str = ""
    state: str
    cadence: str
    timezone: str = ""
    language: str = ""
    interest_set_id: int = Field(foreign_key="interest_sets.id", sa_type=Key)
    generation: int = 1
    hour: int | None = None
    given: int | None = Field(default=None, sa_type=Key)
    start: int | None = Field(default=None, sa_type=Key)
    start_since: datetime | None = Field(default=None, sa_type=Instant)
    paused_until: datetime | None = Field(default=None, sa_type=Instant)
    joined_at: datetime = Field(sa_type=Instant)


class ConsentRow(SQLModel, table=True):
    """Append-only: how a reader came in, and every change with its route.

    `source`: the page that the form stood on, or ''. `text_version`: of what was said there, in `consent_texts`.
    `language`: of that page. `ip`, `agent`: who pressed; an IP is a network, with a '/', once it is 90 days old.
    `message_id`: of the mail whose link was pressed, or that was sent.
    """

    __tablename__ = "consent"
    __table_args__ = (
        # Those whose IP is still whole.
        partial_index("ix_consent_ip", "at", where="ip <> '' AND ip NOT LIKE '%/%'"),
    )

    id: int | None = Field(default=None, primary_key=True, sa_type=Key)
    subscriber_id: int = Field(foreign_key="subscribers.id", sa_type=Key, index=True)
    at: datetime = Field(sa_type=Instant)
    event: str
    route: str
    statement: str = ""
    detail: str = ""
    source: str = Field(default="", sa_column_kwargs=EMPTY_TEXT)
    text_version: str = Field(default="", sa_column_kwargs=EMPTY_TEXT)
    language: str = Field(default="", sa_column_kwargs=EMPTY_TEXT)
    ip: str = Field(default="", sa_column_kwargs=EMPTY_TEXT)
    agent: str = Field(default="", sa_column_kwargs=EMPTY_TEXT)
    message_id: str = Field(default="", sa_column_kwargs=EMPTY_TEXT)


class ConsentTextRow(SQLModel, table=True):
    """What a visitor read when they agreed, once for each wording. `version`: a hash of it."""

    __tablename__ = "consent_texts"

    version: str = Field(primary_key=True)
    text: str = Field(sa_type=Text)
    since: datetime = Field(sa_type=Instant)


class SuppressionRow(SQLModel, table=True):
    """An address that must not be mailed whatever any list says. `email` goes on erasure, the keyed hash stays."""

    __tablename__ = "suppressions"

    id: int | None = Field(default=None, primary_key=True, sa_type=Key)
    email: str | None = Field(default=None, unique=True)
    fingerprint: str = Field(unique=True)
    reason: str
    at: datetime = Field(sa_type=Instant)
