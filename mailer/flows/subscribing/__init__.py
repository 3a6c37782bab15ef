"""One reader coming in, changing their mind and going. Each is one transaction."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection

from mailer.core.subscription import GONE, Newcomer, State, Subscriber
from mailer.errors import InputError, NotFound, Refused
from mailer.store import outbox, subscribers
from mailer.store.database import Database

_SAID = {
    State.UNSUBSCRIBED: "unsubscribed",
    State.BOUNCED: "could not be delivered to any more",
    State.COMPLAINED: "complained of our mail as spam",
}


@dataclass(frozen=True, slots=True)
class Departure:
    """A reader who has left. `already`: before this was asked."""

    subscriber: Subscriber
    already: bool


async def add(
    database: Database,
    newcomer: Newcomer,
    *,
    now: datetime,
    statement: str,
    fingerprints: Callable[[str], Sequence[str]],
) -> Subscriber:
    """Take in one confirmed reader; `statement` says how they consented.

    `fingerprints`: an address's keyed hashes, one for every key in use. Raises InputError where they are subscribed
    already, Refused where they have gone or are suppressed.
    """
    return await database.write(_add, newcomer, now, statement, fingerprints)


async def change(
    database: Database,
    email: str,
    *,
    now: datetime,
    cadence: str | None = None,
    topics: tuple[str, ...] | None = None,
    timezone: str | None = None,
    language: str | None = None,
    pause_until: datetime | None = None,
    resume: bool = False,
) -> Subscriber:
    """Change what is given, each value as its `clean_…` returns it, and leave the rest. `topics=()`: all of them.

    Pausing skips what is not on the wire yet; it is in the first digest afterwards. Raises NotFound, InputError where
    it makes no sense, Refused where the reader has gone.
    """
    if pause_until is not None and resume:
        raise InputError("Pausing and resuming at once makes no sense; give one of them.")
    if pause_until is not None and pause_until <= now:
        raise InputError(f"A pause until {_moment(pause_until)} is over already; give a day to come.")
    wish = _Wish(cadence, topics, timezone, language, pause_until, resume)
    if wish == _Wish():
        raise InputError(f"Nothing to change for {email}: give a cadence, topics, a time zone, a language or a pause.")
    return await database.write(_change, email, wish, now)


async def leave(database: Database, email: str, *, now: datetime, route: str) -> Departure:
    """Unsubscribe. Once this returns no permit for them is granted any more. Raises NotFound."""
    return await database.write(_leave, email, now, route)


@dataclass(frozen=True, slots=True)
class _Wish:
    cadence: str | None = None
    topics: tuple[str, ...] | None = None
    timezone: str | None = None
    language: str | None = None
    pause_until: datetime | None = None
    resume: bool = False


def _add(
    connection: Connection,
    newcomer: Newcomer,
    now: datetime,
    statement: str,
    fingerprints: Callable[[str], Sequence[str]],
) -> Subscriber:
    arrived = subscribers.add(
        connection,
        [newcomer],
        now=now,
        event="added",
        route="cli",
        statement=statement,
        fingerprints=fingerprints,
    )[0]
    if arrived.outcome == "suppressed":
        raise Refused(f"{newcomer.email} is suppressed: it must not be mailed, whatever list it is on.")
    reader = _known(connection, newcomer.email)
    if reader.state in GONE:
        raise _gone(connection, reader)
    if not arrived.added:
        standing = "" if reader.state is State.ACTIVE else f", {reader.state}"
        raise InputError(
            f"{reader.email} is already subscribed ({reader.cadence}{standing}); "
            "change it with `mailer subscribers set`."
        )
    return reader


def _change(connection: Connection, email: str, wish: _Wish, now: datetime) -> Subscriber:
    reader = _known(connection, email)
    if reader.state in GONE:
        raise _gone(connection, reader)

    def write(event: str, detail: str, **values: Any) -> None:
        subscribers.change(connection, reader.id, now=now, route="cli", event=event, detail=detail, **values)

    for column in ("cadence", "timezone", "language"):
        wanted, had = getattr(wish, column), getattr(reader, column)
        if wanted not in (None, had):
            write(column, f"{had or 'site'} -> {wanted or 'site'}", **{column: wanted})
    if wish.topics is not None and wish.topics != reader.topics:
        detail = f"{_listed(reader.topics)} -> {_listed(wish.topics)}"
        write("topics", detail, interest_set_id=subscribers.interest_set(connection, wish.topics))
    if wish.resume:
        if reader.state is not State.PAUSED:
            raise InputError(f"{email} is not paused.")
        write("resumed", "", state=State.ACTIVE.value, paused_until=None)
    if wish.pause_until is not None and wish.pause_until != reader.paused_until:
        if reader.state is State.PENDING:
            raise Refused(f"{email} has not confirmed yet, so there is nothing to pause.")
        detail = f"until {_moment(wish.pause_until)}"
        write("paused", detail, state=State.PAUSED.value, paused_until=wish.pause_until)
        outbox.skip_reader(connection, reader.id, State.PAUSED.value, now)
    return _known(connection, email)


def _leave(connection: Connection, email: str, now: datetime, route: str) -> Departure:
    reader = _known(connection, email)
    # A complaint weighs more than leaving: who has only left may sign up again.
    if reader.state in (State.UNSUBSCRIBED, State.COMPLAINED):
        return Departure(reader, already=True)
    subscribers.change(
        connection,
        reader.id,
        now=now,
        route=route,
        event=State.UNSUBSCRIBED.value,
        detail=f"{reader.state} -> {State.UNSUBSCRIBED}",
        state=State.UNSUBSCRIBED.value,
        paused_until=None,
    )
    outbox.skip_reader(connection, reader.id, State.UNSUBSCRIBED.value, now)
    return Departure(_known(connection, email), already=False)


def _known(connection: Connection, email: str) -> Subscriber:
    reader = subscribers.find(connection, email)
    if reader is None:
        raise NotFound(f"{email} is not among the subscribers.")
    return reader


def _gone(connection: Connection, reader: Subscriber) -> Refused:
    since = [at for at, event, *_ in subscribers.consent_of(connection, reader.id) if event == reader.state]
    on = f" on {since[-1]:%Y-%m-%d}" if since else ""
    rest = (
        ""
        if reader.state is State.COMPLAINED
        else "; they can sign up again themselves, on pages that come with a later release"
    )
    return Refused(f"{reader.email} {_SAID[reader.state]}{on}: nothing revives it{rest}.")


def _listed(topics: Sequence[str]) -> str:
    return ", ".join(topics) or "all"


def _moment(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
