"""Behind mailed links: pages that ask, and presses that do; never by opening them."""

import asyncio
import re

import pytest
from sqlalchemy import select

from mailer.core.subscription import State
from mailer.core.tokens import Claim, Purpose, Wish, seal, seal_wish
from mailer.store import suppressions
from mailer.store.tables import subscribers
from tests.flows.readers_side import fingerprints
from tests.stories import KEY, MONDAY, join
from tests.web.house import House

ANN, NEW = "ann@example.com", "new@example.org"
WRONG = "This link is not whole"


@pytest.fixture
async def house(database, clock):
    async with House(database, clock) as made:
        yield made


def heading(answer):
    return re.sub(r"<[^>]+>", "", re.search(r"<h1>(.*?)</h1>", answer.text)[1]).strip()


async def asked(house, **fields):
    """The path of a confirmation's link."""
    await house.form(fields=fields)
    return f"/confirm/{(await house.letter('confirm')).tokens['confirm']}"


async def test_a_page_asks_with_one_focused_button_and_the_button_subscribes(house):
    path = await asked(house)
    page = await house.get(path)
    assert page.status_code == 200
    assert page.text.count("<button") == 1
    assert "autofocus" in page.text
    assert ANN not in page.text, "whoever has the link need not learn whose it is"
    assert (await house.reader()).state is State.PENDING
    done = await house.press_on(path, {"do": "confirm"})
    assert (done.status_code, heading(done)) == (200, "You are subscribed")
    assert (await house.reader()).state is State.ACTIVE
    own = re.search(r'href="(/preferences/[^"]+)"', done.text)
    assert (await house.get(own[1])).status_code == 200
    (letter,) = await house.letters()
    assert letter.kind == "welcome"


async def test_an_empty_press_subscribes_too(house):
    """A text browser may send a button without its name."""
    path = await asked(house)
    assert heading(await house.visit("POST", path)) == "You are subscribed"


async def test_a_second_press_says_already_confirmed(house):
    path = await asked(house)
    await house.press_on(path, {"do": "confirm"})
    for answer in (await house.get(path), await house.press_on(path, {"do": "confirm"})):
        assert (answer.status_code, heading(answer)) == (200, "Already confirmed")
        assert "<button" not in answer.text
    assert await house.events() == ["asked", "confirmed"]


async def test_presses_at_once_are_one_subscription(house):
    path = await asked(house)
    answers = await asyncio.gather(*(house.press_on(path, {"do": "confirm"}) for _ in range(20)))
    assert {answer.status_code for answer in answers} == {200}
    assert {heading(answer) for answer in answers} <= {"You are subscribed", "Already confirmed"}
    assert await house.events() == ["asked", "confirmed"]
    assert [letter.kind for letter in await house.letters()] == ["welcome"]


async def test_leaving_and_confirming_at_once_end_in_the_order_in_which_they_were_written(house):
    """Whichever comes last is refused by what the first one did, or ends what it began."""
    path = await asked(house)
    leave = await house.leave_link(page="one-click")
    await asyncio.gather(*(house.visit("POST", path if turn % 2 else leave) for turn in range(20)))
    assert (await house.reader()).state is State.UNSUBSCRIBED
    assert (await house.events()).count("unsubscribed") == 1
    assert [letter.kind for letter in await house.letters()] in (["goodbye"], [])


async def test_an_old_link_offers_a_new_one_which_is_limited(house):
    path = await asked(house)
    house.clock.move(days=8)
    page = await house.get(path)
    assert page.status_code == 200
    assert 'value="send"' in page.text
    pressed = await house.press_on(path, {"do": "confirm"})
    assert 'value="send"' in pressed.text
    assert (await house.reader()).state is State.PENDING
    answers = [await house.press_on(path, {"do": "send"}, ip=f"10.0.{place}.1") for place in range(5)]
    assert len({answer.text for answer in answers}) == 1
    assert len(await house.letters()) == 1


async def test_a_link_from_before_an_unsubscription_brings_nobody_back(house):
    path = await asked(house)
    await house.press_on(path)
    await house.visit("POST", await house.leave_link(page="one-click"))
    for answer in (await house.get(path), await house.press_on(path), await house.press_on(path, {"do": "send"})):
        assert answer.status_code == 200
        assert "<button" not in answer.text
        assert 'href="/subscribe"' in answer.text
    assert (await house.reader()).state is State.UNSUBSCRIBED
    assert {letter.kind for letter in await house.letters()} <= {"welcome", "goodbye"}


async def test_a_press_for_somebody_who_must_not_be_mailed_says_nothing_of_why(database, house):
    path = await asked(house)
    await database.write(suppressions.add, ANN, fingerprints, reason="asked_never", now=MONDAY)
    answer = await house.press_on(path)
    assert answer.status_code == 200
    assert (await house.reader()).state is State.PENDING


@pytest.mark.parametrize("page", ["confirm", "address", "erase"])
@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_a_token_that_is_not_whole_is_4xx_and_does_nothing(database, house, page, method):
    await join(database, "ann")
    purpose = {"confirm": Purpose.CONFIRM, "address": Purpose.MOVE, "erase": Purpose.ERASE}[page]
    whole = seal_wish(Wish(1, 1, int(MONDAY.timestamp())), purpose, KEY)
    other = next(one for one in (Purpose.CONFIRM, Purpose.MOVE) if one is not purpose)
    tokens = [
        whole[:-1],
        whole + "=",
        whole[:-1] + ("A" if whole[-1] != "A" else "B"),
        "2" + whole[1:],
        seal_wish(Wish(1, 1, int(MONDAY.timestamp())), other, KEY),
        seal_wish(Wish(1, 1, int(MONDAY.timestamp())), purpose, "another key"),
        seal(Claim(1, 1), Purpose.LEAVE, KEY),
        "x",
        "%00",
        "%F0%9F%98%80",
        "a" * 3000,
    ]
    before = await house.reader()
    for token in tokens:
        answer = await house.visit(method, f"/{page}/{token}")
        assert answer.status_code == 404, token
        assert answer.headers["content-type"].startswith("text/html")
    assert await house.reader() == before


async def test_the_page_speaks_the_readers_language_unless_another_is_asked_for(house):
    path = await asked(house, lang="de")
    assert '<html lang="de"' in (await house.get(path)).text
    assert '<html lang="de"' in (await house.get(path, headers={"Accept-Language": "es"})).text
    assert '<html lang="es"' in (await house.get(path, params={"lang": "es"})).text
    done = await house.press_on(path, {"do": "confirm", "lang": "ar"})
    assert '<html lang="ar"' in done.text
    assert (await house.reader()).language == "de"


async def test_a_page_for_nobody_speaks_the_browsers_language(house):
    assert '<html lang="es"' in (await house.get("/confirm/x", headers={"Accept-Language": "es"})).text
    assert '<html lang="en"' in (await house.get("/confirm/x", headers={"Accept-Language": "sv"})).text


# Never again.


async def test_never_asks_first_and_then_keeps_everything_away(database, house):
    await house.form()
    letter = await house.letter()
    path = f"/never/{letter.tokens['never']}"
    page = await house.get(path)
    assert (page.status_code, page.text.count("<button")) == (200, 1)
    assert ANN not in page.text
    assert await database.read(suppressions.reason_of, ANN, fingerprints) == ("", None)
    for _ in range(2):
        done = await house.press_on(path, {"do": "never"})
        assert (done.status_code, "<button" in done.text) == (200, False)
    assert (await database.read(suppressions.reason_of, ANN, fingerprints))[0] == "asked_never"
    house.clock.move(days=60)
    assert (await house.form()).status_code == 200
    assert await house.letters() == []


async def test_a_never_link_is_no_other_link(house):
    await house.form()
    token = (await house.letter()).tokens["never"]
    for page in ("unsubscribe", "one-click", "preferences", "confirm"):
        assert (await house.visit("POST", f"/{page}/{token}")).status_code == 404
    for token in ("x", seal(Claim(1, 1), Purpose.LEAVE, KEY), seal(Claim(1, 1), Purpose.NEVER, KEY)):
        for method in ("GET", "POST"):
            assert (await house.visit(method, f"/never/{token}")).status_code == 404
    assert (await house.reader()).state is State.PENDING


# Another address; everything erased.


async def test_an_address_is_changed_by_the_press_at_the_new_one(house):
    await house.come_in()
    await house.ask_to_move(NEW)
    path = f"/address/{(await house.letter()).tokens['address']}"
    page = await house.get(path)
    assert (page.status_code, page.text.count("<button")) == (200, 1)
    assert (await house.reader()).email == ANN
    assert (await house.press_on(path, {"do": "move"})).status_code == 200
    assert (await house.reader(NEW)).state is State.ACTIVE
    assert "<button" not in (await house.get(path)).text
    assert [(letter.kind, letter.to) for letter in await house.letters()] == [("moved", ANN)]


@pytest.mark.parametrize("what", ["taken", "expired", "stale"])
async def test_an_address_is_not_changed_where_it_may_not_be(house, what):
    await house.come_in()
    await house.ask_to_move(NEW)
    path = f"/address/{(await house.letter()).tokens['address']}"
    if what == "taken":
        house.clock.move(minutes=15)
        await house.form(NEW)
        await house.press_on(f"/confirm/{(await house.letter()).tokens['confirm']}")
    elif what == "expired":
        house.clock.move(days=8)
    else:
        await house.leave()
    answer = await house.press_on(path, {"do": "move"})
    assert answer.status_code == 200
    assert (await house.reader()).email == ANN
    assert NEW not in answer.text


async def test_everything_is_erased_by_a_press_and_by_nothing_before(database, house):
    await house.come_in()
    await house.ask_for("erase")
    leave = await house.leave_link()
    path = f"/erase/{(await house.letter()).tokens['erase']}"
    page = await house.get(path)
    assert (page.status_code, page.text.count("<button")) == (200, 1)
    assert await house.find() is not None
    done = await house.press_on(path, {"do": "erase"})
    assert done.status_code == 200
    assert await database.read(lambda c: c.execute(select(subscribers)).all()) == []
    assert (await database.read(suppressions.reason_of, ANN, fingerprints))[0] == "erased"
    # Links of theirs go on working: there is nobody any more.
    assert (await house.visit("POST", leave.replace("unsubscribe", "one-click"))).status_code == 200
    assert (await house.get(leave)).status_code == 200
    again = await house.press_on(path)
    assert (again.status_code, again.text) == (200, (await house.get(path)).text)
    assert "<button" not in again.text


async def test_an_old_link_erases_nobody(house):
    await house.come_in()
    await house.ask_for("erase")
    path = f"/erase/{(await house.letter()).tokens['erase']}"
    house.clock.move(days=8)
    old = await house.press_on(path)
    assert old.status_code == 200
    assert 'href="/preferences/' in old.text  # where a new one is asked for
    assert await house.find() is not None


async def test_whoever_is_asked_whether_to_be_erased_can_go_back_and_a_stranger_at_a_new_address_can_not(house):
    await house.come_in()
    await house.ask_for("erase")
    page = (await house.get(f"/erase/{(await house.letter()).tokens['erase']}")).text
    back = page.split('href="/preferences/')[1].split('"')[0]
    assert (await house.get(f"/preferences/{back}")).status_code == 200
    await house.ask_to_move(NEW)
    path = f"/address/{(await house.letter()).tokens['address']}"
    assert "/preferences/" not in (await house.get(path)).text
    house.clock.move(days=8)
    assert "/preferences/" not in (await house.get(path)).text
