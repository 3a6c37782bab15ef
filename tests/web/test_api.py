"""The form as JSON: the same rules as the page's, and which sites' scripts may ask."""

import asyncio
import json

import pytest
from sqlalchemy import func, select

from mailer.core.subscription import State
from mailer.store.tables import confirmations, notices, signup_attempts, subscribers
from tests.stories import MONDAY, join
from tests.web.house import FRIEND, PUBLIC, House

ANN = "ann@example.com"
STRANGERS = ("https://evil.example", "null", "http://www.site.example", f"{FRIEND}:8443", f"{FRIEND}.evil.example")


@pytest.fixture
async def house(database, clock):
    async with House(database, clock) as made:
        yield made


async def rows(database):
    tables = (subscribers, confirmations, notices, signup_attempts)
    return await database.read(lambda c: [c.execute(select(func.count()).select_from(t)).scalar_one() for t in tables])


def shared_with(answer):
    """Which site's scripts may read the answer; one for one site is kept for no other."""
    assert "Origin" in answer.headers["vary"]
    assert "access-control-allow-credentials" not in answer.headers
    return answer.headers.get("access-control-allow-origin")


async def test_what_the_form_shows_is_told_in_one_language(house):
    answer = await house.get("/api/form", params={"lang": "de"})
    told = answer.json()
    assert (answer.status_code, told["language"], told["direction"]) == (200, "de", "ltr")
    assert [choice["name"] for choice in told["choices"]] == ["daily", "weekly", "monthly"]
    assert [choice["name"] for choice in told["choices"] if choice["checked"]] == ["weekly"]
    assert told["topics"] == [
        {"id": "lungs", "name": "Lung health"},
        {"id": "heart", "name": "Heart"},
        {"id": "food", "name": "Nutrition"},
    ]
    assert told["button"] == "Abonnieren"
    assert set(told["mistakes"]) >= {"empty", "format", "pace", "stale", "server"}
    assert (await house.get("/api/form", headers={"Accept-Language": "ar"})).json()["direction"] == "rtl"


async def test_what_it_hands_out_can_be_sent_back(house):
    told = (await house.get("/api/form")).json()
    house.clock.move(seconds=5)
    answer = await house.visit(
        "POST", "/api/subscribe", json={"email": ANN, "cadence": "weekly", "form_time": told["form_time"]}
    )
    assert answer.status_code == 200
    assert (await house.reader()).state is State.PENDING


async def test_a_form_is_written_down_with_how_it_came(house):
    answer = await house.script(
        fields={
            "topics": ["heart"],
            "timezone": "Europe/Berlin",
            "language": "de",
            "source": "https://www.site.example/article?reader=ann#top",
        },
        headers={"Origin": FRIEND, "User-Agent": "Firefox 200"},
    )
    assert answer.json()["status"] == "confirm"
    assert ANN in " ".join(answer.json()["paragraphs"])
    assert answer.json()["first"].startswith("2026-11-30T")
    (line,) = await house.record()
    assert (line.event, line.route, line.language, line.agent) == ("asked", "script", "de", "Firefox 200")
    assert line.source == "https://www.site.example/article"
    assert line.text
    assert house.woken == 1
    await house.script("bob@example.com")
    assert (await house.record("bob"))[0].route == "api"


@pytest.mark.parametrize("origin", [FRIEND, PUBLIC])
async def test_a_friends_script_may_ask_and_read(house, origin):
    headers = {"Origin": origin}
    assert shared_with(await house.get("/api/form", headers=headers)) == origin
    assert shared_with(await house.script(headers=headers)) == origin
    assert shared_with(await house.script(headers=headers, fields={"email": ""})) == origin
    before = await house.visit(
        "OPTIONS",
        "/api/subscribe",
        headers=headers | {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "content-type"},
    )
    assert (before.status_code, shared_with(before)) == (204, origin)
    assert "POST" in before.headers["access-control-allow-methods"]
    assert "content-type" in before.headers["access-control-allow-headers"].lower()


@pytest.mark.parametrize("origin", STRANGERS)
async def test_a_strangers_script_may_neither_ask_nor_read(database, house, origin):
    headers = {"Origin": origin}
    answer = await house.script(headers=headers)
    assert answer.status_code == 403
    assert "[web] embed_origins" in answer.json()["error"]
    for path in ("/api/subscribe", "/api/form"):
        before = await house.visit("OPTIONS", path, headers=headers | {"Access-Control-Request-Method": "POST"})
        assert shared_with(before) is None
        assert "access-control-allow-methods" not in before.headers
    assert shared_with(answer) is shared_with(await house.get("/api/form", headers=headers)) is None
    assert await rows(database) == [0] * 4


async def test_errors_that_the_framework_finds_can_be_read_by_a_friends_script_too(house):
    """Or a script would see no more than that something failed."""
    for body in (b"{", b"[]", b'{"email": 1}', b""):
        answer = await house.visit(
            "POST",
            "/api/subscribe",
            content=body,
            headers={"Origin": FRIEND, "Content-Type": "application/json"},
        )
        assert answer.status_code == 422
        assert answer.headers["content-type"] == "application/json"
        assert answer.json()["error"]
        assert shared_with(answer) == FRIEND


@pytest.mark.parametrize(
    ("fields", "field", "sentence"),
    [
        ({"email": ""}, "email", "Enter your email address"),
        ({"email": "ann"}, "email", "Enter an email address in the correct format, like name@example.com"),
        ({"cadence": "hourly"}, "cadence", "Choose how often you would like updates"),
        ({"topics": ["politics"]}, "topics", "Choose topics from the list"),
        ({"timezone": "Mars/Olympus"}, "timezone", "Choose a time zone from the list"),
        (
            {"form_time": ""},
            "form",
            "Not sent yet: that was very quick, or the form came from elsewhere. Press Subscribe once more.",
        ),
        (
            {"form_time": "x"},
            "form",
            "Not sent yet: that was very quick, or the form came from elsewhere. Press Subscribe once more.",
        ),
    ],
)
async def test_what_is_wrong_is_said_by_field_with_a_fresh_time(database, house, fields, field, sentence):
    answer = await house.script(fields=fields)
    assert answer.status_code == 422
    assert answer.json()["errors"] == {field: sentence}
    assert answer.json()["error"] == f"{sentence.removesuffix('.')}."
    assert await rows(database) == [0] * 4
    house.clock.move(seconds=2)
    good = await house.script(fields={"form_time": answer.json()["form_time"]})
    assert good.status_code == 200


@pytest.mark.parametrize(
    "body",
    [
        {"email": ANN},
        {"cadence": "weekly"},
        {"email": None, "cadence": "weekly"},
        {"email": ANN, "cadence": "weekly", "topics": "heart"},
        {"email": ANN, "cadence": "weekly", "state": "active"},
        {"email": "a" * 2000, "cadence": "weekly"},
        {"email": ANN, "cadence": "weekly", "topics": ["a"] * 101},
        "ann",
        [],
        None,
    ],
)
async def test_what_is_not_a_form_is_refused_without_an_echo(database, house, body):
    answer = await house.visit("POST", "/api/subscribe", json=body)
    assert answer.status_code == 422
    assert ANN not in answer.text
    assert await rows(database) == [0] * 4


@pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded", "", "multipart/form-data"])
async def test_a_form_of_another_site_can_not_pass_for_json(database, house, content_type):
    """A browser sends these to anybody without asking first (CORS)."""
    body = json.dumps(house.filled(ANN, {}))
    headers = {"Content-Type": content_type} if content_type else {}
    answer = await house.visit("POST", "/api/subscribe", content=body.encode(), headers=headers)
    assert answer.status_code == 422
    assert await rows(database) == [0] * 4


@pytest.mark.parametrize("text", ["\ud800", "a\x00b", "\U0001f600" * 100, "\u202eann", "' OR 1=1 --"])
@pytest.mark.parametrize("field", ["email", "cadence", "timezone", "language", "form_time", "website", "source"])
async def test_no_text_at_all_is_more_than_it_can_take(house, field, text):
    body = json.dumps(house.filled(ANN, {field: text}))
    answer = await house.visit(
        "POST", "/api/subscribe", content=body.encode(), headers={"Content-Type": "application/json"}
    )
    assert answer.status_code in {200, 422}


async def test_a_robot_sees_success_and_nothing_is_written(database, house):
    answer = await house.script(fields={"website": "https://spam.example"})
    assert (answer.status_code, answer.json()["status"]) == (200, "confirm")
    assert await rows(database) == [0] * 4


async def test_the_languages_are_the_forms_then_the_browsers_then_the_sites(house):
    said = {}
    for language, accepted in (("es", "de"), ("", "de"), ("sv", ""), ("", "")):
        headers = {"Accept-Language": accepted} if accepted else {}
        said[language, accepted] = (await house.script(fields={"language": language}, headers=headers)).json()[
            "heading"
        ]
    assert len(set(said.values())) == 3
    assert said["sv", ""] == said["", ""] == "One step left: check your inbox"
    wrong = await house.script(fields={"language": "de", "email": ""})
    assert wrong.json()["errors"]["email"] != "Enter your email address"


async def test_form_and_json_are_counted_together(database, house):
    for place in range(3):
        await house.form(f"f{place}@d{place}.example")
    for place in range(3):
        await house.script(f"j{place}@e{place}.example")
    outcomes = await database.read(
        lambda c: c.execute(select(signup_attempts.c.outcome).order_by(signup_attempts.c.id)).scalars().all()
    )
    assert outcomes == ["confirm"] * 5 + ["network"]


async def test_200_forms_for_one_address_by_page_and_json_are_one_mail(database, house):
    """From as many places: a list-bombing script has them."""
    for place in range(200):
        ip = f"10.{place}.0.1"
        sent = house.form(to="/subscribe" if place % 4 else "/embed", ip=ip) if place % 2 else house.script(ip=ip)
        assert (await sent).status_code == 200
    (letter,) = await house.letters()
    assert (letter.kind, letter.to) == ("confirm", ANN)
    house.clock.move(minutes=14)
    await house.script(ip="10.200.0.1")
    assert await house.letters() == []


async def test_200_forms_at_once_for_one_address_are_one_mail(database, house):
    """A second visitor's form is judged after the first one's is written, however close they come."""
    sent = [
        house.form(ip=f"10.{place}.0.1") if place % 2 else house.script(ip=f"10.{place}.0.1") for place in range(200)
    ]
    answers = await asyncio.gather(*sent)
    assert {answer.status_code for answer in answers} == {200}
    (letter,) = await house.letters()
    assert letter.kind == "confirm"
    assert len(await database.read(lambda c: c.execute(select(subscribers.c.id)).all())) == 1


async def test_from_one_place_200_forms_for_as_many_addresses_are_five_mails(house):
    for place in range(200):
        email = f"r{place}@d{place}.example"
        sent = house.form(email) if place % 2 else house.script(email)
        assert (await sent).status_code == 200
    assert len(await house.letters()) == 5


async def test_a_reader_is_told_once_by_whichever_way_their_address_is_typed(database, house):
    await join(database, "ann")
    for place in range(20):
        await house.form(ip=f"10.{place}.0.1")
        await house.script("ANN@Example.com", ip=f"10.{place}.0.2")
    assert [letter.kind for letter in await house.letters()] == ["already"]
    assert (await house.reader()).joined_at < MONDAY
