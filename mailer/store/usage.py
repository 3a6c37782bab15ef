"""What each relay was given and took, by the minute: what its quotas count.

It is kept by the machine's clock, or a look at another day (`--now`) would give a second quota, or forget what the
first had. Minutes that come in and go out are those of the caller's clock, which the database knows to be `ahead`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, delete, select, text

from mailer.core.quota import DAY, minute_of
from mailer.store.prepared import Prepared
from mailer.store.tables import relay_usage

_KEPT = timedelta(hours=25)
_MINUTE = timedelta(minutes=1)
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
    # Where both clocks don't change their minute at once, it may be kept a minute late, and so counts a minute longer.
    ahead = _ahead(connection) // _MINUTE
    for one in used:
        values = {"relay": one.relay, "minute": one.minute - ahead, "permits": one.permits, "accepted": one.accepted}
        _ADD.run(connection, values)


def last_day(connection: Connection, now: datetime) -> dict[str, dict[int, Used]]:
    """By relay and minute, as far back as a quota of a day looks: the minute that is just leaving it counts."""
    ahead = -(-_ahead(connection) // _MINUTE)  # rounded up, for the same reason
    rows = connection.execute(
        select(relay_usage.c.relay, relay_usage.c.minute + ahead, relay_usage.c.permits, relay_usage.c.accepted).where(
            relay_usage.c.minute >= minute_of(now) - ahead - DAY
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
    """Drop what no quota counts any more. How many minutes those were."""
    last = minute_of(now - _ahead(connection) - _KEPT)
    return connection.execute(delete(relay_usage).where(relay_usage.c.minute < last)).rowcount


def _ahead(connection: Connection) -> timedelta:
    ahead: timedelta = connection.get_execution_options().get("ahead", timedelta(0))
    return ahead
