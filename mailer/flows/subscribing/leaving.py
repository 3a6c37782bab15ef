"""A reader going, by whatever way."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sqlalchemy import Connection

from mailer.core.consent import Circumstances
from mailer.core.subscription import LISTENING, State, Subscriber
from mailer.core.text import clean_text
from mailer.core.tokens import Claim, Wish
from mailer.flows.subscribing.readers import known
from mailer.store import confirmations, consent, notices, outbox, subscribers, suppressions
from mailer.store.database import Database
from mailer.store.suppressions import Fingerprints

LONGEST_REASON = 300  # characters
NEVER = "asked_never"
"""The reason of a suppression that somebody asked for."""


@dataclass(frozen=True, slots=True)
class Departure:
    """A reader who has left. `already`: before this was asked."""

    subscriber: Subscriber
    already: bool


async def leave(database: Database, email: str, *, now: datetime, about: Circumstances) -> Departure:
    """Unsubscribe an address. Once this returns no permit for it is granted any more. Raises NotFound."""
    return await database.write(_leave_by_address, email, now, about)


class Left(StrEnum):
    """What pressing a link to leave did."""

    LEFT = "left"
    ALREADY = "already"
    UNKNOWN = "unknown"  # erased: not subscribed


async def leave_by_link(
    database: Database, claim: Claim, *, now: datetime, about: Circumstances, goodbye: bool
) -> Left:
    """Unsubscribe the reader of a genuine token, of whatever generation. `goodbye`: they get a last mail."""
    return await database.write(_leave_by_link, claim, now, about, goodbye)


async def give_reason(
    database: Database, claim: Claim, *, reason: str, text: str, now: datetime, about: Circumstances
) -> bool:
    """Keep why somebody left, once for each time. `reason`: a word of ours. False: they haven't left, or said it."""
    return await database.write(_give_reason, claim, f"{reason}: {clean_text(text, LONGEST_REASON)}", now, about)


async def forbid(
    database: Database, wish: Wish, *, now: datetime, about: Circumstances, fingerprints: Fingerprints
) -> bool:
    """Never write to the address that was asked again, whatever any list says. Only the operator can undo it.

    It is the mailbox that the mail went to, whoever has moved on meanwhile. False: unknown.
    """
    return await database.write(_forbid, wish, now, about, fingerprints)


async def forbidden_address(database: Database, wish: Wish) -> str:
    """Which address `forbid` would be about, '' where nothing is known of it. It only reads."""
    return await database.read(_address_of, wish)


def _leave_by_address(connection: Connection, email: str, now: datetime, about: Circumstances) -> Departure:
    reader = known(connection, email)
    if reader.state in {State.UNSUBSCRIBED, State.COMPLAINED}:
        return Departure(reader, already=True)
    end(connection, reader, now, about)
    return Departure(known(connection, email), already=False)


def _leave_by_link(connection: Connection, claim: Claim, now: datetime, about: Circumstances, goodbye: bool) -> Left:
    reader = subscribers.of_id(connection, claim.subscriber)
    if reader is None:
        return Left.UNKNOWN
    # A complaint weighs more than leaving: who has only left may sign up again.
    if reader.state in {State.UNSUBSCRIBED, State.COMPLAINED}:
        return Left.ALREADY
    listening = reader.state in LISTENING
    end(connection, reader, now, about)
    if goodbye and listening:
        notices.want(connection, "goodbye", reader.id, reader.generation + 1, now=now)
    return Left.LEFT


def end(
    connection: Connection,
    reader: Subscriber,
    now: datetime,
    about: Circumstances,
    *,
    event: str = State.UNSUBSCRIBED.value,
    detail: str = "",
    statement: str = "",
) -> None:
    """The consent ends; whatever of theirs is not on the wire is skipped.

    `event`, `detail`, `statement`: for their record, which says from which state they went besides.
    """
    subscribers.change(
        connection,
        reader.id,
        now=now,
        about=about,
        event=event,
        detail="; ".join(filter(None, (detail, f"{reader.state} -> {State.UNSUBSCRIBED}"))),
        statement=statement,
        state=State.UNSUBSCRIBED.value,
        generation=reader.generation + 1,  # no older link or confirmation speaks for them any more
        paused_until=None,
    )
    outbox.skip_reader(connection, reader.id, State.UNSUBSCRIBED.value, now)
    outbox.skip_notices(connection, reader.id, State.UNSUBSCRIBED.value, now)


def _give_reason(connection: Connection, claim: Claim, detail: str, now: datetime, about: Circumstances) -> bool:
    reader = subscribers.of_id(connection, claim.subscriber)
    if reader is None or reader.state is not State.UNSUBSCRIBED:
        return False
    last = consent.record_of(connection, reader.id)[-1]
    if last.event != State.UNSUBSCRIBED:
        return False
    consent.record(connection, reader.id, now=now, about=about, event="reason", detail=detail)
    return True


def _address_of(connection: Connection, wish: Wish) -> str:
    found = confirmations.find(connection, wish.confirmation)
    return found.address if found else ""


def _forbid(
    connection: Connection, wish: Wish, now: datetime, about: Circumstances, fingerprints: Fingerprints
) -> bool:
    address = _address_of(connection, wish)
    if not address:
        return False
    if suppressions.reason_of(connection, address, fingerprints)[0] == NEVER:
        return True
    reader = subscribers.find(connection, address)
    if reader is not None and reader.state is not State.COMPLAINED:
        end(connection, reader, now, about)
    suppressions.add(connection, address, fingerprints, reason=NEVER, now=now)
    if reader is not None:
        consent.record(connection, reader.id, now=now, about=about, event=NEVER)
    return True
