"""The operator lifts what keeps an address from being mailed. Nobody is subscribed by that."""

from datetime import timedelta

import pytest
from sqlalchemy import insert, select, update

from mailer.core.subscription import State
from mailer.core.tokens import fingerprint
from mailer.errors import Refused
from mailer.flows import erasing, subscribing
from mailer.store import consent, subscribers
from mailer.store.tables import subscribers as table
from mailer.store.tables import suppressions
from tests.stories import DAY, KEY, MONDAY, WEEK, join, make_edition, publish, row_of

OLD_KEY = "the key before, long enough for anybody"
ANN = "ann@example.com"


def fingerprints(email: str) -> tuple[str, ...]:
    return tuple(fingerprint(email, key) for key in (OLD_KEY, KEY))


async def allow(database, email: str = ANN) -> subscribing.Allowed:
    return await subscribing.allow(
        database, email, now=MONDAY + DAY, statement="wrote that it was a slip", fingerprints=fingerprints
    )


async def suppress(database, reason: str, email: str | None = ANN, key: str = KEY) -> None:
    values = {"email": email, "fingerprint": fingerprint(ANN, key), "reason": reason, "at": MONDAY}
    await database.write(lambda c: c.execute(insert(suppressions).values(**values)).rowcount)


async def put(database, **columns) -> None:
    await database.write(lambda c: c.execute(update(table).where(table.c.email == ANN).values(**columns)).rowcount)


async def left(database) -> list[str]:
    return list(await database.read(lambda c: c.execute(select(suppressions.c.reason)).scalars().all()))


@pytest.mark.parametrize("state", ["bounced", "complained"])
@pytest.mark.parametrize("key", [OLD_KEY, KEY])
async def test_a_reader_who_was_stopped_is_unsubscribed_and_may_come_back(database, state, key):
    await join(database, "ann")
    await put(database, state=state)
    await suppress(database, state, key=key)

    allowed = await allow(database)

    assert allowed.lifted == [state]
    reader = await database.read(subscribers.find, ANN)
    assert (reader.state, reader.generation) == (State.UNSUBSCRIBED, 2)
    assert allowed.reader == reader
    assert await left(database) == []
    last = (await database.read(consent.record_of, reader.id))[-1]
    assert (last.event, last.route, last.statement) == ("allowed", "cli", "wrote that it was a slip")
    assert last.detail == f"{state}; {state} -> unsubscribed"
    with pytest.raises(Refused, match="there is nothing to lift"):
        await allow(database)


async def test_a_state_without_a_suppression_is_lifted_too(database):
    await join(database, "ann")
    await put(database, state="complained")
    assert (await allow(database)).lifted == ["complained"]


@pytest.mark.parametrize("state", ["unsubscribed", "pending"])
async def test_where_a_reader_stands_otherwise_they_stay(database, state):
    await join(database, "ann")
    await put(database, state=state)
    await suppress(database, "asked_never")
    assert (await allow(database)).lifted == ["asked_never"]
    assert (await database.read(subscribers.find, ANN)).state == state


async def test_lifting_starts_no_mail_to_an_active_reader(database):
    await publish(database, "one")
    await join(database, "ann")
    await make_edition(database)
    await suppress(database, "asked_never")
    await allow(database)
    reader = await database.read(subscribers.find, ANN)
    assert (reader.state, reader.generation) == (State.UNSUBSCRIBED, 2)
    assert (await row_of(database, "ann")).state == "skipped"


async def test_who_came_back_after_an_erasure_stays_a_reader(database):
    await join(database, "ann")
    await suppress(database, "erased", email=None)
    assert (await allow(database)).lifted == ["erased"]
    assert (await database.read(subscribers.find, ANN)).state == State.ACTIVE


async def test_an_erased_address_is_allowed_for_good(database):
    await join(database, "ann")
    await erasing.erase(database, ANN, now=MONDAY, fingerprints=fingerprints)
    assert await allow(database) == subscribing.Allowed(["erased"], None)
    assert await left(database) == []
    # The list beside the database heard of it.
    await join(database, "ann")
    assert await erasing.enforce(database, now=MONDAY + WEEK, fingerprints=fingerprints) == 0
    assert await left(database) == []
    # Erased once more, they are kept out once more.
    again = MONDAY + WEEK + timedelta(days=1)
    await erasing.erase(database, ANN, now=again, fingerprints=fingerprints)
    await database.write(lambda c: c.execute(suppressions.delete()).rowcount)
    await join(database, "ann")
    assert await erasing.enforce(database, now=again, fingerprints=fingerprints) == 1


@pytest.mark.parametrize("state", ["active", "paused", "unsubscribed", "pending"])
async def test_where_there_is_nothing_to_lift_it_is_said(database, state):
    await join(database, "ann")
    await put(database, state=state)
    for email in (ANN, "nobody@example.com"):
        with pytest.raises(Refused, match=f"{email} is neither suppressed nor bounced nor complained"):
            await allow(database, email)
