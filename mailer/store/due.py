"""What the outbox has to do by now. Asked every second, so by the small indexes of what is still to do alone."""
# ruff: noqa: S608
# Only constants of this program are put into SQL.

from datetime import datetime

from sqlalchemy import Connection, text

from mailer.store.instant import Instant, to_number

# Word for word the conditions of the small indexes: SQLite compares the text. A plus before edition_id keeps it from
# the editions' own index, which holds every settled row.
_PENDING = "state = 'pending'"
_HELD = "state IN ('claimed', 'sending')"
_LATER = "state IN ('deferred', 'in_doubt')"

_TRANSACTIONAL = text(
    f"SELECT EXISTS (SELECT 1 FROM deliveries WHERE {_PENDING} AND edition_id IS NULL) "
    f"OR EXISTS (SELECT 1 FROM deliveries WHERE {_HELD} AND +edition_id IS NULL) "
    f"OR EXISTS (SELECT 1 FROM deliveries WHERE {_LATER} AND next_at <= :now AND +edition_id IS NULL)"
)
_ANYTHING = text(
    f"SELECT EXISTS (SELECT 1 FROM deliveries WHERE {_HELD}) "
    f"OR EXISTS (SELECT 1 FROM deliveries WHERE {_LATER} AND next_at <= :now) "
    "OR EXISTS (SELECT 1 FROM editions e WHERE e.done_at IS NULL AND ("
    # What was on the wire when it was cancelled has settled, or its sender died.
    "e.state = 'cancelled' "
    f"OR (e.state = 'running' AND EXISTS (SELECT 1 FROM deliveries d WHERE d.{_PENDING} AND d.edition_id = e.id)) "
    "OR (e.state IN ('running', 'paused') "
    f"AND NOT EXISTS (SELECT 1 FROM deliveries d WHERE d.{_PENDING} AND d.edition_id = e.id) "
    f"AND NOT EXISTS (SELECT 1 FROM deliveries d WHERE d.{_LATER} AND +d.edition_id = e.id))))"
)
_UNTRIED = text(
    "SELECT min(wanted) AS wanted FROM ("
    "SELECT min(wanted_at) AS wanted FROM notices "
    "WHERE delivery_id IS NULL AND dropped = '' AND throttled = 0 AND held = 0 "
    "UNION ALL SELECT min(n.posted_at) FROM deliveries d JOIN notices n ON n.delivery_id = d.id "
    f"WHERE d.{_PENDING} AND d.edition_id IS NULL AND d.attempts + d.waits + d.doubts = 0 "
    "UNION ALL SELECT min(n.posted_at) FROM deliveries d JOIN notices n ON n.delivery_id = d.id "
    f"WHERE d.{_HELD} AND +d.edition_id IS NULL AND d.attempts + d.waits + d.doubts = 0)"
).columns(wanted=Instant())


def transactional(connection: Connection, now: datetime) -> bool:
    """Whether mail without an edition waits for a sender: new, tried before and due again, or a dead sender's."""
    return bool(connection.execute(_TRANSACTIONAL, {"now": to_number(now)}).scalar())


def anything(connection: Connection, now: datetime) -> bool:
    """Whether a sender would find work in the editions, or what a dead one left; if only to say that one is done."""
    return bool(connection.execute(_ANYTHING, {"now": to_number(now)}).scalar())


def untried_since(connection: Connection) -> datetime | None:
    """Since when the oldest mail about a subscription waits that nobody has tried to send yet; None where none waits.

    What waits for its turn of an operator's list, or for the operator, doesn't count; nor what the relay put off, or
    one dead mailbox would speak for all.
    """
    moment: datetime | None = connection.execute(_UNTRIED).scalar()
    return moment
