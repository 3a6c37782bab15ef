"""The sources articles come from."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, insert, select, update

from mailer.store.instant import to_moment, to_number
from mailer.store.tables import feeds


@dataclass(frozen=True, slots=True)
class Feed:
    """One source. `url`: http(s), or an absolute path. `taken`: its back catalogue is known. `problem`: '' if well.

    `home`: the site's address or ''. `next_poll_at`: None where it was never asked. `failures`: polls in a row that
    failed. `changes`: when it had something new, the newest last. `notes`: what was mended or left out at the last
    reading. `gone`: its server said so, and it is polled by hand only. `ttl_minutes`: how long it asks to be left
    alone.
    """

    id: int
    url: str
    title: str
    removed: bool
    taken: bool
    etag: str
    last_modified: str
    polled_at: datetime | None
    ok_at: datetime | None
    problem: str
    home: str
    next_poll_at: datetime | None
    failures: int
    changes: tuple[datetime, ...]
    notes: tuple[str, ...]
    gone: bool
    ttl_minutes: int | None

    @property
    def origin(self) -> str:
        """Under which name its articles are kept."""
        return f"feed:{self.id}"

    @property
    def name(self) -> str:
        """What it is called where people read of it."""
        return self.title or self.url

    def is_due(self, now: datetime) -> bool:
        """Whether its time to be asked has come."""
        return not self.gone and (self.next_poll_at is None or self.next_poll_at <= now)


def add(connection: Connection, url: str) -> tuple[Feed, bool]:
    """Add a source, or bring a removed one back with all it remembers. Returns (feed, whether it is new or back)."""
    row = connection.execute(select(feeds).where(feeds.c.url == url)).first()
    if row is not None and not row.removed:
        return _feed(row), False
    if row is not None:
        connection.execute(
            update(feeds)
            .where(feeds.c.id == row.id)
            .values(removed=False, problem="", failures=0, gone=False, next_poll_at=None)
        )
    else:
        connection.execute(insert(feeds).values(url=url))
    return _feed(connection.execute(select(feeds).where(feeds.c.url == url)).one()), True


def every(connection: Connection) -> list[Feed]:
    """All that are polled, oldest first."""
    rows = connection.execute(select(feeds).where(feeds.c.removed.is_(False)).order_by(feeds.c.id))
    return [_feed(row) for row in rows]


def remove(connection: Connection, feed_id: int) -> bool:
    """Poll it no more; its articles stay. False where there is no such feed."""
    found = connection.execute(
        update(feeds).where(feeds.c.id == feed_id, feeds.c.removed.is_(False)).values(removed=True)
    )
    return found.rowcount == 1


def by_id(connection: Connection, feed_id: int) -> Feed | None:
    """A feed that is polled."""
    row = connection.execute(select(feeds).where(feeds.c.id == feed_id, feeds.c.removed.is_(False))).first()
    return None if row is None else _feed(row)


def by_url(connection: Connection, url: str, *, removed: bool = False) -> Feed | None:
    """A feed that is polled; `removed`: also one that is not any more."""
    row = connection.execute(select(feeds).where(feeds.c.url == url)).first()
    return None if row is None or (row.removed and not removed) else _feed(row)


def is_free(connection: Connection, url: str) -> bool:
    """Whether no feed has this address yet."""
    return connection.execute(select(feeds.c.id).where(feeds.c.url == url)).first() is None


def note(connection: Connection, feed_id: int, /, **values: Any) -> None:
    """Remember how a poll went: any columns of the table. `changes` are moments."""
    if "changes" in values:
        values["changes"] = [to_number(moment) for moment in values["changes"]]
    connection.execute(update(feeds).where(feeds.c.id == feed_id).values(**values))


def _feed(row: Row[Any]) -> Feed:
    return Feed(
        id=row.id,
        url=row.url,
        title=row.title,
        removed=row.removed,
        taken=row.taken,
        etag=row.etag,
        last_modified=row.last_modified,
        polled_at=row.polled_at,
        ok_at=row.ok_at,
        problem=row.problem,
        home=row.home,
        next_poll_at=row.next_poll_at,
        failures=row.failures,
        changes=tuple(to_moment(number) for number in row.changes),
        notes=tuple(row.notes),
        gone=row.gone,
        ttl_minutes=row.ttl_minutes,
    )
