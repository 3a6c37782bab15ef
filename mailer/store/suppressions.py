"""Addresses that must not be mailed whatever any list says, by the address or by its keyed hash."""

from collections.abc import Callable, Sequence
from datetime import datetime

from sqlalchemy import ColumnElement, Connection, case, insert, or_, select, update

from mailer.store.parts import in_parts
from mailer.store.tables import suppressions

Fingerprints = Callable[[str], Sequence[str]]
"""From an address to its keyed hashes, one for every key in use, the newest last."""

# Of several, the one that keeps them out longest: an erasure does not at all, a bounce for a while.
_WEIGHT = case({"bounced": 1, "erased": 2}, value=suppressions.c.reason, else_=0)


def reason_of(connection: Connection, email: str, fingerprints: Fingerprints) -> tuple[str, datetime | None]:
    """Why an address is suppressed and since when; ('', None) where it isn't."""
    row = connection.execute(
        select(suppressions.c.reason, suppressions.c.at)
        .where(rows_of(email, fingerprints(email)))
        .order_by(_WEIGHT, suppressions.c.id)
    ).first()
    return (row[0], row[1]) if row else ("", None)


def add(connection: Connection, email: str, fingerprints: Fingerprints, *, reason: str, now: datetime) -> None:
    """Suppress an address; a weightier reason replaces one that would let them back."""
    known = connection.execute(select(suppressions.c.id).where(rows_of(email, fingerprints(email)))).scalars().all()
    if known:
        values = {"reason": reason, "at": now}
        connection.execute(update(suppressions).where(suppressions.c.id.in_(known)).values(**values))
        return
    connection.execute(
        insert(suppressions).values(email=email, fingerprint=fingerprints(email)[-1], reason=reason, at=now)
    )


def suppressed(connection: Connection, emails: Sequence[str], fingerprints: Fingerprints) -> frozenset[str]:
    """Which of these addresses must not be mailed whatever any list says."""
    if not connection.execute(select(suppressions.c.id).limit(1)).first():
        return frozenset()
    hashes = {mark: email for email in emails for mark in fingerprints(email)}
    found: set[str] = set()
    for part in in_parts(list(hashes)):
        rows = connection.execute(select(suppressions.c.fingerprint).where(suppressions.c.fingerprint.in_(part)))
        found.update(hashes[mark] for mark in rows.scalars())
    for part in in_parts(emails):
        rows = connection.execute(select(suppressions.c.email).where(suppressions.c.email.in_(part)))
        found.update(email for email in rows.scalars() if email)
    return frozenset(found)


def rows_of(email: str, marks: Sequence[str]) -> ColumnElement[bool]:
    """The condition for the rows of an address. `marks`: its keyed hashes."""
    return or_(suppressions.c.email == email, suppressions.c.fingerprint.in_(marks))
