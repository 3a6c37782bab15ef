"""What a sender does before its first claim: what a dead one left, and what has become due since."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sqlalchemy import Connection, and_, exists, func, or_, select, text, true, update

from mailer.core.delivery import Claimed
from mailer.store.outbox import Result, settle
from mailer.store.pickup import ERASED, Lapsed, lapsed, too_old
from mailer.store.results_file import Known
from mailer.store.tables import deliveries, editions, meta, subscribers

# SQLite uses a small index only where its own condition stands in the text, word for word: without it these
# statements, one of them before each claim, would read every settled row.
_HELD = "state IN ('claimed', 'sending')"
_LATER = "state IN ('deferred', 'in_doubt')"
# Nobody loses a digest because the operator paused it: its time goes on when it is resumed.
_PAUSED = exists().where(editions.c.id == deliveries.c.edition_id, editions.c.state == "paused")
# Whose reader was erased is never tried again.
_NAMED = or_(deliveries.c.subscriber_id.is_not(None), deliveries.c.address.is_not(None))


@dataclass(frozen=True, slots=True)
class Doubt:
    """A delivery that a dead sender may have sent. `next_at`: when it is looked at again."""

    delivery: int
    address: str
    next_at: datetime


def begin_epoch(
    connection: Connection,
    doubt: timedelta,
    known: Sequence[Known] = (),
    fingerprint: Callable[[str], str] | None = None,
) -> tuple[int, list[Doubt]]:
    """Start as the one sender: whatever was claimed or on the wire is a dead sender's. Returns (epoch, new doubts).

    Claimed ones were never on the wire. Those with a permit may have been sent: in doubt, since their permit. `known`:
    results that the dead sender could not commit; of those nobody doubts. `fingerprint`: an address's keyed hash, kept
    of a dead one; without it no address counts as dead.
    """
    for result in known:
        _settle_known(connection, result, fingerprint)
    connection.execute(update(meta).where(meta.c.key == "epoch").values(value=meta.c.value + 1))
    epoch = int(connection.execute(select(meta.c.value).where(meta.c.key == "epoch")).scalar_one())
    connection.execute(text(f"UPDATE deliveries SET state = 'pending' WHERE {_HELD} AND state = 'claimed'"))  # noqa: S608  # a constant
    lost = connection.execute(
        select(
            deliveries.c.id, func.coalesce(deliveries.c.address, subscribers.c.email, ERASED), deliveries.c.permit_at
        )
        .outerjoin(subscribers, subscribers.c.id == deliveries.c.subscriber_id)
        .where(text(f"deliveries.{_HELD} AND deliveries.state = 'sending'"))
    ).all()
    connection.execute(
        text(
            "UPDATE deliveries SET state = 'in_doubt', reason = 'sender_died', doubts = doubts + 1, "  # noqa: S608
            f"next_at = permit_at + :doubt WHERE {_HELD} AND state = 'sending'"
        ),
        {"doubt": doubt // timedelta(milliseconds=1)},
    )
    return epoch, [Doubt(row[0], row[1], row[2] + doubt) for row in lost]


def ripen(
    connection: Connection, now: datetime, *, hold: bool, sources: Sequence[int | None] | None = None
) -> list[Lapsed]:
    """Carry out what has become due: retries, and doubts that have lasted. `hold`: doubts wait for the operator.

    `sources`: of these editions alone, None among them for transactional mail. Returns what nothing will try again.
    """
    # What a run doesn't send it doesn't move either: a test copy under another `--now` must not expire anybody.
    ours = true() if sources is None else func.coalesce(deliveries.c.edition_id, 0).in_([one or 0 for one in sources])
    due = and_(deliveries.c.next_at <= now, ours)
    # One more copy, never two: a second doubt is held.
    doubted = text(f"deliveries.{_LATER} AND deliveries.state = 'in_doubt'")
    once = (doubted, due, deliveries.c.doubts < 2, _NAMED)  # noqa: PLR2004
    if not hold:
        connection.execute(update(deliveries).where(*once).values(state="pending", next_at=None))
    settled = update(deliveries).where(doubted, due).values(state="in_doubt_held", next_at=None, settled_at=now)
    held = connection.execute(settled.returning(deliveries.c.id)).scalars().all()
    deferred = text(f"deliveries.{_LATER} AND deliveries.state = 'deferred'")
    ended = (
        update(deliveries)
        .where(deferred, ours, ~_PAUSED, deliveries.c.expires_at <= now)
        .values(too_old(now) | {"next_at": None})
    )
    late = connection.execute(ended.returning(deliveries.c.id)).scalars().all()
    connection.execute(update(deliveries).where(deferred, due).values(state="pending", next_at=None))
    return lapsed(connection, [*held, *late])


def _settle_known(connection: Connection, known: Known, fingerprint: Callable[[str], str] | None) -> None:
    """As it would have been committed then. What was settled since, by a later sender or this, is left alone."""
    row = connection.execute(
        select(
            deliveries.c.subscriber_id,
            deliveries.c.generation,
            func.coalesce(deliveries.c.address, subscribers.c.email, ""),
        )
        .outerjoin(subscribers, subscribers.c.id == deliveries.c.subscriber_id)
        .where(deliveries.c.id == known.delivery)
    ).first()
    if row is None:
        return
    reader, generation, address = row
    dead = known.verdict.hard_bounce and fingerprint is not None and known.went_to(address)
    mark = fingerprint(address) if dead and fingerprint is not None else ""
    item = Claimed(known.delivery, None, 0, reader or 0, generation, address, None, 0, 0, known.at, "", "")
    verdict = replace(known.verdict, hard_bounce=dead)
    settle(connection, known.epoch, [Result(item, verdict, known.answer, known.next_at, mark)], known.at)
