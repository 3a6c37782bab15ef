"""Feeds, their articles, and what an editor keeps for the next edition."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, Text, UniqueConstraint, false
from sqlmodel import Field, SQLModel

from mailer.store.instant import Instant, Key
from mailer.store.rows.columns import EMPTY_LIST, EMPTY_TEXT


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
    home: str = Field(default="", sa_column_kwargs=EMPTY_TEXT)
    next_poll_at: datetime | None = Field(default=None, sa_type=Instant)
    failures: int = Field(default=0, sa_column_kwargs={"server_default": "0"})
    changes: list[int] = Field(default_factory=list, sa_type=JSON, sa_column_kwargs=EMPTY_LIST)
    notes: list[str] = Field(default_factory=list, sa_type=JSON, sa_column_kwargs=EMPTY_LIST)
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
    canonical: str = Field(default="", index=True, sa_column_kwargs=EMPTY_TEXT)
    storm: bool = Field(default=False, sa_column_kwargs={"server_default": false()})


class ArticleNameRow(SQLModel, table=True):
    """A further name of an article: it came through a second feed, or its feed changed its id.

    `topics`: what a second feed files it under.
    """

    __tablename__ = "article_names"

    origin: str = Field(primary_key=True)
    guid: str = Field(primary_key=True)
    seq: int = Field(foreign_key="articles.seq", sa_type=Key, index=True)
    topics: list[str] = Field(default_factory=list, sa_type=JSON, sa_column_kwargs=EMPTY_LIST)


class EditionDraftRow(SQLModel, table=True):
    """What an editor keeps for the coming edition of a cadence: `intro` is Markdown, `articles` the seqs on top."""

    __tablename__ = "edition_drafts"

    cadence: str = Field(primary_key=True)
    intro: str = Field(default="", sa_type=Text)
    articles: list[int] = Field(default_factory=list, sa_type=JSON)
    changed_at: datetime = Field(sa_type=Instant)
