"""Older articles to read on, chosen for each variant of an edition."""

from collections.abc import Sequence
from dataclasses import replace

from sqlalchemy import Connection

from mailer.core.article import Article
from mailer.core.related import Candidate, Similarity
from mailer.core.selection import Arrangement, Batch, Window, is_before
from mailer.store import articles
from mailer.store.database import Database


async def relate(database: Database, arrangement: Arrangement, count: int) -> Arrangement:
    """The same with at most `count` related articles for each batch, all from before its readers' windows."""
    if not count or not arrangement.batches:
        return arrangement
    picked = await database.read(_picked, arrangement, count)
    return replace(
        arrangement,
        batches=tuple(
            replace(batch, related=related) for batch, related in zip(arrangement.batches, picked, strict=True)
        ),
    )


def _picked(connection: Connection, arrangement: Arrangement, count: int) -> list[tuple[Article, ...]]:
    asked = {article.seq: article for batch in arrangement.batches for article in batch.pick.articles}
    similarity = Similarity.of(articles.candidates(connection), asked.values())
    seqs = [
        _nearest(similarity, batch, arrangement.windows(number), count)
        for number, batch in enumerate(arrangement.batches)
    ]
    found = {
        article.seq: article for article in articles.by_seq(connection, sorted({seq for one in seqs for seq in one}))
    }
    return [tuple(found[seq] for seq in one) for one in seqs]


def _nearest(similarity: Similarity, batch: Batch, windows: Sequence[Window], count: int) -> list[int]:
    def is_before_all(one: Candidate) -> bool:
        return all(is_before(window, seq=one.seq, known=one.known, published=one.published) for window in windows)

    return [one.seq for one in similarity.nearest(batch.pick.articles, count=count, allowed=is_before_all)]
