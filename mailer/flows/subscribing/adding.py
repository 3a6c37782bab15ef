"""A reader taken in by the operator's hand."""

from datetime import datetime

from sqlalchemy import Connection

from mailer.core.subscription import GONE, Newcomer, State, Subscriber
from mailer.errors import InputError, Refused
from mailer.flows.subscribing.readers import gone, known
from mailer.store import subscribers, suppressions
from mailer.store.database import Database
from mailer.store.suppressions import Fingerprints


async def add(
    database: Database,
    newcomer: Newcomer,
    *,
    now: datetime,
    statement: str,
    fingerprints: Fingerprints,
    pending: bool = False,
) -> Subscriber:
    """Take in one reader; `statement` says how they consented.

    `pending`: they have to confirm by a mail, which is wanted from now on, at the pace of an operator's list.
    `fingerprints`: an address's keyed hashes, one for every key in use. Raises InputError where they are subscribed
    already, Refused where they have gone or are suppressed.
    """
    return await database.write(_add, newcomer, now, statement, fingerprints, pending)


def _add(
    connection: Connection,
    newcomer: Newcomer,
    now: datetime,
    statement: str,
    fingerprints: Fingerprints,
    pending: bool,
) -> Subscriber:
    arrived = subscribers.add(
        connection,
        [newcomer],
        now=now,
        event="invited" if pending else "added",
        route="cli",
        statement=statement,
        fingerprints=fingerprints,
        pending=pending,
    )[0]
    if arrived.outcome == "suppressed":
        reason = suppressions.reason_of(connection, newcomer.email, fingerprints)[0]
        raise Refused(
            f"{newcomer.email} is suppressed ({reason}): it must not be mailed, whatever list it is on. "
            "`mailer subscribers allow` lifts that, where they ask you to."
        )
    reader = known(connection, newcomer.email)
    if reader.state in GONE:
        raise gone(connection, reader)
    if not arrived.added:
        standing = "" if reader.state is State.ACTIVE else f", {reader.state}"
        raise InputError(
            f"{reader.email} is already subscribed ({reader.cadence}{standing}); "
            "change it with `mailer subscribers set`."
        )
    return reader
