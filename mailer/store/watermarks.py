"""What readers have been given, folded into their rows when an edition is done."""

from datetime import datetime

from sqlalchemy import Connection, text, update

from mailer.store.tables import editions


def fold(connection: Connection, now: datetime) -> list[int]:
    """Finish editions that have nothing left to do: their watermark goes into their readers' rows.

    A held one has nothing left where a later edition stands for all of it. Returns the ids of those done now.
    """
    # Three questions, each answered by one of the small indexes of what is still to do. The plus keeps SQLite from
    # the edition's own index, which holds every settled row.
    ready = connection.execute(
        text(
            "SELECT e.id, e.hi FROM editions e WHERE e.state IN ('running', 'held') "
            "AND NOT EXISTS (SELECT 1 FROM deliveries d WHERE d.state = 'pending' AND d.edition_id = e.id) "
            "AND NOT EXISTS (SELECT 1 FROM deliveries d WHERE d.state IN ('claimed', 'sending') "
            "AND +d.edition_id = e.id) "
            "AND NOT EXISTS (SELECT 1 FROM deliveries d WHERE d.state IN ('deferred', 'in_doubt') "
            "AND +d.edition_id = e.id)"
        )
    ).all()
    for edition in ready:
        connection.execute(
            text(
                "UPDATE subscribers SET given = :hi, start = NULL, start_since = NULL "
                "WHERE (given IS NULL OR given < :hi) AND id IN (SELECT subscriber_id FROM deliveries "
                "WHERE edition_id = :edition AND state IN ('accepted', 'in_doubt_held'))"
            ),
            {"hi": edition.hi, "edition": edition.id},
        )
        keep_starts(connection, edition.id)
        connection.execute(update(editions).where(editions.c.id == edition.id).values(state="done", done_at=now))
    return [edition.id for edition in ready]


def keep_starts(connection: Connection, edition_id: int) -> None:
    """Those who were due it and have had nothing yet: what they missed is where they start, the earliest first.

    An edition that was long in doubt ends after later ones.
    """
    connection.execute(
        text(
            "UPDATE subscribers SET start = v.lo, start_since = v.since "
            "FROM deliveries d JOIN variants v ON v.id = d.variant_id "
            "WHERE d.subscriber_id = subscribers.id AND d.edition_id = :edition "
            "AND d.state NOT IN ('accepted', 'in_doubt_held') "
            "AND subscribers.given IS NULL AND (subscribers.start IS NULL OR subscribers.start > v.lo)"
        ),
        {"edition": edition_id},
    )
