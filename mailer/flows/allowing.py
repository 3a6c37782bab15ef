"""An address that must not be mailed may be again: the person can sign up themselves. Nobody is subscribed by it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from mailer.core.consent import Circumstances
from mailer.core.subscription import State, Subscriber
from mailer.errors import Refused
from mailer.store import erasure, outbox, subscribers
from mailer.store.database import Database
from mailer.store.erased_list import ErasedList
from mailer.store.suppressions import Fingerprints

_STOPPED = (State.BOUNCED, State.COMPLAINED)
_ON = (State.ACTIVE, State.PAUSED)


@dataclass(frozen=True, slots=True)
class Allowed:
    """What was lifted, in words such as 'complained'. `reader`: who has the statement in their record, if anybody."""

    lifted: Sequence[str]
    reader: Subscriber | None


async def allow(
    database: Database, email: str, *, now: datetime, statement: str, fingerprints: Fingerprints
) -> Allowed:
    """Lift what keeps an address from being mailed. A bounced or complained reader is unsubscribed afterwards.

    Nothing is sent, and nobody is mailed before they confirm again. Raises Refused where there is nothing to lift.
    """
    return await database.write(_allow, email, now, statement, fingerprints, database.erased_list)


def _allow(
    connection: Connection,
    email: str,
    now: datetime,
    statement: str,
    fingerprints: Fingerprints,
    erased_list: ErasedList,
) -> Allowed:
    reasons = erasure.lift(connection, email, now=now, fingerprints=fingerprints, erased_list=erased_list)
    reader = subscribers.find(connection, email)
    stopped = reader is not None and reader.state in _STOPPED
    if not reasons and not stopped:
        raise Refused(f"{email} is neither suppressed nor bounced nor complained: there is nothing to lift.")
    lifted = sorted({*reasons, *([reader.state.value] if reader and stopped else [])})
    if reader is not None:
        _note(connection, reader, lifted, reasons, now, statement)
    return Allowed(lifted, subscribers.find(connection, email))


def _note(
    connection: Connection,
    reader: Subscriber,
    lifted: Sequence[str],
    reasons: Sequence[str],
    now: datetime,
    statement: str,
) -> None:
    """Into the consent record. What kept an active reader from being mailed must not start their mail by going."""
    # Whoever signed up again after an erasure is a reader in their own right.
    muted = reader.state in _ON and set(reasons) != {"erased"}
    ends = muted or reader.state in _STOPPED
    # Leaving raises the generation, so that no older link or confirmation speaks for them.
    values = (
        {"state": State.UNSUBSCRIBED.value, "paused_until": None, "generation": reader.generation + 1} if ends else {}
    )
    subscribers.change(
        connection,
        reader.id,
        now=now,
        about=Circumstances("cli"),
        event="allowed",
        detail=", ".join(lifted) + (f"; {reader.state} -> {State.UNSUBSCRIBED}" if ends else ""),
        statement=statement,
        **values,
    )
    if ends:
        outbox.skip_reader(connection, reader.id, State.UNSUBSCRIBED.value, now)
