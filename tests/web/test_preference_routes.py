"""A reader's own page: every press of it, every mistake, and what nobody else may do there."""

import re
from datetime import date, timedelta

import pytest
from sqlalchemy import select

from mailer.core.subscription import State
from mailer.core.tokens import Claim, Purpose, seal
from mailer.flows import erasing
from mailer.store.tables import confirmations, notices, signup_attempts
from tests.flows.readers_side import fingerprints
from tests.stories import DAY, KEY, MONDAY, change, join
from tests.web.house import House

ANN, NEW = "ann@example.com", "new@example.org"
TODAY = MONDAY.date()


@pytest.fixture
async def house(database, clock):
    async with House(database, clock) as made:
        await join(database, "ann")
        yield made


def save(**fields):
    """The form as it is shown to a reader who has changed nothing."""
    return {"do": "save", "cadence": "weekly", "topics": [], "timezone": "", "hour": "", "language": ""} | fields


def heading(answer):
    return re.sub(r"<[^>]+>", "", re.search(r"<h1>(.*?)</h1>", answer.text, re.DOTALL)[1]).strip()


async def test_the_page_shows_what_a_reader_gets_and_not_who_they_are(house):
    await change(house.database, "ann", cadence="daily", topics=["heart"], timezone="Asia/Tokyo", hour=18)
    page = await house.get(await house.own_link())
    assert page.status_code == 200
    assert ANN not in page.text
    assert re.search(r'value="daily"[^>]* checked', page.text)
    assert re.search(r'value="heart" checked', page.text)
    assert re.search(r'<option value="18" selected>', page.text)
    assert re.search(r"<option[^>]* selected>\s*Asia/Tokyo", page.text)
    assert await house.events() == ["imported"]


async def test_saving_changes_all_at_once_and_says_so(house):
    path = await house.own_link()
    answer = await house.press_on(
        path,
        save(cadence="daily", topics=["lungs", "heart"], timezone="Asia/Tokyo", hour="6", language="de"),
    )
    assert answer.status_code == 200
    reader = await house.reader()
    assert (reader.cadence, reader.topics, reader.timezone) == ("daily", ("heart", "lungs"), "Asia/Tokyo")
    assert (reader.hour, reader.language) == (6, "de")
    assert '<html lang="de"' in answer.text, "they have just chosen it"
    assert 'role="status"' in answer.text
    letter = await house.letter()
    assert (letter.kind, letter.language) == ("changed", "de")
    assert house.woken == 1
    back = await house.press_on(path, save(lang="de"))
    assert back.status_code == 200
    reader = await house.reader()
    assert (reader.cadence, reader.topics, reader.timezone, reader.hour, reader.language) == (
        "weekly",
        (),
        "",
        None,
        "",
    )


async def test_saving_what_is_so_already_is_said_and_not_written(house):
    answer = await house.press_on(await house.own_link(), save())
    assert answer.status_code == 200
    assert await house.events() == ["imported"]
    assert await house.letters() == []


@pytest.mark.parametrize(
    ("fields", "field", "sentence"),
    [
        ({"cadence": "hourly"}, "cadence", "Choose how often you would like updates"),
        ({"cadence": ""}, "cadence", "Choose how often you would like updates"),
        ({"topics": ["politics"]}, "topics", "Choose topics from the list"),
        ({"timezone": "Mars/Olympus"}, "timezone", "Choose a time zone from the list"),
        ({"hour": "24"}, "hour", "Choose an hour from the list"),
        ({"hour": "-1"}, "hour", "Choose an hour from the list"),
        ({"hour": "٣"}, "hour", "Choose an hour from the list"),
        ({"language": "sv"}, "language", "Choose a language from the list"),
    ],
)
async def test_what_is_wrong_is_said_at_its_field_and_nothing_is_changed(house, fields, field, sentence):
    before = await house.reader()
    typed = save(cadence="daily", topics=["heart"]) | fields
    answer = await house.press_on(await house.own_link(), typed)
    assert answer.status_code == 422
    assert f'id="{field}-error"' in answer.text
    assert sentence in answer.text
    if field != "cadence":
        assert re.search(r'value="daily"[^>]* checked', answer.text), "what was chosen is not lost"
    if field != "topics":
        assert re.search(r'value="heart" checked', answer.text)
    assert await house.reader() == before
    assert await house.letters() == []


@pytest.mark.parametrize(
    ("fields", "until"),
    [
        ({"weeks": "2"}, TODAY + timedelta(weeks=2)),
        ({"weeks": "4"}, TODAY + timedelta(weeks=4)),
        ({"weeks": "8"}, TODAY + timedelta(weeks=8)),
        ({"until": "2026-11-24"}, date(2026, 11, 24)),
        ({"until": "2027-11-23"}, date(2027, 11, 23)),
    ],
)
async def test_a_pause_is_until_the_morning_of_a_day_and_can_be_ended(house, fields, until):
    path = await house.own_link()
    answer = await house.press_on(path, {"do": "pause", **fields})
    assert answer.status_code == 200
    reader = await house.reader()
    assert reader.state is State.PAUSED
    assert reader.paused_until == MONDAY.replace(hour=0) + (until - TODAY)
    assert 'value="resume"' in (await house.get(path)).text
    assert (await house.press_on(path, {"do": "resume"})).status_code == 200
    assert (await house.reader()).state is State.ACTIVE
    assert (await house.press_on(path, {"do": "resume"})).status_code == 200
    assert await house.events() == ["imported", "paused", "resumed"]


async def test_a_pause_ends_in_the_morning_where_the_reader_is(house):
    await change(house.database, "ann", timezone="Asia/Tokyo")
    await house.press_on(await house.own_link(), {"do": "pause", "until": "2026-12-01"})
    assert (await house.reader()).paused_until == MONDAY.replace(month=11, day=30, hour=15)


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"until": ""},
        {"until": "2026-11-23"},
        {"until": "2026-11-22"},
        {"until": "2028-01-01"},
        {"until": "9999-12-31"},
        {"until": "soon"},
        {"until": "0000-00-00"},
        {"weeks": "3"},
        {"weeks": "99999999999"},
        {"until": "\x00"},
    ],
)
async def test_a_pause_that_makes_no_sense_is_said(house, fields):
    answer = await house.press_on(await house.own_link(), {"do": "pause", **fields})
    assert answer.status_code == 422
    assert "Choose a date after today, at most a year from now" in answer.text
    assert (await house.reader()).state is State.ACTIVE


# Another address.


async def test_another_address_is_asked_for_by_mail_there(house):
    answer = await house.press_on(await house.own_link(), {"do": "move", "address": f" {NEW.upper()} "})
    assert answer.status_code == 200
    assert (await house.reader()).email == ANN
    letter = await house.letter()
    assert (letter.kind, letter.to) == ("move", NEW)


@pytest.mark.parametrize(
    ("typed", "sentence"),
    [
        ("", "Enter your email address"),
        ("new", "Enter an email address in the correct format"),
        ("a@b.example\r\nBcc: c@d.example", "Enter an email address in the correct format"),
        (ANN, "The digests go to this address already"),
        ("Ann@Example.com ", "The digests go to this address already"),
    ],
)
async def test_what_is_wrong_with_an_address_is_said(house, typed, sentence):
    answer = await house.press_on(await house.own_link(), {"do": "move", "address": typed})
    assert answer.status_code == 422
    assert sentence in answer.text
    assert await house.database.read(lambda c: c.execute(select(confirmations)).all()) == []


@pytest.mark.parametrize("state", ["active", "unsubscribed", "complained"])
async def test_nobody_learns_here_who_else_is_subscribed(house, state):
    path = await house.own_link()
    await join(house.database, "bob@example.org")
    await change(house.database, "bob@example.org", state=state)
    known = await house.press_on(path, {"do": "move", "address": "bob@example.org"})
    unknown = await house.press_on(path, {"do": "move", "address": NEW})
    assert known.status_code == unknown.status_code == 200
    assert known.text.replace("bob@example.org", NEW) == unknown.text
    assert {letter.to for letter in await house.letters()} == {NEW}


async def test_addresses_asked_for_here_are_counted_with_forms(house):
    path = await house.own_link()
    for place in range(4):
        await house.press_on(path, {"do": "move", "address": f"x{place}@example.org"})
    await house.form("y@example.org")
    await house.form("z@example.org")
    outcomes = await house.database.read(lambda c: c.execute(select(signup_attempts.c.outcome)).scalars().all())
    assert outcomes == ["confirm"] * 5 + ["network"]
    assert len(await house.letters()) == 5


# What we hold; erasing.


@pytest.mark.parametrize("what", ["copy", "erase"])
async def test_what_somebody_else_must_not_see_or_do_goes_by_mail(house, what):
    path = await house.own_link()
    answers = [await house.press_on(path, {"do": what}) for _ in range(5)]
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.text for answer in answers[:3]}) == len({answer.text for answer in answers[3:]}) == 1
    assert "Try again tomorrow" in answers[3].text
    assert ANN not in answers[0].text
    assert [letter.kind for letter in await house.letters()] == [what] * 3
    assert (await house.reader()).state is State.ACTIVE


@pytest.mark.parametrize("do", ["", "nonsense", "unsubscribe", "save "])
async def test_a_press_of_no_button_changes_nothing(house, do):
    answer = await house.press_on(await house.own_link(), save(do=do, cadence="daily"))
    assert answer.status_code == 422
    assert (await house.reader()).cadence == "weekly"


# Whose page it is.


@pytest.mark.parametrize("do", ["save", "pause", "resume", "move", "copy", "erase"])
@pytest.mark.parametrize("state", ["pending", "unsubscribed", "bounced", "complained", "older", "erased"])
async def test_a_page_of_a_subscription_that_has_ended_shows_and_changes_nothing(house, do, state):
    path = await house.own_link()
    if state == "erased":
        await erasing.erase(house.database, 1, now=MONDAY, fingerprints=fingerprints)
    elif state == "older":
        await change(house.database, "ann", generation=2)
    else:
        await change(house.database, "ann", state=state)
    before = await house.find()
    for answer in (
        await house.get(path),
        await house.press_on(path, save(do=do, cadence="daily", weeks="2", address=NEW)),
    ):
        assert answer.status_code == 200
        assert "<button" not in answer.text
        assert ANN not in answer.text
    assert await house.find() == before
    assert await house.letters() == []
    assert await house.database.read(lambda c: c.execute(select(notices)).all()) == []


async def test_a_token_that_is_not_whole_opens_nothing(house):
    whole = (await house.own_link()).rpartition("/")[2]
    tokens = [whole[:-1], whole + "=", "2" + whole[1:], seal(Claim(1, 1), Purpose.LEAVE, KEY), "x", "%00", "a" * 4000]
    before = await house.reader()
    for token in tokens:
        for answer in (
            await house.get(f"/preferences/{token}"),
            await house.press_on(f"/preferences/{token}", save(cadence="daily")),
            await house.get(f"/instead/daily/{token}"),
            await house.press_on(f"/instead/daily/{token}", {"do": "instead"}),
        ):
            assert answer.status_code == 404, token
    assert await house.reader() == before


async def test_the_page_speaks_the_readers_language_unless_another_is_asked_for(house):
    await change(house.database, "ann", language="de")
    path = await house.own_link()
    assert '<html lang="de"' in (await house.get(path, headers={"Accept-Language": "es"})).text
    assert '<html lang="es"' in (await house.get(path, params={"lang": "es"})).text
    assert '<html lang="es"' in (await house.press_on(path, {"do": "copy", "lang": "es"})).text
    assert (await house.record())[-1].language == "es"


# One link, one button: another pace.


async def test_another_pace_is_one_button_behind_a_link(house):
    path = f"/instead/monthly/{(await house.own_link()).rpartition('/')[2]}"
    page = await house.get(path)
    assert (page.status_code, page.text.count("<button")) == (200, 1)
    assert (await house.reader()).cadence == "weekly"
    done = await house.press_on(path, {"do": "instead"})
    assert done.status_code == 200
    assert (await house.reader()).cadence == "monthly"
    for again in (await house.get(path), await house.press_on(path, {"do": "instead"})):
        assert (again.status_code, "<button" in again.text) == (200, False)
    assert [letter.kind for letter in await house.letters()] == ["changed"]
    assert (await house.events()) == ["imported", "cadence"]


async def test_a_pace_that_is_not_offered_is_4xx(house):
    token = (await house.own_link()).rpartition("/")[2]
    for method in ("GET", "POST"):
        for pace in ("hourly", "%00", "WEEKLY", "a" * 300):
            assert (await house.visit(method, f"/instead/{pace}/{token}")).status_code == 404
    assert (await house.reader()).cadence == "weekly"


@pytest.mark.parametrize("state", ["pending", "unsubscribed", "bounced", "complained", "older", "erased"])
async def test_another_pace_is_nothing_for_somebody_who_has_gone(house, state):
    path = f"/instead/daily/{(await house.own_link()).rpartition('/')[2]}"
    if state == "erased":
        await erasing.erase(house.database, 1, now=MONDAY, fingerprints=fingerprints)
    elif state == "older":
        await change(house.database, "ann", generation=2)
    else:
        await change(house.database, "ann", state=state)
    before = await house.find()
    for answer in (await house.get(path), await house.press_on(path, {"do": "instead"})):
        assert (answer.status_code, "<button" in answer.text) == (200, False)
    assert await house.find() == before


async def test_a_pause_that_is_over_is_told_no_more(house):
    await change(house.database, "ann", state="paused", paused_until=MONDAY + 20 * DAY)
    path = await house.own_link()
    paused = (await house.get(path)).text
    house.clock.move(days=21)
    assert 'value="resume"' in paused
    assert 'value="resume"' not in (await house.get(path)).text


async def test_a_paused_reader_may_change_pace_and_stays_paused(house):
    await change(house.database, "ann", state="paused", paused_until=MONDAY + 20 * DAY)
    path = f"/instead/daily/{(await house.own_link()).rpartition('/')[2]}"
    await house.press_on(path, {"do": "instead"})
    reader = await house.reader()
    assert (reader.state, reader.cadence, reader.paused_until) == (State.PAUSED, "daily", MONDAY + 20 * DAY)


async def test_pausing_by_hand_and_saving_in_another_tab_do_not_undo_each_other(house):
    path = await house.own_link()
    await house.press_on(path, {"do": "pause", "weeks": "2"})
    await house.press_on(path, save(cadence="daily"))
    reader = await house.reader()
    assert (reader.state, reader.cadence) == (State.PAUSED, "daily")
    assert heading(await house.get(path))
