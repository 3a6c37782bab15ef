"""Changing by hand which articles the coming editions hold."""

from collections.abc import Sequence

from mailer.errors import NotFound
from mailer.store import articles
from mailer.store.database import Database


async def hide(database: Database, seq: int, *, hidden: bool = True) -> None:
    """Keep an article out of editions that are not planned yet, or no longer. Raises NotFound."""
    if not await database.write(articles.hide, seq, hidden=hidden):
        raise _missing(seq)


async def pin(database: Database, seq: int, cadences: Sequence[str]) -> None:
    """Put an article on top of the next edition of each of these cadences, of no other. Raises NotFound."""
    if not await database.write(articles.pin, seq, cadences):
        raise _missing(seq)


def _missing(seq: int) -> NotFound:
    return NotFound(f"There is no article {seq}. `mailer articles list` shows them.")
