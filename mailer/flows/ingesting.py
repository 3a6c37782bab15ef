"""Articles coming in: from feeds that are polled, and from files."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import Connection

from mailer.core.article import Draft
from mailer.core.article_files import read_articles
from mailer.core.feed import FeedDocument, read_feed, take_in
from mailer.errors import FeedError, InputError, NotFound
from mailer.feeds import FeedOptions, Fetched, fetch, read_file
from mailer.store import articles, feeds
from mailer.store.database import Database
from mailer.store.feeds import Feed

AT_ONCE = 8
"""Feeds fetched at the same time."""
MAX_FILE = 200_000_000
"""Bytes of an article file that are read at most."""


@dataclass(frozen=True, slots=True)
class Polled:
    """How a poll of one feed went. `known`: of the new, the back catalogue, never mailed. `problem`: '' when well.

    `notes`: what was mended or left out.
    """

    feed: Feed
    new: int = 0
    known: int = 0
    changed: int = 0
    problem: str = ""
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Imported:
    """How an import of articles went. `refused`: a sentence each, with the place."""

    new: int
    changed: int
    refused: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Source:
    """How feeds are fetched. `site`: said in the User-Agent. `back`: what is older on a first fetch is never mailed."""

    options: FeedOptions
    site: str
    back: timedelta


async def add_feed(database: Database, address: str, *, source: Source, now: datetime) -> tuple[Polled, bool]:
    """Add a feed and take in what it has. Returns (poll, whether it is new). Raises FeedError; then nothing is added.

    `address`: an http or https URL, or the path of a file.
    """
    url = _place(address)
    fetched, document = await _ask(url, source, etag="", last_modified="")
    if fetched is None or document is None:
        raise FeedError(f"{url} says that it is gone (410).")

    def write(connection: Connection) -> tuple[Polled, bool]:
        feed, fresh = feeds.add(connection, url)
        return _keep(connection, feed, fetched, document, source, now), fresh

    return await database.write(write)


async def poll(database: Database, *, source: Source, now: datetime) -> list[Polled]:
    """Poll every feed, several at once. A feed that fails keeps nobody else waiting; its problem is remembered."""
    gate = asyncio.Semaphore(AT_ONCE)

    async def one(feed: Feed) -> Polled:
        async with gate:
            return await _poll(database, feed, source, now)

    return list(await asyncio.gather(*(one(feed) for feed in await database.read(feeds.every))))


async def remove_feed(database: Database, feed_id: int) -> None:
    """Poll it no more; its articles stay. Raises NotFound."""
    if not await database.write(feeds.remove, feed_id):
        raise NotFound(f"There is no feed {feed_id}. `mailer feeds list` shows them.")


async def import_articles(database: Database, path: Path, *, archive: bool, now: datetime) -> Imported:
    """Take in the articles of a file. `archive`: they are kept and never mailed. Raises InputError."""
    try:
        with path.open("rb") as file:
            data = file.read(MAX_FILE + 1)
    except OSError as error:
        raise InputError(f"{path} can't be read: {error.strerror}.") from None
    if len(data) > MAX_FILE:
        raise InputError(f"{path} is larger than {MAX_FILE // 1_000_000} MB. Import it in parts.")
    found = read_articles(data, name=path.name)
    # The oldest gets the lowest number; what has no date counts as written now.
    drafts = sorted(found.drafts, key=lambda draft: draft.published or now)
    new, changed = await database.write(articles.take_in, "import", [(draft, archive) for draft in drafts])
    return Imported(new, changed, found.refusals)


async def _poll(database: Database, feed: Feed, source: Source, now: datetime) -> Polled:
    try:
        fetched, document = await _ask(feed.url, source, etag=feed.etag, last_modified=feed.last_modified)
    except FeedError as error:
        await database.write(feeds.note, feed.id, polled_at=now, problem=str(error))
        return Polled(feed, problem=str(error))
    if fetched is None:
        problem = f"{feed.url} says that it is gone (410). Remove it with `mailer feeds remove {feed.id}`."
        await database.write(feeds.note, feed.id, polled_at=now, problem=problem)
        return Polled(feed, problem=problem)
    if document is None:
        await database.write(feeds.note, feed.id, polled_at=now, ok_at=now, problem="")
        return Polled(feed)
    return await database.write(_keep, feed, fetched, document, source, now)


async def _ask(
    url: str, source: Source, *, etag: str, last_modified: str
) -> tuple[Fetched | None, FeedDocument | None]:
    """(answer, document): no answer where the feed is gone, no document where nothing changed. Raises FeedError."""
    if _is_web(url):
        fetched = await fetch(url, etag=etag, last_modified=last_modified, options=source.options, site=source.site)
    else:
        fetched = await asyncio.to_thread(read_file, url, etag=etag, options=source.options)
    if fetched.status == "gone":
        return None, None
    if fetched.status == "unchanged":
        return fetched, None
    # Parsing a large feed takes a while, and others are being fetched.
    document = await asyncio.to_thread(
        read_feed, fetched.body, url=fetched.final_url or url, content_type=fetched.content_type
    )
    return fetched, document


def _keep(
    connection: Connection, feed: Feed, fetched: Fetched, document: FeedDocument, source: Source, now: datetime
) -> Polled:
    """Store what a feed said, and how the poll went, in one transaction."""
    drafts: Sequence[tuple[Draft, bool]] = take_in(document, first=not feed.taken, now=now, back=source.back)
    new, changed = articles.take_in(connection, feed.origin, drafts)
    noted: dict[str, Any] = {"polled_at": now, "ok_at": now, "problem": "", "taken": True, "title": document.title}
    noted |= {"etag": fetched.etag, "last_modified": fetched.last_modified}
    if fetched.permanent_url and feeds.is_free(connection, fetched.permanent_url):
        noted["url"] = fetched.permanent_url
    feeds.note(connection, feed.id, **noted)
    return Polled(feed, new, sum(known for _, known in drafts), changed, notes=document.problems)


def _place(address: str) -> str:
    """Where the feed is: a URL as it is, a file as its absolute path."""
    if _is_web(address):
        return address
    if "://" in address and not address.startswith("file://"):
        raise InputError(f"{address} is neither an http or https address nor a file.")
    path = Path(address.removeprefix("file://")).absolute()
    if not path.is_file():
        raise InputError(f"There is no file {path}, and {address} is no http or https address.")
    return str(path)


def _is_web(address: str) -> bool:
    return address.lower().startswith(("http://", "https://"))
