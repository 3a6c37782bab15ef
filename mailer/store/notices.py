"""Mails about a subscription that are wanted, until they are in the outbox."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, false, func, insert, select, text, update

from mailer.core.selection import Window
from mailer.store.editions import Variant, add_variant
from mailer.store.tables import deliveries, notices

# SQLite uses the small index only where its own condition stands in the text, word for word.
_WANTED = text("delivery_id IS NULL AND dropped = ''")
_HOUR = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Wanted:
    """A mail that is wanted. `kind`: its folder. `confirmation`: what it asks to confirm, 0 where nothing.

    `told`: what it has to say besides.
    """

    id: int
    kind: str
    subscriber: int
    generation: int
    confirmation: int
    wanted_at: datetime
    told: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Posted:
    """A wanted mail as it goes into the outbox. `address`: where it goes, None for the reader's own.

    `content`: the packed message. `nonce`, `key_id`: what its Message-ID and its links are made from.
    """

    wanted: Wanted
    language: str
    subject: str
    content: bytes
    address: str | None
    nonce: str
    key_id: str
    expires_at: datetime


def want(
    connection: Connection,
    kind: str,
    subscriber_id: int,
    generation: int,
    *,
    now: datetime,
    confirmation: int | None = None,
    told: Mapping[str, Any] | None = None,
    throttled: int = 0,
    held: bool = False,
) -> None:
    """Write down that a mail is wanted.

    `throttled`: it waits for its turn, 1 before 2; 0: it doesn't. `held`: it waits for the operator.
    """
    connection.execute(
        insert(notices).values(
            kind=kind,
            subscriber_id=subscriber_id,
            generation=generation,
            confirmation_id=confirmation,
            wanted_at=now,
            throttled=throttled,
            held=held,
            told=dict(told or {}),
            dropped="",
            nonce="",
            key_id="",
        )
    )


def waiting(connection: Connection, *, now: datetime, throttled_per_hour: int, limit: int) -> list[Wanted]:
    """What may be mailed now, the oldest first; of what waits for its turn so many an hour, what was held first."""
    columns = [notices.c[name] for name in ("id", "kind", "subscriber_id", "generation")]
    asked = select(*columns, func.coalesce(notices.c.confirmation_id, 0), notices.c.wanted_at, notices.c.told).where(
        _WANTED, notices.c.held == false()
    )
    at_once = asked.where(notices.c.throttled == 0).order_by(notices.c.id).limit(limit)
    found = list(connection.execute(at_once))
    left = min(limit - len(found), throttled_per_hour - _posted_lately(connection, now))
    if left > 0:
        in_turn = asked.where(notices.c.throttled > 0).order_by(notices.c.throttled, notices.c.id).limit(left)
        found += connection.execute(in_turn)
    return [Wanted(*row) for row in found]  # type: ignore[call-arg]  # seven columns, seven fields


def _posted_lately(connection: Connection, now: datetime) -> int:
    asked = select(func.count()).where(notices.c.throttled > 0, notices.c.posted_at > now - _HOUR)
    return int(connection.execute(asked).scalar_one())


def post(connection: Connection, item: Posted, now: datetime) -> bool:
    """Put a mail into the outbox. False: another process did."""
    wanted = item.wanted
    still = connection.execute(select(notices.c.id).where(notices.c.id == wanted.id, _WANTED)).first()
    if still is None:
        return False
    variant = Variant(Window(0, 0), item.language, (), 0, item.subject, item.content)
    made = connection.execute(
        insert(deliveries).values(
            variant_id=add_variant(connection, variant, None),
            subscriber_id=wanted.subscriber,
            purpose=wanted.kind,
            dedupe_key=f"notice.{wanted.id}",
            address=item.address,
            generation=wanted.generation,
            state="pending",
            expires_at=item.expires_at,
        )
    ).inserted_primary_key
    connection.execute(
        update(notices)
        .where(notices.c.id == wanted.id)
        .values(delivery_id=made[0], posted_at=now, nonce=item.nonce, key_id=item.key_id)  # type: ignore[index]
    )
    return True


def drop(connection: Connection, notice_id: int, reason: str) -> None:
    """It is wanted no more, for a reason in a word."""
    connection.execute(update(notices).where(notices.c.id == notice_id, _WANTED).values(dropped=reason))


def wanted_already(connection: Connection, kind: str, subscriber_id: int) -> bool:
    """Whether such a mail to this reader waits for its turn."""
    where = (notices.c.kind == kind, notices.c.subscriber_id == subscriber_id, _WANTED)
    return connection.execute(select(notices.c.id).where(*where).limit(1)).first() is not None


def mailed_since(connection: Connection, kind: str, subscriber_id: int, since: datetime) -> int:
    """How many such mails this reader was to get since then."""
    where = (notices.c.kind == kind, notices.c.subscriber_id == subscriber_id, notices.c.wanted_at > since)
    return int(connection.execute(select(func.count()).where(*where)).scalar_one())


def held(connection: Connection) -> int:
    """How many wait for the operator."""
    return int(connection.execute(select(func.count()).where(_WANTED, notices.c.held)).scalar_one())


def waiting_count(connection: Connection) -> int:
    """How many wait for their turn of an operator's list."""
    return int(connection.execute(select(func.count()).where(_WANTED, notices.c.throttled > 0)).scalar_one())


def release(connection: Connection) -> int:
    """Let those go that are held, at the pace of an operator's list but before it. Returns how many."""
    return connection.execute(update(notices).where(_WANTED, notices.c.held).values(held=False, throttled=1)).rowcount


def discard(connection: Connection) -> int:
    """Drop those that are held. Returns how many."""
    return connection.execute(
        update(notices).where(_WANTED, notices.c.held).values(dropped="discarded", held=False)
    ).rowcount
