"""What readers have been given, folded into their rows when an edition is done."""

from datetime import datetime
from typing import Any

from sqlalchemy import Connection, text, update

from mailer.core.delivery import EditionState
from mailer.store import controls, given
from mailer.store.tables import editions

PART = 50_000
"""Readers whose rows are written by one statement when an edition is done."""


def fold(connection: Connection, now: datetime, *, edition: int | None = None) -> list[int]:
    """Finish editions that have nothing left to do: their watermark goes into their readers' rows.

    A held or paused one has nothing left where a later edition stands for all of it; a cancelled one when nothing of it
    is on the wire. `edition`: this one alone. Returns the ids of those done now.
    """
    controls.end_cancelled(connection, now)
    # Three questions, each answered by one of the small indexes of what is still to do. The plus keeps SQLite from
    # the edition's own index, which holds every settled row.
    ready = connection.execute(
        text(
            "SELECT e.id, e.state, e.lo, e.hi FROM editions e WHERE e.done_at IS NULL "
            "AND e.state IN ('running', 'held', 'paused', 'cancelled') AND e.id = coalesce(:edition, e.id) "
            "AND NOT EXISTS (SELECT 1 FROM deliveries d WHERE d.state = 'pending' AND d.edition_id = e.id) "
            "AND NOT EXISTS (SELECT 1 FROM deliveries d WHERE d.state IN ('claimed', 'sending') "
            "AND +d.edition_id = e.id) "
            "AND NOT EXISTS (SELECT 1 FROM deliveries d WHERE d.state IN ('deferred', 'in_doubt') "
            "AND +d.edition_id = e.id)"
        ),
        {"edition": edition},
    ).all()
    for found in ready:
        _give(connection, found.id, found.hi)
        keep_starts(connection, found.id)
        values: dict[str, Any] = {"done_at": now}
        if found.state != EditionState.CANCELLED:
            values |= {"state": EditionState.DONE}
        elif not _was_given(connection, found.id):
            # As if it had never been: who comes new has its articles with the next one, like everybody.
            values |= {"hi": found.lo}
        connection.execute(update(editions).where(editions.c.id == found.id).values(**values))
    return [found.id for found in ready]


def _was_given(connection: Connection, edition_id: int) -> bool:
    asked = f"SELECT 1 FROM deliveries d WHERE edition_id = :edition AND {given.counts('d')} LIMIT 1"  # noqa: S608
    return connection.execute(text(asked), {"edition": edition_id}).first() is not None


def _give(connection: Connection, edition_id: int, hi: int) -> None:
    """The watermark goes into the rows of those who had the edition: in parts, or a million ids would be in memory."""
    mine = {"edition": edition_id}
    first, last = connection.execute(
        text("SELECT min(subscriber_id), max(subscriber_id) FROM deliveries WHERE edition_id = :edition"), mine
    ).one()
    for start in range(first or 0, (last or -1) + 1, PART):
        connection.execute(
            text(
                "UPDATE subscribers SET given = :hi, start = NULL, start_since = NULL "  # noqa: S608
                "WHERE (given IS NULL OR given < :hi) AND id IN (SELECT subscriber_id FROM deliveries d "
                "WHERE edition_id = :edition AND subscriber_id >= :start AND subscriber_id < :end "
                f"AND {given.counts('d')})"
            ),
            mine | {"hi": hi, "start": start, "end": start + PART},
        )


def keep_starts(connection: Connection, edition_id: int) -> None:
    """Those who were due it and have had nothing yet: what they missed is where they start, the earliest first.

    An edition that was long in doubt ends after later ones.
    """
    connection.execute(
        text(
            "UPDATE subscribers SET start = v.lo, start_since = v.since "  # noqa: S608
            "FROM deliveries d JOIN variants v ON v.id = d.variant_id "
            "WHERE d.subscriber_id = subscribers.id AND d.edition_id = :edition "
            f"AND NOT {given.counts('d')} "
            "AND subscribers.given IS NULL AND (subscribers.start IS NULL OR subscribers.start > v.lo)"
        ),
        {"edition": edition_id},
    )
