"""Taking deliveries for sending: what is next, too old, or given back. All in the caller's transaction."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, bindparam, func, select, text, update

from mailer.core.delivery import Claimed, DeliveryState
from mailer.store.given import ended, or_held
from mailer.store.instant import to_moment, to_number
from mailer.store.prepared import Prepared
from mailer.store.tables import deliveries, editions, subscribers

ERASED = "(erased)"
"""Stands where a reader's address was."""


@dataclass(frozen=True, slots=True)
class Lapsed:
    """A delivery that nothing will try again by itself: too old, or doubted for too long. `digest`: of an edition."""

    delivery: int
    address: str
    state: DeliveryState
    digest: bool


def lapsed(connection: Connection, ids: Sequence[int]) -> list[Lapsed]:
    """These deliveries by address and as they stand now, for those who must hear of it."""
    if not ids:
        return []
    rows = connection.execute(
        select(
            deliveries.c.id,
            func.coalesce(deliveries.c.address, subscribers.c.email, ERASED),
            deliveries.c.state,
            deliveries.c.edition_id.is_not(None),
        )
        .select_from(deliveries.outerjoin(subscribers, subscribers.c.id == deliveries.c.subscriber_id))
        .where(deliveries.c.id.in_(ids))
        .order_by(deliveries.c.id)
    )
    return [Lapsed(row[0], row[1], DeliveryState(row[2]), row[3]) for row in rows]


def too_old(now: datetime) -> dict[str, Any]:
    """The columns of a delivery that is too old."""
    return {"state": ended(DeliveryState.EXPIRED), "reason": "too_old", "settled_at": now}


def claim(
    connection: Connection, epoch: int, limit: int, now: datetime, sources: Sequence[int | None] | None = None
) -> tuple[list[Claimed], list[Lapsed]]:
    """Take up to `limit` deliveries: transactional mail first, then editions from the oldest, in order of variants.

    `sources`: these editions alone, None among them for transactional mail. What is past its deadline expires here, or
    is held, and is returned apart.
    """
    taken: list[int] = []
    past: list[int] = []
    for edition in running(connection):
        if sources is not None and edition not in sources:
            continue
        if len(taken) >= limit:
            break
        mine = {"edition": edition, "limit": limit - len(taken), "now": to_number(now)}
        which = _MAIL if edition is None else _DIGESTS
        late = connection.execute(_LATE[which], mine).scalars().all()
        while late:
            past.extend(late)
            late = connection.execute(_LATE[which], mine).scalars().all()
        taken.extend(connection.execute(_CLAIM[which], mine | {"epoch": epoch}).scalars())
    return _claimed(connection, taken, epoch) if taken else [], lapsed(connection, past)


# The state stands in the text, or the small index of what is pending would not be used.
_MAIL = "state = 'pending' AND edition_id IS NULL"
_DIGESTS = "state = 'pending' AND edition_id = :edition"
_NEXT = "SELECT id FROM deliveries WHERE {} ORDER BY variant_id, id LIMIT :limit"
_CLAIM = {
    which: text(
        f"UPDATE deliveries SET state = 'claimed', epoch = :epoch WHERE id IN ({_NEXT.format(which)}) RETURNING id"  # noqa: S608
    )
    for which in (_MAIL, _DIGESTS)
}
# Looked at before each claim, among those that it would take.
_LATE = {
    which: text(
        f"UPDATE deliveries SET state = {or_held(DeliveryState.EXPIRED)}, reason = 'too_old', settled_at = :now "  # noqa: S608
        f"WHERE id IN (SELECT id FROM deliveries WHERE id IN ({_NEXT.format(which)}) AND expires_at <= :now) "
        "RETURNING id"
    )
    for which in (_MAIL, _DIGESTS)
}


def pending(connection: Connection, sources: Sequence[int | None] | None) -> bool:
    """Whether something can be claimed. `sources` as in `claim`."""
    wanted = [one for one in running(connection) if sources is None or one in sources]
    return any(
        connection.execute(
            text(_NEXT.format(_MAIL if edition is None else _DIGESTS)), {"edition": edition, "limit": 1}
        ).first()
        for edition in wanted
    )


def running(connection: Connection, like: int | None = None) -> list[int | None]:
    """What mail may be claimed from: None for transactional mail, then the running editions, the oldest first.

    `like`: only editions of that one's cadence. An earlier one may still have doubts to settle.
    """
    asked = select(editions.c.id).where(editions.c.state == "running").order_by(editions.c.id)
    if like is not None:
        cadence = select(editions.c.cadence).where(editions.c.id == like).scalar_subquery()
        asked = asked.where(editions.c.cadence == cadence)
    return [None, *connection.execute(asked).scalars()]


# One row for all of them: between two rows the driver lets other threads go on, and has to wait for its turn again.
_CLAIMED = Prepared(
    text(
        "SELECT json_group_array(json_array(id, edition_id, variant_id, subscriber_id, generation, address, joined_at, "
        "attempts, waits, expires_at, nonce, key_id, doubts)) FROM ("
        "SELECT d.id, d.edition_id, d.variant_id, coalesce(d.subscriber_id, 0) AS subscriber_id, d.generation, "
        "coalesce(d.address, s.email) AS address, s.joined_at, d.attempts, d.waits, d.expires_at, "
        "coalesce(e.nonce, n.nonce, d.dedupe_key) AS nonce, coalesce(e.key_id, n.key_id, '') AS key_id, d.doubts "
        "FROM deliveries d LEFT JOIN subscribers s ON s.id = d.subscriber_id "
        "LEFT JOIN editions e ON e.id = d.edition_id "
        "LEFT JOIN notices n ON d.edition_id IS NULL AND n.delivery_id = d.id "
        "WHERE d.id IN (SELECT value FROM json_each(:ids)) AND d.epoch = :epoch AND +d.state = 'claimed' "
        "ORDER BY coalesce(d.edition_id, 0), d.variant_id, d.id)"
    ),
    "ids",
    "epoch",
)


def _claimed(connection: Connection, ids: Sequence[int], epoch: int) -> list[Claimed]:
    rows = _CLAIMED.run(connection, {"ids": json.dumps(ids), "epoch": epoch})
    return [_claim_of(row) for row in json.loads(rows[0][0])]


def _claim_of(row: list[Any]) -> Claimed:
    """A row of `_CLAIMED`: its columns are the fields, moments as numbers."""
    *before, joined_at, attempts, waits, expires_at, nonce, key_id, doubts = row
    joined = None if joined_at is None else to_moment(joined_at)
    return Claimed(*before, joined, attempts, waits, to_moment(expires_at), nonce, key_id, doubts)  # type: ignore[call-arg]


def postpone(connection: Connection, epoch: int, until: Sequence[tuple[int, datetime]]) -> None:
    """Claimed, and their provider takes nothing before this moment: no try of theirs is counted."""
    if until:
        connection.execute(
            update(deliveries)
            .where(deliveries.c.id == bindparam("one"), deliveries.c.state == "claimed", deliveries.c.epoch == epoch)
            .values(state="deferred", reason="paced", next_at=bindparam("until")),
            [{"one": one, "until": moment} for one, moment in until],
        )


def give_back(connection: Connection, epoch: int, ids: Sequence[int]) -> None:
    """Claimed and not on the wire: somebody else may take it."""
    connection.execute(
        update(deliveries)
        .where(deliveries.c.id.in_(ids), deliveries.c.state == "claimed", deliveries.c.epoch == epoch)
        .values(state="pending")
    )
