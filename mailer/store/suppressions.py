"""Addresses that must not be mailed whatever any list says, by the address or by its keyed hash."""

from collections.abc import Callable, Sequence
from datetime import datetime

from sqlalchemy import ColumnElement, Connection, case, insert, or_, select, update

from mailer.store.tables import suppressions

Fingerprints = Callable[[str], Sequence[str]]
"""From an address to its keyed hashes, one for every key in use, the newest last."""

# Of several, the one that keeps them out longest: an erasure does not at all, a bounce for a while.
_WEIGHT = case({"bounced": 1, "erased": 2}, value=suppressions.c.reason, else_=0)


def reason_of(connection: Connection, email: str, fingerprints: Fingerprints) -> tuple[str, datetime | None]:
    """Why an address is suppressed and since when; ('', None) where it isn't."""
    row = connection.execute(
        select(suppressions.c.reason, suppressions.c.at)
        .where(_is(email, fingerprints))
        .order_by(_WEIGHT, suppressions.c.id)
    ).first()
    return (row[0], row[1]) if row else ("", None)


def add(connection: Connection, email: str, fingerprints: Fingerprints, *, reason: str, now: datetime) -> None:
    """Suppress an address; a weightier reason replaces one that would let them back."""
    known = connection.execute(select(suppressions.c.id).where(_is(email, fingerprints))).scalars().all()
    if known:
        values = {"reason": reason, "at": now}
        connection.execute(update(suppressions).where(suppressions.c.id.in_(known)).values(**values))
        return
    connection.execute(
        insert(suppressions).values(email=email, fingerprint=fingerprints(email)[-1], reason=reason, at=now)
    )


def _is(email: str, fingerprints: Fingerprints) -> ColumnElement[bool]:
    return or_(suppressions.c.email == email, suppressions.c.fingerprint.in_(fingerprints(email)))
