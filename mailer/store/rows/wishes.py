"""What was asked for by a form or a page, until its mail is in the outbox and its link was pressed."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, Index
from sqlmodel import Field, SQLModel

from mailer.store.instant import Instant, Key
from mailer.store.rows.columns import partial_index


class ConfirmationRow(SQLModel, table=True):
    """What somebody asked for and the owner of a mailbox has to confirm: nothing of it holds before.

    `kind`: 'join', 'move' or 'erase'. `generation`: of the reader's consent when it was asked; another one since then
    makes it void. `address`: which mailbox is asked: of a 'move' the new one.
    """

    __tablename__ = "confirmations"
    __table_args__ = (
        # A number is never used twice, or an old link could speak for another wish.
        {"sqlite_autoincrement": True},
    )

    id: int | None = Field(default=None, primary_key=True, sa_type=Key)
    kind: str
    subscriber_id: int = Field(foreign_key="subscribers.id", sa_type=Key, index=True)
    generation: int
    asked_at: datetime = Field(sa_type=Instant)
    cadence: str = ""
    interest_set_id: int | None = Field(default=None, foreign_key="interest_sets.id", sa_type=Key)
    timezone: str = ""
    language: str = ""
    address: str | None = None
    confirmed_at: datetime | None = Field(default=None, sa_type=Instant)


class NoticeRow(SQLModel, table=True):
    """A mail about a subscription that is wanted, and the delivery it became.

    `kind`: the mail's folder. `throttled`: it waits for its turn, 1 before 2: 1 was held and released, 2 comes of an
    operator's list; 0 leaves at once. `held`: it waits for the operator. `dropped`: why it was never mailed, or ''.
    `told`: what the mail has to say besides, as JSON.
    `nonce`, `key_id`: what its Message-ID and its links are made from.
    """

    __tablename__ = "notices"
    __table_args__ = (
        # What is not mailed yet; the others, nearly all of them, are not in it.
        partial_index("ix_notices_wanted", "throttled", "id", where="delivery_id IS NULL AND dropped = ''"),
        Index("ix_notices_posted", "throttled", "posted_at"),
        # Without its condition SQLite would look here for those that have none.
        partial_index("ix_notices_delivery_id", "delivery_id", where="delivery_id IS NOT NULL", unique=True),
        # A number is never used twice: after an erasure its delivery is still there (`dedupe_key`).
        {"sqlite_autoincrement": True},
    )

    id: int | None = Field(default=None, primary_key=True, sa_type=Key)
    kind: str
    subscriber_id: int = Field(foreign_key="subscribers.id", sa_type=Key, index=True)
    generation: int
    confirmation_id: int | None = Field(default=None, foreign_key="confirmations.id", sa_type=Key)
    wanted_at: datetime = Field(sa_type=Instant)
    throttled: int = 0
    held: bool = False
    told: dict[str, Any] = Field(default_factory=dict, sa_type=JSON)
    dropped: str = ""
    posted_at: datetime | None = Field(default=None, sa_type=Instant)
    delivery_id: int | None = Field(default=None, foreign_key="deliveries.id", sa_type=Key)
    nonce: str = ""
    key_id: str = ""


class SignupAttemptRow(SQLModel, table=True):
    """A form that was sent in, for counting. `address`: its keyed hash. `network`: the IP, of IPv6 its /64.

    `outcome`: what came of it, a word.
    """

    __tablename__ = "signup_attempts"
    __table_args__ = (
        Index("ix_signup_attempts_address", "address", "at"),
        Index("ix_signup_attempts_network", "network", "at"),
        Index("ix_signup_attempts_domain", "domain", "at"),
        Index("ix_signup_attempts_outcome", "outcome", "at"),
        Index("ix_signup_attempts_at", "at"),
    )

    id: int | None = Field(default=None, primary_key=True, sa_type=Key)
    at: datetime = Field(sa_type=Instant)
    address: str
    network: str
    domain: str
    outcome: str
