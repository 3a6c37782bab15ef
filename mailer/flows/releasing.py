"""An edition that is held: let go, or refused. Each is one transaction."""

from collections.abc import Callable
from datetime import datetime, timedelta

from sqlalchemy import Connection

from mailer.core.delivery import EditionState
from mailer.errors import NotFound, Refused
from mailer.store import editions, holds
from mailer.store.database import Database
from mailer.store.editions import Edition

_NOTHING_TO_SEND = frozenset({EditionState.EMPTY, EditionState.CANCELLED, EditionState.COALESCED})


async def release(
    database: Database,
    edition_id: int,
    *,
    now: datetime,
    max_age: timedelta,
    next_due: Callable[[str], datetime | None],
) -> tuple[Edition, bool]:
    """Let a held edition run; what came in its storm counts as news. One that isn't held stays as it is.

    Returns (edition, whether it was held). `next_due`: of a cadence by its name, None where there is none of that name
    any more. Raises NotFound, Refused where nothing of it can be sent, or it is paused.
    """

    def write(connection: Connection) -> tuple[Edition, bool]:
        edition = _found(connection, edition_id)
        if edition.state in _NOTHING_TO_SEND:
            raise Refused(
                f"Edition {edition_id} ({edition.cadence} {edition.period}) is {edition.state}: {_why(edition)}"
            )
        if edition.state is EditionState.PAUSED:
            raise Refused(
                f"Edition {edition_id} ({edition.cadence} {edition.period}) is paused. "
                f"Let it go on first: mailer editions resume {edition_id}"
            )
        until = min(filter(None, (now + max_age, next_due(edition.cadence))))
        released = holds.release(connection, edition, now=now, expires_at=until)
        return _found(connection, edition_id), released

    return await database.write(write)


async def skip(database: Database, edition_id: int, *, now: datetime, anew: bool) -> Edition:
    """Refuse a held edition; what came in its storm counts as old. Its other articles come in the next edition.

    `anew`: forget that it was planned, so that the next `send` makes it again. Returns it as it was. Raises NotFound,
    Refused where it isn't held.
    """

    def write(connection: Connection) -> Edition:
        edition = _found(connection, edition_id)
        refused = holds.undo(connection, edition) if anew else holds.skip(connection, edition, now)
        if not refused:
            raise Refused(
                f"Edition {edition_id} ({edition.cadence} {edition.period}) is {edition.state}, not held: "
                "only an edition that waits for your word can be skipped."
            )
        return edition

    return await database.write(write)


def _found(connection: Connection, edition_id: int) -> Edition:
    edition = editions.by_id(connection, edition_id)
    if edition is None:
        raise NotFound(f"There is no edition {edition_id}. `mailer editions list` shows them.")
    return edition


def _why(edition: Edition) -> str:
    if edition.state is EditionState.CANCELLED:
        return "nothing of it is sent any more, and its articles are in a later one."
    return "it holds nothing that could be sent."
