"""What a reader asks for on their page and gets by mail: another address, what we hold about them, to be erased."""

from datetime import datetime, timedelta

from sqlalchemy import Connection

from mailer.core.consent import Circumstances
from mailer.core.signup import MAILED, Outcome, SignupOptions
from mailer.core.subscription import LISTENING, Subscriber
from mailer.flows.subscribing.joining import weigh
from mailer.store import confirmations, consent, notices, subscribers
from mailer.store.database import Database
from mailer.store.suppressions import Fingerprints

A_DAY = 3
"""Mails of one kind to one reader in 24 hours."""


async def ask_to_move(
    database: Database,
    reader: Subscriber,
    address: str,
    *,
    now: datetime,
    about: Circumstances,
    network: str,
    options: SignupOptions,
    fingerprints: Fingerprints,
) -> Outcome:
    """Ask at a clean new address whether the digest shall go there, within the limits of a form."""
    return await database.write(_ask_to_move, reader, address, now, about, network, options, fingerprints)


async def ask_for_copy(database: Database, reader: Subscriber, *, now: datetime, about: Circumstances) -> bool:
    """Mail a reader what we hold about them. False: they had enough of these today."""
    return await database.write(_ask, reader, "copy", now, about)


async def ask_to_be_erased(database: Database, reader: Subscriber, *, now: datetime, about: Circumstances) -> bool:
    """Mail a reader the link that erases them. False: they had enough of these today."""
    return await database.write(_ask, reader, "erase", now, about)


def _ask_to_move(
    connection: Connection,
    reader: Subscriber,
    address: str,
    now: datetime,
    about: Circumstances,
    network: str,
    options: SignupOptions,
    fingerprints: Fingerprints,
) -> Outcome:
    outcome = weigh(connection, address, network, now, options, fingerprints, move=True)[1]
    if outcome in MAILED:
        wish = confirmations.ask(connection, "move", reader.id, reader.generation, now=now, address=address)
        consent.record(connection, reader.id, now=now, about=about, event="asked to move")
        held = outcome is Outcome.HELD
        notices.want(connection, "move", reader.id, reader.generation, now=now, confirmation=wish, held=held)
    return outcome


def _ask(connection: Connection, reader: Subscriber, kind: str, now: datetime, about: Circumstances) -> bool:
    known = subscribers.of_id(connection, reader.id)
    lately = notices.mailed_since(connection, kind, reader.id, now - timedelta(days=1))
    if known is None or known.state not in LISTENING or lately >= A_DAY:
        return False
    wish = confirmations.ask(connection, "erase", known.id, known.generation, now=now) if kind == "erase" else None
    consent.record(connection, known.id, now=now, about=about, event=f"asked for {kind}")
    notices.want(connection, kind, known.id, known.generation, now=now, confirmation=wish)
    return True
