"""Editions and their variants, as the ledger has them."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, func, insert, select

from mailer.core.delivery import EditionState
from mailer.core.selection import Window
from mailer.store.tables import editions, variants


@dataclass(frozen=True, slots=True)
class Edition:
    """One digest of one cadence for one period, as the ledger has it. `planned`: readers.

    `intro`: the editor's words, Markdown. `findings`: what lint found, a sentence each.
    `draft_at`: when the draft that it was made with was last changed.
    """

    id: int
    cadence: str
    period: str
    state: EditionState
    reason: str
    due_at: datetime
    planned_at: datetime
    done_at: datetime | None
    lo: int | None
    hi: int | None
    since: datetime | None
    planned: int
    nonce: str
    key_id: str
    intro: str
    findings: tuple[str, ...]
    draft_at: datetime | None


@dataclass(frozen=True, slots=True)
class Variant:
    """One compiled mail, ready to be kept. `articles`, `related`: seqs in order. `content`: the packed message.

    `number`: 0, 1, 2 in its edition, part of its page's address. `over`: the seqs of the articles that stayed over the
    cap, or were left out to keep the mail short.
    """

    window: Window
    language: str
    articles: tuple[int, ...]
    more: int
    subject: str
    content: bytes
    id: int = 0
    related: tuple[int, ...] = ()
    number: int = 0
    over: tuple[int, ...] = ()


def find(connection: Connection, cadence: str, period: str) -> Edition | None:
    """The edition of a period, if it was made."""
    row = connection.execute(select(editions).where(editions.c.cadence == cadence, editions.c.period == period)).first()
    return None if row is None else _edition(row)


def by_id(connection: Connection, edition_id: int) -> Edition | None:
    """The edition of an id."""
    row = connection.execute(select(editions).where(editions.c.id == edition_id)).first()
    return None if row is None else _edition(row)


def latest(connection: Connection, limit: int) -> list[Edition]:
    """The newest editions first."""
    return [_edition(row) for row in connection.execute(select(editions).order_by(editions.c.id.desc()).limit(limit))]


def held(connection: Connection) -> list[Edition]:
    """Those that wait for a person's word, the oldest first."""
    asked = select(editions).where(editions.c.state == EditionState.HELD).order_by(editions.c.id)
    return [_edition(row) for row in connection.execute(asked)]


def unfinished(connection: Connection) -> list[Edition]:
    """Those that have readers and are not done, whatever keeps them, the oldest first."""
    asked = select(editions).where(editions.c.done_at.is_(None), editions.c.planned > 0).order_by(editions.c.id)
    return [_edition(row) for row in connection.execute(asked)]


def previous(connection: Connection, cadence: str) -> Edition | None:
    """The cadence's last edition that has a watermark: an empty one counts, a first one held back doesn't."""
    row = connection.execute(
        select(editions)
        .where(editions.c.cadence == cadence, editions.c.hi.is_not(None))
        .order_by(editions.c.hi.desc(), editions.c.id.desc())
        .limit(1)
    ).first()
    return None if row is None else _edition(row)


def first_due(connection: Connection, cadence: str) -> datetime | None:
    """When the cadence's first edition was due, held back or not; None where there was none."""
    found: datetime | None = connection.execute(
        select(func.min(editions.c.due_at)).where(editions.c.cadence == cadence)
    ).scalar()
    return found


def first_sinces(connection: Connection) -> dict[datetime, str]:
    """The cadences by the oldest date that counts in their first editions, held back or not."""
    rows = connection.execute(select(editions.c.since, editions.c.cadence).where(editions.c.since.is_not(None)))
    return {row[0]: row[1] for row in rows}


def first_watermarks(connection: Connection) -> dict[datetime, int]:
    """By the oldest date that counts in a first edition, the seq up to which it does: that edition's watermark.

    Its readers may have been held back and have gone over to another cadence, which has had its first. Then dates count
    up to what that one had given before.
    """
    first = select(editions.c.since, editions.c.id, editions.c.hi).where(
        editions.c.since.is_not(None), editions.c.hi.is_not(None)
    )
    reached = (
        select(variants.c.since, editions.c.id, func.coalesce(editions.c.lo, editions.c.hi))
        .join(editions, editions.c.id == variants.c.edition_id)
        # A first edition that was refused has no watermark, so dates count on.
        .where(variants.c.since.is_not(None), func.coalesce(editions.c.lo, editions.c.hi).is_not(None))
        .distinct()
    )
    found: dict[datetime, int] = {}
    for since, _, seq in sorted(connection.execute(first.union(reached)), key=lambda row: row[1]):
        found.setdefault(since, seq)
    return found


def variants_of(connection: Connection, edition_id: int) -> list[Variant]:
    """The frozen variants of an edition."""
    rows = connection.execute(select(variants).where(variants.c.edition_id == edition_id).order_by(variants.c.id))
    return [_variant(row) for row in rows]


def content_of(connection: Connection, variant_id: int) -> bytes:
    """The packed compiled message of a variant."""
    return bytes(connection.execute(select(variants.c.content).where(variants.c.id == variant_id)).scalar_one())


def add_variant(connection: Connection, variant: Variant, edition_id: int | None) -> int:
    """Keep a compiled mail; returns its id. A test copy's has no edition."""
    found = connection.execute(
        insert(variants).values(
            edition_id=edition_id,
            lo=variant.window.lo,
            since=variant.window.since,
            language=variant.language,
            articles=list(variant.articles),
            more=variant.more,
            subject=variant.subject,
            content=variant.content,
            related=list(variant.related),
            number=variant.number,
            over=list(variant.over),
        )
    ).inserted_primary_key
    return int(found[0])  # type: ignore[index]  # a single insert always has one


def _edition(row: Row[Any]) -> Edition:
    values = row._asdict()
    return Edition(**(values | {"state": EditionState(row.state), "findings": tuple(row.findings)}))


def _variant(row: Row[Any]) -> Variant:
    return Variant(
        window=Window(row.lo, 0, row.since),
        language=row.language,
        articles=tuple(row.articles),
        more=row.more,
        subject=row.subject,
        content=bytes(row.content),
        id=row.id,
        related=tuple(row.related),
        number=row.number,
        over=tuple(row.over),
    )
