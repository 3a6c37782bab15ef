"""The consent record of a reader in full, as a proof, and the shortening of the IPs in it."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, bindparam, delete, select, text, update

from mailer.store.instant import to_number
from mailer.store.tables import consent, consent_texts, signup_attempts

# Word for word the condition of the small index: SQLite compares the text.
_WHOLE = "ip <> '' AND ip NOT LIKE '%/%'"


@dataclass(frozen=True, slots=True)
class ConsentEvent:
    """One line of the record. `text`: what they read, '' where its wording isn't kept. The rest as in the table."""

    at: datetime
    event: str
    route: str
    statement: str
    detail: str
    source: str
    text_version: str
    text: str
    language: str
    ip: str
    agent: str
    message_id: str


def record_of(connection: Connection, subscriber_id: int) -> list[ConsentEvent]:
    """All that happened to a reader's consent, oldest first."""
    columns = (consent.c.at, consent.c.event, consent.c.route, consent.c.statement, consent.c.detail, consent.c.source)
    rows = connection.execute(
        select(
            *columns,
            consent.c.text_version,
            consent_texts.c.text,
            consent.c.language,
            consent.c.ip,
            consent.c.agent,
            consent.c.message_id,
        )
        .select_from(consent.outerjoin(consent_texts, consent_texts.c.version == consent.c.text_version))
        .where(consent.c.subscriber_id == subscriber_id)
        .order_by(consent.c.id)
    )
    return [ConsentEvent(**{**row._mapping, "text": row.text or ""}) for row in rows]  # noqa: SLF001  # SQLAlchemy's API


def is_due(connection: Connection, *, whole_until: datetime, counted_until: datetime) -> bool:
    """Whether an IP of that time or before is still whole, or a counted sign-up from before is still kept."""
    asked = (
        text(f"SELECT 1 FROM consent WHERE {_WHOLE} AND at <= :until LIMIT 1"),  # noqa: S608  # a constant
        text("SELECT 1 FROM signup_attempts WHERE at < :until LIMIT 1"),
    )
    moments = (whole_until, counted_until)
    return any(
        connection.execute(question, {"until": to_number(moment)}).first()
        for question, moment in zip(asked, moments, strict=True)
    )


def shorten(connection: Connection, until: datetime, shortened: Callable[[str], str], limit: int) -> int:
    """Up to `limit` IPs of that time or before. Returns how many.

    `shortened`: gives a network with a '/', or '' for what is no IP.
    """
    rows = connection.execute(
        text(f"SELECT id, ip FROM consent WHERE {_WHOLE} AND at <= :until ORDER BY at LIMIT :limit"),  # noqa: S608
        {"until": to_number(until), "limit": limit},
    ).all()
    if rows:
        connection.execute(
            update(consent).where(consent.c.id == bindparam("row")).values(ip=bindparam("short")),
            [{"row": row.id, "short": shortened(row.ip)} for row in rows],
        )
    return len(rows)


def forget_attempts(connection: Connection, before: datetime, limit: int) -> int:
    """Up to `limit` counted sign-ups from before that time go. Returns how many."""
    old = select(signup_attempts.c.id).where(signup_attempts.c.at < before).order_by(signup_attempts.c.at).limit(limit)
    return connection.execute(delete(signup_attempts).where(signup_attempts.c.id.in_(old))).rowcount
