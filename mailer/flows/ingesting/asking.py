"""Asking feeds: how many at once, what they answer, and where a site's feed is."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from urllib.parse import urlsplit

from mailer.core.feed import FeedDocument, read_feed
from mailer.core.feed_discovery import FeedLink, feeds_named, is_page, usual_places
from mailer.errors import FeedError
from mailer.feeds import FeedOptions, Fetched, fetch, read_file
from mailer.store.feeds import Feed

AT_ONCE = 8
"""Feeds asked at the same time; so many bodies are in memory at most."""
AT_ONE_HOST = 2
"""Of these, by the host that their addresses name."""
_READ_AT_ONCE = 2  # parsing takes many times a feed's size in memory, and threads don't make it quicker
_MOST_TRIED = 5  # feeds that a page names, before the usual places


@dataclass(frozen=True, slots=True)
class Source:
    """How feeds are fetched. `site`: said in the User-Agent. `back`: what is older on a first fetch is never mailed.

    `chance`: a number in [0, 1), so that many feeds are not asked in the same minute for ever.
    """

    options: FeedOptions
    site: str
    back: timedelta
    chance: Callable[[], float]


@dataclass(frozen=True, slots=True)
class Found:
    """A feed that was looked for. `page`: the web page that led to it, or ''. `others`: feeds that it names, too."""

    url: str
    fetched: Fetched
    document: FeedDocument
    page: str = ""
    others: tuple[FeedLink, ...] = ()


class Gates:
    """Who may go when many addresses are asked."""

    def __init__(self, at_once: int = AT_ONCE, at_one_host: int = AT_ONE_HOST) -> None:
        self._all = asyncio.Semaphore(at_once)
        self._hosts: defaultdict[str, asyncio.Semaphore] = defaultdict(lambda: asyncio.Semaphore(at_one_host))
        self._reading = asyncio.Semaphore(_READ_AT_ONCE)

    @asynccontextmanager
    async def turn(self, url: str) -> AsyncIterator[None]:
        """From asking to storing. The host's gate comes first: who waits there must not keep others waiting."""
        async with self._hosts[host_of(url)], self._all:
            yield

    async def read(self, fetched: Fetched, url: str) -> FeedDocument:
        """Raises FeedError."""
        async with self._reading:
            return await asyncio.to_thread(
                read_feed, fetched.body, url=fetched.final_url or url, content_type=fetched.content_type
            )


async def ask(feed: Feed, source: Source, gates: Gates) -> tuple[Fetched, FeedDocument | None]:
    """(answer, document): no document where nothing changed or the feed is gone. Raises FeedError."""
    fetched = await _fetch(feed.url, source, etag=feed.etag, last_modified=feed.last_modified)
    return fetched, await gates.read(fetched, feed.url) if fetched.status == "changed" else None


async def find(url: str, source: Source, gates: Gates) -> Found:
    """The feed at this address, or the one that the web page there names, or the one at a usual place of its site.

    Raises FeedError.
    """
    fetched = await _fetch(url, source)
    if fetched.status == "gone":
        raise FeedError(f"{url} says that it is gone (410).")
    try:
        return Found(url, fetched, await gates.read(fetched, url))
    except FeedError:
        if not is_web(url) or not is_page(fetched.body, fetched.content_type):
            raise
    named = feeds_named(fetched.body, url=fetched.final_url, content_type=fetched.content_type)
    return await _first_named(named, url, source, gates) or await _at_a_usual_place(url, fetched, source, gates)


def is_web(address: str) -> bool:
    """Whether it is a web address, and not a file's path."""
    return address.lower().startswith(("http://", "https://"))


async def _first_named(named: tuple[FeedLink, ...], page: str, source: Source, gates: Gates) -> Found | None:
    trouble: FeedError | None = None
    for link in named[:_MOST_TRIED]:
        try:
            fetched, document = await _try(link.url, source, gates)
        except FeedError as error:
            trouble = trouble or error
            continue
        return Found(link.url, fetched, document, page, tuple(other for other in named if other != link))
    if trouble:
        raise FeedError(f"{page} is a web page; of the feed that it names: {trouble}")
    return None


async def _at_a_usual_place(page: str, fetched: Fetched, source: Source, gates: Gates) -> Found:
    places = usual_places(fetched.final_url)
    for place in places:
        try:
            answer, document = await _try(place, source, gates)
        except FeedError:
            continue
        return Found(place, answer, document, page)
    raise FeedError(
        f"{page} is a web page that names no feed, and there is none at the usual addresses "
        f"({places[0]}, {places[-1]}, …); give the feed's own address."
    )


async def _try(url: str, source: Source, gates: Gates) -> tuple[Fetched, FeedDocument]:
    fetched = await _fetch(url, source)
    if fetched.status == "gone":
        raise FeedError(f"{url} says that it is gone (410).")
    return fetched, await gates.read(fetched, url)


async def _fetch(url: str, source: Source, *, etag: str = "", last_modified: str = "") -> Fetched:
    if is_web(url):
        return await fetch(url, etag=etag, last_modified=last_modified, options=source.options, site=source.site)
    return await asyncio.to_thread(read_file, url, etag=etag, options=source.options)


def host_of(url: str) -> str:
    """'' where the address names none."""
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""
