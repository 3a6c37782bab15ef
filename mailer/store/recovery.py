"""What a sender does before its first claim: what a dead one left, and what has become due since."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, func, select, text, update

from mailer.store.outbox import expired
from mailer.store.tables import deliveries, meta, subscribers


@dataclass(frozen=True, slots=True)
class Doubt:
    """A delivery that a dead sender may have sent. `next_at`: when it is looked at again."""

    delivery: int
    address: str
    next_at: datetime


def begin_epoch(connection: Connection, doubt: timedelta) -> tuple[int, list[Doubt]]:
    """Start as the one sender: whatever was claimed or on the wire is a dead sender's. Returns (epoch, new doubts).

    Claimed ones were never on the wire. Those with a permit may have been sent: in doubt, since their permit.
    """
    connection.execute(update(meta).where(meta.c.key == "epoch").values(value=meta.c.value + 1))
    epoch = int(connection.execute(select(meta.c.value).where(meta.c.key == "epoch")).scalar_one())
    connection.execute(text("UPDATE deliveries SET state = 'pending' WHERE state = 'claimed'"))
    lost = connection.execute(
        select(deliveries.c.id, func.coalesce(deliveries.c.address, subscribers.c.email), deliveries.c.permit_at)
        .outerjoin(subscribers, subscribers.c.id == deliveries.c.subscriber_id)
        .where(text("deliveries.state = 'sending'"))
    ).all()
    connection.execute(
        text(
            "UPDATE deliveries SET state = 'in_doubt', reason = 'sender_died', doubts = doubts + 1, "
            "next_at = permit_at + :doubt WHERE state = 'sending'"
        ),
        {"doubt": doubt // timedelta(milliseconds=1)},
    )
    return epoch, [Doubt(row[0], row[1], row[2] + doubt) for row in lost]


def ripen(connection: Connection, now: datetime, *, hold: bool) -> None:
    """Carry out what has become due: retries, and doubts that have lasted. `hold`: doubts wait for the operator."""
    due = deliveries.c.next_at <= now
    # One more copy, never two: a second doubt is held.
    once = (text("deliveries.state = 'in_doubt'"), due, deliveries.c.doubts < 2)  # noqa: PLR2004
    if not hold:
        connection.execute(update(deliveries).where(*once).values(state="pending", next_at=None))
    connection.execute(
        update(deliveries)
        .where(text("deliveries.state = 'in_doubt'"), due)
        .values(state="in_doubt_held", next_at=None, settled_at=now)
    )
    deferred = text("deliveries.state = 'deferred'")
    connection.execute(
        update(deliveries).where(deferred, deliveries.c.expires_at <= now).values(expired(now) | {"next_at": None})
    )
    connection.execute(update(deliveries).where(deferred, due).values(state="pending", next_at=None))
