"""Under which names a feed's articles are known, and which of them are held because all its ids changed."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, Select, func, insert, or_, select, update

from mailer.core.article import Draft, canonical_link
from mailer.core.feed_identity import Known, own_name
from mailer.store.parts import in_parts
from mailer.store.tables import article_names, articles

_MOST_NAMES = 5
"""Further names kept of one article. A feed that makes its ids anew each time would never stop giving more."""

_ROW = (
    articles.c.seq,
    articles.c.origin,
    articles.c.guid,
    articles.c.canonical,
    articles.c.title,
    articles.c.published,
)


def remembered(connection: Connection, origin: str, drafts: Sequence[Draft]) -> list[Known]:
    """The articles of this origin that share a guid or a further name with one of `drafts`, or a link or title."""
    found: dict[int, tuple[Row[Any], list[str]]] = {}
    for row in _by_guid(connection, origin, drafts):
        found.setdefault(row.seq, (row, []))[1].append(row.name)
    links = {name: row.canonical for row, names in found.values() for name in names}
    unsure = [draft for draft in drafts if links.get(draft.guid) != canonical_link(draft.link)]
    for row in _alike(connection, origin, unsure):
        found.setdefault(row.seq, (row, [row.guid]))
    return [_known(row, names, origin) for row, names in found.values()]


def newest_date(connection: Connection, origin: str, now: datetime) -> datetime | None:
    """The latest date, not after `now`, of an article of this origin; None where none has one."""
    asked = select(func.max(articles.c.published)).where(articles.c.origin == origin, articles.c.published <= now)
    found: datetime | None = connection.execute(asked).scalar_one()
    return found


def add_names(connection: Connection, origin: str, names: Mapping[str, str]) -> None:
    """Further names of articles: from each to the guid it stands for."""
    for name, guid in names.items():
        seq = _seq(connection, origin, guid)
        if seq is None:
            continue
        there = select(func.count()).where(article_names.c.origin == origin, article_names.c.seq == seq)
        if connection.execute(there).scalar_one() < _MOST_NAMES:
            connection.execute(insert(article_names).values(origin=origin, guid=name, seq=seq))


def hold(connection: Connection, origin: str, guids: Iterable[str]) -> None:
    """Nobody knows yet whether these new articles are news."""
    for part in in_parts(sorted(guids)):
        connection.execute(
            update(articles).where(articles.c.origin == origin, articles.c.guid.in_(part)).values(storm=True)
        )


def held(connection: Connection) -> dict[str, list[tuple[int, str]]]:
    """By origin, the (seq, title) of its articles that wait for the operator's word, the newest first."""
    found: dict[str, list[tuple[int, str]]] = {}
    asked = select(articles.c.origin, articles.c.seq, articles.c.title).where(articles.c.storm.is_(True))
    for origin, seq, title in connection.execute(asked.order_by(articles.c.seq.desc())):
        found.setdefault(origin, []).append((seq, title))
    return found


def judge(connection: Connection, *, news: bool, origin: str | None = None, until: int | None = None) -> int:
    """The operator's word on articles that wait for it: of one origin, or up to a seq. Returns how many there were."""
    values = {"storm": False} if news else {"storm": False, "known": True}
    waiting = update(articles).where(articles.c.storm.is_(True))
    if origin is not None:
        waiting = waiting.where(articles.c.origin == origin)
    if until is not None:
        waiting = waiting.where(articles.c.seq <= until)
    return connection.execute(waiting.values(values)).rowcount


def _by_guid(connection: Connection, origin: str, drafts: Sequence[Draft]) -> Iterator[Row[Any]]:
    for part in in_parts(sorted({draft.guid for draft in drafts} | {own_name(draft) for draft in drafts})):
        own = select(*_ROW, articles.c.guid.label("name"))
        further = select(*_ROW, article_names.c.guid.label("name")).join(article_names)
        yield from _rows(connection, own.where(articles.c.origin == origin, articles.c.guid.in_(part)))
        yield from _rows(connection, further.where(article_names.c.origin == origin, article_names.c.guid.in_(part)))


def _alike(connection: Connection, origin: str, drafts: Sequence[Draft]) -> Iterator[Row[Any]]:
    for part in in_parts(drafts):
        links = [link for draft in part if (link := canonical_link(draft.link))]
        titles = [draft.title for draft in part]
        meets = or_(articles.c.canonical.in_(links), articles.c.title.in_(titles))
        yield from _rows(connection, select(*_ROW).where(articles.c.origin == origin, meets))


def _rows(connection: Connection, asked: Select[Any]) -> Iterator[Row[Any]]:
    """Without the columns' types, which differ between the questions."""
    yield from connection.execute(asked)


def _known(row: Row[Any], names: list[str], origin: str) -> Known:
    # An article that came through another feed first has only its further names here.
    own = [row.guid] if row.origin == origin else []
    guids = (*own, *(name for name in names if name not in own))
    return Known(row.seq, guids, row.canonical, row.title, row.published)


def _seq(connection: Connection, origin: str, guid: str) -> int | None:
    own = select(articles.c.seq).where(articles.c.origin == origin, articles.c.guid == guid)
    further = select(article_names.c.seq).where(article_names.c.origin == origin, article_names.c.guid == guid)
    found: int | None = connection.execute(own.union(further)).scalar()
    return found
