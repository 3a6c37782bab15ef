"""What stands on other people's pages: the script, what it is told to draw, a bare form, and who may show them."""

import re
from datetime import timedelta
from html import unescape
from html.parser import HTMLParser

import httpx
import pytest
from sqlalchemy import select

from mailer.config import Settings
from mailer.store.tables import consent
from mailer.templating.embed import embed_script, tightened
from mailer.web.app import make_app
from mailer.web.desk import Desk
from mailer.wiring import Clock, Parts
from tests.web.conftest import SETTINGS

FRIEND, STRANGER = "https://site.example", "https://stranger.example"
FORM = {"email": "ann@example.com", "cadence": "weekly"}


@pytest.fixture
def desk(database, woken) -> Desk:
    web = SETTINGS["web"] | {"embed_origins": [FRIEND]}
    settings = Settings(**SETTINGS | {"web": web, "topics": {"lungs": "Lung health"}})
    return Desk(Parts(settings, Clock()), database, lambda: woken.append("woken"))


def later(desk, **moved) -> httpx.AsyncClient:
    """The pages some time from now."""
    parts = Parts(desk.parts.settings, Clock(timedelta(**moved)))
    transport = httpx.ASGITransport(make_app(Desk(parts, desk.database, desk.wake)))
    return httpx.AsyncClient(transport=transport, base_url="https://mailer.example")


async def test_the_script_is_small_and_anybody_may_load_and_keep_it(visit):
    answer = await visit("GET", "/embed.js")

    assert answer.status_code == 200
    assert 1_000 < len(answer.content) < 5_000
    assert answer.headers["Content-Type"] == "text/javascript; charset=utf-8"
    assert answer.headers["Cache-Control"] == "public, max-age=300"
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    assert answer.headers["Cross-Origin-Resource-Policy"] == "cross-origin"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize(
    ("asked", "status"), [("{tag}", 304), ('"other", W/{tag}', 304), ("*", 304), ('"other"', 200), ("", 200)]
)
async def test_who_has_the_script_already_is_not_sent_it_again(visit, asked, status):
    tag = (await visit("GET", "/embed.js")).headers["ETag"]

    answer = await visit("GET", "/embed.js", headers={"If-None-Match": asked.format(tag=tag)})

    assert answer.status_code == status
    assert bool(answer.content) == (status == 200)
    assert answer.headers["ETag"] == tag


def test_the_script_makes_no_markup_of_words_and_asks_nobody_else():
    script = embed_script().decode()

    for unwanted in ("innerHTML", "outerHTML", "insertAdjacent", "document.write", "eval", "//", "cookie", "Storage"):
        assert unwanted not in script


def test_tightening_leaves_strings_alone():
    assert (
        tightened('// why\nconst a = "b  , c // d";  // so\nf( a , [ 1, 2, ] );\n')
        == 'const a="b  , c // d";f(a,[1,2]);'
    )
    assert tightened("look(`\n  a { b: c(1, 2); }\n  :has(> p) { d: ${e}; }\n`);") == (
        "look(`a{b:c(1,2)}:has(>p){d:${e}}`);"
    )


async def test_the_form_as_json_holds_all_that_is_drawn_in_the_language_asked_for(visit):
    told = (await visit("GET", "/api/form?lang=de&cadence=monthly", headers={"Origin": FRIEND})).json()

    assert (told["language"], told["direction"]) == ("de", "ltr")
    assert [choice["name"] for choice in told["choices"] if choice["checked"]] == ["monthly"]
    assert told["topics"] == [{"id": "lungs", "name": "Lung health"}]
    assert told["accent"] != told["accent_dark"]
    assert [key for key, value in told.items() if not value] == ["privacy_url"]


async def test_a_pace_that_is_not_offered_leaves_the_usual_one_ticked(visit):
    told = (await visit("GET", "/api/form?cadence=hourly")).json()

    assert [choice["name"] for choice in told["choices"] if choice["checked"]] == ["weekly"]


@pytest.mark.parametrize(("origin", "allowed"), [(FRIEND, FRIEND), (STRANGER, None), ("null", None)])
async def test_only_sites_that_are_named_may_read_the_form(visit, origin, allowed):
    answer = await visit("GET", "/api/form", headers={"Origin": origin})

    assert answer.headers.get("Access-Control-Allow-Origin") == allowed
    assert answer.headers["Vary"] == "Origin"


async def test_a_second_press_soon_after_the_first_keeps_the_time_the_form_was_shown(visit, desk):
    shown = (await visit("GET", "/api/form")).json()["form_time"]

    at_once = await visit("POST", "/api/subscribe", json=FORM | {"form_time": shown})

    assert at_once.status_code == 422
    assert at_once.json()["form_time"] == shown
    async with later(desk, seconds=3) as client:
        again = await client.post("/api/subscribe", json=FORM | {"form_time": at_once.json()["form_time"]})
    assert again.status_code == 200
    assert again.json()["again"] == "Try again"


async def test_a_form_that_was_open_over_a_day_is_given_a_fresh_time(visit, desk):
    shown = (await visit("GET", "/api/form")).json()["form_time"]

    async with later(desk, hours=25) as client:
        stale = await client.post("/api/subscribe", json=FORM | {"form_time": shown})

    assert stale.status_code == 422
    assert stale.json()["errors"]["form"].startswith("This form was open over a day")
    assert stale.json()["form_time"] != shown


class Fields(HTMLParser):
    """What a page's form would send."""

    def __init__(self, page: str):
        super().__init__()
        self.found = {}
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        named = dict(attrs)
        if tag == "input" and "name" in named and (named.get("type") != "radio" or "checked" in named):
            self.found[named["name"]] = named.get("value", "")


async def test_a_bare_form_of_a_site_that_is_named_is_taken_at_once(visit, woken):
    answer = await visit("POST", "/subscribe", data=FORM, headers={"Origin": FRIEND})

    assert answer.status_code == 200
    assert "check your inbox" in answer.text
    assert woken


@pytest.mark.parametrize("headers", [{"Origin": STRANGER}, {"Origin": "null"}, {}])
async def test_a_bare_form_from_elsewhere_comes_back_filled_in_and_takes_one_more_press(visit, desk, woken, headers):
    first = await visit("POST", "/subscribe", data=FORM | {"cadence": "monthly"}, headers=headers)

    assert first.status_code == 422
    assert not woken
    fields = Fields(first.text).found
    assert (fields["email"], fields["cadence"]) == ("ann@example.com", "monthly")
    async with later(desk, seconds=3) as client:
        second = await client.post("/subscribe", data=fields)
    assert second.status_code == 200
    assert woken


async def test_a_form_in_a_frame_remembers_the_page_that_the_frame_stands_on(visit, desk, database):
    shown = await visit("GET", "/embed", headers={"Referer": "https://site.example/an-article?visitor=7"})
    (action,) = re.findall(r'<form method="post" action="([^"]+)"', shown.text)

    async with later(desk, seconds=3) as client:
        answer = await client.post(unescape(action), data=FORM | {"form_time": Fields(shown.text).found["form_time"]})

    assert answer.status_code == 200
    found = await database.read(lambda connection: connection.execute(select(consent.c.route, consent.c.source)).all())
    assert found == [("frame", "https://site.example/an-article")]
