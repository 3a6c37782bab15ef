"""A form that was sent in: counted, judged, and written down with the mail that it wants. Nobody is subscribed by it.

Each form is one transaction of about the same work, whatever is known of its address.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from mailer.core.consent import Circumstances
from mailer.core.signup import MAILED, Outcome, SignupOptions, decide, decide_to_move
from mailer.core.subscription import LISTENING, Newcomer, Subscriber
from mailer.store import confirmations, consent, notices, signups, subscribers, suppressions
from mailer.store.database import Database
from mailer.store.suppressions import Fingerprints


@dataclass(frozen=True, slots=True)
class Form:
    """What a visitor chose, checked, and how they came to. `network`: of their IP, '' where it isn't known."""

    wanted: Newcomer
    about: Circumstances
    network: str


async def ask_to_join(
    database: Database, form: Form, *, now: datetime, options: SignupOptions, fingerprints: Fingerprints
) -> Outcome:
    """Take a form. What came of it is for our own counting: the visitor sees the same page whatever it is."""
    return await database.write(take, form, now, options, fingerprints)


async def ask_again(
    database: Database,
    subscriber_id: int,
    *,
    pace: Callable[[str], str],
    now: datetime,
    about: Circumstances,
    network: str,
    options: SignupOptions,
    fingerprints: Fingerprints,
) -> Outcome | None:
    """The same for a reader who left, with what they had. None: there is no such reader.

    `pace`: gives a pace that is offered now for what theirs was.
    """
    return await database.write(_ask_again, subscriber_id, pace, now, about, network, options, fingerprints)


def take(
    connection: Connection, form: Form, now: datetime, options: SignupOptions, fingerprints: Fingerprints
) -> Outcome:
    """`ask_to_join` in the caller's transaction."""
    reader, outcome = weigh(connection, form.wanted.email, form.network, now, options, fingerprints)
    if outcome in MAILED:
        _want(connection, reader, form, now, held=outcome is Outcome.HELD)
    if outcome is Outcome.ALREADY and reader is not None:
        notices.want(connection, "already", reader.id, reader.generation, now=now)
    return outcome


def weigh(
    connection: Connection,
    email: str,
    network: str,
    now: datetime,
    options: SignupOptions,
    fingerprints: Fingerprints,
    *,
    move: bool = False,
) -> tuple[Subscriber | None, Outcome]:
    """Who has an address, and what comes of a form that names it; the form is counted.

    `move`: it shall be the new address of a reader, who has another one.
    """
    marks, domain = fingerprints(email), email.rpartition("@")[2]
    known = subscribers.find(connection, email)
    state = known.state if known else None
    barred, since = suppressions.reason_of(connection, email, fingerprints)
    counts = signups.counts(connection, marks, network, domain, now=now, options=options)
    outcome = decide(state, barred, since, domain, counts, options=options, now=now)
    if move:
        outcome = decide_to_move(outcome, state, barred)
    signups.note(connection, marks[-1], network, domain, outcome, now)
    if outcome is Outcome.HELD:
        signups.hold(connection, now)
    return known, outcome


def _want(connection: Connection, reader: Subscriber | None, form: Form, now: datetime, *, held: bool) -> None:
    """Write down what they asked for, and that a mail shall ask them to confirm it."""
    who = reader or subscribers.add_pending(connection, form.wanted, now)
    consent.record(connection, who.id, now=now, about=form.about, event="asked", detail=form.wanted.cadence)
    email = form.wanted.email
    wish = confirmations.ask(connection, "join", who.id, who.generation, now=now, wanted=form.wanted, address=email)
    notices.want(connection, "confirm", who.id, who.generation, now=now, confirmation=wish, held=held)


def _ask_again(
    connection: Connection,
    subscriber_id: int,
    pace: Callable[[str], str],
    now: datetime,
    about: Circumstances,
    network: str,
    options: SignupOptions,
    fingerprints: Fingerprints,
) -> Outcome | None:
    reader = subscribers.of_id(connection, subscriber_id)
    if reader is None:
        return None
    if reader.state in LISTENING:
        return Outcome.QUIET
    wanted = Newcomer(reader.email, pace(reader.cadence), reader.name, reader.timezone, reader.language, reader.topics)
    return take(connection, Form(wanted, about, network), now, options, fingerprints)
