"""The pages of editions, for anybody: what is out, as it is now, and nothing of who reads it."""

import re
from dataclasses import replace
from email.utils import parsedate_to_datetime

import feedparser
import pytest
from sqlalchemy import select, update

from mailer.config import Settings
from mailer.core.article import Picture
from mailer.core.delivery import EditionState
from mailer.core.edition_page import MOST_SHOWN
from mailer.core.feed import read_feed
from mailer.store import articles as article_store
from mailer.store.tables import articles as article_rows
from mailer.store.tables import deliveries, editions, subscribers
from mailer.web.app import make_app
from mailer.web.desk import Desk
from mailer.wiring import Clock, Parts
from tests.stories import DAY, MONDAY, WEEK, cadence, draft, join, make_edition, publish
from tests.web.conftest import SETTINGS

PAGE, FIRST = "/editions/weekly/2026-W48", "/editions/weekly/2026-W48/0"
ORIGIN = "https://mailer.example"
FEED = "/editions/feed.xml"


@pytest.fixture
def archive() -> bool:
    return False


@pytest.fixture
def desk(database, archive) -> Desk:
    web = SETTINGS["web"] | {"archive": archive}
    settings = Settings(**SETTINGS | {"web": web, "topics": {"lungs": "Lung health"}})
    return Desk(Parts(settings, Clock()), database, lambda: None)


@pytest.fixture
def app(desk):
    return make_app(desk)


with_archive = pytest.mark.parametrize("archive", [True])


@pytest.fixture
async def out(database):
    """A weekly edition of three articles, two of them over the cap, and its two readers."""
    await join(database, "ann", "bob")
    await database.write(lambda c: c.execute(update(subscribers).values(name="Ann Onymous")))
    for at, guid in enumerate(["one", "two", "three"], 1):
        await publish(database, guid, topics=["lungs"], published=MONDAY - at * DAY)
    await make_edition(database, cadence(max_articles=1))
    return database


async def test_a_page_shows_all_that_counts_as_given_also_what_the_mail_left_out(out, visit):
    answer = await visit("GET", FIRST)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert re.findall(r"<h2><a href=\"([^\"]+)\">([^<]+)</a>", answer.text) == [
        (f"https://site.example/{guid}", f"About {guid}") for guid in ("one", "two", "three")
    ]
    for part in ("A few words on three.", "Lung health", "Read the article", "<h1>Weekly · 16–22 November</h1>"):
        assert part in answer.text
    assert '<a href="/subscribe?cadence=weekly">Get the weekly digest by mail</a>' in answer.text


async def test_without_a_number_it_is_the_first_variant_and_both_name_one_address(out, visit):
    bare, first = await visit("GET", PAGE), await visit("GET", FIRST)
    assert bare.text == first.text
    assert f'<link rel="canonical" href="{ORIGIN}{FIRST}">' in bare.text
    assert '<meta property="og:title" content="Weekly · 16–22 November: About one">' in bare.text


async def test_each_variant_has_its_page_in_its_own_language(database, visit):
    await publish(database, "one", published=MONDAY - DAY)
    await join(database, "ann")
    await join(database, "eva", language="de")
    await make_edition(database)
    found = {(await visit("GET", f"{PAGE}/{number}")).text.split('lang="', 1)[1][:2] for number in (0, 1)}
    assert found == {"en", "de"}
    assert (await visit("GET", f"{PAGE}/2")).status_code == 404


@pytest.mark.parametrize("state", list(EditionState))
async def test_only_what_is_out_is_shown(out, visit, state):
    await out.write(lambda c: c.execute(update(editions).values(state=state)))
    answer = await visit("GET", FIRST)
    assert answer.status_code == (200 if state in ("running", "paused", "done") else 404)
    if answer.status_code == 404:
        assert "It may not be out yet" in answer.text
        assert "About one" not in answer.text


@pytest.mark.parametrize(
    "path",
    [
        "/editions/weekly/2026-W47",
        "/editions/daily/2026-W48",
        "/editions/weekly/2026-W48/1",
        "/editions/weekly/2026-W48/00",
        "/editions/weekly/2026-W48/-1",
        "/editions/weekly/2026-W48/x",
        "/editions/weekly/2026-W48/99999999999999999999",
        "/editions/weekly/2026-W48/%D9%A0",
        "/editions/weekly/2026-W48%00/0",
        "/editions/%00/2026-W48/0",
        "/editions/weekly/" + "9" * 3_000,
        "/editions/weekly/%3Cscript%3E",
        "/editions/weekly",
    ],
)
async def test_what_was_never_made_is_not_there(out, visit, path):
    answer = await visit("GET", path)
    assert answer.status_code == 404
    assert "<script" not in answer.text


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS"])
@pytest.mark.parametrize("path", [PAGE, FIRST, "/editions", FEED])
async def test_there_is_nothing_to_do_but_to_read(out, visit, method, path):
    assert (await visit(method, path)).status_code == 405


async def test_head_is_answered_like_get_without_the_page(out, visit):
    got, head = await visit("GET", FIRST), await visit("HEAD", FIRST)
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers == got.headers


async def test_reading_writes_nothing(out, visit, database_path):
    before = database_path.read_bytes()
    for path in (PAGE, FIRST, "/editions", FEED, "/editions/weekly/2026-W47"):
        await visit("GET", path)
    assert database_path.read_bytes() == before


# --- kept to who has the address, or found by all


async def test_without_an_archive_a_page_is_for_who_has_its_address(out, visit):
    answer = await visit("GET", FIRST)
    assert answer.headers["x-robots-tag"] == "noindex"
    assert '<meta name="robots" content="noindex">' in answer.text
    assert answer.headers["cache-control"] == "no-store"
    assert "All editions" not in answer.text
    for path in ("/editions", FEED):
        assert (await visit("GET", path)).status_code == 404


@with_archive
async def test_with_an_archive_pages_may_be_found_and_kept(out, visit):
    for path in (FIRST, "/editions", FEED):
        answer = await visit("GET", path)
        assert (answer.status_code, answer.headers["x-robots-tag"]) == (200, "all")
        assert answer.headers["cache-control"] == "public, max-age=300"
        assert "noindex" not in answer.text
        assert "set-cookie" not in answer.headers
    missing = await visit("GET", "/editions/weekly/2026-W01")
    assert (missing.headers["x-robots-tag"], missing.headers["cache-control"]) == ("noindex", "no-store")


@with_archive
async def test_the_archive_lists_what_is_out_page_by_page(database, visit):
    await join(database, "ann")
    for week in range(23):
        await publish(database, f"w{week}", published=MONDAY + week * WEEK - DAY)
        await make_edition(database, now=MONDAY + week * WEEK)
    await database.write(lambda c: c.execute(update(editions).where(editions.c.id == 23).values(state="held")))

    first, second = await visit("GET", "/editions"), await visit("GET", "/editions?page=2")
    shown = [re.findall(r'<h2><a href="([^"]+)">', answer.text) for answer in (first, second)]
    assert [len(paths) for paths in shown] == [20, 2]
    assert shown[0][0] == "/editions/weekly/2027-W16/0"
    assert shown[1][-1] == FIRST
    assert len(set(shown[0] + shown[1])) == 22
    assert "held" not in first.text
    assert 'href="/editions?page=2">Older editions' in first.text
    assert 'href="/editions">Newer editions' in second.text
    assert f'type="application/atom+xml" title="Editions of Mia&#39;s Feed" href="{FEED}"' in first.text
    for page in ("3", "0", "-1", "x", "", "01", "9" * 30):
        assert (await visit("GET", f"/editions?page={page}")).status_code == 404, page
    for path in shown[0][:2]:
        assert (await visit("GET", path)).status_code == 200


@with_archive
async def test_an_archive_of_nothing_says_so(visit):
    assert "Nothing has come out yet." in (await visit("GET", "/editions")).text
    assert feedparser.parse((await visit("GET", FEED)).content).entries == []


@with_archive
async def test_editions_lead_to_each_other(database, visit):
    await join(database, "ann")
    for week in range(3):
        await publish(database, f"w{week}", published=MONDAY + week * WEEK - DAY)
        await make_edition(database, now=MONDAY + week * WEEK)
    middle = await visit("GET", "/editions/weekly/2026-W49/0")
    assert f'<a href="{FIRST}">Earlier edition</a>' in middle.text
    assert '<a href="/editions/weekly/2026-W50/0">Later edition</a>' in middle.text
    assert "Earlier edition" not in (await visit("GET", FIRST)).text


# --- as it is now


async def test_a_correction_is_seen_and_a_hidden_article_is_gone(out, visit):
    assert await out.write(article_store.take_in, "feed:1", [(draft("two", title="Mended"), False)]) == (0, 1)
    await out.write(lambda c: article_store.hide(c, 1))
    text = (await visit("GET", FIRST)).text
    assert "Mended" in text
    assert "About one" not in text
    assert text.index("Mended") < text.index("About three")


@with_archive
async def test_where_all_was_hidden_nothing_is_there_any_more(out, visit):
    await out.write(lambda c: c.execute(update(article_rows).values(hidden=True)))
    assert (await visit("GET", FIRST)).status_code == 404
    assert FIRST not in (await visit("GET", "/editions")).text
    assert feedparser.parse((await visit("GET", FEED)).content).entries == []


async def test_an_edition_of_a_cadence_that_is_gone_stays_readable(out, visit):
    await out.write(lambda c: c.execute(update(editions).values(cadence="weekend_news")))
    answer = await visit("GET", "/editions/weekend_news/2026-W48/0")
    assert "<h1>Weekend news · 16–22 November</h1>" in answer.text
    assert "by mail" not in answer.text


# --- nothing of readers, nothing of others


@with_archive
async def test_nothing_of_the_readers_is_on_any_page(out, visit):
    await join(out, "topical", topics=["heart"])
    rows = await out.read(lambda c: c.execute(select(subscribers)).all())
    (edition,) = await out.read(lambda c: c.execute(select(editions)).all())
    sent = await out.read(lambda c: c.execute(select(deliveries)).all())
    assert len(sent) == 2
    secrets = {edition.nonce, edition.nonce[:24], edition.key_id, "Onymous", *(row.email for row in rows)}
    secrets |= {row.email.partition("@")[0] + "@" for row in rows}
    secrets |= {"unsubscribe", "preferences", "one-click", "planned", "k" * 32}
    for path in (PAGE, FIRST, "/editions", FEED):
        body = (await visit("GET", path)).text.casefold()
        assert not [secret for secret in secrets if secret.casefold() in body], path


HOSTILE = '</title></style><script>alert(1)</script>" onload="x" {{ 7*7 }} <!--'


@with_archive
async def test_what_others_wrote_stays_text(database, visit):
    picture = Picture("https://x.example;script-src *//p.png", HOSTILE, 1072, 560, "image/png")
    bad = replace(
        draft("bad", title=HOSTILE, topics=[HOSTILE]), summary=HOSTILE * 3, picture=picture, link="javascript:alert(1)"
    )
    await database.write(article_store.take_in, "feed:1", [(bad, False)])
    await join(database, "ann")
    await make_edition(database)
    await database.write(lambda c: c.execute(update(editions).values(intro=HOSTILE)))
    for path in (FIRST, "/editions", FEED):
        answer = await visit("GET", path)
        assert answer.status_code == 200
        assert "<script" not in answer.text
        assert "javascript:" not in answer.text
        assert not re.search(r"<[^>]* onload=\"x\"[^<]*>", answer.text.replace("&#34;", "").replace("&quot;", ""))
        assert "script-src" not in answer.headers["content-security-policy"]


@pytest.mark.parametrize(
    ("host", "shown"),
    [
        ("site.example", True),
        ("www.site.example", True),
        ("pictures.site.example", True),
        ("pictures.example", False),
        ("notsite.example", False),
        ("site.example.org", False),
    ],
)
async def test_only_the_leads_picture_may_be_loaded_and_only_from_the_site_itself(database, visit, host, shown):
    pictured = replace(draft("one"), picture=Picture(f"https://{host}/a.png", "A cell", 1072, 560, "image/png"))
    await database.write(article_store.take_in, "feed:1", [(pictured, False)])
    await join(database, "ann")
    await make_edition(database)
    answer = await visit("GET", FIRST)
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert (f"img-src https://{host};" in f"{policy};") is shown
    assert re.findall(r'src="([^"]+)"', answer.text) == ([f"https://{host}/a.png"] if shown else [])
    assert ('alt="A cell"' in answer.text) is shown


# --- the feed


@with_archive
async def test_the_feed_is_read_by_feed_readers_ours_among_them(out, visit):
    answer = await visit("GET", FEED)
    assert answer.headers["content-type"] == "application/atom+xml; charset=utf-8"
    found = feedparser.parse(answer.content)
    assert (found.bozo, found.version) == (False, "atom10")
    assert [(entry.title, entry.link, entry.id) for entry in found.entries] == [
        ("Weekly · 16–22 November: About one", f"{ORIGIN}{FIRST}", f"{ORIGIN}{PAGE}")
    ]
    ours = read_feed(answer.content, url=f"{ORIGIN}{FEED}", content_type=answer.headers["content-type"])
    assert (ours.problems, [one.title for one in ours.drafts]) == ((), ["Weekly · 16–22 November: About one"])


@with_archive
async def test_who_has_the_feed_already_is_told_so(out, visit):
    answer = await visit("GET", FEED)
    tag, date = answer.headers["etag"], answer.headers["last-modified"]
    assert parsedate_to_datetime(date) == MONDAY
    for asked, status in [
        ({"if-none-match": tag}, 304),
        ({"if-none-match": f'"other", W/{tag}'}, 304),
        ({"if-none-match": "*"}, 304),
        ({"if-none-match": '"other"'}, 200),
        ({"if-none-match": '"other"', "if-modified-since": date}, 200),
        ({"if-modified-since": date}, 304),
        ({"if-modified-since": "Sun, 22 Nov 2026 00:00:00 GMT"}, 200),
        ({"if-modified-since": "yesterday"}, 200),
        ({"if-modified-since": "Sun, 22 Nov 2026 00:00:00 -0000"}, 200),
    ]:
        again = await visit("GET", FEED, headers=asked)
        assert again.status_code == status, asked
        assert again.headers["etag"] == tag
        assert (again.content == b"") == (status == 304)
    await out.write(lambda c: article_store.hide(c, 1))
    assert (await visit("GET", FEED, headers={"if-none-match": tag})).status_code == 200


async def test_the_largest_page_there_is_can_be_made(database, visit):
    long = {"title": "A headline of many words & more <b>" * 5, "topics": ["lungs"], "published": MONDAY - DAY}
    await publish(database, *[f"a{number}" for number in range(MOST_SHOWN + 5)], **long)
    await join(database, "ann")
    await make_edition(database)
    text = (await visit("GET", FIRST)).text
    assert text.count("<h2>") == MOST_SHOWN
    assert "and 5 more on the site" in text
