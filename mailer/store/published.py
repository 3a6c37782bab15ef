"""The editions that are out, as far as anybody may see them: nothing of who reads them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, Select, exists, func, select

from mailer.core.edition_page import PUBLIC, edition_path
from mailer.store.tables import editions, variants

_OUT = editions.c.state.in_(sorted(PUBLIC))
_HAS_VARIANTS = exists().where(variants.c.edition_id == editions.c.id)
_ASKED = (
    editions.c.id.label("edition"),
    editions.c.cadence,
    editions.c.period,
    editions.c.due_at,
    editions.c.planned_at,
    editions.c.done_at,
    editions.c.intro,
    # Without the mail itself, which is large.
    variants.c.number,
    variants.c.language,
    variants.c.articles,
    variants.c.over,
    variants.c.more,
    variants.c.related,
)


@dataclass(frozen=True, slots=True)
class Published:
    """One variant of an edition that is out. `articles`: all that counts as given, shown or over the cap, by seq.

    `unnamed`: how many more there were, of an edition from before those over the cap were kept. `changed`: when
    anything about the edition last changed.
    """

    edition: int
    cadence: str
    period: str
    number: int
    language: str
    due_at: datetime
    planned_at: datetime
    changed: datetime
    intro: str
    articles: tuple[int, ...]
    related: tuple[int, ...]
    unnamed: int = 0

    @property
    def path(self) -> str:
        """Where its page is."""
        return edition_path(self.cadence, self.period, self.number)


def find(connection: Connection, cadence: str, period: str, number: int) -> Published | None:
    """A variant, if its edition is out."""
    asked = _variants().where(editions.c.cadence == cadence, editions.c.period == period, variants.c.number == number)
    row = connection.execute(asked).first()
    return None if row is None else _published(row)


def latest(connection: Connection, language: str, *, limit: int, offset: int = 0) -> list[Published]:
    """The editions that are out, the newest first, each by the variant that stands for it (`_fullest`)."""
    asked = (
        select(editions.c.id)
        .where(_OUT, _HAS_VARIANTS)
        .order_by(editions.c.due_at.desc(), editions.c.id.desc())
        .limit(limit)
        .offset(offset)
    )
    ids = [row.id for row in connection.execute(asked)]
    found = _fullest(connection, ids, language)
    return [found[edition] for edition in ids]


def count(connection: Connection) -> int:
    """How many editions are out."""
    asked = select(func.count()).select_from(editions).where(_OUT, _HAS_VARIANTS)
    return int(connection.execute(asked).scalar_one())


def beside(connection: Connection, here: Published) -> tuple[Published | None, Published | None]:
    """The editions of the same cadence before and after this one, as who reads this one's language would see them."""
    return _beside(connection, here, newer=False), _beside(connection, here, newer=True)


def _beside(connection: Connection, here: Published, *, newer: bool) -> Published | None:
    due = editions.c.due_at
    asked = (
        select(editions.c.id)
        .where(_OUT, _HAS_VARIANTS, editions.c.cadence == here.cadence)
        .where(due > here.due_at if newer else due < here.due_at)
        .order_by(due.asc() if newer else due.desc())
        .limit(1)
    )
    found = connection.execute(asked).first()
    return None if found is None else _fullest(connection, [found.id], here.language)[found.id]


def latest_public(connection: Connection, cadence: str, language: str) -> str | None:
    """Where the newest edition of a cadence is to be read, a path: in this language if it is there, else variant 0.

    None where none is out.
    """
    asked = (
        select(editions.c.period, variants.c.number)
        .join(variants, variants.c.edition_id == editions.c.id)
        .where(_OUT, editions.c.cadence == cadence)
        .order_by(editions.c.due_at.desc(), editions.c.id.desc(), variants.c.language != language, variants.c.number)
        .limit(1)
    )
    found = connection.execute(asked).first()
    return None if found is None else edition_path(cadence, found.period, found.number)


def _fullest(connection: Connection, edition_ids: Sequence[int], language: str) -> dict[int, Published]:
    """By edition, the variant that stands for it: in this language if there is one, with the most articles, the first.

    How many readers each has is not asked: it would take long, and the public would learn of it.
    """
    ranked = (
        select(
            variants.c.id,
            func.row_number()
            .over(
                partition_by=variants.c.edition_id,
                order_by=(
                    variants.c.language != language,
                    (func.json_array_length(variants.c.articles) + variants.c.more).desc(),
                    # In the order of their numbers; those stand behind the mail in the row, and are slow to reach.
                    variants.c.id,
                ),
            )
            .label("place"),
        )
        .where(variants.c.edition_id.in_(edition_ids))
        .subquery()
    )
    asked = _variants().join(ranked, ranked.c.id == variants.c.id).where(ranked.c.place == 1)
    return {row.edition: _published(row) for row in connection.execute(asked)}


def _variants() -> Select[Any]:
    return select(*_ASKED).join(variants, variants.c.edition_id == editions.c.id).where(_OUT)


def _published(row: Row[Any]) -> Published:
    return Published(
        edition=row.edition,
        cadence=row.cadence,
        period=row.period,
        number=row.number,
        language=row.language,
        due_at=row.due_at,
        planned_at=row.planned_at,
        changed=max(row.planned_at, row.done_at or row.planned_at),
        intro=row.intro,
        articles=(*row.articles, *row.over),
        related=tuple(row.related),
        unnamed=row.more - len(row.over),
    )
