"""The ledger. All run in the caller's transaction; work is taken by a conditional write and its row count."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    and_,
    bindparam,
    cast,
    exists,
    func,
    insert,
    literal_column,
    or_,
    select,
    text,
    update,
)

from mailer.core.delivery import NOT_ON_THE_WIRE, Answer, Claimed, DeliveryState, Verdict
from mailer.store.instant import to_moment, to_number
from mailer.store.prepared import Prepared, those_of
from mailer.store.tables import attempts, deliveries, editions, subscribers, suppressions


@dataclass(frozen=True, slots=True)
class Result:
    """How a permit was used. `next_at`: for a deferred or doubted one. `fingerprint`: for a hard bounce."""

    delivery: Claimed
    verdict: Verdict
    answer: Answer | None
    next_at: datetime | None = None
    fingerprint: str = ""


_READER = (subscribers.c.id == deliveries.c.subscriber_id, subscribers.c.generation == deliveries.c.generation)
_FREE = ~(
    exists()
    .where(suppressions.c.email == func.coalesce(deliveries.c.address, subscribers.c.email))
    .correlate(deliveries, subscribers)
)
# After a bounce or an erasure they may come back themselves: the form has looked at that (core.signup.is_barred).
_FREE_TO_JOIN = ~exists().where(
    suppressions.c.email == subscribers.c.email, suppressions.c.reason.not_in(["bounced", "erased"])
)
# A delivery that may go out: a test copy always, a digest while its edition runs and its reader wants it, any other
# mail while its reader is where it leaves from.
_WANTED = or_(
    deliveries.c.purpose == "test",
    and_(
        exists().where(
            subscribers.c.id == deliveries.c.subscriber_id,
            subscribers.c.state == "active",
            subscribers.c.generation == deliveries.c.generation,
            ~exists().where(suppressions.c.email == subscribers.c.email),
        ),
        exists().where(editions.c.id == deliveries.c.edition_id, editions.c.state == "running"),
    ),
    and_(
        deliveries.c.purpose == "confirm",
        exists().where(*_READER, subscribers.c.state.in_(["pending", "unsubscribed", "bounced"]), _FREE_TO_JOIN),
    ),
    and_(
        deliveries.c.purpose.in_(["welcome", "changed", "already", "move", "moved", "copy", "erase"]),
        exists().where(*_READER, subscribers.c.state.in_(["active", "paused"]), _FREE),
    ),
    and_(deliveries.c.purpose == "goodbye", exists().where(*_READER, subscribers.c.state == "unsubscribed", _FREE)),
)
_EDITION_STATE = select(editions.c.state).where(editions.c.id == deliveries.c.edition_id).scalar_subquery()


ERASED = "(erased)"
"""Stands where a reader's address was."""


@dataclass(frozen=True, slots=True)
class Lapsed:
    """A delivery that nothing will try again by itself: too old, or doubted for too long. `digest`: of an edition."""

    delivery: int
    address: str
    state: DeliveryState
    digest: bool


def lapsed(connection: Connection, ids: Sequence[int], state: DeliveryState) -> list[Lapsed]:
    """These deliveries by address, for those who must hear of it."""
    if not ids:
        return []
    rows = connection.execute(
        select(
            deliveries.c.id,
            func.coalesce(deliveries.c.address, subscribers.c.email, ERASED),
            deliveries.c.edition_id.is_not(None),
        )
        .select_from(deliveries.outerjoin(subscribers, subscribers.c.id == deliveries.c.subscriber_id))
        .where(deliveries.c.id.in_(ids))
        .order_by(deliveries.c.id)
    )
    return [Lapsed(row[0], row[1], state, row[2]) for row in rows]


def expired(now: datetime) -> dict[str, Any]:
    """The columns of a delivery that is too old."""
    return {"state": "expired", "reason": "too_old", "settled_at": now}


def claim(
    connection: Connection, epoch: int, limit: int, now: datetime, sources: Sequence[int | None] | None = None
) -> tuple[list[Claimed], list[Lapsed]]:
    """Take up to `limit` deliveries: transactional mail first, then editions from the oldest, in order of variants.

    `sources`: these editions alone, None among them for transactional mail. What is past its deadline expires here
    and is returned apart.
    """
    taken: list[int] = []
    too_old: list[int] = []
    for edition in running(connection):
        if sources is not None and edition not in sources:
            continue
        if len(taken) >= limit:
            break
        mine = {"edition": edition, "limit": limit - len(taken), "now": to_number(now)}
        which = _MAIL if edition is None else _DIGESTS
        late = connection.execute(_LATE[which], mine).scalars().all()
        while late:
            too_old.extend(late)
            late = connection.execute(_LATE[which], mine).scalars().all()
        taken.extend(connection.execute(_CLAIM[which], mine | {"epoch": epoch}).scalars())
    return _claimed(connection, taken, epoch) if taken else [], lapsed(connection, too_old, DeliveryState.EXPIRED)


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
        "UPDATE deliveries SET state = 'expired', reason = 'too_old', settled_at = :now "  # noqa: S608
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


# With a plus, so that SQLite goes by the ids it was given and not by the index of all that is held.
_STATE: ColumnElement[str] = literal_column("+deliveries.state")
_ASKED = func.json_each(bindparam("asked")).table_valued("key", "value")
_MAY_GO = Prepared(
    select(func.json_group_array(deliveries.c.id)).where(
        deliveries.c.id == cast(_ASKED.c.key, BigInteger),
        _STATE == "claimed",
        deliveries.c.epoch == bindparam("held_epoch"),
        deliveries.c.expires_at > bindparam("at"),
        # Where it was claimed for. Who has moved since gets it where they are now, claimed anew.
        _ASKED.c.value
        == func.coalesce(
            deliveries.c.address,
            select(subscribers.c.email).where(subscribers.c.id == deliveries.c.subscriber_id).scalar_subquery(),
        ),
        _WANTED,
    ),
    "asked",
    "held_epoch",
    "at",
)
_PERMIT = Prepared(
    update(deliveries)
    .where(deliveries.c.id.in_(those_of("ids")), _STATE == "claimed", deliveries.c.epoch == bindparam("held_epoch"))
    .values(state="sending", permit_at=bindparam("at"), relay=bindparam("by")),
    "ids",
    "held_epoch",
    "at",
    "by",
)


def permit(
    connection: Connection, epoch: int, wanted: Sequence[Claimed], now: datetime, relay: str = ""
) -> frozenset[int]:
    """Those of `wanted` that may go out now, to the address that each was claimed for, by this relay and no other.

    Nothing of a message is sent before the commit of this has returned.
    """
    values = {
        "asked": json.dumps({item.id: item.address for item in wanted}),
        "held_epoch": epoch,
        "at": to_number(now),
        "by": relay,
    }
    ids = _MAY_GO.run(connection, values)[0][0]
    granted = frozenset(json.loads(ids))
    if granted and _PERMIT.count(connection, values | {"ids": ids}) != len(granted):
        raise RuntimeError("what was looked at in this transaction changed in it")
    return granted


def is_wanted(connection: Connection, delivery_id: int) -> bool:
    """Whether it may go out, as its permit will ask."""
    asked = select(deliveries.c.id).where(deliveries.c.id == delivery_id, _WANTED)
    return connection.execute(asked).first() is not None


def refuse(connection: Connection, epoch: int, ids: Sequence[int], now: datetime) -> None:
    """Settle claimed deliveries whose permit was refused: skipped where the reader is gone, else back to pending."""
    state = select(subscribers.c.state).where(subscribers.c.id == deliveries.c.subscriber_id).scalar_subquery()
    generation = (
        select(subscribers.c.generation).where(subscribers.c.id == deliveries.c.subscriber_id).scalar_subquery()
    )
    mine = (deliveries.c.id.in_(ids), deliveries.c.state == "claimed", deliveries.c.epoch == epoch)
    digest = deliveries.c.purpose == "digest"
    suppressed = exists().where(
        subscribers.c.id == deliveries.c.subscriber_id, suppressions.c.email == subscribers.c.email
    )
    for condition, values in (
        (and_(digest, func.coalesce(state, "erased") != "active"), {"reason": func.coalesce(state, "erased")}),
        (and_(digest, generation != deliveries.c.generation), {"reason": "unsubscribed"}),
        (and_(digest, suppressed), {"reason": "suppressed"}),
    ):
        connection.execute(update(deliveries).where(*mine, condition).values(state="skipped", settled_at=now, **values))
    connection.execute(update(deliveries).where(*mine, deliveries.c.expires_at <= now).values(expired(now)))
    # A mail about a subscription waits for nothing but its permit: refused, its reader has moved on.
    about = deliveries.c.purpose.not_in(["digest", "test"])
    connection.execute(
        update(deliveries).where(*mine, about).values(state="skipped", reason="not_wanted", settled_at=now)
    )
    give_back(connection, epoch, ids)


def stand(connection: Connection, ids: Sequence[int]) -> dict[int, DeliveryState]:
    """The states that these are in."""
    rows = connection.execute(select(deliveries.c.id, deliveries.c.state).where(deliveries.c.id.in_(ids)))
    return {row[0]: DeliveryState(row[1]) for row in rows}


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


_ACCEPTED = Prepared(
    update(deliveries)
    .where(deliveries.c.id.in_(those_of("ids")), _STATE == "sending", deliveries.c.epoch == bindparam("held_epoch"))
    .values(state="accepted", reason="", settled_at=bindparam("at")),
    "ids",
    "held_epoch",
    "at",
)


def exchange(
    connection: Connection,
    epoch: int,
    results: Sequence[Result],
    wanted: Sequence[Claimed],
    now: datetime,
    relay: str = "",
) -> frozenset[int]:
    """One group of the running send: results written down, permits granted or refused. Returns those granted."""
    settle(connection, epoch, results, now)
    if not wanted:
        return frozenset()
    granted = permit(connection, epoch, wanted, now, relay)
    if len(granted) < len(wanted):
        refuse(connection, epoch, [item.id for item in wanted if item.id not in granted], now)
    return granted


def settle(connection: Connection, epoch: int, results: Sequence[Result], now: datetime) -> None:
    """Write down how permits were used."""
    accepted = [item.delivery.id for item in results if item.verdict.state is DeliveryState.ACCEPTED]
    if accepted:
        _ACCEPTED.run(connection, {"ids": json.dumps(accepted), "held_epoch": epoch, "at": to_number(now)})
    for item in results:
        if item.verdict.state is not DeliveryState.ACCEPTED:
            _settle_other(connection, epoch, item, now)


def _settle_other(connection: Connection, epoch: int, item: Result, now: datetime) -> None:
    verdict = item.verdict
    waiting = verdict.state in {DeliveryState.DEFERRED, DeliveryState.IN_DOUBT, DeliveryState.PENDING}
    values: dict[str, Any] = {
        "state": verdict.state,
        "reason": verdict.reason if verdict.state is not DeliveryState.PENDING else "",
        "next_at": item.next_at,
        "settled_at": None if waiting else now,
    }
    if verdict.state is DeliveryState.IN_DOUBT:
        values["doubts"] = deliveries.c.doubts + 1
    if verdict.costs or verdict.state is DeliveryState.FAILED:
        values["attempts"] = deliveries.c.attempts + 1
    elif verdict.state is DeliveryState.DEFERRED:
        values["waits"] = deliveries.c.waits + 1
    settled = connection.execute(
        update(deliveries)
        .where(deliveries.c.id == item.delivery.id, deliveries.c.state == "sending", deliveries.c.epoch == epoch)
        .values(**values)
        .returning(deliveries.c.subscriber_id, deliveries.c.address, _EDITION_STATE)
    ).first()
    if settled is None:
        return
    erased = settled[:2] == (None, None)
    if item.answer is not None:
        _note_attempt(connection, item, item.answer, now, erased=erased)
    if erased:
        _end_erased(connection, item.delivery.id, now)
    elif verdict.hard_bounce and item.delivery.subscriber:
        _bounce(connection, item, now)
    if settled[2] == "cancelled":
        _end_cancelled(connection, item.delivery.id, now)


def _end_erased(connection: Connection, delivery_id: int, now: datetime) -> None:
    """Its reader was erased while it was on the wire: it is not tried again. A doubt stays one, and is held."""
    connection.execute(
        update(deliveries)
        .where(deliveries.c.id == delivery_id, deliveries.c.state.in_(["pending", "deferred"]))
        .values(state="skipped", reason="erased", next_at=None, settled_at=now)
    )


def _end_cancelled(connection: Connection, delivery_id: int, now: datetime) -> None:
    """Its edition was cancelled while it was on the wire: it is not tried again. A doubt stays one, and is held."""
    for states, values in (
        (["pending", "deferred"], {"state": "skipped", "reason": "cancelled"}),
        (["in_doubt"], {"state": "in_doubt_held"}),
    ):
        connection.execute(
            update(deliveries)
            .where(deliveries.c.id == delivery_id, deliveries.c.state.in_(states))
            .values(next_at=None, settled_at=now, **values)
        )


def _note_attempt(connection: Connection, item: Result, answer: Answer, now: datetime, *, erased: bool) -> None:
    reply = answer.reply
    connection.execute(
        insert(attempts).values(
            delivery_id=item.delivery.id,
            at=now,
            stage=answer.stage,
            code=reply.code if reply else 0,
            enhanced=reply.enhanced if reply else "",
            # What a relay says often names the address.
            text="" if erased else (reply.text if reply else answer.trouble)[:500],
            outcome=item.verdict.reason,
        )
    )


def _bounce(connection: Connection, item: Result, now: datetime) -> None:
    """The address is dead: nobody mails it again, whatever list it is on."""
    connection.execute(
        update(subscribers)
        .where(
            subscribers.c.id == item.delivery.subscriber,
            subscribers.c.state == "active",
            subscribers.c.email == item.delivery.address,  # else they have moved meanwhile
        )
        .values(state="bounced")
    )
    known = or_(suppressions.c.email == item.delivery.address, suppressions.c.fingerprint == item.fingerprint)
    bounced = {"email": item.delivery.address, "reason": "bounced", "at": now}
    if connection.execute(select(suppressions.c.id).where(known)).first() is None:
        connection.execute(insert(suppressions).values(fingerprint=item.fingerprint, **bounced))
    else:
        # Erased once and back by themselves: what keeps lists out must not let a dead address in by the form.
        erased = (suppressions.c.fingerprint == item.fingerprint, suppressions.c.reason == "erased")
        connection.execute(update(suppressions).where(*erased).values(**bounced))


def fail_render(connection: Connection, epoch: int, delivery_id: int, reason: str, now: datetime) -> None:
    """Its message could not be built; nothing was sent."""
    connection.execute(
        update(deliveries)
        .where(deliveries.c.id == delivery_id, deliveries.c.state == "claimed", deliveries.c.epoch == epoch)
        .values(state="render_failed", reason=reason[:200], settled_at=now)
    )


def skip_reader(connection: Connection, subscriber_id: int, reason: str, now: datetime) -> int:
    """Every digest of this reader that is not on the wire is skipped. Returns how many."""
    open_editions = select(editions.c.id).where(editions.c.done_at.is_(None), editions.c.planned > 0)
    return _skip(connection, deliveries.c.edition_id.in_(open_editions), subscriber_id, reason, now)


def skip_notices(connection: Connection, subscriber_id: int, reason: str, now: datetime) -> int:
    """Every other mail to this reader that is not on the wire is skipped, too. Returns how many."""
    return _skip(connection, deliveries.c.edition_id.is_(None), subscriber_id, reason, now)


def _skip(connection: Connection, which: ColumnElement[bool], subscriber_id: int, reason: str, now: datetime) -> int:
    return connection.execute(
        update(deliveries)
        .where(which, deliveries.c.subscriber_id == subscriber_id, deliveries.c.state.in_(sorted(NOT_ON_THE_WIRE)))
        .values(state="skipped", reason=reason, settled_at=now)
    ).rowcount


def queue_test(connection: Connection, variant_id: int, address: str, key: str, expires_at: datetime) -> int:
    """Queue a test copy. `key` makes it unique. Returns the delivery's id."""
    found = connection.execute(
        insert(deliveries).values(
            variant_id=variant_id,
            purpose="test",
            dedupe_key=key,
            address=address,
            state="pending",
            expires_at=expires_at,
        )
    ).inserted_primary_key
    return int(found[0])  # type: ignore[index]  # a single insert always has one
