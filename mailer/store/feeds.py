"""The sources articles come from."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, insert, select, update

from mailer.store.tables import feeds


@dataclass(frozen=True, slots=True)
class Feed:
    """One source. `url`: http(s), or an absolute path. `taken`: its back catalogue is known. `problem`: '' if well."""

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

    @property
    def origin(self) -> str:
        """Under which name its articles are kept."""
        return f"feed:{self.id}"


def add(connection: Connection, url: str) -> tuple[Feed, bool]:
    """Add a source, or bring a removed one back with all it remembers. Returns (feed, whether it is new or back)."""
    row = connection.execute(select(feeds).where(feeds.c.url == url)).first()
    if row is not None and not row.removed:
        return _feed(row), False
    if row is not None:
        connection.execute(update(feeds).where(feeds.c.id == row.id).values(removed=False, problem=""))
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


def is_free(connection: Connection, url: str) -> bool:
    """Whether no feed has this address yet."""
    return connection.execute(select(feeds.c.id).where(feeds.c.url == url)).first() is None


def note(connection: Connection, feed_id: int, /, **values: Any) -> None:
    """Remember how a poll went: any columns of the table."""
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
    )
