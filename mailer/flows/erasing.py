"""A reader is erased, and stays so: no import and no restored backup brings them back."""

from datetime import datetime

from sqlalchemy import Connection

from mailer.errors import Refused
from mailer.store import erasure
from mailer.store.database import Database
from mailer.store.erased_list import ErasedList, Erasure
from mailer.store.erasure import Erased
from mailer.store.suppressions import Fingerprints

__all__ = ["Erased", "enforce", "erase"]

BATCH = 5_000
"""Readers looked at in one read."""


async def erase(database: Database, who: str | int, *, now: datetime, fingerprints: Fingerprints) -> Erased:
    """Erase a reader, by clean address or id, in one transaction. Once this returns nothing more is sent to them.

    What is on the wire already settles by its number and is never tried again. `fingerprints`: an address's keyed
    hashes, one for every key in use. Raises Refused where there is no key, StoreError where the list beside the
    database can't be written.
    """
    if not fingerprints(""):
        raise Refused(
            "There is no secret key to make the hash with that keeps an erased address out. "
            "`mailer keys rotate` makes one."
        )
    return await database.write(_erase, who, now, fingerprints, database.erased_list)


async def enforce(database: Database, *, now: datetime, fingerprints: Fingerprints) -> int:
    """Erase again whom a restored copy of the database brought back. Returns how many readers.

    The list beside the database says who. Where nothing is missing this is one small read and one query. Raises
    StoreError where the list can't be read.
    """
    listed = database.erased_list.read()
    if not listed:
        return 0
    lacking = await database.read(erasure.lacking, list(listed))
    if not lacking:
        return 0
    missing = {mark: listed[mark] for mark in lacking}
    count = after = 0
    while True:
        after, again = await database.read(erasure.returned, missing, fingerprints, after=after, limit=BATCH)
        for reader, one in again:
            count += await database.write(_again, reader, one, now, fingerprints)
        if not after:
            break
    # Last: until then a run that is broken off looks again.
    await database.write(erasure.put_back, list(missing.values()))
    return count


def _erase(
    connection: Connection, who: str | int, now: datetime, fingerprints: Fingerprints, erased_list: ErasedList
) -> Erased:
    if isinstance(who, int):
        return erasure.erase_reader(connection, who, now=now, fingerprints=fingerprints, erased_list=erased_list)
    return erasure.erase_address(connection, who, now=now, fingerprints=fingerprints, erased_list=erased_list)


def _again(connection: Connection, reader: int, one: Erasure, now: datetime, fingerprints: Fingerprints) -> bool:
    erasure.put_back(connection, [one])
    # They are on the list already.
    nowhere = ErasedList(None)
    return erasure.erase_reader(connection, reader, now=now, fingerprints=fingerprints, erased_list=nowhere).existed
