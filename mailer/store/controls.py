"""An edition paused, let go on, or cancelled while a sender may be at it.

Each is a conditional write of the edition's state. The permit looks at that state in its own transaction, so it is in
force for every message whose permit isn't committed yet, whichever process sends.
"""

from datetime import datetime

from sqlalchemy import Connection, select, text, update

from mailer.core.delivery import DeliveryState, EditionState
from mailer.store.given import or_held
from mailer.store.instant import to_number
from mailer.store.tables import editions

PART = 5_000
"""Deliveries of a cancelled edition that are skipped in one commit, so that others get their turn in between."""
BY_HAND = "by_hand"

# Word for word the conditions of the small indexes: SQLite compares the text. The plus keeps it from the edition's own
# index, which holds every settled row.
_PENDING = "state = 'pending' AND edition_id = :edition"
_CLAIMED = "state IN ('claimed', 'sending') AND state = 'claimed' AND +edition_id = :edition"
_DEFERRED = "state IN ('deferred', 'in_doubt') AND state = 'deferred' AND +edition_id = :edition"
_DOUBTED = "state IN ('deferred', 'in_doubt') AND state = 'in_doubt' AND +edition_id = :edition"
_CANCELLED = f"state = {or_held(DeliveryState.SKIPPED)}, reason = 'cancelled'"
_UNFINISHED = (_PENDING, "state IN ('claimed', 'sending') AND +edition_id = :edition", _DEFERRED, _DOUBTED)


def pause(connection: Connection, edition_id: int, reason: str = "") -> bool:
    """No permit for it from this commit on. `reason`: '' by hand. False where it is not running."""
    return _change(connection, edition_id, EditionState.RUNNING, state=EditionState.PAUSED, reason=reason)


def resume(connection: Connection, edition_id: int, expires_at: datetime) -> bool:
    """Permits again. What is unfinished is tried until `expires_at` at least. False where it is not paused."""
    if not _change(connection, edition_id, EditionState.PAUSED, state=EditionState.RUNNING, reason=""):
        return False
    for unfinished in _UNFINISHED:
        connection.execute(
            text(f"UPDATE deliveries SET expires_at = :until WHERE {unfinished} AND expires_at < :until"),  # noqa: S608  # constants
            {"edition": edition_id, "until": to_number(expires_at)},
        )
    return True


def cancel(connection: Connection, edition_id: int) -> bool:
    """No permit for it ever again. False where it is neither running nor paused.

    What is not on the wire is left for `end_cancelled`.
    """
    return _change(
        connection,
        edition_id,
        EditionState.RUNNING,
        EditionState.PAUSED,
        state=EditionState.CANCELLED,
        reason=BY_HAND,
    )


def end_cancelled(connection: Connection, now: datetime, *, limit: int = -1) -> int:
    """What is not on the wire of cancelled editions is skipped; what may have arrived is held, and not tried again.

    `limit`: at most so many of each kind, -1 for all. Returns how many there were.
    """
    asked = select(editions.c.id).where(editions.c.state == EditionState.CANCELLED, editions.c.done_at.is_(None))
    ended = 0
    for edition_id in connection.execute(asked).scalars().all():
        given = {"edition": edition_id, "now": to_number(now), "limit": limit}
        for waiting, became in (
            (_PENDING, _CANCELLED),
            (_CLAIMED, _CANCELLED),
            (_DEFERRED, _CANCELLED),
            (_DOUBTED, "state = 'in_doubt_held'"),
        ):
            some = f"SELECT id FROM deliveries WHERE {waiting} LIMIT :limit"  # noqa: S608  # constants
            ended += connection.execute(
                text(f"UPDATE deliveries SET {became}, next_at = NULL, settled_at = :now WHERE id IN ({some})"),  # noqa: S608
                given,
            ).rowcount
    return ended


def _change(connection: Connection, edition_id: int, *expected: EditionState, **values: str) -> bool:
    asked = update(editions).where(editions.c.id == edition_id, editions.c.state.in_(expected)).values(**values)
    return connection.execute(asked).rowcount == 1
