"""A reader going by a link, pausing, changing; why they left; and the mails that say so."""

from datetime import timedelta

import pytest
from sqlalchemy import select

from mailer.core.subscription import State
from mailer.core.tokens import Claim, Wish
from mailer.errors import InputError, NotFound, Refused
from mailer.flows import erasing, subscribing
from mailer.flows.subscribing import CADENCES_OWN, Left
from mailer.store import notices as notice_store
from mailer.store.tables import notices, suppressions
from tests.flows.readers_side import THERE, Side, fingerprints
from tests.stories import DAY, MONDAY, WEEK, change, contents, join, make_edition, publish, standing, sums_hold

ANN = "ann@example.com"


@pytest.fixture
def side(database, clock) -> Side:
    return Side(database, clock)


async def leave_by(side, generation, *, subscriber=1, goodbye=True):
    return await subscribing.leave_by_link(
        side.database,
        Claim(subscriber, generation),
        now=side.clock(),
        about=side.about("one-click"),
        goodbye=goodbye,
    )


async def give_reason(side, reason="often", text="", *, subscriber=1):
    return await subscribing.give_reason(
        side.database,
        Claim(subscriber, 1),
        reason=reason,
        text=text,
        now=side.clock(),
        about=side.about(),
    )


async def test_leaving_ends_the_consent_at_once_and_says_goodbye(side):
    await side.come_in()
    assert await side.leave() is Left.LEFT
    gone = await side.reader()
    assert (gone.state, gone.generation, gone.paused_until) == (State.UNSUBSCRIBED, 2, None)
    last = (await side.record())[-1]
    assert (last.event, last.route, last.ip) == ("unsubscribed", "one-click", THERE)
    assert last.detail == "active -> unsubscribed"
    assert [letter.kind for letter in await side.letters()] == ["goodbye"]


async def test_leaving_again_says_so_and_writes_nothing(side):
    await side.come_in()
    await side.leave()
    await side.letters()
    before, events = await side.reader(), await side.events()
    side.clock.move(days=700)
    assert await leave_by(side, 1) is Left.ALREADY
    assert await leave_by(side, 2) is Left.ALREADY
    assert (await side.reader(), await side.events()) == (before, events)
    assert await side.letters() == []


async def test_a_link_of_an_earlier_subscription_leaves_too(side):
    await side.come_in()
    await side.leave()
    side.clock.move(minutes=15)
    await side.come_in()
    assert (await side.reader()).generation == 2
    assert await leave_by(side, 1) is Left.LEFT
    assert (await side.reader()).state is State.UNSUBSCRIBED


async def test_nobody_is_left_of_whom_was_erased(side):
    reader = await side.come_in()
    await erasing.erase(side.database, reader.id, now=side.clock(), fingerprints=fingerprints)
    assert await leave_by(side, 1, subscriber=reader.id) is Left.UNKNOWN
    assert await give_reason(side, subscriber=reader.id) is False
    assert await subscribing.forbid(
        side.database, Wish(1, 1, 0), now=side.clock(), about=side.about(), fingerprints=fingerprints
    ) is False  # fmt: skip


@pytest.mark.parametrize(("state", "goodbyes"), [("active", 1), ("paused", 1), ("pending", 0), ("bounced", 0)])
async def test_only_a_reader_is_told_goodbye(side, state, goodbyes):
    await join(side.database, "ann")
    await change(side.database, "ann", state=state)
    assert await side.leave() is Left.LEFT
    assert len(await side.letters()) == goodbyes


@pytest.mark.parametrize("state", ["unsubscribed", "complained"])
async def test_whoever_has_gone_stays_as_they_are(side, state):
    await join(side.database, "ann")
    await change(side.database, "ann", state=state)
    assert await side.leave() is Left.ALREADY
    assert (await side.reader()).state is State(state)


async def test_without_a_goodbye_in_the_settings_none_comes(side):
    await side.come_in()
    await side.leave(goodbye=False)
    assert await side.letters() == []


async def test_leaving_takes_hold_of_a_digest_and_of_other_mail_that_was_planned(database, side):
    await side.come_in()
    await publish(database, "one")
    await make_edition(database)
    await side.choose(cadence="daily")
    await side.ask_for("copy")
    await side.post()
    await side.leave()
    assert set((await standing(database)).values()) == {"skipped: unsubscribed"}
    assert [letter.kind for letter in await side.letters()] == ["goodbye"]
    await sums_hold(database)


async def test_mail_that_was_wanted_and_not_composed_yet_is_dropped(database, side):
    await side.come_in()
    await side.choose(cadence="daily")
    await side.ask_for("copy")
    await side.leave()
    assert [letter.kind for letter in await side.letters()] == ["goodbye"]
    dropped = await database.read(lambda c: c.execute(select(notices.c.kind, notices.c.dropped)).all())
    assert [tuple(row) for row in dropped][-3:] == [("changed", "not_wanted"), ("copy", "not_wanted"), ("goodbye", "")]


async def test_a_goodbye_is_not_said_to_somebody_who_is_back(side):
    await side.come_in()
    await side.leave()
    side.clock.move(minutes=15)
    await side.ask()
    await side.post()
    await side.press(await side.letter("confirm"))
    # Both were wanted at once; the goodbye left before they came back, or not at all.
    assert [letter.kind for letter in await side.letters()] == ["welcome"]


# Why they left.


async def test_a_reason_is_kept_once_for_each_time_they_left(side):
    await side.come_in()
    assert await give_reason(side) is False, "they have not left"
    await side.leave()
    assert await give_reason(side, "other", "  too much\nof\x00 it " + "x" * 400) is True
    assert await give_reason(side, "often") is False
    last = (await side.record())[-1]
    assert last.event == "reason"
    assert last.detail.startswith("other: too much of it")
    assert len(last.detail) <= 300 + len("other: ")
    side.clock.move(minutes=15)
    await side.come_in()
    assert await give_reason(side) is False
    await side.leave()
    assert await give_reason(side) is True


# Never again.


@pytest.mark.parametrize("state", ["pending", "active", "paused", "unsubscribed", "bounced", "complained"])
async def test_never_ends_everything_whatever_it_was(side, state):
    await join(side.database, "ann")
    await change(side.database, "ann", state=state)
    assert await side.forbid() is True
    reader = await side.reader()
    assert reader.state is (State.COMPLAINED if state == "complained" else State.UNSUBSCRIBED)
    rows = await side.database.read(lambda c: c.execute(select(suppressions)).all())
    assert [(row.email, row.reason) for row in rows] == [(ANN, "asked_never")]
    assert (await side.events())[-1] == "asked_never"
    before = await side.events()
    assert await side.forbid() is True
    assert await side.events() == before
    assert await side.letters() == []


async def test_never_takes_the_place_of_a_bounce_that_would_let_them_back(side):
    await join(side.database, "ann")
    await change(side.database, "ann", state="bounced")
    await side.database.write(
        lambda c: (
            c.execute(
                suppressions.insert().values(email=ANN, fingerprint=fingerprints(ANN)[0], reason="bounced", at=MONDAY)
            ).rowcount
        )
    )
    await side.forbid()
    side.clock.move(days=31)
    assert (await side.ask()).value == "barred"


async def test_never_goes_before_mail_that_is_on_its_way(side):
    await side.ask()
    await side.post()
    await side.forbid()
    assert await side.letters() == []


# Changing and pausing on one's own page.


async def test_every_change_is_in_the_record_and_one_mail_tells_of_them(side):
    await side.come_in(topics=("food",))
    kept = await side.choose(cadence="daily", topics=("heart", "lungs"), timezone="Asia/Tokyo", language="de", hour=18)
    assert (kept.cadence, kept.topics, kept.timezone) == ("daily", ("heart", "lungs"), "Asia/Tokyo")
    assert (kept.language, kept.hour) == ("de", 18)
    lines = [(one.event, one.detail, one.route) for one in (await side.record())[2:]]
    assert lines == [
        ("cadence", "weekly -> daily", "preferences"),
        ("timezone", "site -> Asia/Tokyo", "preferences"),
        ("language", "site -> de", "preferences"),
        ("topics", "food -> heart, lungs", "preferences"),
        ("hour", "the cadence's -> 18:00", "preferences"),
    ]
    letter = await side.letter()
    assert (letter.kind, letter.language) == ("changed", "de")
    assert "Heart" in letter.text


async def test_a_mail_names_the_topics_only_where_they_changed(side):
    await side.come_in(topics=("food",))
    await side.choose(cadence="daily")
    assert "Nutrition" not in (await side.letter()).text
    await side.choose(topics=("food", "heart"))
    assert "Nutrition" in (await side.letter()).text


async def test_an_hour_of_their_own_can_be_given_up(side):
    await side.come_in()
    assert (await side.choose(hour=0)).hour == 0
    assert (await side.choose(hour=CADENCES_OWN)).hour is None
    assert (await side.choose(hour=CADENCES_OWN)).hour is None
    assert (await side.events())[2:] == ["hour", "hour"]


async def test_what_is_so_already_is_not_written_and_not_told(side):
    reader = await side.come_in()
    assert await side.choose(cadence="weekly", topics=(), timezone="", language="", hour=CADENCES_OWN) == reader
    assert await side.events() == ["asked", "confirmed"]
    assert await side.letters() == []


async def test_without_telling_in_the_settings_no_mail_comes(side):
    await side.come_in()
    await side.choose(cadence="daily", tell=False)
    assert await side.letters() == []


async def test_whoever_goes_on_changing_is_told_three_times_a_day(side):
    await side.come_in()
    told = 0
    for place in range(8):
        await side.choose(cadence=("daily", "weekly")[place % 2])
        told += len(await side.letters())
        side.clock.move(minutes=10)
    assert told == 3
    side.clock.move(days=1)
    await side.choose(cadence="monthly")
    assert (await side.letter()).kind == "changed"


async def test_several_changes_before_a_mail_left_are_one_mail_with_the_last_word(side):
    await side.come_in()
    await side.choose(cadence="daily")
    await side.choose(cadence="monthly")
    assert await side.database.read(notice_store.wanted_already, "changed", 1)
    letter = await side.letter()
    assert "monthly" in letter.text.lower()


async def test_a_change_back_before_the_mail_left_is_told_as_it_stands(side):
    await side.come_in()
    await side.choose(cadence="daily")
    await side.choose(cadence="weekly")
    assert "weekly" in (await side.letter()).text.lower()


async def test_a_pause_keeps_back_what_was_planned_and_gives_it_afterwards(database, side, clock):
    await side.come_in()
    await publish(database, "one")
    await make_edition(database)
    until = MONDAY + WEEK
    assert (await side.choose(pause_until=until)).state is State.PAUSED
    assert (await standing(database))["ann"] == "skipped: paused"
    told = await side.letter()
    assert told.kind == "changed"
    assert "30 November" in told.text
    await publish(database, "two")
    planned = await make_edition(database, now=until)
    assert (await contents(database, planned.edition.id))["ann"] == ["two", "one"]


async def test_a_pause_is_ended_by_resuming(side):
    await side.come_in()
    await side.choose(pause_until=MONDAY + WEEK)
    back = await side.choose(resume=True)
    assert (back.state, back.paused_until) == (State.ACTIVE, None)
    assert (await side.events())[2:] == ["paused", "resumed"]


@pytest.mark.parametrize(
    ("wish", "error"),
    [
        ({"resume": True}, InputError),
        ({"pause_until": MONDAY}, InputError),
        ({"pause_until": MONDAY + DAY, "resume": True}, InputError),
        ({"cadence": "daily", "resume": True}, InputError),
    ],
)
async def test_a_change_that_makes_no_sense_is_refused_whole(side, wish, error):
    reader = await side.come_in()
    with pytest.raises(error):
        await side.choose(**wish)
    assert await side.reader() == reader
    assert await side.letters() == []


@pytest.mark.parametrize("state", ["unsubscribed", "bounced", "complained"])
async def test_nothing_is_changed_for_somebody_who_has_gone(side, state):
    await join(side.database, "ann")
    await change(side.database, "ann", state=state)
    with pytest.raises(Refused):
        await side.choose(cadence="daily")
    with pytest.raises(NotFound):
        await subscribing.choose(
            side.database, 99, subscribing.Wish(cadence="daily"), now=MONDAY, about=side.about(), tell=True
        )


async def test_a_pause_brings_nobody_in_who_has_not_confirmed(side):
    await side.ask()
    with pytest.raises(Refused, match="has not confirmed yet"):
        await side.choose(pause_until=MONDAY + timedelta(days=3))
    assert (await side.reader()).state is State.PENDING
