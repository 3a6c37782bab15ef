"""The ledger: permits, and how they were used. All in the caller's transaction, by conditional writes."""

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
    case,
    cast,
    exists,
    func,
    insert,
    literal_column,
    or_,
    select,
    update,
)

from mailer.core.delivery import NOT_ON_THE_WIRE, Answer, Claimed, DeliveryState, Verdict
from mailer.store.given import ended
from mailer.store.instant import to_number
from mailer.store.pickup import give_back, too_old
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
    """Settle claimed deliveries whose permit was refused: reader gone, too old, or else pending again."""
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
    connection.execute(update(deliveries).where(*mine, deliveries.c.expires_at <= now).values(too_old(now)))
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


def _columns(item: Result, now: datetime) -> dict[str, Any]:
    """What is written of one that was not accepted."""
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
    if verdict.state is DeliveryState.FAILED and not verdict.hard_bounce:
        # What is said of a second copy says nothing of the first, unless that there is no such address.
        values["state"] = ended(verdict.state)
    if verdict.costs or verdict.state is DeliveryState.FAILED:
        values["attempts"] = deliveries.c.attempts + 1
    elif verdict.state is DeliveryState.DEFERRED:
        values["waits"] = deliveries.c.waits + 1
    return values


def _settle_other(connection: Connection, epoch: int, item: Result, now: datetime) -> None:
    settled = connection.execute(
        update(deliveries)
        .where(deliveries.c.id == item.delivery.id, deliveries.c.state == "sending", deliveries.c.epoch == epoch)
        .values(**_columns(item, now))
        .returning(deliveries.c.subscriber_id, deliveries.c.address, _EDITION_STATE)
    ).first()
    if settled is None:
        return
    erased = settled[:2] == (None, None)
    if item.answer is not None:
        _note_attempt(connection, item, item.answer, now, erased=erased)
    if erased:
        _end_erased(connection, item.delivery.id, now)
    elif item.verdict.hard_bounce and item.delivery.subscriber:
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
    settled: dict[tuple[str, ...], dict[str, Any]] = {
        ("pending", "deferred"): {"state": ended(DeliveryState.SKIPPED), "reason": "cancelled"},
        ("in_doubt",): {"state": "in_doubt_held"},
    }
    for states, values in settled.items():
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
    """Its message could not be built; nothing was sent, or not again."""
    # What is held keeps its reason for good, also where its reader is erased: it must not name anybody.
    kept = case((deliveries.c.doubts > 0, "render_failed"), else_=reason[:200])
    connection.execute(
        update(deliveries)
        .where(deliveries.c.id == delivery_id, deliveries.c.state == "claimed", deliveries.c.epoch == epoch)
        .values(state=ended(DeliveryState.RENDER_FAILED), reason=kept, settled_at=now)
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
