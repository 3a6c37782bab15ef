"""Articles, in the order in which they were taken in."""

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import Connection, Row, func, insert, select, update

from mailer.core.article import Article, Draft, Picture, all_topics, canonical_link
from mailer.core.related import Candidate
from mailer.store.identity import known_as, lend_topics, lent_topics, named
from mailer.store.instant import to_moment, to_number
from mailer.store.tables import articles

_CONTENT = ("title", "link", "summary", "author", "picture", "topics", "published", "language", "minutes")


def take_in(connection: Connection, origin: str, drafts: Sequence[tuple[Draft, bool]]) -> tuple[int, int]:
    """Store what is new under the next numbers and bring up to date what is known.

    `drafts`: (draft, known) in the order of their numbers. Returns (new, changed). The numbers are given by the one
    writer inside its transaction, so none ever appears after a higher one was seen.
    """
    there = known_as(connection, origin, [draft for draft, _ in drafts])
    lent = lent_topics(connection, [row.seq for row in there.values()])
    seq = newest(connection)
    fresh: list[dict[str, Any]] = []
    changed = 0
    for draft, known in drafts:
        old = there.get(draft.guid)
        if old is None:
            seq += 1
            fresh.append(_values(draft) | {"seq": seq, "origin": origin, "guid": draft.guid, "known": known})
        elif old.origin == origin:
            changed += _bring_up_to_date(connection, old, draft, lent.get(old.seq, ()))
        else:
            changed += _add_topics(connection, old, origin, draft)
    if fresh:
        connection.execute(insert(articles), fresh)
    return len(fresh), changed


def _bring_up_to_date(connection: Connection, old: Row[Any], draft: Draft, lent: Iterable[str]) -> bool:
    """What its source says now; topics that other sources lent it stay."""
    values = _values(draft) | {"topics": list(all_topics(draft.topics, lent))}
    values["picture"] = _with_size(values["picture"], old.picture)
    if all(getattr(old, name) == values[name] for name in _CONTENT):
        return False
    connection.execute(update(articles).where(articles.c.seq == old.seq).values(values))
    return True


def _with_size(told: dict[str, Any] | None, old: dict[str, Any] | None) -> dict[str, Any] | None:
    """Of the same picture the size stays that was learned once, which a source that never told it doesn't take back."""
    if told is None or old is None or told["url"] != old["url"] or (told["width"] and told["height"]):
        return told
    if not (old["width"] and old["height"]):
        return told
    return told | {name: old[name] for name in ("width", "height", "media_type")}


def _add_topics(connection: Connection, old: Row[Any], origin: str, draft: Draft) -> bool:
    """A duplicate changes nothing of the article, or two sources would change it back and forth at each poll.

    But its topics are added: a reader who asked for one of them must get the article, whoever filed it there.
    """
    if not lend_topics(connection, origin, draft):
        return False
    # Read anew: of one link a document may lend twice.
    topics: list[str] = connection.execute(select(articles.c.topics).where(articles.c.seq == old.seq)).scalar_one()
    more = list(all_topics(topics, draft.topics))
    connection.execute(update(articles).where(articles.c.seq == old.seq).values(topics=more))
    return more != topics


def newest(connection: Connection) -> int:
    """The highest seq, 0 where there is none."""
    return int(connection.execute(select(func.coalesce(func.max(articles.c.seq), 0))).scalar_one())


def between(connection: Connection, lo: int, hi: int) -> list[Article]:
    """Every article with lo < seq <= hi that may be mailed."""
    rows = connection.execute(
        select(articles).where(
            articles.c.seq > lo, articles.c.seq <= hi, articles.c.hidden.is_(False), articles.c.known.is_(False)
        )
    )
    return [_article(row) for row in rows]


def candidates(connection: Connection, limit: int = 50_000) -> list[Candidate]:
    """The newest articles that may be named as related, as far as they are compared: neither hidden nor in a storm."""
    columns = articles.c
    rows = connection.execute(
        select(*(columns[name] for name in Candidate._fields))
        .where(columns.hidden.is_(False), columns.storm.is_(False))
        .order_by(columns.seq.desc())
        .limit(limit)
    )
    return list(map(Candidate._make, rows))


def by_seq(connection: Connection, seqs: Iterable[int]) -> list[Article]:
    """These articles, in the order asked for; numbers that don't exist are left out."""
    wanted = list(seqs)
    rows = connection.execute(select(articles).where(articles.c.seq.in_(wanted)))
    found = {row.seq: _article(row) for row in rows}
    return [found[seq] for seq in wanted if seq in found]


def told_before(connection: Connection, origin: str, guids: Sequence[str]) -> dict[str, Article]:
    """By guid, those of a source's articles that are there, also where another source told them first."""
    return {guid: _article(row) for guid, row in named(connection, origin, guids).items()}


def latest(connection: Connection, limit: int) -> list[Article]:
    """The newest articles first."""
    rows = connection.execute(select(articles).order_by(articles.c.seq.desc()).limit(limit))
    return [_article(row) for row in rows]


def count(connection: Connection, origin: str | None = None, *, known: bool | None = None) -> int:
    """How many there are, of one origin or of all; `known`: only those of a back catalogue, or only the others."""
    asked = select(func.count()).select_from(articles)
    if known is not None:
        asked = asked.where(articles.c.known.is_(known))
    return int(connection.execute(asked if origin is None else asked.where(articles.c.origin == origin)).scalar_one())


def hide(connection: Connection, seq: int, *, hidden: bool = True) -> bool:
    """Keep it out of editions to come, or no longer. False where there is no such article."""
    return connection.execute(update(articles).where(articles.c.seq == seq).values(hidden=hidden)).rowcount == 1


def pin(connection: Connection, seq: int, cadences: Sequence[str]) -> bool:
    """Put it on top of the next edition of these cadences, of no other. False where there is no such article."""
    return connection.execute(update(articles).where(articles.c.seq == seq).values(pins=list(cadences))).rowcount == 1


def unpin_given(connection: Connection, seqs: Iterable[int], cadence: str) -> None:
    """An edition of this cadence held these articles: their pins for it are spent."""
    for article in by_seq(connection, seqs):
        if cadence in article.pins:
            left = [name for name in article.pins if name != cadence]
            connection.execute(update(articles).where(articles.c.seq == article.seq).values(pins=left))


def _values(draft: Draft) -> dict[str, Any]:
    picture = draft.picture
    return {
        "title": draft.title,
        "link": draft.link,
        "canonical": canonical_link(draft.link),
        "summary": draft.summary,
        "author": draft.author,
        "picture": None
        if picture is None
        else {
            "url": picture.url,
            "alt": picture.alt,
            "width": picture.width,
            "height": picture.height,
            "media_type": picture.media_type,
        },
        "topics": list(draft.topics),
        # As the column will give it back, or every poll would see a change.
        "published": None if draft.published is None else to_moment(to_number(draft.published)),
        "language": draft.language,
        "minutes": draft.minutes,
    }


def _article(row: Row[Any]) -> Article:
    return Article(
        seq=row.seq,
        origin=row.origin,
        draft=Draft(
            guid=row.guid,
            title=row.title,
            link=row.link,
            summary=row.summary,
            author=row.author,
            picture=Picture(**row.picture) if row.picture else None,
            topics=tuple(row.topics),
            published=row.published,
            language=row.language,
            minutes=row.minutes,
        ),
        hidden=row.hidden,
        known=row.known,
        pins=tuple(row.pins),
        storm=row.storm,
    )
