"""One reader comes in, changes their mind, goes."""

from datetime import timedelta

import pytest
from sqlalchemy import insert, update

from mailer.core.consent import Circumstances
from mailer.core.subscription import Newcomer, State
from mailer.core.tokens import fingerprint
from mailer.errors import InputError, NotFound, Refused
from mailer.flows import subscribing
from mailer.store import consent
from mailer.store import subscribers as store
from mailer.store.tables import deliveries, subscribers, suppressions
from tests.stories import DAY, KEY, MONDAY, WEEK, contents, join, make_edition, publish, standing, sums_hold

ADA = Newcomer("ada@example.com", "weekly", "Ada", "Europe/Berlin", "de", ("heart",))


async def add(database, newcomer=ADA, now=MONDAY):
    return await subscribing.add(
        database,
        newcomer,
        now=now,
        statement="asked at the desk",
        fingerprints=lambda email: [fingerprint(email, KEY)],
    )


async def events(database, reader):
    record = await database.read(consent.record_of, reader.id)
    return [(one.at, one.event, one.route, one.statement, one.detail) for one in record]


async def put(database, state):
    await database.write(lambda c: c.execute(update(subscribers).values(state=state)).rowcount)


async def test_a_reader_who_is_added_is_active_and_their_consent_is_kept(database):
    reader = await add(database)
    assert (reader.email, reader.state, reader.cadence) == ("ada@example.com", State.ACTIVE, "weekly")
    assert (reader.name, reader.timezone, reader.language, reader.topics) == ("Ada", "Europe/Berlin", "de", ("heart",))
    assert await events(database, reader) == [(MONDAY, "added", "cli", "asked at the desk", "weekly")]


@pytest.mark.parametrize(
    ("state", "standing_"), [("active", "weekly"), ("paused", "weekly, paused"), ("pending", "weekly, pending")]
)
async def test_whoever_is_there_already_is_pointed_to_set(database, state, standing_):
    await add(database)
    await put(database, state)
    with pytest.raises(InputError) as caught:
        await add(database)
    assert str(caught.value) == (
        f"ada@example.com is already subscribed ({standing_}); change it with `mailer subscribers set`."
    )


async def test_nothing_revives_whoever_has_gone(database):
    reader = await add(database)
    await subscribing.leave(database, ADA.email, now=MONDAY + DAY, about=Circumstances("cli"))
    with pytest.raises(Refused) as caught:
        await add(database)
    assert str(caught.value) == (
        "ada@example.com unsubscribed on 2026-11-24: nothing revives it; they can sign up again themselves."
    )
    await put(database, "bounced")
    with pytest.raises(Refused, match="could not be delivered to any more: nothing revives it"):
        await add(database)
    await put(database, "complained")
    with pytest.raises(Refused, match=r"complained of our mail as spam: nothing revives it\."):
        await subscribing.change(database, ADA.email, now=MONDAY, cadence="daily")
    assert len(await events(database, reader)) == 2


async def test_a_suppressed_address_is_refused_and_not_kept(database):
    values = {"fingerprint": fingerprint(ADA.email, KEY), "reason": "erased", "at": MONDAY}
    await database.write(lambda c: c.execute(insert(suppressions).values(**values)).rowcount)
    with pytest.raises(Refused, match=r"ada@example\.com is suppressed"):
        await add(database)
    assert await database.read(store.find, ADA.email) is None


async def test_every_change_leaves_its_line_in_the_consent_record(database):
    reader = await add(database)
    later = MONDAY + DAY
    changed = await subscribing.change(
        database, ADA.email, now=later, cadence="daily", topics=("food", "lungs"), timezone="Asia/Tokyo"
    )
    assert (changed.cadence, changed.topics, changed.timezone) == ("daily", ("food", "lungs"), "Asia/Tokyo")
    assert (changed.id, changed.joined_at, changed.generation, changed.name) == (reader.id, MONDAY, 1, "Ada")
    assert (await events(database, reader))[1:] == [
        (later, "cadence", "cli", "", "weekly -> daily"),
        (later, "timezone", "cli", "", "Europe/Berlin -> Asia/Tokyo"),
        (later, "topics", "cli", "", "heart -> food, lungs"),
    ]
    back = await subscribing.change(database, ADA.email, now=later, topics=(), timezone="")
    assert (back.topics, back.timezone) == ((), "")
    assert [row[4] for row in await events(database, reader)][4:] == ["Asia/Tokyo -> site", "food, lungs -> all"]


async def test_what_is_so_already_leaves_no_line(database):
    reader = await add(database)
    same = await subscribing.change(
        database, ADA.email, now=MONDAY, cadence="weekly", topics=("heart",), timezone="Europe/Berlin"
    )
    assert same == reader
    assert len(await events(database, reader)) == 1


@pytest.mark.parametrize(
    ("wish", "error", "said"),
    [
        ({}, InputError, "Nothing to change for ada@example.com"),
        ({"resume": True}, InputError, "ada@example.com is not paused"),
        ({"pause_until": MONDAY}, InputError, "A pause until 2026-11-23 08:00 UTC is over already"),
        ({"pause_until": MONDAY + DAY, "resume": True}, InputError, "Pausing and resuming at once"),
        ({"cadence": "daily", "resume": True}, InputError, "is not paused"),
    ],
)
async def test_a_change_that_makes_no_sense_is_refused_whole(database, wish, error, said):
    reader = await add(database)
    with pytest.raises(error, match=said):
        await subscribing.change(database, ADA.email, now=MONDAY, **wish)
    assert await database.read(store.find, ADA.email) == reader
    assert len(await events(database, reader)) == 1


async def test_nobody_by_that_address_can_be_changed_or_leave(database):
    with pytest.raises(NotFound, match=r"ada@example\.com is not among the subscribers"):
        await subscribing.change(database, ADA.email, now=MONDAY, cadence="daily")
    with pytest.raises(NotFound, match=r"ada@example\.com is not among the subscribers"):
        await subscribing.leave(database, ADA.email, now=MONDAY, about=Circumstances("cli"))


async def test_a_reader_who_pauses_gets_nothing_until_the_day_they_named_and_then_all_they_missed(database):
    await join(database, "ada", "bob")
    await publish(database, "one")
    await make_edition(database)
    until = MONDAY + WEEK
    paused = await subscribing.change(database, ADA.email, now=MONDAY, pause_until=until)
    assert (paused.state, paused.paused_until) == (State.PAUSED, until)
    assert await standing(database) == {"ada": "skipped: paused", "bob": "pending"}
    await sums_hold(database)
    await publish(database, "two")
    planned = await make_edition(database, now=until)
    assert (await contents(database, planned.edition.id))["ada"] == ["two", "one"]
    back = await database.read(store.find, ADA.email)
    assert (back.state, back.paused_until) == (State.ACTIVE, None)


async def test_a_pause_can_be_prolonged_and_ended(database):
    reader = await add(database)
    await subscribing.change(database, ADA.email, now=MONDAY, pause_until=MONDAY + DAY)
    longer = await subscribing.change(database, ADA.email, now=MONDAY, pause_until=MONDAY + WEEK)
    assert longer.paused_until == MONDAY + WEEK
    again = await subscribing.change(database, ADA.email, now=MONDAY, resume=True)
    assert (again.state, again.paused_until) == (State.ACTIVE, None)
    assert [(row[1], row[4]) for row in await events(database, reader)][1:] == [
        ("paused", "until 2026-11-24 08:00 UTC"),
        ("paused", "until 2026-11-30 08:00 UTC"),
        ("resumed", ""),
    ]


async def test_whoever_has_not_confirmed_can_not_come_in_by_way_of_a_pause(database):
    await add(database)
    await put(database, "pending")
    with pytest.raises(Refused, match="has not confirmed yet"):
        await subscribing.change(database, ADA.email, now=MONDAY, pause_until=MONDAY + DAY)
    assert (await database.read(store.find, ADA.email)).state is State.PENDING


@pytest.mark.parametrize("state", ["pending", "claimed", "deferred"])
async def test_leaving_skips_every_delivery_that_is_not_on_the_wire(database, state):
    await join(database, "ada", "bob")
    await publish(database, "one")
    await make_edition(database)
    await database.write(lambda c: c.execute(update(deliveries).values(state=state, next_at=MONDAY)).rowcount)
    gone = await subscribing.leave(
        database, ADA.email, now=MONDAY + timedelta(minutes=1), about=Circumstances("one-click")
    )
    assert (gone.already, gone.subscriber.state, gone.subscriber.generation) == (False, State.UNSUBSCRIBED, 2)
    assert await standing(database) == {"ada": "skipped: unsubscribed", "bob": state}
    await sums_hold(database)
    assert (await events(database, gone.subscriber))[-1] == (
        MONDAY + timedelta(minutes=1),
        "unsubscribed",
        "one-click",
        "",
        "active -> unsubscribed",
    )


@pytest.mark.parametrize("state", ["sending", "accepted", "in_doubt"])
async def test_what_is_on_the_wire_or_given_stays_as_it_is_when_its_reader_leaves(database, state):
    await join(database, "ada")
    await publish(database, "one")
    await make_edition(database)
    await database.write(lambda c: c.execute(update(deliveries).values(state=state)).rowcount)
    await subscribing.leave(database, ADA.email, now=MONDAY, about=Circumstances("cli"))
    assert await standing(database) == {"ada": state}


@pytest.mark.parametrize("state", ["unsubscribed", "complained"])
async def test_leaving_again_changes_nothing_and_says_so(database, state):
    reader = await add(database)
    await put(database, state)
    gone = await subscribing.leave(database, ADA.email, now=MONDAY, about=Circumstances("cli"))
    assert (gone.already, gone.subscriber.state) == (True, State(state))
    assert len(await events(database, reader)) == 1


@pytest.mark.parametrize("state", ["paused", "pending", "bounced"])
async def test_anybody_else_can_leave(database, state):
    await add(database)
    await put(database, state)
    gone = await subscribing.leave(database, ADA.email, now=MONDAY, about=Circumstances("cli"))
    assert (gone.already, gone.subscriber.state, gone.subscriber.paused_until) == (False, State.UNSUBSCRIBED, None)
