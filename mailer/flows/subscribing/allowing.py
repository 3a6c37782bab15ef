"""An address that must not be mailed may be again: the person can sign up themselves. Nobody is subscribed by it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from mailer.core.consent import Circumstances
from mailer.core.subscription import LISTENING, State, Subscriber
from mailer.errors import Refused
from mailer.flows.subscribing.leaving import end
from mailer.store import consent, erasure, subscribers
from mailer.store.database import Database
from mailer.store.erased_list import ErasedList
from mailer.store.suppressions import Fingerprints

_STOPPED = frozenset({State.BOUNCED, State.COMPLAINED})


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
    muted = reader.state in LISTENING and set(reasons) != {"erased"}
    ends = muted or reader.state in _STOPPED
    about, detail = Circumstances("cli"), ", ".join(lifted)
    if ends:
        end(connection, reader, now, about, event="allowed", detail=detail, statement=statement)
    else:
        consent.record(connection, reader.id, now=now, about=about, event="allowed", detail=detail, statement=statement)
