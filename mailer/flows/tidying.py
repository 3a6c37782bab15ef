"""What is kept no longer than it is needed: whole IPs in consent records, sign-ups that were counted."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection

from mailer.core.network import kept_network
from mailer.store import consent, erasure
from mailer.store.database import Database

IP_KEPT = timedelta(days=90)
"""How long a consent record has the whole IP (standards: 'IPs shortened after 90 days')."""
ATTEMPTS_KEPT = timedelta(days=31)
"""How long a sign-up is counted: the longest limit looks back 30 days."""
PENDING_KEPT = timedelta(days=60)
"""How long an address is kept that was asked to confirm and never did."""
BATCH = 1_000
"""Rows in one transaction, so that nobody waits for the turnstile."""
FORGOTTEN_TOGETHER = 100
"""Unconfirmed addresses in one transaction: each of them is looked for in the whole ledger."""


@dataclass(frozen=True, slots=True)
class Tidied:
    """How many IPs were shortened, and how many counted sign-ups and unconfirmed addresses went."""

    shortened: int = 0
    forgotten: int = 0
    unconfirmed: int = 0


async def tidy(database: Database, *, now: datetime) -> Tidied:
    """Shorten and forget what has had its time. Where nothing has, it is two small reads."""
    unconfirmed = await _forget_unconfirmed(database, now)
    until, before = now - IP_KEPT, now - ATTEMPTS_KEPT
    if not await database.read(consent.is_due, whole_until=until, counted_until=before):
        return Tidied(unconfirmed=unconfirmed)
    shortened = forgotten = 0
    while count := await database.write(consent.shorten, until, kept_network, BATCH):
        shortened += count
    while count := await database.write(consent.forget_attempts, before, BATCH):
        forgotten += count
    return Tidied(shortened, forgotten, unconfirmed)


async def _forget_unconfirmed(database: Database, now: datetime) -> int:
    """Addresses that somebody typed, or an operator's list had, and whose owners never said yes."""
    count = 0
    while found := await database.read(erasure.unconfirmed, now - PENDING_KEPT, FORGOTTEN_TOGETHER):
        await database.write(_forget, found, now)
        count += len(found)
    return count


def _forget(connection: Connection, readers: Sequence[int], now: datetime) -> None:
    for reader in readers:
        erasure.forget_pending(connection, reader, now)
