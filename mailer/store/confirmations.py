"""What somebody asked for and the owner of a mailbox has to confirm."""

import json
from datetime import datetime

from sqlalchemy import Connection, insert, select, update

from mailer.core.confirmation import Confirmation, Kind
from mailer.core.personal import message_id as own_id
from mailer.core.subscription import Newcomer
from mailer.store.subscribers import interest_set
from mailer.store.tables import confirmations, deliveries, interest_sets, notices


def ask(
    connection: Connection,
    kind: Kind,
    subscriber_id: int,
    generation: int,
    *,
    now: datetime,
    wanted: Newcomer | None = None,
    address: str | None = None,
) -> int:
    """Write a wish down. Returns its id."""
    chosen = (
        {}
        if wanted is None
        else {
            "cadence": wanted.cadence,
            "interest_set_id": interest_set(connection, wanted.topics),
            "timezone": wanted.timezone,
            "language": wanted.language,
        }
    )
    made = connection.execute(
        insert(confirmations).values(
            kind=kind, subscriber_id=subscriber_id, generation=generation, asked_at=now, address=address, **chosen
        )
    ).inserted_primary_key
    return int(made[0])  # type: ignore[index]  # a single insert always has one


def find(connection: Connection, confirmation_id: int) -> Confirmation | None:
    """The wish of an id."""
    row = connection.execute(
        select(confirmations, interest_sets.c.topics)
        .outerjoin(interest_sets, interest_sets.c.id == confirmations.c.interest_set_id)
        .where(confirmations.c.id == confirmation_id)
    ).first()
    if row is None:
        return None
    return Confirmation(
        id=row.id,
        kind=row.kind,
        subscriber=row.subscriber_id,
        generation=row.generation,
        asked_at=row.asked_at,
        cadence=row.cadence,
        timezone=row.timezone,
        language=row.language,
        topics=tuple(json.loads(row.topics or "[]")),
        address=row.address or "",
        confirmed_at=row.confirmed_at,
    )


def settle(connection: Connection, confirmation_id: int, now: datetime) -> bool:
    """Write down that it was confirmed. False: it was before."""
    return bool(
        connection.execute(
            update(confirmations)
            .where(confirmations.c.id == confirmation_id, confirmations.c.confirmed_at.is_(None))
            .values(confirmed_at=now)
        ).rowcount
    )


def message_id(connection: Connection, confirmation_id: int, domain: str) -> str:
    """The Message-ID of the last mail that asked for it, '' where none was made. `domain`: of our address."""
    row = connection.execute(
        select(deliveries.c.id, notices.c.nonce)
        .join(notices, notices.c.delivery_id == deliveries.c.id)
        .where(notices.c.confirmation_id == confirmation_id)
        .order_by(deliveries.c.id.desc())
    ).first()
    return f"<{own_id(row[0], row[1], domain)}>" if row else ""
