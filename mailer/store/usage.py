"""What each relay was given and took, by the minute: what its quotas count."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, Integer, delete, literal_column, select, text

from mailer.core.quota import DAY, minute_of
from mailer.store.prepared import Prepared
from mailer.store.tables import relay_usage

_KEPT = timedelta(hours=25)
_MINUTE = timedelta(minutes=1)
# This minute by the machine's clock.
_THIS_MINUTE = literal_column("CAST(strftime('%s', 'now') AS INTEGER) / 60", Integer)
_ADD = Prepared(
    text(
        "INSERT INTO relay_usage (relay, minute, permits, accepted) VALUES (:relay, :minute, :permits, :accepted) "
        "ON CONFLICT (relay, minute) DO UPDATE SET permits = relay_usage.permits + excluded.permits, "
        "accepted = relay_usage.accepted + excluded.accepted"
    ),
    "relay",
    "minute",
    "permits",
    "accepted",
)


@dataclass(frozen=True, slots=True)
class Used:
    """What came to a relay in one minute (`core.quota.minute_of`): permits, and messages that it accepted."""

    relay: str
    minute: int
    permits: int = 0
    accepted: int = 0


def add(connection: Connection, used: Sequence[Used]) -> None:
    """Count these, too; a permit in the transaction that gives it, so that no crash leaves it uncounted."""
    for one in used:
        values = {"relay": one.relay, "minute": one.minute, "permits": one.permits, "accepted": one.accepted}
        _ADD.run(connection, values)


def last_day(connection: Connection, now: datetime) -> dict[str, dict[int, Used]]:
    """By relay and minute, as far back as a quota of a day looks: the minute that is just leaving it counts."""
    rows = connection.execute(
        select(relay_usage.c.relay, relay_usage.c.minute, relay_usage.c.permits, relay_usage.c.accepted).where(
            relay_usage.c.minute >= minute_of(now) - DAY
        )
    )
    found: dict[str, dict[int, Used]] = {}
    for relay, minute, permits, accepted in rows:
        found.setdefault(relay, {})[minute] = Used(relay, minute, permits, accepted)
    return found


def accepted_in(used: Mapping[str, Mapping[int, Used]], minute: int) -> dict[str, int]:
    """What each relay accepted in that minute, of those that did; `used` from `last_day`."""
    each = {relay: minutes[minute].accepted for relay, minutes in sorted(used.items()) if minute in minutes}
    return {relay: count for relay, count in each.items() if count}


def forget(connection: Connection, now: datetime) -> int:
    """Drop what no quota counts any more. How many minutes those were.

    What counts today stays, though `now` is a day to come (`--now`): a look ahead makes no room for a second quota.
    """
    old = (relay_usage.c.minute < minute_of(now - _KEPT), relay_usage.c.minute < _THIS_MINUTE - _KEPT // _MINUTE)
    return connection.execute(delete(relay_usage).where(*old)).rowcount
