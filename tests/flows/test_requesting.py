"""What a reader asks for on their page and gets by mail: another address, what we hold, to be erased."""

import pytest
from sqlalchemy import func, select

from mailer.core.confirmation import Standing
from mailer.core.signup import Outcome
from mailer.core.subscription import State
from mailer.store import signups, suppressions
from mailer.store.tables import confirmations, notices, signup_attempts, subscribers
from tests.flows.readers_side import THERE, Side, fingerprints
from tests.stories import MONDAY, change, join

ANN, NEW = "ann@example.com", "new@example.org"


@pytest.fixture
async def side(database, clock) -> Side:
    made = Side(database, clock)
    await made.come_in()
    return made


async def wishes(side):
    return await side.database.read(lambda c: c.execute(select(confirmations.c.kind)).scalars().all())


async def test_a_new_address_is_asked_and_nothing_has_changed_yet(side):
    before = await side.reader()
    assert await side.ask_to_move(NEW) is Outcome.CONFIRM
    assert await side.reader() == before
    letter = await side.letter()
    assert (letter.kind, letter.to) == ("move", NEW)
    assert ANN not in letter.text
    assert (await side.events())[-1] == "asked to move"
    assert NEW not in str(await side.record())


async def test_an_address_that_somebody_typed_and_nobody_confirmed_stands_in_nobodys_way(side):
    await side.ask(NEW, network="elsewhere")
    await side.letters()
    side.clock.move(minutes=15)
    assert await side.ask_to_move(NEW) is Outcome.CONFIRM
    await side.press(await side.letter(), "move")
    assert (await side.reader(NEW)).state is State.ACTIVE
    count = select(func.count()).select_from(subscribers)
    assert await side.database.read(lambda c: c.execute(count).scalar_one()) == 1


@pytest.mark.parametrize("state", ["active", "paused", "unsubscribed", "bounced", "complained"])
async def test_an_address_that_was_ever_subscribed_gets_no_mail_and_nobody_is_told(side, state):
    await join(side.database, NEW)
    await change(side.database, NEW, state=state)
    side.clock.move(minutes=15)
    assert await side.ask_to_move(NEW) in {Outcome.QUIET, Outcome.BARRED}
    assert await wishes(side) == ["join"]
    assert await side.letters() == []


@pytest.mark.parametrize("reason", ["bounced", "erased", "asked_never", "complained"])
async def test_a_suppressed_address_gets_no_mail_by_this_way(side, reason):
    await side.database.write(suppressions.add, NEW, fingerprints, reason=reason, now=MONDAY)
    assert await side.ask_to_move(NEW) is Outcome.BARRED
    side.clock.move(days=60)
    assert await side.ask_to_move(NEW) is Outcome.BARRED
    assert await wishes(side) == ["join"]


async def test_asking_at_an_address_is_within_the_limits_of_a_form(side):
    assert await side.ask_to_move(NEW) is Outcome.CONFIRM
    assert await side.ask_to_move(NEW) is Outcome.ADDRESS
    assert await side.ask(NEW, network="elsewhere") is Outcome.ADDRESS
    for place in range(2):
        await side.ask_to_move(f"x{place}@example.org")
    # The form by which they came in was the first from there.
    assert await side.ask_to_move("y@example.org") is Outcome.NETWORK
    assert [letter.to for letter in await side.letters()] == [NEW, "x0@example.org", "x1@example.org"]
    outcomes = await side.database.read(
        lambda c: c.execute(select(signup_attempts.c.outcome).order_by(signup_attempts.c.id)).scalars().all()
    )
    assert outcomes == ["confirmed", "confirm", "address", "address", "confirm", "confirm", "network"]


async def test_while_confirmations_are_held_this_one_is_too(side):
    await side.database.write(signups.hold, MONDAY)
    assert await side.ask_to_move(NEW) is Outcome.HELD
    assert await side.letters() == []
    held = await side.database.read(lambda c: c.execute(select(notices.c.kind).where(notices.c.held)).scalars().all())
    assert held == ["move"]


async def test_a_burst_of_moves_puts_the_instance_into_holding_as_well(database, side):
    side.options = side.options.model_copy(update={"burst": 1})
    assert await side.ask_to_move("first@example.org") is Outcome.CONFIRM
    assert await side.ask_to_move(NEW) is Outcome.HELD
    assert await database.read(signups.held_since) == MONDAY


async def test_what_we_hold_is_mailed_with_the_record_and_to_the_reader_alone(side):
    await side.choose(topics=("heart",), tell=False)
    assert await side.ask_for("copy") is True
    letter = await side.letter()
    assert (letter.kind, letter.to) == ("copy", ANN)
    for part in (ANN, "Heart", "Confirmed the subscription", "Asked what we hold"):
        assert part in letter.text
    for part in (
        "Changed the topics · All → Heart",
        "By way of: A link in a mail",
        "Version of what you read: ",
        f"IP address: {THERE}",
        "Browser: Browser 1.0",
        "Message-ID of the mail: ",
    ):
        assert part in letter.text


async def test_erasing_is_asked_by_mail_and_nothing_is_erased_yet(side):
    before = await side.reader()
    assert await side.ask_for("erase") is True
    letter = await side.letter()
    assert letter.kind == "erase"
    assert set(letter.tokens) >= {"erase"}
    assert await side.reader() == before
    pressed = await side.press(letter.wish(), "join")
    assert pressed.standing is Standing.WRONG


@pytest.mark.parametrize("kind", ["copy", "erase"])
async def test_three_of_them_a_day(side, kind):
    assert [await side.ask_for(kind) for _ in range(5)] == [True] * 3 + [False] * 2
    assert len(await side.letters()) == 3
    side.clock.move(days=1)
    assert await side.ask_for(kind) is True


@pytest.mark.parametrize("kind", ["copy", "erase"])
@pytest.mark.parametrize("state", ["pending", "unsubscribed", "bounced", "complained"])
async def test_whoever_is_not_on_the_list_can_not_ask(side, kind, state):
    await change(side.database, "ann", state=state)
    assert await side.ask_for(kind) is False
    assert await side.letters() == []


@pytest.mark.parametrize("kind", ["copy", "erase"])
async def test_a_paused_reader_can_ask(side, kind):
    await change(side.database, "ann", state=State.PAUSED.value)
    assert await side.ask_for(kind) is True
    assert (await side.letter()).kind == kind
