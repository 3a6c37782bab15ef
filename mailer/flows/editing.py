"""Changing by hand what the coming editions hold."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from mailer.core.intro import LONGEST
from mailer.errors import InputError, NotFound
from mailer.store import articles, drafts
from mailer.store.database import Database
from mailer.store.drafts import EditionDraft

MOST_ARTICLES = 100
"""Articles in the order of a draft, as many as `max_articles` allows."""


async def hide(database: Database, seq: int, *, hidden: bool = True) -> None:
    """Keep an article out of editions that are not planned yet, or no longer. Raises NotFound."""
    if not await database.write(articles.hide, seq, hidden=hidden):
        raise _missing(seq)


async def pin(database: Database, seq: int, cadences: Sequence[str]) -> None:
    """Put an article on top of the next edition of each of these cadences, of no other. Raises NotFound."""
    if not await database.write(articles.pin, seq, cadences):
        raise _missing(seq)


async def keep_draft(
    database: Database,
    cadence: str,
    *,
    now: datetime,
    intro: str | None = None,
    order: Sequence[int] | None = None,
) -> EditionDraft:
    """Keep an intro (Markdown), or the articles to come first, for the coming edition of a cadence.

    What is None stays as it is. Raises InputError where the intro is too long or an article is named twice, NotFound
    for an article that isn't there.
    """
    values: dict[str, Any] = {}
    if intro is not None:
        if len(intro) > LONGEST:
            raise InputError(f"The intro has {len(intro):,} characters; at most {LONGEST:,} are allowed.")
        values["intro"] = intro.replace("\r\n", "\n").strip()
    if order is not None:
        _check_order(order)
        values["articles"] = list(order)

    def write(connection: Connection) -> EditionDraft:
        there = {article.seq for article in articles.by_seq(connection, order or ())}
        for seq in order or ():
            if seq not in there:
                raise _missing(seq)
        return drafts.keep(connection, cadence, now, **values)

    return await database.write(write)


async def drop_draft(database: Database, cadence: str) -> bool:
    """Forget what was kept for the coming edition. Returns whether there was anything."""
    return await database.write(drafts.drop, cadence)


def _check_order(order: Sequence[int]) -> None:
    if len(order) > MOST_ARTICLES:
        raise InputError(f"The order names {len(order)} articles; at most {MOST_ARTICLES} are allowed.")
    twice = [seq for at, seq in enumerate(order) if seq in order[:at]]
    if twice:
        raise InputError(f"The order names article {twice[0]} twice.")


def _missing(seq: int) -> NotFound:
    return NotFound(f"There is no article {seq}. `mailer articles list` shows them.")
