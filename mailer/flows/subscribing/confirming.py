"""The press behind a mailed link: a subscription begins, an address changes."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from mailer.core.confirmation import Confirmation, Kind, Standing, standing
from mailer.core.consent import Circumstances
from mailer.core.signup import Outcome, SignupOptions, is_barred
from mailer.core.subscription import Newcomer, State, Subscriber
from mailer.core.tokens import Wish
from mailer.flows.subscribing.joining import Form, take
from mailer.store import confirmations, consent, editions, erasure, notices, signups, subscribers, suppressions
from mailer.store.database import Database
from mailer.store.erased_list import ErasedList
from mailer.store.suppressions import Fingerprints


@dataclass(frozen=True, slots=True)
class Pressed:
    """What a link stands for now, and whose it is. `taken`: the new address has a subscription of its own.

    `genuine`: we have made the link, whatever is left of what it stood for.
    """

    standing: Standing
    wish: Confirmation | None = None
    reader: Subscriber | None = None
    taken: bool = False
    genuine: bool = False


async def look_up(database: Database, wish: Wish | None, kind: Kind, *, now: datetime, days: int) -> Pressed:
    """What a link may do; it only reads. `wish`: of its token, None where that isn't genuine. `days`: it works."""
    return await database.read(_look_up, wish, kind, now, days)


async def confirm(
    database: Database,
    wish: Wish | None,
    kind: Kind,
    *,
    now: datetime,
    about: Circumstances,
    options: SignupOptions,
    domain: str,
    fingerprints: Fingerprints,
) -> Pressed:
    """Carry out a 'join' or a 'move'. Standing.ASK comes back only where the new address is taken.

    `domain`: of our address, for the Message-ID of the mail that asked.
    """
    return await database.write(_confirm, wish, kind, now, about, options, domain, fingerprints, database.erased_list)


async def send_again(
    database: Database,
    wish: Wish,
    *,
    pace: Callable[[str], str],
    now: datetime,
    about: Circumstances,
    network: str,
    options: SignupOptions,
    fingerprints: Fingerprints,
) -> Outcome | None:
    """A new mail for a link that is too old, within the limits of a form. None: there is nothing to ask for.

    `pace`: gives a pace that is offered now for what was asked for.
    """
    return await database.write(_send_again, wish, pace, now, about, network, options, fingerprints)


def _look_up(connection: Connection, wish: Wish | None, kind: Kind, now: datetime, days: int) -> Pressed:
    found = confirmations.find(connection, wish.confirmation) if wish else None
    if found is not None and found.kind != kind:
        return Pressed(Standing.WRONG)
    reader = subscribers.of_id(connection, found.subscriber) if found else None
    return Pressed(standing(wish, found, reader, now=now, days=days), found, reader, genuine=wish is not None)


def _confirm(
    connection: Connection,
    wish: Wish | None,
    kind: Kind,
    now: datetime,
    about: Circumstances,
    options: SignupOptions,
    domain: str,
    fingerprints: Fingerprints,
    erased_list: ErasedList,
) -> Pressed:
    pressed = _look_up(connection, wish, kind, now, options.link_days)
    if pressed.standing is not Standing.ASK or pressed.wish is None or pressed.reader is None:
        return pressed
    mail = confirmations.message_id(connection, pressed.wish.id, domain)
    if kind == "move":
        return _move(connection, pressed.wish, pressed.reader, now, about, mail, fingerprints)
    reason, since = suppressions.reason_of(connection, pressed.reader.email, fingerprints)
    if is_barred(reason, since, now):
        return Pressed(Standing.STALE, pressed.wish, pressed.reader)
    signups.answered(connection, fingerprints(pressed.reader.email))
    if reason:
        erasure.lift(connection, pressed.reader.email, now=now, fingerprints=fingerprints, erased_list=erased_list)
    return _join(connection, pressed.wish, pressed.reader, now, about, mail, welcome=options.welcome)


def _join(
    connection: Connection,
    wish: Confirmation,
    reader: Subscriber,
    now: datetime,
    about: Circumstances,
    mail: str,
    *,
    welcome: bool,
) -> Pressed:
    confirmations.settle(connection, wish.id, now)
    subscribers.begin(connection, reader.id, wish, now, _had(connection, reader, wish.cadence))
    consent.record(connection, reader.id, now=now, about=about, event="confirmed", detail=wish.cadence, message_id=mail)
    if welcome:
        notices.want(connection, "welcome", reader.id, reader.generation, now=now)
    return Pressed(Standing.DONE, wish, subscribers.of_id(connection, reader.id))


def _had(connection: Connection, reader: Subscriber, cadence: str) -> int | None:
    """Up to where articles count as had. Who was here before begins anew, and nothing comes twice (decision 0013)."""
    if reader.state is State.PENDING:
        return None
    previous = editions.previous(connection, cadence)
    return max(filter(None, [reader.given, previous.hi if previous else None]), default=None)


def _move(
    connection: Connection,
    wish: Confirmation,
    reader: Subscriber,
    now: datetime,
    about: Circumstances,
    mail: str,
    fingerprints: Fingerprints,
) -> Pressed:
    other = subscribers.find(connection, wish.address)
    barred = suppressions.reason_of(connection, wish.address, fingerprints)[0]
    unborn = other is None or other.state is State.PENDING
    if barred or not (unborn or other == reader):
        return Pressed(Standing.ASK, wish, reader, taken=True)
    if other is not None and unborn:
        erasure.forget_pending(connection, other.id, now)
    confirmations.settle(connection, wish.id, now)
    subscribers.move(connection, reader.id, wish.address)
    consent.record(connection, reader.id, now=now, about=about, event="address", message_id=mail)
    told = {"address": reader.email}
    notices.want(connection, "moved", reader.id, reader.generation, now=now, told=told)
    return Pressed(Standing.DONE, wish, subscribers.of_id(connection, reader.id))


def _send_again(
    connection: Connection,
    wish: Wish,
    pace: Callable[[str], str],
    now: datetime,
    about: Circumstances,
    network: str,
    options: SignupOptions,
    fingerprints: Fingerprints,
) -> Outcome | None:
    pressed = _look_up(connection, wish, "join", now, options.link_days)
    if pressed.standing is not Standing.EXPIRED or pressed.wish is None or pressed.reader is None:
        return None
    reader, asked = pressed.reader, pressed.wish
    wanted = Newcomer(reader.email, pace(asked.cadence), reader.name, asked.timezone, asked.language, asked.topics)
    return take(connection, Form(wanted, about, network), now, options, fingerprints)
