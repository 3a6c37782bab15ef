"""How feeds are, in a table and in words: what is wrong with each, since when, and what to do about it."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from mailer.cli.output import counted, say, show_table, when

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from mailer.store.feeds import Feed

_SHOWN = 3  # notes or titles that are shown of each feed
_MINUTE, _HOUR, _DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
_EDITIONS = 100  # the newest, among which those that are held are looked for


@dataclass(frozen=True, slots=True)
class Health:
    """A feed and what belongs to it. `held`: (seq, title) of its articles that wait for the operator's word."""

    feed: "Feed"
    articles: int
    held: "Sequence[tuple[int, str]]"

    def document(self) -> dict[str, Any]:
        """What programs are told."""
        feed = self.feed
        return {
            "id": feed.id,
            "url": feed.url,
            "title": feed.title,
            "home": feed.home or None,
            "articles": self.articles,
            "state": self.state(),
            "last_poll": feed.polled_at,
            "last_success": feed.ok_at,
            "next_poll": feed.next_poll_at,
            "ttl_minutes": feed.ttl_minutes,
            "problem": feed.problem or None,
            "failures": feed.failures,
            "gone": feed.gone,
            "held": [seq for seq, _ in self.held],
            "notes": feed.notes,
        }

    def rows(self, now: datetime) -> list[tuple[object, ...]]:
        """Of the table: the address has a line of its own, so that it is whole where there is little width."""
        feed = self.feed
        following = "by hand" if feed.gone else ahead(feed.next_poll_at, now)
        row = (feed.id, f"{self.articles:,}", ago(feed.ok_at, now), following, self.state(), feed.name)
        return [row] if feed.name == feed.url else [row, ("", "", "", "", "", feed.url)]

    def state(self) -> str:
        """In one word, the worst first."""
        if self.feed.gone:
            return "gone"
        if self.feed.problem:
            return "failing"
        if self.held:
            return "held"
        return "mended" if self.feed.notes else "well"


def read_health(connection: "Connection") -> tuple[list[Health], list[int]]:
    """(every feed, the ids of editions that are held for articles of theirs)."""
    from mailer.store import article_names, articles, feeds

    held = article_names.held(connection)
    found = [
        Health(feed, articles.count(connection, feed.origin), held.get(feed.origin, ()))
        for feed in feeds.every(connection)
    ]
    return found, editions_held(connection) if held else []


def editions_held(connection: "Connection") -> list[int]:
    """Ids of the editions that wait because a feed changed the ids of its articles."""
    from mailer.core.delivery import EditionState, HoldReason
    from mailer.store import editions

    latest = editions.latest(connection, _EDITIONS)
    return [one.id for one in latest if one.state is EditionState.HELD and one.reason == HoldReason.GUID_STORM]


def show_health(found: Sequence[Health], editions: Sequence[int], *, now: datetime, zone: str) -> None:
    """The table, then a paragraph for each feed that isn't well."""
    show_table(
        ("Id", "Items", "Last success", "Next poll", "State", "Feed"),
        [row for one in found for row in one.rows(now)],
        empty="No feeds yet. Add one: mailer feeds add URL",
    )
    for one in found:
        for line in _in_words(one, editions, zone):
            say("", line)


def held_in_words(feed: "Feed", titles: Sequence[str], editions: Iterable[int] = ()) -> str:
    """What was held and how to judge it."""
    count = len(titles)
    named = ", ".join(repr(title[:60]) for title in titles[:_SHOWN])
    more = f" and {count - _SHOWN:,} more" if count > _SHOWN else ""
    waiting = "".join(
        f" Edition {edition} waits for it, too: `mailer editions send {edition}` says the same as accept, "
        f"`mailer editions skip {edition}` as refuse."
        for edition in editions
    )
    return (
        f"Feed {feed.id} ({feed.name}): its site seems to have changed the ids of all its articles: "
        f"{counted(count, 'article')} came at once that can't be told from old ones ({named}{more}). "
        f"They are held until you say: `mailer feeds accept {feed.id}` if they are news, "
        f"`mailer feeds refuse {feed.id}` if they are old.{waiting}"
    )


def ago(moment: datetime | None, now: datetime) -> str:
    """'5 min ago', 'never'."""
    if moment is None:
        return "never"
    return "just now" if now - moment < _MINUTE else f"{_roughly(now - moment)} ago"


def ahead(moment: datetime | None, now: datetime) -> str:
    """'in 5 min', 'now'."""
    return "now" if moment is None or moment <= now else f"in {_roughly(moment - now)}"


def _roughly(length: timedelta) -> str:
    minutes = max(1, round(length / _MINUTE))
    if minutes < _HOUR / _MINUTE:
        return f"{minutes} min"
    return f"{round(length / _HOUR)} h" if length < 2 * _DAY else f"{round(length / _DAY)} days"


def _in_words(one: Health, editions: Sequence[int], zone: str) -> Iterator[str]:
    feed = one.feed
    if feed.problem:
        tries = f"failed {counted(feed.failures, 'time')} in a row" if feed.failures > 1 else "failed once"
        last = f"last success {when(feed.ok_at, zone)}" if feed.ok_at else "it never went well"
        after = "asked by hand only" if feed.gone else f"asked again {when(feed.next_poll_at, zone)}"
        yield f"Feed {feed.id}: {feed.problem.rstrip('.')}. ({tries}; {last}; {after})"
    if one.held:
        yield held_in_words(feed, [title for _, title in one.held], editions)
    if feed.notes and not feed.problem:
        more = f" And {len(feed.notes) - _SHOWN} more; --json has them all." if len(feed.notes) > _SHOWN else ""
        shown = " ".join(note[:1].upper() + note[1:] for note in feed.notes[:_SHOWN])
        yield f"Feed {feed.id} ({feed.name}), at its last reading: {shown}{more}"
