"""The form: the same answer whatever is known of an address, its mistakes, its shields, its languages."""

import re
from datetime import timedelta
from html import unescape

import pytest
from sqlalchemy import func, insert, select

from mailer.core.signup import Outcome
from mailer.core.subscription import State
from mailer.errors import StoreError
from mailer.store import signups, suppressions
from mailer.store.tables import confirmations, consent, notices, signup_attempts, subscribers
from tests.flows.readers_side import fingerprints
from tests.stories import DAY, KEY, MONDAY, change, join
from tests.web.house import FRIEND, PUBLIC, House, masked

ANN = "ann@example.com"
SECOND, HOUR = timedelta(seconds=1), timedelta(hours=1)


@pytest.fixture
async def house(database, clock):
    async with House(database, clock) as made:
        yield made


async def outcomes(database):
    asked = select(signup_attempts.c.outcome).order_by(signup_attempts.c.id)
    return list(await database.read(lambda c: c.execute(asked).scalars()))


async def rows(database):
    """How many there are of all that a form could write."""
    tables = (subscribers, confirmations, notices, consent, signup_attempts)
    return await database.read(lambda c: [c.execute(select(func.count()).select_from(t)).scalar_one() for t in tables])


async def _known(database, name, state, reason=""):
    """A reader at a state, suppressed for a reason where one is given."""
    if state:
        await join(database, name)
        await change(database, name, state=state)
    if reason:
        values = {"email": f"{name}@example.com", "fingerprint": fingerprints(f"{name}@example.com")[0]}
        values |= {"reason": reason, "at": MONDAY}
        await database.write(lambda c: c.execute(insert(suppressions.suppressions).values(**values)).rowcount)


async def _attempts(database, count, outcome=Outcome.CONFIRM, **given):
    values = {"mark": "x", "network": "192.0.2.99", "domain": "other.example"} | given

    def note(connection):
        for _ in range(count):
            signups.note(connection, values["mark"], values["network"], values["domain"], outcome, MONDAY)

    await database.write(note)


async def _everybody(database):
    """An address of each kind, all equally long, with what comes of a form for it."""
    for name, state, reason in (
        ("pending", State.PENDING, ""),
        ("activer", State.ACTIVE, ""),
        ("actived", State.ACTIVE, ""),
        ("pausing", State.PAUSED, ""),
        ("unsubed", State.UNSUBSCRIBED, ""),
        ("bounced", State.BOUNCED, "bounced"),
        ("complai", State.COMPLAINED, "complained"),
        ("nevered", None, "asked_never"),
        ("erasedd", None, "erased"),
    ):
        await _known(database, name, state, reason)
    await _attempts(database, 1, Outcome.ALREADY, mark=fingerprints("actived@example.com")[0])
    await _attempts(database, 1, mark=fingerprints("limited@example.com")[0])
    await _attempts(database, 20, domain="exampla.com")
    return {
        "unknown@example.com": "confirm",
        "pending@example.com": "confirm",
        "unsubed@example.com": "confirm",
        "erasedd@example.com": "confirm",
        "activer@example.com": "already",
        "pausing@example.com": "already",
        "actived@example.com": "quiet",
        "bounced@example.com": "barred",
        "complai@example.com": "barred",
        "nevered@example.com": "barred",
        "limited@example.com": "address",
        "anybody@exampla.com": "domain",
        "nobodyy@zzzzzzz.com": "confirm",
    }


@pytest.mark.parametrize("route", ["/subscribe", "/embed", "/api/subscribe"])
async def test_the_answer_is_the_same_byte_for_byte_whatever_is_known_of_an_address(database, house, route):
    expected = await _everybody(database)
    answers = {}
    for place, email in enumerate(expected):
        ip = f"198.51.100.{place}"
        sent = house.script(email, ip=ip) if "api" in route else house.form(email, to=route, ip=ip)
        answers[email] = masked(await sent, email)
    for ask in ("network", "held", "robot"):
        email = "unheard@example.com"
        if ask == "network":
            await _attempts(database, 5, network="203.0.113.5")
        if ask == "held":
            await database.write(signups.hold, MONDAY)
        fields = {"website": "https://spam.example"} if ask == "robot" else {}
        given = {"ip": "203.0.113.5" if ask == "network" else "203.0.113.6", "fields": fields}
        sent = house.script(email, **given) if "api" in route else house.form(email, to=route, **given)
        answers[ask] = masked(await sent, email)
    assert len(set(answers.values())) == 1, {key: len(value[2]) for key, value in answers.items()}
    assert next(iter(answers.values()))[0] == 200
    assert (await outcomes(database))[22:] == ["confirm"] * 0 + [
        *expected.values(),
        *["confirm"] * 5,
        "network",
        "held",
    ]


async def test_a_form_is_written_down_with_how_it_came_and_what_was_read(house):
    page = await house.get("/subscribe", params={"lang": "de"})
    await house.form(
        fields={"topics": ["heart", "food"], "timezone": "Europe/Berlin", "lang": "de"},
        headers={"User-Agent": "Firefox 200", "Referer": "https://elsewhere.example/?ann@example.com"},
    )
    (line,) = await house.record()
    assert (line.event, line.route, line.ip, line.agent) == ("asked", "page", "198.51.100.7", "Firefox 200")
    assert (line.language, line.source) == ("de", f"{PUBLIC}/subscribe")
    shown = " ".join(unescape(re.sub(r"<[^>]+>", " ", page.text)).split())
    parts = [part for said in line.text.splitlines() for part in said.split(": ")]
    assert [part for part in parts if " ".join(part.split()) not in shown] == []
    assert "Mia's Feed" in line.text
    letter = await house.letter()
    assert (letter.kind, letter.language) == ("confirm", "de")
    await house.press(letter)
    reader = await house.reader()
    assert (reader.topics, reader.timezone, reader.language) == (("food", "heart"), "Europe/Berlin", "de")
    assert house.woken == 1


async def test_nobody_is_subscribed_by_a_form(house):
    await house.form()
    assert (await house.reader()).state is State.PENDING


@pytest.mark.parametrize(
    ("fields", "field", "sentence"),
    [
        ({"email": ""}, "email", "Enter your email address"),
        ({"email": "  "}, "email", "Enter your email address"),
        ({"email": "ann"}, "email", "Enter an email address in the correct format, like name@example.com"),
        ({"email": "ann@@example.com"}, "email", "Enter an email address in the correct format"),
        ({"email": "ann@example.com\r\nBcc: x@y.example"}, "email", "Enter an email address in the correct format"),
        ({"email": "<ann@example.com>"}, "email", "Enter an email address in the correct format"),
        ({"email": "ann@example.com SIZE=1"}, "email", "Enter an email address in the correct format"),
        ({"email": "a" * 65 + "@example.com"}, "email", "Enter an email address in the correct format"),
        ({"cadence": ""}, "cadence", "Choose how often you would like updates"),
        ({"cadence": "hourly"}, "cadence", "Choose how often you would like updates"),
        ({"topics": ["politics"]}, "topics", "Choose topics from the list"),
        ({"timezone": "Mars/Olympus"}, "timezone", "Choose a time zone from the list"),
    ],
)
@pytest.mark.parametrize("to", ["/subscribe", "/embed"])
async def test_what_is_wrong_is_said_at_its_field_and_nothing_is_lost(database, house, to, fields, field, sentence):
    typed = {"email": ANN, "cadence": "daily", "topics": ["heart"], "timezone": "Europe/Berlin"} | fields
    answer = await house.form(to=to, fields=typed)
    assert answer.status_code == 422
    if (to, field) != ("/embed", "timezone"):  # nobody fills that one in there
        assert f'id="{field}-error"' in answer.text
        assert sentence in answer.text
    if field == "email" and "\r" not in typed["email"]:
        value = re.search(r'id="email" name="email" value="([^"]*)"', answer.text)
        assert value
        assert value[1].replace("&lt;", "<").replace("&gt;", ">") in typed["email"]
    if field != "cadence":
        assert re.search(r'value="daily"[^>]* checked', answer.text)
    if field != "topics":
        assert re.search(r'value="heart" checked', answer.text)
    assert await rows(database) == [0] * 5
    assert house.woken == 0


async def test_several_mistakes_are_said_at_once(house):
    answer = await house.form(fields={"email": "x", "cadence": "", "topics": ["politics"]})
    assert {name for name in ("email", "cadence", "topics") if f'id="{name}-error"' in answer.text} == {
        "email",
        "cadence",
        "topics",
    }


async def test_what_was_typed_comes_back_as_text_and_nothing_else(house):
    answer = await house.form(fields={"email": '"><img alt=x onerror=alert(1)>', "cadence": "<b>", "timezone": "<i>"})
    assert "<img" not in answer.text
    assert "<b>" not in answer.text
    assert "<i>" not in answer.text
    assert answer.status_code == 422


@pytest.mark.parametrize(
    ("age", "status", "sentence"),
    [
        (
            timedelta(0),
            422,
            "Not sent yet: that was very quick, or the form came from elsewhere. Press Subscribe once more.",
        ),
        (SECOND, 422, "Not sent yet"),
        (2 * SECOND, 200, ""),
        (24 * HOUR, 200, ""),
        (24 * HOUR + SECOND, 422, "This form was open over a day. Press Subscribe again."),
        (-HOUR, 422, "Not sent yet"),
    ],
)
@pytest.mark.parametrize("to", ["/subscribe", "/embed"])
async def test_a_form_was_open_for_two_seconds_to_a_day(database, house, to, age, status, sentence):
    answer = await house.form(to=to, fields={"form_time": house.form_time(age)})
    assert (answer.status_code, sentence in answer.text) == (status, True)
    assert len(await outcomes(database)) == int(status == 200)


@pytest.mark.parametrize("form_time", ["", "1", "1.x", "x" * 3000])
async def test_a_form_without_its_time_or_with_another_is_asked_to_be_sent_once_more(database, house, form_time):
    answer = await house.form(fields={"form_time": form_time})
    assert answer.status_code == 422
    assert "Not sent yet" in answer.text
    fresh = re.search(r'name="form_time" value="([^"]+)"', answer.text)
    house.clock.move(seconds=3)
    assert (await house.form(fields={"form_time": fresh[1]})).status_code == 200


async def test_a_form_that_came_too_early_keeps_its_time_and_one_too_old_gets_a_new_one(house):
    early = house.form_time(timedelta(0))
    answer = await house.form(fields={"form_time": early})
    assert f'name="form_time" value="{early}"' in answer.text
    old = house.form_time(2 * DAY)
    answer = await house.form(fields={"form_time": old})
    assert f'name="form_time" value="{old}"' not in answer.text


@pytest.mark.parametrize("to", ["/subscribe", "/embed"])
async def test_a_robot_sees_success_and_nothing_is_written(database, house, to):
    answer = await house.form(to=to, fields={"website": "https://spam.example"})
    assert answer.status_code == 200
    assert await rows(database) == [0] * 5
    assert await house.letters() == []


@pytest.mark.parametrize("origin", [FRIEND, PUBLIC])
async def test_a_bare_form_on_a_friends_page_needs_no_time(house, origin):
    headers = {"Origin": origin, "Referer": "https://www.site.example/a?b=c#d"}
    answer = await house.form(fields={"form_time": ""}, headers=headers)
    assert answer.status_code == 200
    (line,) = await house.record()
    assert (line.route, line.source) == ("html", "https://www.site.example/a")


@pytest.mark.parametrize(
    "origin",
    ["https://evil.example", "null", "", "http://www.site.example", f"{FRIEND}:8443", f"{FRIEND}.evil.example"],
)
async def test_a_bare_form_from_anywhere_else_is_asked_to_be_sent_once_more(database, house, origin):
    answer = await house.form(fields={"form_time": ""}, headers={"Origin": origin} if origin else {})
    assert answer.status_code == 422
    assert await rows(database) == [0] * 5


async def test_a_form_whose_time_is_wrong_is_no_bare_one_whoever_sends_it(house):
    answer = await house.form(fields={"form_time": "1.forged"}, headers={"Origin": FRIEND})
    assert answer.status_code == 422


@pytest.mark.parametrize(
    ("asked", "accepted", "language"),
    [
        ("", "", "en"),
        ("", "de", "de"),
        ("", "fr, de;q=0.8, es;q=0.9", "es"),
        ("", "de;q=0, es", "es"),
        ("", "de-AT,de;q=0.9", "de"),
        ("", "ar", "ar"),
        ("", "sv", "en"),
        ("", "*", "en"),
        ("", "de;q=nonsense, ;;;,, es", "es"),
        ("es", "de", "es"),
        ("es-MX", "de", "es"),
        ("sv", "de", "de"),
        ("../../etc", "de", "de"),
    ],
)
async def test_the_language_is_the_forms_then_the_browsers_then_the_sites(house, asked, accepted, language):
    headers = {"Accept-Language": accepted} if accepted else {}
    for path in ("/subscribe", "/embed"):
        page = await house.get(path, params={"lang": asked} if asked else {}, headers=headers)
        assert f'<html lang="{language}"' in page.text
        done = await house.form(to=path, fields={"lang": asked}, headers=headers)
        assert f'<html lang="{language}"' in done.text
        wrong = await house.form(to=path, fields={"lang": asked, "email": ""}, headers=headers)
        assert f'<html lang="{language}"' in wrong.text
    letter = await house.letter()
    assert letter.language == language


async def test_a_form_names_the_pace_that_was_asked_for_else_the_operators(database, clock, house):
    assert re.search(r'value="weekly"[^>]* checked', (await house.get("/subscribe")).text)
    assert re.search(r'value="daily"[^>]* checked', (await house.get("/subscribe?cadence=daily")).text)
    assert re.search(r'value="weekly"[^>]* checked', (await house.get("/embed?cadence=hourly")).text)
    async with House(database, clock, cadence="monthly") as other:
        assert re.search(r'value="monthly"[^>]* checked', (await other.get("/subscribe")).text)


async def test_the_page_afterwards_names_the_address_and_the_first_digest(house):
    answer = await house.form(fields={"cadence": "monthly", "timezone": "Europe/Berlin"})
    assert ANN in answer.text
    assert "1 December" in answer.text


async def test_a_full_disk_is_said_and_nothing_that_was_typed_is_lost(house, monkeypatch):
    async def full(*_args, **_more):
        raise StoreError("the disk is full")

    monkeypatch.setattr(house.database, "write", full)
    answer = await house.form()
    assert answer.status_code == 503
    assert "We could not save this. Try again in a minute." in answer.text
    assert f'value="{ANN}"' in answer.text
    assert (await house.script()).status_code == 503


async def test_a_visitor_is_counted_by_the_address_that_our_proxy_saw(database, house):
    for place in range(6):
        await house.form(f"r{place}@d{place}.example", ip=f"203.0.113.{place}, 198.51.100.9")
    assert await outcomes(database) == ["confirm"] * 5 + ["network"]
    await house.form("x@y.example", ip="2001:db8:1:2::1")
    await house.form("y@y.example", ip="2001:db8:1:2:ffff::9")
    asked = select(signup_attempts.c.network).order_by(signup_attempts.c.id.desc()).limit(2)
    assert await database.read(lambda c: c.execute(asked).scalars().all()) == ["2001:db8:1:2::/64"] * 2


@pytest.mark.parametrize("path", ["/subscribe", "/embed"])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_opening_the_form_writes_nothing(database, house, path, method):
    answer = await house.visit(method, path, params={"email": ANN, "cadence": "daily"})
    assert answer.status_code == 200
    assert ANN not in answer.text
    assert await rows(database) == [0] * 5


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"])
async def test_another_way_of_asking_is_refused_with_those_there_are(house, method):
    answer = await house.visit(method, "/subscribe")
    assert answer.status_code == 405
    assert {"GET", "POST"} <= set(answer.headers["allow"].split(", "))


async def test_the_key_is_in_no_answer(house):
    assert KEY not in (await house.get("/subscribe")).text
