"""What one feed said, or that it failed, written down in one transaction."""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from mailer.core.feed import FeedDocument, take_in
from mailer.core.feed_identity import STORM, Recognised, recognise
from mailer.core.polling import Hints, next_poll, next_try, with_change
from mailer.feeds import Fetched
from mailer.flows.ingesting.asking import Source
from mailer.store import article_names, articles, feeds
from mailer.store.feeds import Feed


@dataclass(frozen=True, slots=True)
class Polled:
    """How a poll of one feed went. `known`: of the new, the back catalogue, never mailed. `problem`: '' when well.

    `feed`: as it is now. `held`: of the new, the titles of those that wait for the operator's word. `notes`: what was
    mended or left out, and wasn't at the reading before. `asked`: false where its time had not come.
    """

    feed: Feed
    new: int = 0
    known: int = 0
    changed: int = 0
    held: tuple[str, ...] = ()
    problem: str = ""
    notes: tuple[str, ...] = ()
    asked: bool = True


def keep(
    connection: Connection, feed: Feed, fetched: Fetched, document: FeedDocument | None, source: Source, now: datetime
) -> Polled:
    """An answer. `document`: None where nothing changed."""
    if fetched.status == "gone":
        return _gone(connection, feed, now)
    moved, notes = _moved(connection, feed, fetched)
    well: dict[str, Any] = {"polled_at": now, "ok_at": now, "problem": "", "failures": 0, "gone": False} | moved
    well |= {"etag": fetched.etag, "last_modified": fetched.last_modified}
    polled = Polled(feed, notes=notes)
    changes, ttl_minutes = feed.changes, feed.ttl_minutes
    if document is not None:
        polled = _take_in(connection, feed, document, source, now)
        polled = replace(polled, notes=(*polled.notes, *notes))
        ttl_minutes = document.ttl_minutes
        dates = [draft.published for draft in document.drafts if draft.published and draft.published <= now]
        # A first look shows how often the feed had something new; later the polls themselves do.
        changes = with_change(changes, *dates if not feed.taken else [now] if polled.new else [])
        well |= {"taken": True, "title": document.title, "home": document.home, "notes": list(polled.notes)}
        well |= {"changes": changes, "ttl_minutes": ttl_minutes}
    well["next_poll_at"] = next_poll(
        now,
        changes=changes,
        ttl_minutes=ttl_minutes,
        hints=fetched.hints,
        soonest=source.options.poll_soonest,
        latest=source.options.poll_latest,
        chance=source.chance(),
    )
    feeds.note(connection, feed.id, **well)
    told = tuple(note for note in polled.notes if note not in feed.notes)
    return replace(polled, feed=feeds.by_id(connection, feed.id) or feed, notes=told)


def fail(connection: Connection, feed: Feed, problem: str, hints: Hints, source: Source, now: datetime) -> Polled:
    """No answer, or one that is no feed's."""
    failures = feed.failures + 1
    soonest = source.options.poll_soonest
    at = next_try(now, failures=failures, hints=hints, soonest=soonest, chance=source.chance())
    feeds.note(connection, feed.id, polled_at=now, problem=problem, failures=failures, next_poll_at=at, gone=False)
    return Polled(feeds.by_id(connection, feed.id) or feed, problem=problem)


def recognised(connection: Connection, feed: Feed, document: FeedDocument, now: datetime) -> Recognised:
    """Which of its articles a feed told before."""
    if not feed.taken:
        return Recognised(document.drafts)
    there = article_names.remembered(connection, feed.origin, document.drafts)
    guids = {guid for article in there for guid in article.guids}
    # What looks through all articles of the feed is only asked where it may count.
    some_new = any(draft.guid not in guids for draft in document.drafts)
    newest = article_names.newest_date(connection, feed.origin, now) if some_new else None
    return recognise(document.drafts, there, newest=newest)


def _take_in(connection: Connection, feed: Feed, document: FeedDocument, source: Source, now: datetime) -> Polled:
    found = recognised(connection, feed, document, now)
    drafts = take_in(replace(document, drafts=found.drafts), first=not feed.taken, now=now, back=source.back)
    new, changed = articles.take_in(connection, feed.origin, drafts)
    article_names.add_names(connection, feed.origin, found.names)
    article_names.hold(connection, feed.origin, found.storm)
    held = tuple(draft.title for draft in found.drafts if draft.guid in found.storm)
    known = 0 if feed.taken else articles.count(connection, feed.origin, known=True)
    return Polled(feed, new, known, changed, held, notes=(*document.problems, *_renamed(len(found.names))))


def _renamed(names: int) -> tuple[str, ...]:
    """What to know where many articles came under new ids, as when a site was rebuilt."""
    if names < STORM:
        return ()
    return (f"the ids of {names} articles changed; they were known again by link or title, so none is mailed twice.",)


def _gone(connection: Connection, feed: Feed, now: datetime) -> Polled:
    problem = f"{feed.url} says that it is gone (410). Remove it with `mailer feeds remove {feed.id}`."
    feeds.note(
        connection,
        feed.id,
        polled_at=now,
        problem=problem,
        failures=feed.failures + 1,
        gone=True,
        next_poll_at=None,
    )
    return Polled(feeds.by_id(connection, feed.id) or feed, problem=problem)


def _moved(connection: Connection, feed: Feed, fetched: Fetched) -> tuple[dict[str, str], tuple[str, ...]]:
    """The address to keep from now on, where every redirect on the way was for good."""
    url = fetched.permanent_url
    if not url or url == feed.url:
        return {}, ()
    other = feeds.by_url(connection, url)
    if other is not None:
        return {}, (f"it moved for good to {url}, which is feed {other.id}; remove one of the two.",)
    if not feeds.is_free(connection, url):
        return {}, ()
    return {"url": url}, (f"it moved for good; its address is {url} from now on.",)
