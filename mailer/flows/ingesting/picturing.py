"""Sizes of pictures that a feed doesn't tell: asked for once, before the articles are taken in, and within bounds.

A picture without a size is not shown, so what can't be had is no problem of the feed.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta

from sqlalchemy import Connection

from mailer.core.article import Draft, Picture
from mailer.core.feed import FeedDocument, take_in
from mailer.core.link import is_loopback
from mailer.core.picture import may_be_lead
from mailer.core.picture_size import kind_of, size_of
from mailer.errors import FeedError, FeedTooSlow
from mailer.feeds import fetch_beginning
from mailer.flows.ingesting.asking import Gates, Source, host_of
from mailer.flows.ingesting.keeping import recognised
from mailer.store import articles, feeds
from mailer.store.database import Database

MOST = 20
"""Pictures asked for of one feed, those of its newest articles."""
AT_ONCE = 4
AT_ONE_HOST = 2
LONGEST = 5.0
"""Seconds that a feed waits for all its pictures."""
PATIENCE = timedelta(seconds=3)
"""How long one picture may take; the host of one that takes longer is not asked again by this command."""
MOST_SLOW = 5
"""After so many slow hosts no picture is asked for at all."""


class Pictures:
    """What is asked for by one command, for all its feeds together."""

    def __init__(self, database: Database, source: Source, now: datetime) -> None:
        self._database, self._source, self._now = database, source, now
        patience = min(source.options.timeout, PATIENCE)
        self._hurried = source.options.model_copy(update={"timeout": patience})
        self._gates = Gates(AT_ONCE, AT_ONE_HOST)
        self._slow: set[str] = set()

    async def sized(self, url: str, document: FeedDocument) -> FeedDocument:
        """The feed at `url` with the sizes of new pictures, as far as they could be learned."""
        if not any(self._is_wanted(draft) for draft in document.drafts):
            return document
        wanted = await self._database.read(self._unknown, url, document)
        learned: dict[str, Picture] = {}
        try:
            async with asyncio.timeout(LONGEST), asyncio.TaskGroup() as tasks:
                for address in wanted:
                    tasks.create_task(self._learn(address, learned))
        except TimeoutError:
            pass  # what came until then counts
        return replace(document, drafts=tuple(_with_size(draft, learned) for draft in document.drafts))

    def _is_wanted(self, draft: Draft) -> bool:
        """Where a digest would show it: https, or the local demo."""
        options, picture = self._source.options, draft.picture
        if not options.picture_sizes or picture is None or not may_be_lead(picture):
            return False
        return picture.url.startswith("https:") or (options.allow_private and is_loopback(picture.url))

    def _unknown(self, connection: Connection, url: str, document: FeedDocument) -> list[str]:
        """Addresses, the newest article's first: of what may be mailed and is new or has another picture now."""
        feed = feeds.by_url(connection, url, removed=True)
        first = feed is None or not feed.taken
        drafts = document.drafts if feed is None else recognised(connection, feed, document, self._now).drafts
        guids = [draft.guid for draft in drafts]
        there = {} if feed is None else articles.told_before(connection, feed.origin, guids)
        found: dict[str, None] = {}
        told = take_in(replace(document, drafts=drafts), first=first, now=self._now, back=self._source.back)
        for draft, known in reversed(told):
            old = there.get(draft.guid)
            stays = old and (old.known or not feed or old.origin != feed.origin or _url(old.draft) == _url(draft))
            if self._is_wanted(draft) and not known and not stays:
                found[_url(draft)] = None
        return list(found)[:MOST]

    async def _learn(self, url: str, learned: dict[str, Picture]) -> None:
        async with self._gates.turn(url):
            if host_of(url) in self._slow or len(self._slow) >= MOST_SLOW:
                return
            try:
                data = await fetch_beginning(url, options=self._hurried, site=self._source.site)
            except FeedTooSlow:
                self._slow.add(host_of(url))
                return
            except FeedError:  # asked again only where the picture changes
                return
        width, height = size_of(data)
        if width:
            learned[url] = Picture(url, "", width, height, kind_of(data))


def _url(draft: Draft) -> str:
    return draft.picture.url if draft.picture else ""


def _with_size(draft: Draft, learned: Mapping[str, Picture]) -> Draft:
    found = learned.get(_url(draft))
    if draft.picture is None or found is None or not may_be_lead(draft.picture):
        return draft
    size = replace(draft.picture, width=found.width, height=found.height, media_type=found.media_type)
    return replace(draft, picture=size)
