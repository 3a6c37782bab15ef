"""Confirmation mails that were held since the form was abused: let go, or never sent."""

from datetime import datetime

from sqlalchemy import Connection

from mailer.store import notices, signups
from mailer.store.database import Database


async def release(database: Database) -> int:
    """Send those that are held, at the pace of an operator's list, and hold no more. Returns how many."""
    return await database.write(_release)


async def discard(database: Database) -> int:
    """Never send those that are held, and hold no more. Their addresses stay unconfirmed. Returns how many."""
    return await database.write(_discard)


async def standing(database: Database, *, now: datetime) -> signups.Standing:
    """How the form is used, and what waits."""
    return await database.read(signups.standing, now)


def _release(connection: Connection) -> int:
    signups.let_go(connection)
    return notices.release(connection)


def _discard(connection: Connection) -> int:
    signups.let_go(connection)
    return notices.discard(connection)
