"""The consent record of a reader: written line by line, read as a proof, and the shortening of the IPs in it."""

from collections.abc import Callable
from dataclasses import fields
from datetime import datetime

from sqlalchemy import Connection, bindparam, delete, func, insert, select, text, update

from mailer.core.consent import Circumstances, ConsentEvent
from mailer.store.instant import to_number
from mailer.store.tables import consent, consent_texts, signup_attempts

# Word for word the condition of the small index: SQLite compares the text.
_WHOLE = "ip <> '' AND ip NOT LIKE '%/%'"

_COLUMNS = tuple(
    func.coalesce(consent_texts.c.text, "") if one.name == "text" else consent.c[one.name]
    for one in fields(ConsentEvent)
)


def record(
    connection: Connection,
    subscriber_id: int,
    *,
    now: datetime,
    about: Circumstances,
    event: str,
    detail: str = "",
    message_id: str = "",
    statement: str = "",
) -> None:
    """Write into a reader's consent record.

    `message_id`: of the mail whose link was pressed. `statement`: an operator's word.
    """
    version = about.text_version
    if (
        version
        and not connection.execute(select(consent_texts.c.version).where(consent_texts.c.version == version)).first()
    ):
        connection.execute(insert(consent_texts).values(version=version, text=about.text, since=now))
    connection.execute(
        insert(consent).values(
            subscriber_id=subscriber_id,
            at=now,
            event=event,
            route=about.route,
            statement=statement,
            detail=detail,
            source=about.source,
            text_version=version,
            language=about.language,
            ip=about.ip,
            agent=about.agent,
            message_id=message_id,
        )
    )


def record_of(connection: Connection, subscriber_id: int) -> list[ConsentEvent]:
    """All that happened to a reader's consent, oldest first."""
    rows = connection.execute(
        select(*_COLUMNS)
        .select_from(consent.outerjoin(consent_texts, consent_texts.c.version == consent.c.text_version))
        .where(consent.c.subscriber_id == subscriber_id)
        .order_by(consent.c.id)
    )
    return [ConsentEvent(*row) for row in rows]  # twelve columns, twelve fields


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
