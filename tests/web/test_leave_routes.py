"""Leaving: one click without anything else (RFC 8058), and the page that people see."""

import re

import pytest

from mailer.core.subscription import State
from mailer.core.tokens import Claim, Purpose, seal
from mailer.flows import erasing
from tests.flows.readers_side import fingerprints
from tests.stories import DAY, KEY, MONDAY, change, join, make_edition, publish, standing
from tests.web.house import House

ANN = "ann@example.com"
URLENCODED = b"List-Unsubscribe=One-Click"
MULTIPART = (
    b'--frontier\r\nContent-Disposition: form-data; name="List-Unsubscribe"\r\n\r\nOne-Click\r\n--frontier--\r\n'
)


@pytest.fixture
async def house(database, clock):
    async with House(database, clock) as made:
        await join(database, "ann")
        yield made


def heading(answer):
    return re.sub(r"<[^>]+>", "", re.search(r"<h1>(.*?)</h1>", answer.text, re.DOTALL)[1]).strip()


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (URLENCODED, "application/x-www-form-urlencoded"),
        (MULTIPART, "multipart/form-data; boundary=frontier"),
        (b"", ""),
        (b"", "application/x-www-form-urlencoded"),
        (b"", "multipart/form-data"),
        (b"not a form", "multipart/form-data; boundary=other"),
        (b"{}", "application/json"),
        (b"\xff\xfe\x00", "application/octet-stream"),
    ],
)
async def test_one_click_leaves_whatever_the_body_is_and_again_and_again(house, body, content_type):
    path = await house.leave_link(page="one-click")
    headers = {"Content-Type": content_type} if content_type else {}
    for _ in range(3):
        answer = await house.visit("POST", path, content=body, headers=headers)
        assert answer.status_code == 200
        assert "location" not in answer.headers
    assert (await house.reader()).state is State.UNSUBSCRIBED
    assert (await house.events()).count("unsubscribed") == 1


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Origin": "https://mail.google.com", "Referer": "https://mail.google.com/"},
        {"Origin": "null"},
        {"Cookie": "session=x", "User-Agent": ""},
        {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "cors"},
    ],
)
async def test_one_click_asks_for_no_origin_cookie_or_login(house, headers):
    path = await house.leave_link(page="one-click")
    assert (await house.visit("POST", path, content=URLENCODED, headers=headers)).status_code == 200
    assert (await house.reader()).state is State.UNSUBSCRIBED


async def test_a_changed_token_is_4xx_and_nothing_happens(house):
    path = await house.leave_link(page="one-click")
    whole = path.rpartition("/")[2]
    others = [whole[:at] + sign + whole[at + 1 :] for at in range(len(whole)) for sign in "A0" if whole[at] != sign]
    others += [whole + "=", whole + "A", whole[:-1], "x" + whole, seal(Claim(1, 1), Purpose.MANAGE, KEY)]
    others += [seal(Claim(1, 1), Purpose.LEAVE, "another key"), "x", "a" * 5000, "%00", "%ff"]
    for token in others:
        answer = await house.visit("POST", f"/one-click/{token}", content=URLENCODED)
        assert answer.status_code == 404, token
        page = await house.press_on(f"/unsubscribe/{token}", {"do": "leave"})
        assert page.status_code == 404, token
    assert (await house.reader()).state is State.ACTIVE
    assert await house.events() == ["imported"]


async def test_opening_the_one_click_address_leads_to_the_page_and_changes_nothing(house):
    path = await house.leave_link(page="one-click")
    answer = await house.get(path)
    assert (answer.status_code, answer.headers["location"]) == (303, path.replace("one-click", "unsubscribe"))
    assert (await house.reader()).state is State.ACTIVE


@pytest.mark.parametrize("token", ["//evil.example", "%2F%2Fevil.example", "..%2f..%2f", "%0d%0aSet-Cookie:%20a=b"])
async def test_no_token_leads_anywhere_else(house, token):
    answer = await house.get(f"/one-click/{token}")
    assert answer.headers.get("location", "/unsubscribe/").startswith("/unsubscribe/")


async def test_one_click_takes_hold_of_a_run_under_way(database, house):
    await publish(database, "one")
    await make_edition(database)
    await house.visit("POST", await house.leave_link(page="one-click"), content=URLENCODED)
    assert await standing(database) == {"ann": "skipped: unsubscribed"}
    assert [letter.kind for letter in await house.letters()] == ["goodbye"]


async def test_a_link_of_an_earlier_subscription_leaves_by_one_click(database, house):
    await change(database, "ann", generation=3)
    path = house.link("one-click", Purpose.LEAVE, generation=1)
    assert (await house.visit("POST", path, content=URLENCODED)).status_code == 200
    assert (await house.reader()).state is State.UNSUBSCRIBED


async def test_a_link_works_for_years_and_after_an_erasure(database, house):
    path = await house.leave_link(page="one-click")
    house.clock.move(days=3 * 365)
    await erasing.erase(database, 1, now=MONDAY, fingerprints=fingerprints)
    assert (await house.visit("POST", path, content=URLENCODED)).status_code == 200
    page = path.replace("one-click", "unsubscribe")
    for answer in (await house.get(page), await house.press_on(page, {"do": "leave"})):
        assert answer.status_code == 200
        assert "<button" not in answer.text


# The page.


async def test_the_page_asks_with_one_button_first_and_offers_less_below_it(house):
    await change(house.database, "ann", cadence="daily")
    page = await house.get(await house.leave_link())
    assert page.status_code == 200
    buttons = re.findall(r"<button[^>]*>([^<]+)<", page.text)
    assert buttons[0] == "Unsubscribe"
    assert buttons[1:] == ["Weekly instead", "Monthly instead", "Pause for 30 days"]
    assert page.text.index("autofocus") < page.text.index("Weekly instead")
    assert ANN not in page.text
    assert (await house.reader()).state is State.ACTIVE


@pytest.mark.parametrize("fields", [{"do": "leave"}, {}, {"List-Unsubscribe": "One-Click"}, {"do": "nonsense"}])
async def test_the_button_leaves_and_asks_why_afterwards(house, fields):
    path = await house.leave_link()
    done = await house.press_on(path, fields)
    assert (done.status_code, heading(done)) == (200, "You are unsubscribed")
    assert 'value="reason"' in done.text
    assert 'value="again"' in done.text
    gone = await house.reader()
    assert (gone.state, gone.generation) == (State.UNSUBSCRIBED, 2)
    again = await house.press_on(path, fields)
    assert again.status_code == 200
    assert await house.reader() == gone


async def test_a_reason_is_kept_and_thanked_for(house):
    path = await house.leave_link()
    await house.press_on(path, {"do": "leave"})
    thanks = await house.press_on(path, {"do": "reason", "reason": "often", "text": "each\r\nday <b>"})
    assert heading(thanks) == "Thank you"
    assert "<b>" not in thanks.text
    last = (await house.record())[-1]
    assert (last.event, last.detail) == ("reason", "often: each day <b>")
    await house.press_on(path, {"do": "reason", "reason": "seldom"})
    assert (await house.record())[-1] == last


@pytest.mark.parametrize("fields", [{}, {"reason": "nonsense"}, {"text": "  "}, {"reason": "", "text": ""}])
async def test_without_a_reason_nothing_is_kept(house, fields):
    path = await house.leave_link()
    await house.press_on(path)
    assert (await house.press_on(path, {"do": "reason"} | fields)).status_code == 200
    assert (await house.events())[-1] == "unsubscribed"


async def test_a_reason_of_somebody_who_has_not_left_does_not_say_that_they_have(house):
    answer = await house.press_on(await house.leave_link(), {"do": "reason", "reason": "often"})
    assert "You are unsubscribed" not in answer.text
    assert await house.events() == ["imported"]


async def test_undo_is_a_new_confirmation(house):
    path = await house.leave_link()
    await house.press_on(path)
    answer = await house.press_on(path, {"do": "again"})
    assert answer.status_code == 200
    assert (await house.reader()).state is State.UNSUBSCRIBED
    letter = await house.letter("confirm")
    await house.press_on(f"/confirm/{letter.tokens['confirm']}")
    assert (await house.reader()).state is State.ACTIVE
    page = await house.get(path)
    assert "This link is from an earlier subscription" in page.text
    assert heading(page).startswith("Unsubscribe from")


async def test_undo_says_the_same_where_a_limit_is_against_it(house):
    path = await house.leave_link()
    await house.press_on(path)
    answers = {(await house.press_on(path, {"do": "again"})).text for _ in range(9)}
    assert len(answers) == 1
    assert len([one for one in await house.letters() if one.kind == "confirm"]) == 1


async def test_undo_of_somebody_who_has_not_left_promises_no_mail(house):
    answer = await house.press_on(await house.leave_link(), {"do": "again"})
    assert "Look for a mail" not in answer.text
    assert await house.letters() == []


@pytest.mark.parametrize(
    ("pace", "now"), [("monthly", "monthly"), ("daily", "daily"), ("hourly", "weekly"), ("", None)]
)
async def test_less_often_instead_of_leaving(house, pace, now):
    answer = await house.press_on(await house.leave_link(), {"do": "instead", "cadence": pace})
    assert answer.status_code == 200
    reader = await house.reader()
    assert reader.cadence == (now or "weekly")
    assert reader.state is (State.ACTIVE if now else State.PAUSED)


async def test_a_pause_instead_of_leaving(house):
    path = await house.leave_link()
    answer = await house.press_on(path, {"do": "pause", "days": "30"})
    assert heading(answer) == "Your digests pause"
    reader = await house.reader()
    assert reader.state is State.PAUSED
    assert reader.paused_until == MONDAY.replace(hour=0) + 30 * DAY
    page = await house.get(path)
    assert "Pause for" not in page.text
    assert [letter.kind for letter in await house.letters()] == ["changed"]


@pytest.mark.parametrize("fields", [{"do": "pause"}, {"do": "instead", "cadence": "monthly"}])
async def test_whoever_has_left_does_not_come_back_by_a_button_that_was_still_open(house, fields):
    path = await house.leave_link()
    await house.press_on(path)
    answer = await house.press_on(path, fields)
    assert answer.status_code == 200
    reader = await house.reader()
    assert (reader.state, reader.cadence) == (State.UNSUBSCRIBED, "weekly")


async def test_the_page_speaks_the_readers_language_and_keeps_the_one_it_was_read_in(house):
    await change(house.database, "ann", language="de")
    path = await house.leave_link()
    assert '<html lang="de"' in (await house.get(path, headers={"Accept-Language": "es"})).text
    assert '<html lang="es"' in (await house.get(path, params={"lang": "es"})).text
    assert '<html lang="es"' in (await house.press_on(path, {"do": "leave", "lang": "es"})).text


@pytest.mark.parametrize("lang", ["<script>", "x" * 40, "de-DE; DROP", "\x00"])
async def test_what_somebody_types_as_a_language_is_not_kept(house, lang):
    await house.press_on(await house.leave_link(), {"do": "leave", "lang": lang})
    assert (await house.record())[-1].language in {"en", "de"}
    assert (await house.reader()).state is State.UNSUBSCRIBED


async def test_pending_somebody_by_hand_can_leave_too(house):
    await change(house.database, "ann", state="pending")
    path = await house.leave_link()
    assert "<button" not in (await house.get(path)).text
    assert (await house.visit("POST", path.replace("unsubscribe", "one-click"))).status_code == 200
    assert (await house.reader()).state is State.UNSUBSCRIBED
