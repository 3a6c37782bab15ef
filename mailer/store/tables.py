"""Every table. Rows never leave `store/`: its functions return the frozen types of `core/`."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, Index, LargeBinary, Table, Text, UniqueConstraint, false, text
from sqlmodel import Field, SQLModel

from mailer.store.instant import Instant, Key

metadata = SQLModel.metadata

# Columns that came later have a default in the database, too, so that an upgrade adds them in place.
_EMPTY_LIST = {"server_default": "[]"}
_EMPTY_TEXT = {"server_default": text("''")}


class MetaRow(SQLModel, table=True):
    """Numbers that belong to the database as a whole: the sender's epoch."""

    __tablename__ = "meta"

    key: str = Field(primary_key=True)
    value: int


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
        Index(
            "ix_subscribers_pending",
            "joined_at",
            sqlite_where=text("state = 'pending'"),
            postgresql_where=text("state = 'pending'"),
        ),
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
        Index(
            "ix_consent_ip",
            "at",
            sqlite_where=text("ip <> '' AND ip NOT LIKE '%/%'"),
            postgresql_where=text("ip <> '' AND ip NOT LIKE '%/%'"),
        ),
    )

    id: int | None = Field(default=None, primary_key=True, sa_type=Key)
    subscriber_id: int = Field(foreign_key="subscribers.id", sa_type=Key, index=True)
    at: datetime = Field(sa_type=Instant)
    event: str
    route: str
    statement: str = ""
    detail: str = ""
    source: str = Field(default="", sa_column_kwargs=_EMPTY_TEXT)
    text_version: str = Field(default="", sa_column_kwargs=_EMPTY_TEXT)
    language: str = Field(default="", sa_column_kwargs=_EMPTY_TEXT)
    ip: str = Field(default="", sa_column_kwargs=_EMPTY_TEXT)
    agent: str = Field(default="", sa_column_kwargs=_EMPTY_TEXT)
    message_id: str = Field(default="", sa_column_kwargs=_EMPTY_TEXT)


class ConsentTextRow(SQLModel, table=True):
    """What a visitor read when they agreed, once for each wording. `version`: a hash of it."""

    __tablename__ = "consent_texts"

    version: str = Field(primary_key=True)
    text: str = Field(sa_type=Text)
    since: datetime = Field(sa_type=Instant)


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
        Index(
            "ix_notices_wanted",
            "throttled",
            "id",
            sqlite_where=text("delivery_id IS NULL AND dropped = ''"),
            postgresql_where=text("delivery_id IS NULL AND dropped = ''"),
        ),
        Index("ix_notices_posted", "throttled", "posted_at"),
        # Without its condition SQLite would look here for those that have none.
        Index(
            "ix_notices_delivery_id",
            "delivery_id",
            unique=True,
            sqlite_where=text("delivery_id IS NOT NULL"),
            postgresql_where=text("delivery_id IS NOT NULL"),
        ),
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


class FeedRow(SQLModel, table=True):
    """A source. `taken` says that its back catalogue is known; a removed feed stays, so that it can come back.

    `home`: the site's URL or ''. `failures`: polls in a row that failed. `changes`: when it was last seen to have
    something new, in milliseconds, the newest last. `notes`: what was mended or left out at the last reading. `gone`:
    its server said so (410), and it is polled by hand only. `ttl_minutes`: how long it asks to be left alone.
    """

    __tablename__ = "feeds"

    id: int | None = Field(default=None, primary_key=True, sa_type=Key)
    url: str = Field(unique=True)
    title: str = ""
    removed: bool = False
    taken: bool = False
    etag: str = ""
    last_modified: str = ""
    polled_at: datetime | None = Field(default=None, sa_type=Instant)
    ok_at: datetime | None = Field(default=None, sa_type=Instant)
    problem: str = ""
    home: str = Field(default="", sa_column_kwargs=_EMPTY_TEXT)
    next_poll_at: datetime | None = Field(default=None, sa_type=Instant)
    failures: int = Field(default=0, sa_column_kwargs={"server_default": "0"})
    changes: list[int] = Field(default_factory=list, sa_type=JSON, sa_column_kwargs=_EMPTY_LIST)
    notes: list[str] = Field(default_factory=list, sa_type=JSON, sa_column_kwargs=_EMPTY_LIST)
    gone: bool = Field(default=False, sa_column_kwargs={"server_default": false()})
    ttl_minutes: int | None = None


class ArticleRow(SQLModel, table=True):
    """An article, numbered by the writer that takes it in, so that no number ever appears late.

    `canonical`: its link as it is compared with those of other feeds, or ''. `storm`: it came when a feed changed the
    ids of all its articles, and nobody has said yet whether it is news.
    """

    __tablename__ = "articles"
    __table_args__ = (UniqueConstraint("origin", "guid"),)

    seq: int = Field(primary_key=True, sa_type=Key, sa_column_kwargs={"autoincrement": False})
    origin: str
    guid: str
    title: str
    link: str
    summary: str = Field(default="", sa_type=Text)
    author: str = ""
    picture: dict[str, Any] | None = Field(default=None, sa_type=JSON)
    topics: list[str] = Field(default_factory=list, sa_type=JSON)
    published: datetime | None = Field(default=None, sa_type=Instant)
    language: str = ""
    minutes: int = 0
    hidden: bool = False
    known: bool = False
    pins: list[str] = Field(default_factory=list, sa_type=JSON)
    canonical: str = Field(default="", index=True, sa_column_kwargs=_EMPTY_TEXT)
    storm: bool = Field(default=False, sa_column_kwargs={"server_default": false()})


class ArticleNameRow(SQLModel, table=True):
    """A further name of an article: it came through a second feed, or its feed changed its id.

    `topics`: what a second feed files it under.
    """

    __tablename__ = "article_names"

    origin: str = Field(primary_key=True)
    guid: str = Field(primary_key=True)
    seq: int = Field(foreign_key="articles.seq", sa_type=Key, index=True)
    topics: list[str] = Field(default_factory=list, sa_type=JSON, sa_column_kwargs=_EMPTY_LIST)


class EditionDraftRow(SQLModel, table=True):
    """What an editor keeps for the coming edition of a cadence: `intro` is Markdown, `articles` the seqs on top."""

    __tablename__ = "edition_drafts"

    cadence: str = Field(primary_key=True)
    intro: str = Field(default="", sa_type=Text)
    articles: list[int] = Field(default_factory=list, sa_type=JSON)
    changed_at: datetime = Field(sa_type=Instant)


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
    intro: str = Field(default="", sa_type=Text, sa_column_kwargs=_EMPTY_TEXT)
    findings: list[str] = Field(default_factory=list, sa_type=JSON, sa_column_kwargs=_EMPTY_LIST)
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
    related: list[int] = Field(default_factory=list, sa_type=JSON, sa_column_kwargs=_EMPTY_LIST)
    number: int = Field(default=0, sa_column_kwargs={"server_default": "0"})
    over: list[int] = Field(default_factory=list, sa_type=JSON, sa_column_kwargs=_EMPTY_LIST)


class DeliveryRow(SQLModel, table=True):
    """The ledger. One edition to one subscriber, or one transactional mail (no edition, a purpose, a `dedupe_key`)."""

    __tablename__ = "deliveries"
    __table_args__ = (
        UniqueConstraint("edition_id", "subscriber_id"),
        # Small indexes of what is still to do; settled rows, nearly all of them, are in none.
        Index(
            "ix_deliveries_pending",
            "edition_id",
            "variant_id",
            sqlite_where=text("state = 'pending'"),
            postgresql_where=text("state = 'pending'"),
        ),
        Index(
            "ix_deliveries_held",
            "state",
            sqlite_where=text("state IN ('claimed', 'sending')"),
            postgresql_where=text("state IN ('claimed', 'sending')"),
        ),
        Index(
            "ix_deliveries_later",
            "state",
            "next_at",
            sqlite_where=text("state IN ('deferred', 'in_doubt')"),
            postgresql_where=text("state IN ('deferred', 'in_doubt')"),
        ),
        Index(
            "ix_deliveries_in_doubt_held",
            "edition_id",
            sqlite_where=text("state = 'in_doubt_held'"),
            postgresql_where=text("state = 'in_doubt_held'"),
        ),
        Index(
            "ix_deliveries_dedupe_key",
            "dedupe_key",
            unique=True,
            sqlite_where=text("dedupe_key IS NOT NULL"),
            postgresql_where=text("dedupe_key IS NOT NULL"),
        ),
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


class SuppressionRow(SQLModel, table=True):
    """An address that must not be mailed whatever any list says. `email` goes on erasure, the keyed hash stays."""

    __tablename__ = "suppressions"

    id: int | None = Field(default=None, primary_key=True, sa_type=Key)
    email: str | None = Field(default=None, unique=True)
    fingerprint: str = Field(unique=True)
    reason: str
    at: datetime = Field(sa_type=Instant)


def table(row: type[SQLModel]) -> Table:
    """The Core table behind a row type: the hot path speaks Core."""
    found: Table = row.__table__  # type: ignore[attr-defined]  # SQLModel sets it on table models
    return found


meta = table(MetaRow)
interest_sets = table(InterestSetRow)
subscribers = table(SubscriberRow)
consent = table(ConsentRow)
consent_texts = table(ConsentTextRow)
confirmations = table(ConfirmationRow)
notices = table(NoticeRow)
signup_attempts = table(SignupAttemptRow)
feeds = table(FeedRow)
articles = table(ArticleRow)
article_names = table(ArticleNameRow)
edition_drafts = table(EditionDraftRow)
editions = table(EditionRow)
variants = table(VariantRow)
deliveries = table(DeliveryRow)
attempts = table(AttemptRow)
suppressions = table(SuppressionRow)
