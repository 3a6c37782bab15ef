"""Articles coming in: from feeds that are polled, and from files."""

import asyncio
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from sqlalchemy import Connection

from mailer.core.article_files import read_articles
from mailer.core.feed_discovery import FeedLink
from mailer.core.opml import Outline, read_opml
from mailer.core.polling import Hints
from mailer.errors import FeedError, InputError, MailerError, NotFound, StoreError
from mailer.flows.ingesting.asking import Found, Gates, Source, ask, find, is_web
from mailer.flows.ingesting.keeping import Polled, fail, keep
from mailer.flows.ingesting.picturing import Pictures
from mailer.store import article_names, articles, feeds
from mailer.store.database import Database
from mailer.store.feeds import Feed

__all__ = [
    "Added",
    "Imported",
    "NotAdded",
    "Polled",
    "Source",
    "add_feed",
    "import_articles",
    "import_feeds",
    "judge_held",
    "poll",
    "remove_feed",
]

MAX_FILE = 200_000_000
"""Bytes of an article file that are read at most."""
MAX_OPML = 5_000_000
"""Bytes of a list of feeds that are read at most."""


@dataclass(frozen=True, slots=True)
class Added:
    """A feed that is among ours now. `address`: as it was given. `fresh`: it was not there before.

    `page`: the web page that the feed was found on, or ''; `others`: feeds that the page names, too.
    """

    address: str
    polled: Polled
    fresh: bool = False
    page: str = ""
    others: tuple[FeedLink, ...] = ()


@dataclass(frozen=True, slots=True)
class NotAdded:
    """A feed of a list that could not be added, and why."""

    address: str
    problem: str


@dataclass(frozen=True, slots=True)
class Imported:
    """How an import of articles went. `refused`: a sentence each, with the place."""

    new: int
    changed: int
    refused: tuple[str, ...]


class _Run:
    """What the feeds of one command have in common."""

    def __init__(self, database: Database, source: Source, now: datetime) -> None:
        self.database, self.source, self.now = database, source, now
        self.gates = Gates()
        self.pictures = Pictures(database, source, now)


async def add_feed(database: Database, address: str, *, source: Source, now: datetime) -> Added:
    """Add a feed and take in what it has. Raises FeedError, InputError; then nothing is added.

    `address`: a feed's http or https URL, that of a page which names one, or the path of a file.
    """
    return await _add(_Run(database, source, now), _place(address))


async def import_feeds(database: Database, path: Path, *, source: Source, now: datetime) -> list[Added | NotAdded]:
    """Add every feed of an OPML file that isn't there yet, several at once, in the file's order.

    One that fails is not added and keeps nobody else waiting. Raises InputError where the file is no list of feeds;
    then none is added.
    """
    outlines = read_opml(_read(path, MAX_OPML), name=path.name)
    there = {feed.url: feed for feed in await database.read(feeds.every)}
    run = _Run(database, source, now)

    async def one(outline: Outline) -> Added | NotAdded:
        if outline.url in there:
            return Added(outline.url, Polled(there[outline.url], asked=False))
        if not is_web(outline.url):  # a list from a stranger must not name files of this machine
            return NotAdded(outline.url, f"{outline.url} is not an http or https address.")
        async with run.gates.turn(outline.url):
            try:
                return await _add(run, outline.url)
            except StoreError:
                raise
            except MailerError as error:
                return NotAdded(outline.url, str(error))

    return list(await asyncio.gather(*map(one, outlines)))


async def poll(database: Database, *, source: Source, now: datetime, due: bool = False) -> list[Polled]:
    """Poll every feed, or those whose time has come (`due`), several at once.

    A feed that fails keeps nobody else waiting; its problem is remembered.
    """
    run = _Run(database, source, now)

    async def one(feed: Feed) -> Polled:
        if due and not feed.is_due(now):
            return Polled(feed, asked=False)
        async with run.gates.turn(feed.url):
            return await _poll(run, feed)

    return list(await asyncio.gather(*map(one, await database.read(feeds.every))))


async def remove_feed(database: Database, feed_id: int) -> None:
    """Poll it no more; its articles stay. Raises NotFound."""
    if not await database.write(feeds.remove, feed_id):
        raise NotFound(f"There is no feed {feed_id}. `mailer feeds list` shows them.")


async def judge_held(database: Database, feed_id: int, *, news: bool) -> int:
    """The operator's word on a feed's articles that are held: they are news, or known and never mailed.

    Returns how many there were. Raises NotFound.
    """

    def write(connection: Connection) -> int:
        feed = feeds.by_id(connection, feed_id)
        if feed is None:
            raise NotFound(f"There is no feed {feed_id}. `mailer feeds list` shows them.")
        return article_names.judge(connection, news=news, origin=feed.origin)

    return await database.write(write)


async def import_articles(database: Database, path: Path, *, archive: bool, now: datetime) -> Imported:
    """Take in the articles of a file. `archive`: they are kept and never mailed. Raises InputError."""
    found = read_articles(_read(path, MAX_FILE), name=path.name)
    # The oldest gets the lowest number; what has no date counts as written now.
    drafts = sorted(found.drafts, key=lambda draft: draft.published or now)
    new, changed = await database.write(articles.take_in, "import", [(draft, archive) for draft in drafts])
    return Imported(new, changed, found.refusals)


async def _add(run: _Run, url: str) -> Added:
    found = await find(url, run.source, run.gates)
    document = await run.pictures.sized(found.url, found.document)

    def write(connection: Connection) -> Added:
        feed, fresh = feeds.add(connection, _kept_address(connection, found))
        polled = keep(connection, feed, found.fetched, document, run.source, run.now)
        return Added(url, polled, fresh, found.page, found.others)

    return await run.database.write(write)


def _kept_address(connection: Connection, found: Found) -> str:
    """Where the address moved for good to a feed that is there, it is that one."""
    moved = found.fetched.permanent_url
    return moved if moved and not feeds.is_free(connection, moved) else found.url


async def _poll(run: _Run, feed: Feed) -> Polled:
    try:
        fetched, document = await ask(feed, run.source, run.gates)
    except FeedError as error:
        return await run.database.write(fail, feed, str(error), Hints.of(error.headers), run.source, run.now)
    if document is not None:
        document = await run.pictures.sized(feed.url, document)
    return await run.database.write(keep, feed, fetched, document, run.source, run.now)


def _read(path: Path, most: int) -> bytes:
    try:
        with path.open("rb") as file:
            data = file.read(most + 1)
    except OSError as error:
        raise InputError(f"{path} can't be read: {error.strerror}.") from None
    if len(data) > most:
        raise InputError(f"{path} is larger than {most // 1_000_000} MB. Import it in parts.")
    return data


def _place(address: str) -> str:
    """Where the feed is: a URL as it is, a file as its absolute path."""
    if is_web(address):
        return address
    if "://" in address and not address.startswith("file://"):
        raise InputError(f"{address} is neither an http or https address nor a file.")
    path = Path(address.removeprefix("file://")).absolute()
    if not path.is_file():
        raise InputError(f"There is no file {path}, and {address} is no http or https address.")
    return str(path)
