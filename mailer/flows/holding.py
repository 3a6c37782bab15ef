"""Confirmation mails that were held since the form was abused: let go, or never sent."""

from datetime import datetime

from sqlalchemy import Connection

from mailer.store import notices, signups
from mailer.store.database import Database


async def release(database: Database, *, now: datetime) -> int:
    """Send those that are held, at the pace of an operator's list but before it, and hold no more. Returns how many."""
    return await database.write(_release, now)


async def discard(database: Database, *, now: datetime) -> int:
    """Never send those that are held, and hold no more. Their addresses stay unconfirmed. Returns how many."""
    return await database.write(_discard, now)


async def standing(database: Database, *, now: datetime) -> signups.Standing:
    """How the form is used, and what waits."""
    return await database.read(signups.standing, now)


def _release(connection: Connection, now: datetime) -> int:
    signups.let_go(connection, now)
    return notices.release(connection)


def _discard(connection: Connection, now: datetime) -> int:
    signups.let_go(connection, now)
    return notices.discard(connection)
