"""The press behind a mailed link: what it begins, and all that it must not bring back."""

from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import insert, select, update

from mailer.core.confirmation import Standing
from mailer.core.signup import Outcome
from mailer.core.subscription import State
from mailer.flows import erasing, subscribing
from mailer.store import notices, suppressions
from mailer.store.tables import confirmations, deliveries
from mailer.store.tables import suppressions as suppressed
from tests.flows.readers_side import THERE, Side, fingerprints
from tests.flows.scripted import ACCEPTED, LATER
from tests.stories import DAY, MONDAY, WEEK, change, contents, join, make_edition, publish, send

ANN, NEW = "ann@example.com", "new@example.org"


@pytest.fixture
def side(database, clock) -> Side:
    return Side(database, clock)


async def looked_up(side, letter, kind="join"):
    return (
        await subscribing.look_up(side.database, letter.wish(), kind, now=side.clock(), days=side.options.link_days)
    ).standing


async def test_a_press_begins_the_subscription_with_what_was_asked(side):
    await side.ask(pace="daily", topics=("heart",), timezone="Europe/Berlin", language="de")
    letter = await side.letter()
    assert (letter.kind, letter.to, letter.language) == ("confirm", ANN, "de")
    side.clock.move(hours=3)
    pressed = await side.press(letter)
    assert pressed.standing is Standing.DONE
    reader = await side.reader()
    assert pressed.reader == reader
    assert (reader.state, reader.cadence, reader.topics) == (State.ACTIVE, "daily", ("heart",))
    assert (reader.timezone, reader.language) == ("Europe/Berlin", "de")
    assert (reader.joined_at, reader.given, reader.generation) == (MONDAY + timedelta(hours=3), None, 1)
    welcome = await side.letter()
    assert (welcome.kind, welcome.language) == ("welcome", "de")


async def test_the_record_proves_the_consent_with_the_message_id_of_the_mail_that_was_sent(side):
    await side.ask()
    letter = await side.letter()
    await side.press(letter)
    asked, confirmed = await side.record()
    assert (asked.event, asked.message_id) == ("asked", "")
    assert (confirmed.event, confirmed.route, confirmed.ip) == ("confirmed", "link", THERE)
    assert confirmed.message_id == letter.message_id
    assert (confirmed.agent, confirmed.detail) == ("Browser 1.0", "weekly")


async def test_without_a_welcome_in_the_settings_none_comes(database, clock):
    side = Side(database, clock, welcome=False)
    await side.ask()
    await side.press(await side.letter())
    assert await side.letters() == []


async def test_a_second_press_is_already_confirmed_and_writes_nothing(side):
    await side.ask()
    letter = await side.letter()
    await side.press(letter)
    before, events = await side.reader(), await side.events()
    side.clock.move(days=30)
    assert await looked_up(side, letter) is Standing.DONE
    assert (await side.press(letter)).standing is Standing.DONE
    assert (await side.reader(), await side.events()) == (before, events)
    assert [letter.kind for letter in await side.letters()] == ["welcome"]


async def test_of_two_links_the_second_that_is_pressed_is_already_confirmed(side):
    await side.ask(pace="weekly")
    first = await side.letter()
    side.clock.move(minutes=15)
    await side.ask(pace="daily")
    second = await side.letter()
    await side.press(second)
    assert await looked_up(side, first) is Standing.DONE
    assert (await side.press(first)).standing is Standing.DONE
    assert (await side.reader()).cadence == "daily"
    assert await side.events() == ["asked", "asked", "confirmed"]
    assert [letter.kind for letter in await side.letters()] == ["welcome"]


@pytest.mark.parametrize("used", [True, False])
async def test_an_old_link_does_not_revive_a_later_unsubscription(side, used):
    await side.ask()
    first = await side.letter()
    side.clock.move(minutes=15)
    await side.ask()
    second = await side.letter()
    await side.press(second)
    await side.leave()
    gone = await side.reader()
    old = second if used else first
    assert await looked_up(side, old) is Standing.STALE
    assert (await side.press(old)).standing is Standing.STALE
    assert await side.send_again(old) is None
    assert await side.reader() == gone
    assert gone.state is State.UNSUBSCRIBED


async def test_an_old_link_does_nothing_beside_a_new_asking_or_a_new_subscription(side):
    await side.ask()
    old = await side.letter()
    await side.leave()
    side.clock.move(minutes=15)
    await side.ask(pace="daily")
    new = await side.letter()
    assert (await side.press(old)).standing is Standing.STALE
    assert (await side.reader()).state is State.UNSUBSCRIBED
    await side.press(new)
    assert (await side.press(old)).standing is Standing.STALE
    assert (await side.reader()).cadence == "daily"


async def test_a_link_is_over_after_its_days_and_a_new_one_can_be_had(side):
    await side.ask(pace="daily", topics=("food",))
    letter = await side.letter()
    side.clock.move(days=7)
    assert await looked_up(side, letter) is Standing.ASK
    side.clock.move(seconds=1)
    assert (await side.press(letter)).standing is Standing.EXPIRED
    assert (await side.reader()).state is State.PENDING
    assert await side.send_again(letter) is Outcome.CONFIRM
    fresh = await side.letter()
    assert (await side.press(letter)).standing is Standing.EXPIRED
    await side.press(fresh)
    reader = await side.reader()
    assert (reader.state, reader.cadence, reader.topics) == (State.ACTIVE, "daily", ("food",))
    # And the old one says that there is nothing more to do.
    assert await looked_up(side, letter) is Standing.DONE
    assert await side.send_again(letter) is None


async def test_a_pace_that_is_offered_no_more_is_not_asked_for_again(side):
    await side.ask(pace="hourly")
    letter = await side.letter()
    side.clock.move(days=8)
    assert await side.send_again(letter) is Outcome.CONFIRM
    await side.press(await side.letter())
    assert (await side.reader()).cadence == "weekly"


async def test_sending_again_is_within_the_limits_of_a_form(side):
    await side.ask()
    letter = await side.letter()
    assert await side.send_again(letter) is None, "it works still"
    side.clock.move(days=8)
    assert await side.send_again(letter) is Outcome.CONFIRM
    assert await side.send_again(letter) is Outcome.ADDRESS
    assert len(await side.letters()) == 1
    outcomes = []
    for place in range(60):
        side.clock.move(minutes=5)
        outcomes.append(await side.send_again(letter, f"net {place}"))
    assert outcomes.count(Outcome.CONFIRM) == 2


async def test_the_time_of_a_link_runs_from_its_mail_and_not_from_its_asking(database, clock):
    side = Side(database, clock, burst=1)
    await side.ask("bob")
    await side.letters()
    await side.ask("ann")
    clock.move(days=20)
    await database.write(notices.release)
    letter = await side.letter()
    clock.move(days=7)
    assert (await side.press(letter)).standing is Standing.DONE


async def test_a_link_of_another_kind_or_to_nothing_is_wrong(side):
    await side.ask()
    wish = (await side.letter()).wish()
    for kind in ("move", "erase"):
        assert (await side.press(wish, kind)).standing is Standing.WRONG
    assert (await side.press(None)).standing is Standing.WRONG
    assert (await side.press(replace(wish, confirmation=999))).standing is Standing.WRONG
    assert (await side.reader()).state is State.PENDING


@pytest.mark.parametrize("reason", ["asked_never", "complained", "bounced"])
async def test_whoever_must_not_be_mailed_meanwhile_is_not_brought_in(side, reason):
    await side.ask()
    letter = await side.letter()
    await side.database.write(suppressions.add, ANN, fingerprints, reason=reason, now=side.clock())
    assert (await side.press(letter)).standing is Standing.STALE
    assert (await side.reader()).state is State.PENDING
    assert await side.letters() == []


async def test_a_complaint_that_came_meanwhile_counts(side):
    await side.ask()
    letter = await side.letter()
    await change(side.database, "ann", state="complained")
    assert (await side.press(letter)).standing is Standing.STALE
    assert (await side.reader()).state is State.COMPLAINED


async def test_never_stays_never_whichever_link_is_pressed(side):
    await side.ask()
    letter = await side.letter()
    assert letter.wish("never").confirmation == letter.wish().confirmation
    assert await side.forbid() is True
    assert (await side.press(letter)).standing is Standing.STALE
    side.clock.move(days=400)
    assert await side.ask() is Outcome.BARRED
    assert await side.letters() == []


async def test_whoever_was_erased_meanwhile_is_not_brought_back(side):
    await side.ask()
    letter = await side.letter()
    reader = await side.reader()
    await erasing.erase(side.database, reader.id, now=side.clock(), fingerprints=fingerprints)
    assert (await side.press(letter)).standing is Standing.WRONG
    assert await side.send_again(letter) is None
    assert await side.find() is None


# What comes after coming back (decision 0013).


async def test_whoever_comes_for_the_first_time_gets_the_whole_window(database, side, clock):
    await join(database, "old")
    await publish(database, "one")
    await make_edition(database)
    await send(database, side.relay, clock)
    await publish(database, "two")
    await side.come_in()
    edition = (await make_edition(database, now=MONDAY + WEEK)).edition
    assert (await contents(database, edition.id))["ann"] == ["two"]


async def test_whoever_comes_back_begins_anew_and_nothing_comes_twice(database, side, clock):
    await join(database, "old")
    await side.come_in()
    await publish(database, "one")
    first = (await make_edition(database)).edition
    await send(database, side.relay, clock)
    assert (await contents(database, first.id))["ann"] == ["one"]
    await side.leave()
    await publish(database, "two")
    clock.now = MONDAY + WEEK
    await make_edition(database, now=clock())
    await send(database, side.relay, clock)
    await publish(database, "three")
    await side.come_in()
    clock.now = MONDAY + 2 * WEEK
    third = (await make_edition(database, now=clock())).edition
    found = await contents(database, third.id)
    # What the others had a week ago is over; what came since is theirs.
    assert found == {"old": ["three"], "ann": ["three"]}


async def test_whoever_comes_back_at_once_gets_nothing_a_second_time(database, side, clock):
    await join(database, "old")
    await side.come_in(pace="daily")
    await publish(database, "one")
    await publish(database, "two")
    await make_edition(database, "daily")
    await send(database, side.relay, clock)
    assert (await side.reader()).given == 2
    await side.leave()
    await side.letters()
    clock.move(minutes=15)
    # Weekly has had no edition yet: it is their own watermark that counts.
    await side.come_in(pace="weekly")
    assert (await side.reader()).given == 2
    await publish(database, "three")
    edition = (await make_edition(database, now=MONDAY + WEEK)).edition
    assert (await contents(database, edition.id))["ann"] == ["three"]


async def test_what_an_unfinished_edition_gave_does_not_come_again_at_another_pace(database, side, clock):
    """It is not in the reader's row yet, because another reader's copy is still being tried."""
    await side.come_in(pace="daily")
    await join(database, "bob", pace="daily")
    await publish(database, "one")
    side.relay.script = lambda mail: LATER if mail.recipient.startswith("bob") else ACCEPTED
    await make_edition(database, "daily")
    await send(database, side.relay, clock)
    await side.leave()
    clock.move(minutes=15)
    await side.come_in(pace="weekly")
    await publish(database, "two")
    edition = (await make_edition(database, now=MONDAY + WEEK)).edition
    assert (await contents(database, edition.id))["ann"] == ["two"]


# Another address.


async def test_a_new_address_is_asked_and_the_old_one_told(side):
    reader = await side.come_in(pace="daily", topics=("food",))
    assert await side.ask_to_move(NEW) is Outcome.CONFIRM
    letter = await side.letter()
    assert (letter.kind, letter.to) == ("move", NEW)
    assert await side.reader() == reader
    pressed = await side.press(letter, "move")
    assert pressed.standing is Standing.DONE
    moved = await side.reader(NEW)
    assert moved == replace(reader, email=NEW)
    assert pressed.reader == moved
    told = await side.letter()
    assert (told.kind, told.to) == ("moved", ANN)
    assert NEW not in told.text
    last = (await side.record(NEW))[-1]
    assert (last.event, last.message_id) == ("address", letter.message_id)
    assert (await side.press(letter, "move")).standing is Standing.DONE
    assert await side.letters() == []


async def test_the_digest_goes_to_the_new_address_from_then_on(database, side, clock):
    await side.come_in()
    await publish(database, "one")
    await make_edition(database)
    await side.ask_to_move(NEW)
    digest = update(deliveries).where(deliveries.c.purpose == "digest")
    # Planned for the old one, and not sent before the new one is confirmed.
    waits = digest.values(state="deferred", next_at=MONDAY + DAY)
    await database.write(lambda c: c.execute(waits).rowcount)
    await side.press(await side.letter(), "move")
    await database.write(lambda c: c.execute(digest.values(state="pending")).rowcount)
    assert {(letter.kind, letter.to) for letter in await side.letters()} == {("moved", ANN), ("digest", NEW)}


async def test_an_address_that_was_taken_meanwhile_is_not_taken_away(side):
    await side.come_in()
    await side.ask_to_move(NEW)
    letter = await side.letter()
    side.clock.move(minutes=15)
    await side.ask(NEW)
    await side.press(await side.letter())
    pressed = await side.press(letter, "move")
    assert pressed.taken
    assert (await side.reader()).email == ANN
    assert (await side.reader(NEW)).state is State.ACTIVE
    assert [one.kind for one in await side.letters()] == ["welcome"]
    asked = select(confirmations.c.confirmed_at).where(confirmations.c.kind == "move")
    assert await side.database.read(lambda c: c.execute(asked).scalars().all()) == [None]


@pytest.mark.parametrize("by_hash", [False, True])
async def test_an_address_that_must_not_be_mailed_meanwhile_is_not_moved_to(side, by_hash):
    await side.come_in()
    await side.ask_to_move(NEW)
    letter = await side.letter()
    values = {"email": None if by_hash else NEW, "fingerprint": fingerprints(NEW)[0], "reason": "asked_never"}
    await side.database.write(lambda c: c.execute(insert(suppressed).values(at=MONDAY, **values)).rowcount)
    assert (await side.press(letter, "move")).taken
    assert (await side.reader()).email == ANN


async def test_a_move_is_over_once_its_reader_has_left(side):
    await side.come_in()
    await side.ask_to_move(NEW)
    letter = await side.letter()
    await side.leave()
    assert (await side.press(letter, "move")).standing is Standing.STALE
    assert (await side.reader()).state is State.UNSUBSCRIBED
    assert await side.find(NEW) is None


async def test_a_move_is_over_after_its_days(side):
    await side.come_in()
    await side.ask_to_move(NEW)
    letter = await side.letter()
    side.clock.move(days=7, seconds=1)
    assert (await side.press(letter, "move")).standing is Standing.EXPIRED
    assert (await side.reader()).email == ANN
