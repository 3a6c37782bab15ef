"""A reader changing how often, what or when they get mail."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Connection

from mailer.core.consent import Circumstances
from mailer.core.subscription import GONE, State, Subscriber
from mailer.errors import InputError, Refused
from mailer.flows.subscribing.readers import gone, known
from mailer.store import notices, outbox, subscribers
from mailer.store.database import Database

CADENCES_OWN = -1
"""Stands for 'no hour of their own'."""
MAILS_A_DAY = 3
"""Mails that tell of a change; who goes on changing has seen it."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What to change, each value as its `clean_…` returns it; None leaves it. `topics=()`: all of them.

    `hour`: 0 to 23, or CADENCES_OWN.
    """

    cadence: str | None = None
    topics: tuple[str, ...] | None = None
    timezone: str | None = None
    language: str | None = None
    hour: int | None = None
    pause_until: datetime | None = None
    resume: bool = False


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
    wish = Wish(cadence, topics, timezone, language, None, pause_until, resume)
    _check(wish, now)
    if wish == Wish():
        raise InputError(f"Nothing to change for {email}: give a cadence, topics, a time zone, a language or a pause.")
    return await database.write(_change_by_address, email, wish, now)


async def choose(
    database: Database, subscriber_id: int, wish: Wish, *, now: datetime, about: Circumstances, tell: bool
) -> Subscriber:
    """The same from the reader's own page. `tell`: by a mail, too, where something changed.

    Raises NotFound, InputError where it makes no sense, Refused where the reader has gone.
    """
    _check(wish, now)
    return await database.write(_choose, subscriber_id, wish, now, about, tell)


def _check(wish: Wish, now: datetime) -> None:
    if wish.pause_until is not None and wish.resume:
        raise InputError("Pausing and resuming at once makes no sense; give one of them.")
    if wish.pause_until is not None and wish.pause_until <= now:
        raise InputError(f"A pause until {_moment(wish.pause_until)} is over already; give a day to come.")


def _change_by_address(connection: Connection, email: str, wish: Wish, now: datetime) -> Subscriber:
    return _change(connection, known(connection, email), wish, now, Circumstances("cli"))


def _choose(
    connection: Connection, subscriber_id: int, wish: Wish, now: datetime, about: Circumstances, tell: bool
) -> Subscriber:
    before = known(connection, subscriber_id)
    reader = _change(connection, before, wish, now, about)
    told = notices.mailed_since(connection, "changed", reader.id, now - timedelta(days=1))
    waits = notices.wanted_already(connection, "changed", reader.id)
    if tell and reader != before and not waits and told < MAILS_A_DAY:
        topics = {"topics": True} if reader.topics != before.topics else {}
        notices.want(connection, "changed", reader.id, reader.generation, now=now, told=topics)
    return reader


def _change(connection: Connection, reader: Subscriber, wish: Wish, now: datetime, about: Circumstances) -> Subscriber:
    if reader.state in GONE:
        raise gone(connection, reader)

    def write(event: str, detail: str, **values: Any) -> None:
        subscribers.change(connection, reader.id, now=now, about=about, event=event, detail=detail, **values)

    for column in ("cadence", "timezone", "language"):
        wanted, had = getattr(wish, column), getattr(reader, column)
        if wanted not in (None, had):
            write(column, f"{had or 'site'} -> {wanted or 'site'}", **{column: wanted})
    if wish.topics is not None and wish.topics != reader.topics:
        detail = f"{_listed(reader.topics)} -> {_listed(wish.topics)}"
        write("topics", detail, interest_set_id=subscribers.interest_set(connection, wish.topics))
    hour = None if wish.hour == CADENCES_OWN else wish.hour
    if wish.hour is not None and hour != reader.hour:
        write("hour", f"{_hour(reader.hour)} -> {_hour(hour)}", hour=hour)
    _pause_or_resume(connection, reader, wish, now, write)
    return known(connection, reader.id)


def _pause_or_resume(
    connection: Connection, reader: Subscriber, wish: Wish, now: datetime, write: Callable[..., None]
) -> None:
    if wish.resume:
        if reader.state is not State.PAUSED:
            raise InputError(f"{reader.email} is not paused.")
        write("resumed", "", state=State.ACTIVE.value, paused_until=None)
    if wish.pause_until is not None and wish.pause_until != reader.paused_until:
        if reader.state is State.PENDING:
            raise Refused(f"{reader.email} has not confirmed yet, so there is nothing to pause.")
        detail = f"until {_moment(wish.pause_until)}"
        write("paused", detail, state=State.PAUSED.value, paused_until=wish.pause_until)
        outbox.skip_reader(connection, reader.id, State.PAUSED.value, now)


def _hour(hour: int | None) -> str:
    return "the cadence's" if hour is None else f"{hour}:00"


def _listed(topics: Sequence[str]) -> str:
    return ", ".join(topics) or "all"


def _moment(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
