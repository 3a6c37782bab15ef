"""Erasing a reader: what is known of them goes, the ledger's numbers stay. All run in the caller's transaction."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, Table, case, delete, insert, select, text, update

from mailer.core.delivery import NOT_ON_THE_WIRE
from mailer.store.erased_list import ALLOWED, ErasedList, Erasure
from mailer.store.instant import to_number
from mailer.store.parts import in_parts
from mailer.store.suppressions import Fingerprints, rows_of
from mailer.store.tables import (
    attempts,
    confirmations,
    consent,
    deliveries,
    editions,
    notices,
    signup_attempts,
    subscribers,
    suppressions,
    variants,
)


@dataclass(frozen=True, slots=True)
class Erased:
    """What became of an erasure. `existed`: there was such a reader. `deliveries`: rows of theirs that lost their name.

    `traces`: what else was kept of the address: suppressions, sign-ups that were counted, test copies.
    """

    existed: bool
    deliveries: int = 0
    traces: int = 0


def erase_reader(
    connection: Connection, subscriber_id: int, *, now: datetime, fingerprints: Fingerprints, erased_list: ErasedList
) -> Erased:
    """Erase the reader of an id, and remember their keyed hash. `existed` is False where there is none.

    `fingerprints` must give at least one hash. Raises StoreError where the list beside the database can't be written.
    """
    asked = select(subscribers.c.email).where(subscribers.c.id == subscriber_id)
    email = connection.execute(asked).scalar()
    if email is None:
        return Erased(existed=False)
    return _erase(connection, email, subscriber_id, now, fingerprints(email), erased_list)


def erase_address(
    connection: Connection, email: str, *, now: datetime, fingerprints: Fingerprints, erased_list: ErasedList
) -> Erased:
    """The same by address, which need not be a reader's: whatever is kept of it goes."""
    asked = select(subscribers.c.id).where(subscribers.c.email == email)
    return _erase(connection, email, connection.execute(asked).scalar(), now, fingerprints(email), erased_list)


def unconfirmed(connection: Connection, before: datetime, limit: int) -> list[int]:
    """Readers who never confirmed, and whom no mail has asked since that time nor will."""
    asked = text(
        "SELECT s.id FROM subscribers s WHERE s.state = 'pending' AND s.joined_at < :before AND NOT EXISTS "
        "(SELECT 1 FROM notices n WHERE n.subscriber_id = s.id AND n.dropped = '' "
        "AND coalesce(n.posted_at, :before) >= :before) LIMIT :limit"
    )
    return list(connection.execute(asked, {"before": to_number(before), "limit": limit}).scalars())


def forget_pending(connection: Connection, subscriber_id: int, now: datetime) -> None:
    """Somebody's address was typed into a form and never confirmed: all that is kept of that goes, without a trace."""
    asked = select(subscribers.c.email).where(subscribers.c.id == subscriber_id, subscribers.c.state == "pending")
    email = connection.execute(asked).scalar()
    if email is None:  # confirmed in this moment
        return
    connection.exec_driver_sql("PRAGMA secure_delete = ON")
    _unmake(connection, email, subscriber_id, now)
    _drop_reader(connection, subscriber_id)


def _unmake(connection: Connection, email: str, subscriber_id: int | None, now: datetime) -> dict[int, int | None]:
    """Their deliveries name nobody any more, and the mails that were made for them alone are empty."""
    found = _deliveries(connection, email, subscriber_id)
    _unname(connection, list(found), now)
    private = sorted({variant for variant in found.values() if variant is not None})
    for part in in_parts(private):
        connection.execute(update(variants).where(variants.c.id.in_(part)).values(content=b"", subject=""))
    return found


def _erase(
    connection: Connection,
    email: str,
    subscriber_id: int | None,
    now: datetime,
    marks: Sequence[str],
    erased_list: ErasedList,
) -> Erased:
    # What goes is overwritten in the file, too, and not only taken off its lists.
    connection.exec_driver_sql("PRAGMA secure_delete = ON")
    found = _unmake(connection, email, subscriber_id, now)
    counted = connection.execute(delete(signup_attempts).where(signup_attempts.c.address.in_(marks))).rowcount
    known = connection.execute(select(suppressions.c.email).where(rows_of(email, marks))).all()
    traces = counted + sum(row.email is not None for row in known)
    if subscriber_id is None:
        traces += len(found)
        if not traces:
            return Erased(existed=False)
    else:
        _drop_reader(connection, subscriber_id)
    # On disk before the commit: where only one of the two gets there, they are erased once more.
    erased_list.add(_suppress(connection, email, marks, now))
    return Erased(subscriber_id is not None, len(found), traces)


def _deliveries(connection: Connection, email: str, subscriber_id: int | None) -> dict[int, int | None]:
    """Their deliveries, test copies to the address among them: by id the variant that was made for them alone."""
    # Each is one walk of the ledger's index, which leads with the edition.
    asked = select(deliveries.c.id, deliveries.c.edition_id, deliveries.c.purpose, deliveries.c.variant_id)
    transactional = asked.where(deliveries.c.edition_id.is_(None))
    rows = list(
        connection.execute(transactional.where(deliveries.c.subscriber_id.is_(None), deliveries.c.address == email))
    )
    if subscriber_id is not None:
        theirs = deliveries.c.subscriber_id == subscriber_id
        rows += connection.execute(transactional.where(theirs))
        rows += connection.execute(asked.where(deliveries.c.edition_id.in_(select(editions.c.id)), theirs))
    return {row.id: row.variant_id if row.edition_id is None and row.purpose != "test" else None for row in rows}


def _unname(connection: Connection, ids: Sequence[int], now: datetime) -> None:
    """What is not on the wire never will be; the rest keeps its state and settles by its number."""
    for part in in_parts(ids):
        mine = deliveries.c.id.in_(part)
        connection.execute(
            update(deliveries)
            .where(mine, deliveries.c.state.in_(sorted(NOT_ON_THE_WIRE)))
            .values(state="skipped", reason="erased", settled_at=now, next_at=None)
        )
        # Why a message could not be built may name its reader.
        reason = case((deliveries.c.state == "render_failed", ""), else_=deliveries.c.reason)
        connection.execute(update(deliveries).where(mine).values(subscriber_id=None, address=None, reason=reason))
        connection.execute(update(attempts).where(attempts.c.delivery_id.in_(part)).values(text=""))


def _drop_reader(connection: Connection, subscriber_id: int) -> None:
    theirs: tuple[Table, ...] = (notices, confirmations, consent)
    for table in theirs:
        connection.execute(delete(table).where(table.c.subscriber_id == subscriber_id))
    connection.execute(delete(subscribers).where(subscribers.c.id == subscriber_id))


def _suppress(connection: Connection, email: str, marks: Sequence[str], now: datetime) -> list[Erasure]:
    """Keep a hash of the address, and no address. Who was suppressed already stays so for the same reason."""
    rows = connection.execute(
        update(suppressions)
        .where(rows_of(email, marks))
        .values(email=None)
        .returning(suppressions.c.fingerprint, suppressions.c.reason)
    ).all()
    kept = [Erasure(row.fingerprint, now, row.reason) for row in rows]
    # A row whose key has gone would not find the address any more.
    if not {one.mark for one in kept} & set(marks):
        fresh = Erasure(marks[-1], now, kept[0].reason if kept else "erased")
        put_back(connection, [fresh])
        kept.append(fresh)
    return kept


def lacking(connection: Connection, marks: Sequence[str]) -> frozenset[str]:
    """Which of these hashes no suppression has."""
    found: set[str] = set()
    for part in in_parts(marks):
        rows = connection.execute(select(suppressions.c.fingerprint).where(suppressions.c.fingerprint.in_(part)))
        found.update(rows.scalars())
    return frozenset(marks) - found


def put_back(connection: Connection, erasures: Sequence[Erasure]) -> None:
    """Suppressions that a restored database lacks, without an address."""
    missing = lacking(connection, [one.mark for one in erasures])
    rows = [
        {"email": None, "fingerprint": one.mark, "reason": one.reason, "at": one.at}
        for one in erasures
        if one.mark in missing
    ]
    if rows:
        connection.execute(insert(suppressions), rows)


def returned(
    connection: Connection, erasures: Mapping[str, Erasure], fingerprints: Fingerprints, *, after: int, limit: int
) -> tuple[int, list[tuple[int, Erasure]]]:
    """Readers who were erased and are there all the same, among the next `limit` after this id.

    Returns (the last id looked at, 0 where there was none; ids with their erasure). Whoever has consented since they
    were erased has come back by themselves.
    """
    rows = connection.execute(
        select(subscribers.c.id, subscribers.c.email, subscribers.c.joined_at)
        .where(subscribers.c.id > after)
        .order_by(subscribers.c.id)
        .limit(limit)
    ).all()

    def theirs(email: str, joined_at: datetime) -> Iterator[Erasure]:
        found = (erasures[mark] for mark in fingerprints(email) if mark in erasures)
        return (one for one in found if joined_at <= one.at)

    again = [(row.id, next(theirs(row.email, row.joined_at), None)) for row in rows]
    return (rows[-1].id if rows else 0), [(reader, one) for reader, one in again if one is not None]


def lift(
    connection: Connection, email: str, *, now: datetime, fingerprints: Fingerprints, erased_list: ErasedList
) -> list[str]:
    """Take away every suppression of an address. Returns their reasons."""
    marks = fingerprints(email)
    rows = connection.execute(
        delete(suppressions).where(rows_of(email, marks)).returning(suppressions.c.fingerprint, suppressions.c.reason)
    ).all()
    if rows:
        listed = erased_list.read()
        gone = {*marks, *(row.fingerprint for row in rows)} & set(listed)
        erased_list.add([Erasure(mark, now, ALLOWED) for mark in sorted(gone)])
    return [row.reason for row in rows]
