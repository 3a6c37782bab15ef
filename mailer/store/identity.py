"""Which article an item of a source is: by its own id, by a further name, or by the link another source told first."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, insert, select, update

from mailer.core.article import Draft, canonical_link
from mailer.store.parts import in_parts
from mailer.store.tables import article_names, articles


def known_as(connection: Connection, origin: str, drafts: Sequence[Draft]) -> dict[str, Row[Any]]:
    """By guid, the row of the article that a draft is. Drafts of new articles are not in it.

    A row of another origin is a duplicate, which that other source goes on telling; its new name is written down.
    """
    found = named(connection, origin, [draft.guid for draft in drafts])
    if len(found) < len(drafts):
        told_elsewhere = _by_link(connection, origin, drafts, [draft for draft in drafts if draft.guid not in found])
        names = [{"origin": origin, "guid": guid, "seq": row.seq} for guid, row in told_elsewhere.items()]
        if names:
            connection.execute(insert(article_names), names)
        found |= told_elsewhere
    return found


def named(connection: Connection, origin: str, guids: Sequence[str]) -> dict[str, Row[Any]]:
    """By guid, the rows of articles that this source told before, under that or as a further name."""
    found = {row.guid: row for row in _rows(connection, articles.c.guid, guids, articles.c.origin == origin)}
    return found | _by_name(connection, origin, [guid for guid in guids if guid not in found])


def lend_topics(connection: Connection, origin: str, draft: Draft) -> bool:
    """Remember what topics a second source gives an article. Returns whether they are others than before."""
    name = (article_names.c.origin == origin) & (article_names.c.guid == draft.guid)
    topics = list(draft.topics)
    if connection.execute(select(article_names.c.topics).where(name)).scalar_one() == topics:
        return False
    connection.execute(update(article_names).where(name).values(topics=topics))
    return True


def lent_topics(connection: Connection, seqs: Sequence[int]) -> Mapping[int, list[str]]:
    """By seq, the topics that further sources give an article, in the order of their names."""
    lent = defaultdict[int, list[str]](list)
    for part in in_parts(seqs):
        rows = connection.execute(
            select(article_names.c.seq, article_names.c.topics)
            .where(article_names.c.seq.in_(part))
            .order_by(article_names.c.origin, article_names.c.guid)
        )
        for seq, topics in rows:
            lent[seq].extend(topics)
    return lent


def _by_name(connection: Connection, origin: str, guids: Sequence[str]) -> dict[str, Row[Any]]:
    seqs: dict[str, int] = {}
    for part in in_parts(guids):
        names = select(article_names.c.guid, article_names.c.seq)
        own = names.where(article_names.c.origin == origin, article_names.c.guid.in_(part))
        seqs.update((row.guid, row.seq) for row in connection.execute(own))
    rows = {row.seq: row for row in _rows(connection, articles.c.seq, list(seqs.values()))}
    return {guid: rows[seq] for guid, seq in seqs.items()}


def _by_link(
    connection: Connection, origin: str, drafts: Iterable[Draft], strangers: Iterable[Draft]
) -> dict[str, Row[Any]]:
    """Articles of other sources with the same link.

    A link that stands for several articles of one source (the home page, a page with a list) identifies none.
    """
    times = Counter(canonical_link(draft.link) for draft in drafts)
    links = {canonical_link(draft.link): draft.guid for draft in strangers}
    single = [link for link in links if link and times[link] == 1]
    there = defaultdict[str, list[Row[Any]]](list)
    for row in _rows(connection, articles.c.canonical, single):
        there[row.canonical].append(row)
    return {
        links[link]: min(rows, key=lambda row: row.seq)
        for link, rows in there.items()
        if len({row.origin for row in rows}) == len(rows) and all(row.origin != origin for row in rows)
    }


def _rows(
    connection: Connection, column: ColumnElement[Any], values: Sequence[Any], *conditions: ColumnElement[bool]
) -> Iterator[Row[Any]]:
    for part in in_parts(values):
        yield from connection.execute(select(articles).where(column.in_(part), *conditions))
