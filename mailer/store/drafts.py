"""What an editor keeps for the coming edition of a cadence, until that edition is made."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, delete, insert, select, update

from mailer.store.tables import edition_drafts


@dataclass(frozen=True, slots=True)
class EditionDraft:
    """`intro`: Markdown, '' for none. `articles`: the seqs to come first, in this order."""

    cadence: str
    intro: str
    articles: tuple[int, ...]
    changed_at: datetime


def find(connection: Connection, cadence: str) -> EditionDraft | None:
    """The draft of a cadence, if one is kept."""
    row = connection.execute(select(edition_drafts).where(edition_drafts.c.cadence == cadence)).first()
    return None if row is None else EditionDraft(row.cadence, row.intro, tuple(row.articles), row.changed_at)


def keep(connection: Connection, cadence: str, now: datetime, **values: Any) -> EditionDraft:
    """Write `intro` or `articles` of a draft and leave the other; it is made where there is none yet."""
    changed = connection.execute(
        update(edition_drafts).where(edition_drafts.c.cadence == cadence).values(changed_at=now, **values)
    ).rowcount
    if not changed:
        whole = {"intro": "", "articles": []} | values
        connection.execute(insert(edition_drafts).values(cadence=cadence, changed_at=now, **whole))
    found = find(connection, cadence)
    assert found is not None  # noqa: S101  # written just now
    return found


def drop(connection: Connection, cadence: str, changed_at: datetime | None = None) -> bool:
    """Forget a draft; with `changed_at`, only where it wasn't changed since. Returns whether there was one."""
    asked = delete(edition_drafts).where(edition_drafts.c.cadence == cadence)
    if changed_at is not None:
        asked = asked.where(edition_drafts.c.changed_at == changed_at)
    return connection.execute(asked).rowcount == 1
