"""A form that was sent in: nobody is subscribed by it, and nobody is mailed who must not be."""

from datetime import timedelta

import pytest
from sqlalchemy import insert, select

from mailer.core.signup import Outcome
from mailer.core.subscription import State
from mailer.flows import erasing
from mailer.store import signups
from mailer.store.tables import (
    confirmations,
    consent,
    consent_texts,
    notices,
    signup_attempts,
    subscribers,
    suppressions,
)
from tests.flows.readers_side import THERE, Side, fingerprints
from tests.stories import DAY, KEY, MONDAY, change, join

ANN = "ann@example.com"


@pytest.fixture
def side(database, clock) -> Side:
    return Side(database, clock)


async def rows(database, table):
    return await database.read(lambda c: c.execute(select(table)).all())


async def suppress(database, reason, at=MONDAY, email=ANN):
    values = {"email": email, "fingerprint": fingerprints(email)[0], "reason": reason, "at": at}
    await database.write(lambda c: c.execute(insert(suppressions).values(**values)).rowcount)


async def test_a_form_of_somebody_unknown_is_written_down_and_a_mail_is_wanted(database, side):
    outcome = await side.ask(topics=("heart",), timezone="Europe/Berlin", language="de")
    assert outcome is Outcome.CONFIRM
    reader = await side.reader()
    assert (reader.state, reader.generation, reader.given) == (State.PENDING, 1, None)
    (wish,) = await rows(database, confirmations)
    assert (wish.kind, wish.subscriber_id, wish.generation, wish.confirmed_at) == ("join", reader.id, 1, None)
    (notice,) = await rows(database, notices)
    assert (notice.kind, notice.confirmation_id, notice.held, notice.throttled) == ("confirm", wish.id, False, False)
    (line,) = await side.record()
    assert (line.event, line.route, line.source, line.text) == (
        "asked",
        "page",
        "https://site.example/a",
        "Weekly, please.",
    )
    assert (line.language, line.ip, line.agent, line.detail) == ("en", THERE, "Browser 1.0", "weekly")
    (attempt,) = await rows(database, signup_attempts)
    assert (attempt.outcome, attempt.network, attempt.domain) == ("confirm", THERE, "example.com")
    assert ANN not in str(attempt)


async def test_a_wording_is_kept_once(database, side):
    await side.ask("ann")
    await side.ask("bob")
    assert len(await rows(database, consent)) == 2
    (wording,) = await rows(database, consent_texts)
    assert (wording.text, wording.since) == ("Weekly, please.", MONDAY)


@pytest.mark.parametrize("state", ["unsubscribed", "bounced"])
async def test_a_form_of_somebody_who_has_gone_changes_nothing_of_theirs(database, side, state):
    await join(database, "ann", pace="daily", topics=["food"])
    await change(database, "ann", state=state, generation=4)
    before = await side.reader()
    assert await side.ask(pace="monthly", topics=("heart",)) is Outcome.CONFIRM
    assert await side.reader() == before
    (wish,) = await rows(database, confirmations)
    assert (wish.cadence, wish.generation) == ("monthly", 4)


@pytest.mark.parametrize("state", ["active", "paused"])
async def test_a_reader_hears_once_in_30_days_that_they_are_one(database, side, state):
    await join(database, "ann")
    until = MONDAY + 100 * DAY if state == "paused" else None
    await change(database, "ann", state=state, paused_until=until)
    before = await side.reader()
    assert await side.ask(pace="daily") is Outcome.ALREADY
    assert (await side.letter()).kind == "already"
    side.clock.move(days=29, hours=23)
    assert await side.ask() is Outcome.QUIET
    side.clock.move(hours=2)
    assert await side.ask() is Outcome.ALREADY
    assert (await side.letter()).kind == "already"
    assert await side.reader() == before
    assert await rows(database, confirmations) == []
    assert await side.events() == ["imported"]


@pytest.mark.parametrize("reason", ["complained", "asked_never"])
@pytest.mark.parametrize("state", [None, "pending", "unsubscribed", "bounced"])
async def test_whoever_complained_or_said_never_stays_out_for_ever(database, side, reason, state):
    if state is not None:
        await join(database, "ann")
        await change(database, "ann", state=state)
    await suppress(database, reason)
    before = await side.find()
    for _ in range(2):
        assert await side.ask() is Outcome.BARRED
        side.clock.move(days=400)
    assert await side.find() == before
    assert await rows(database, notices) == await rows(database, confirmations) == []


async def test_a_complaint_keeps_out_also_where_no_suppression_says_so(database, side):
    await join(database, "ann")
    await change(database, "ann", state="complained")
    assert await side.ask() is Outcome.BARRED


async def test_a_bounced_reader_comes_back_after_30_days_and_their_suppression_is_lifted(database, side):
    await join(database, "ann")
    await change(database, "ann", state="bounced")
    await suppress(database, "bounced")
    side.clock.move(days=29, hours=23)
    assert await side.ask() is Outcome.BARRED
    assert await side.letters() == []
    side.clock.move(hours=1)
    assert await side.ask() is Outcome.CONFIRM
    letter = await side.letter()
    assert letter.kind == "confirm"
    assert len(await rows(database, suppressions)) == 1
    await side.press(letter)
    assert (await side.reader()).state is State.ACTIVE
    assert await rows(database, suppressions) == []
    assert (await side.letter()).kind == "welcome"


async def test_an_erased_reader_may_sign_up_again_at_once(database, side):
    first = await side.come_in()
    await erasing.erase(database, first.id, now=side.clock(), fingerprints=fingerprints)
    assert await side.find() is None
    assert [row.reason for row in await rows(database, suppressions)] == ["erased"]
    side.clock.move(minutes=1)
    second = await side.come_in()
    assert second.state is State.ACTIVE
    assert second.id > first.id
    assert await rows(database, suppressions) == []
    # The list beside the database still names them; it must not take them away again.
    await erasing.enforce(database, now=side.clock(), fingerprints=fingerprints)
    assert (await side.reader()).state is State.ACTIVE


async def test_one_address_gets_one_mail_in_15_minutes_three_a_day_five_in_30_days(database, side):
    mailed = []
    day = 24 * 60
    around = [range(begin, begin + 90, 5) for begin in (0, day - 30, 2 * day - 30, 30 * day - 30, 31 * day - 30)]
    for minute in sorted({*range(0, 31 * day, 6 * 60), *(minute for near in around for minute in near)}):
        side.clock.now = MONDAY + timedelta(minutes=minute)
        # Each from another network.
        if await side.ask(network=f"net {minute}") is Outcome.CONFIRM:
            mailed.append(timedelta(minutes=minute))
    quarter = timedelta(minutes=15)
    assert mailed[:3] == [timedelta(0), quarter, 2 * quarter]
    assert mailed[3:5] == [DAY, DAY + quarter]
    assert mailed[5:8] == [30 * DAY, 30 * DAY + quarter, 30 * DAY + 2 * quarter]
    assert mailed[8:] == [31 * DAY, 31 * DAY + quarter]


async def test_from_one_network_five_forms_an_hour_are_taken_and_20_a_day(database, side):
    taken = []
    for minute in range(0, 60 * 30, 6):
        side.clock.now = MONDAY + timedelta(minutes=minute)
        if await side.ask(f"r{minute}@d{minute}.example") is Outcome.CONFIRM:
            taken.append(minute)
    # Whoever goes on trying is counted on: the hour never becomes free, as it would for somebody who stops.
    assert taken == [0, 6, 12, 18, 24]
    side.clock.now = MONDAY + timedelta(days=3)
    for hour in range(24):
        for place in range(5):
            await side.ask(f"h{hour}p{place}@d{hour}x{place}.example")
        side.clock.move(hours=1)
    found = await rows(database, subscribers)
    assert len([row for row in found if row.email.startswith("h")]) == 20


async def test_a_provider_gets_20_an_hour_a_big_one_any_number(database, side):
    outcomes = [await side.ask(f"r{place}@small.example", network=f"net {place}") for place in range(22)]
    assert outcomes == [Outcome.CONFIRM] * 20 + [Outcome.DOMAIN] * 2
    outcomes = [await side.ask(f"r{place}@gmail.com", network=f"big {place}") for place in range(22)]
    assert outcomes == [Outcome.CONFIRM] * 22


async def test_a_burst_puts_the_instance_into_holding_until_somebody_looks(database, clock):
    side = Side(database, clock, burst=3)
    outcomes = [await side.ask(f"r{place}@d{place}.example", network=f"net {place}") for place in range(5)]
    assert outcomes == [Outcome.CONFIRM] * 3 + [Outcome.HELD] * 2
    assert await database.read(signups.held_since) == MONDAY
    assert len(await side.letters()) == 3
    # It stays so however long it is quiet.
    clock.move(days=2)
    assert await side.ask("late@d.example") is Outcome.HELD
    assert await side.letters() == []
    assert await database.read(signups.held_since) == MONDAY


async def test_undo_is_a_new_confirmation_with_what_they_had(database, side):
    reader = await side.come_in(pace="daily", topics=("food",), timezone="Asia/Tokyo", language="de")
    await side.leave()
    await side.letters()
    side.clock.move(hours=1)
    assert await side.undo(reader.id) is Outcome.CONFIRM
    assert (await side.reader()).state is State.UNSUBSCRIBED
    letter = await side.letter()
    assert (letter.kind, letter.language) == ("confirm", "de")
    await side.press(letter)
    back = await side.reader()
    assert (back.state, back.cadence, back.topics) == (State.ACTIVE, "daily", ("food",))
    assert (back.timezone, back.language, back.generation) == ("Asia/Tokyo", "de", 2)


async def test_undo_is_within_the_limits_of_a_form(database, side):
    reader = await side.come_in()
    await side.leave()
    # The mail that they answered counts against nobody: a slip is undone at once.
    assert await side.undo(reader.id) is Outcome.CONFIRM
    assert await side.undo(reader.id) is Outcome.ADDRESS
    assert await side.undo(reader.id, "elsewhere") is Outcome.ADDRESS


async def test_there_is_nothing_to_undo_for_a_reader_and_for_nobody(database, side):
    reader = await side.come_in()
    assert await side.undo(reader.id) is Outcome.QUIET
    assert await side.undo(reader.id + 1) is None
    assert await side.letters() == []


async def test_a_form_is_counted_under_the_newest_key_and_found_under_each(database, side):
    await side.ask()
    (attempt,) = await rows(database, signup_attempts)
    assert attempt.address == fingerprints(ANN)[-1]
    assert KEY not in attempt.address
