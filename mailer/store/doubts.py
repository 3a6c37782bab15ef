"""Deliveries by name, and what the operator says of one that is in doubt. All run in the caller's transaction."""
# ruff: noqa: S608
# Only constants of this program are put into SQL.

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, and_, exists, insert, select, text, update

from mailer.core.delivery import DeliveryState, EditionState
from mailer.store import outbox
from mailer.store.instant import Instant
from mailer.store.pickup import ERASED
from mailer.store.stats import OPERATOR, SAID
from mailer.store.tables import attempts, deliveries, editions, subscribers, suppressions

IN_DOUBT = (DeliveryState.IN_DOUBT, DeliveryState.IN_DOUBT_HELD)
LISTED = (*IN_DOUBT, DeliveryState.DEFERRED)
"""What is listed where no state is named: what waits for another try, or for a person's word."""

# Word for word the conditions of the small indexes: SQLite compares the text.
_SMALL = {
    DeliveryState.CLAIMED: "d.state IN ('claimed', 'sending') AND ",
    DeliveryState.SENDING: "d.state IN ('claimed', 'sending') AND ",
    DeliveryState.DEFERRED: "d.state IN ('deferred', 'in_doubt') AND ",
    DeliveryState.IN_DOUBT: "d.state IN ('deferred', 'in_doubt') AND ",
}


@dataclass(frozen=True, slots=True)
class Doubted:
    """A delivery as a person looks at it. `name`: 'weekly 2026-W48', or the purpose of a mail without an edition.

    `since`: when it was last on the wire, else when it settled. `said`: by the relay, last.
    """

    id: int
    address: str
    edition: int | None
    name: str
    state: DeliveryState
    reason: str
    since: datetime | None
    next_at: datetime | None
    said: str
    edition_state: str


_ASKED = (
    f"SELECT d.id, coalesce(d.address, s.email, '{ERASED}') AS address, d.edition_id AS edition, "
    "coalesce(e.cadence || ' ' || e.period, d.purpose) AS name, d.state, d.reason, "
    "coalesce(d.permit_at, d.settled_at) AS since, d.next_at, "
    f"coalesce({SAID}, '') AS said, "
    "coalesce(e.state, '') AS edition_state "
    "FROM deliveries d LEFT JOIN subscribers s ON s.id = d.subscriber_id LEFT JOIN editions e ON e.id = d.edition_id "
)


def by_id(connection: Connection, delivery_id: int) -> Doubted | None:
    """The delivery of an id."""
    row = connection.execute(_typed(f"{_ASKED} WHERE d.id = :id"), {"id": delivery_id}).first()
    return None if row is None else _doubted(row)


def listed(
    connection: Connection, states: tuple[DeliveryState, ...], edition_id: int | None, limit: int
) -> list[Doubted]:
    """Deliveries in these states, of one edition or of all, the oldest first of each state."""
    found: list[Doubted] = []
    for state in states:
        # With an edition the small index is the shorter way all the same: the plus keeps SQLite from the edition's.
        own = "d.edition_id" if state not in _SMALL else "+d.edition_id"
        mine = "" if edition_id is None else f"AND {own} = :edition "
        asked = f"{_ASKED} WHERE {_SMALL.get(state, '')}d.state = '{state}' {mine}ORDER BY d.id LIMIT :limit"
        numbers = {"limit": limit - len(found)} | ({} if edition_id is None else {"edition": edition_id})
        found += map(_doubted, connection.execute(_typed(asked), numbers))
    return found


def accept(connection: Connection, delivery_id: int, now: datetime) -> bool:
    """It arrived. False where it is not in doubt."""
    # One of the copies in doubt is the one that they have, so there is one doubt less.
    values = {"state": DeliveryState.ACCEPTED, "reason": "", "next_at": None, "settled_at": now}
    taken = _take(connection, delivery_id, values | {"doubts": deliveries.c.doubts - 1})
    if taken:
        _note(connection, delivery_id, now, "accepted")
    return taken


def leave(connection: Connection, delivery_id: int, now: datetime) -> bool:
    """It stays in doubt, and is never sent by itself. False where it is not in doubt."""
    if _take(
        connection,
        delivery_id,
        {"state": DeliveryState.IN_DOUBT_HELD, "next_at": None, "settled_at": now},
        DeliveryState.IN_DOUBT,
    ):
        return True
    held = (deliveries.c.id == delivery_id, deliveries.c.state == DeliveryState.IN_DOUBT_HELD)
    return connection.execute(select(deliveries.c.id).where(*held)).first() is not None


def again(
    connection: Connection, delivery_id: int, edition_id: int | None, now: datetime, expires_at: datetime
) -> bool:
    """A further copy may go out, whatever came before; an edition that was done runs again. False: not in doubt."""
    values = {"state": DeliveryState.PENDING, "reason": "", "next_at": None, "settled_at": None, "doubts": 0}
    if not _take(connection, delivery_id, values | {"expires_at": expires_at}):
        return False
    _note(connection, delivery_id, now, "again")
    connection.execute(
        update(editions)
        .where(editions.c.id == edition_id, editions.c.state == EditionState.DONE)
        .values(state=EditionState.RUNNING, done_at=None)
    )
    return True


def why_not_again(connection: Connection, delivery_id: int) -> str:
    """Why no further copy may go out to its reader, or ''."""
    row = connection.execute(
        select(deliveries.c.purpose, deliveries.c.subscriber_id, deliveries.c.address, subscribers.c.state)
        .outerjoin(
            subscribers,
            and_(subscribers.c.id == deliveries.c.subscriber_id, subscribers.c.generation == deliveries.c.generation),
        )
        .where(deliveries.c.id == delivery_id)
    ).one()
    if row.subscriber_id is None and row.address is None:
        return "its reader was erased"
    if row.purpose != "digest":
        return "" if outbox.is_wanted(connection, delivery_id) else "its reader has moved on since"
    if row.state != "active":
        return f"its reader is {row.state}" if row.state else "its reader has left since"
    suppressed = exists().where(
        deliveries.c.id == delivery_id,
        subscribers.c.id == deliveries.c.subscriber_id,
        suppressions.c.email == subscribers.c.email,
    )
    return "its address is suppressed" if connection.execute(select(suppressed)).scalar() else ""


def _take(connection: Connection, delivery_id: int, values: dict[str, Any], *states: DeliveryState) -> bool:
    mine = (deliveries.c.id == delivery_id, deliveries.c.state.in_(states or IN_DOUBT))
    return connection.execute(update(deliveries).where(*mine).values(**values)).rowcount == 1


def _note(connection: Connection, delivery_id: int, now: datetime, word: str) -> None:
    connection.execute(insert(attempts).values(delivery_id=delivery_id, at=now, stage=OPERATOR, outcome=word))


def _typed(asked: str) -> Any:
    return text(asked).columns(since=Instant(), next_at=Instant())


def _doubted(row: Row[Any]) -> Doubted:
    return Doubted(**(row._asdict() | {"state": DeliveryState(row.state)}))
