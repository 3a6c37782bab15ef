"""`mailer feeds add|list|remove|poll`."""

import asyncio

import pytest

from mailer.flows.ingesting import asking
from tests.cli.site import MONDAY, rss

NEW = ("new", "Fri, 20 Nov 2026 10:00:00 GMT")
OLD = ("old", "Fri, 20 Mar 2026 10:00:00 GMT")
LATER = ("later", "Mon, 23 Nov 2026 06:00:00 GMT")
AT = ("--now", "2026-11-22T12:00Z")


@pytest.fixture
def feed(publisher) -> str:
    publisher.pages["/feed.xml"] = (200, rss(NEW, OLD))
    return publisher.url("/feed.xml")


def test_a_feed_that_is_added_brings_its_articles_and_the_old_ones_are_only_known(site, feed):
    ended = site.did("feeds", "add", feed, *AT)

    assert "2 articles taken in, 1 of them old or undated" in ended.out
    listed = {one["guid"]: one["known"] for one in site.json("articles", "list")}
    assert listed == {"old": True, "new": False}


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("feed.xml", rss(NEW)),
        (
            "feed.json",
            b"""{"version": "https://jsonfeed.org/version/1.1", "title": "J", "items": [{"id": "new", "title": "New",
            "url": "https://site.example/new", "date_published": "2026-11-20T10:00:00Z"}]}""",
        ),
        (
            "atom.xml",
            b"""<feed xmlns="http://www.w3.org/2005/Atom"><title>A</title><id>a</id><entry><id>new</id><title>New</title>
            <link href="https://site.example/new"/><updated>2026-11-20T10:00:00Z</updated></entry></feed>""",
        ),
    ],
)
def test_a_feed_may_be_a_file_of_each_kind(site, name, content):
    added = site.json("feeds", "add", site.write(name, content), *AT)

    assert added == {
        "id": 1,
        "url": str(site.folder / name),
        "added": True,
        "new": 1,
        "known": 0,
        "changed": 0,
        "page": None,
        "others": [],
    }
    assert site.json("articles", "show", "1")["guid"] == "new"


def test_feeds_list_shows_how_each_is(site, feed, publisher):
    site.did("feeds", "add", feed, *AT)
    publisher.pages["/feed.xml"] = (500, b"")
    site.run("feeds", "poll", *AT)

    (listed,) = site.json("feeds", "list")

    assert listed["id"] == 1
    assert listed["url"] == feed
    assert listed["title"] == "Mia's Feed"
    assert listed["articles"] == 2
    assert "500" in listed["problem"]
    assert feed in site.did("feeds", "list").out


def test_polling_asks_only_for_what_is_new(site, feed, publisher):
    site.did("feeds", "add", feed, *AT)

    site.did("feeds", "poll", *AT)
    publisher.pages["/feed.xml"] = (200, rss(LATER, NEW, OLD))
    (polled,) = site.json("feeds", "poll", "--now", MONDAY)

    assert [status for _, status in publisher.asked] == [200, 304, 200]
    assert (polled["new"], polled["changed"]) == (1, 0)


def test_a_feed_that_fails_is_one_sentence_and_the_others_are_polled(site, feed, publisher):
    publisher.pages["/other.xml"] = (200, rss(NEW))
    site.did("feeds", "add", publisher.url("/other.xml"), *AT)
    site.did("feeds", "add", feed, *AT)
    publisher.pages["/other.xml"] = (404, b"")
    publisher.pages["/feed.xml"] = (200, rss(LATER, NEW, OLD))

    ended = site.run("feeds", "poll", "--now", MONDAY)

    assert ended.code == 1
    assert ended.err == f"mailer: feed 1: {publisher.url('/other.xml')} answered 404 Not Found.\n"
    assert "Feed 2, Mia's Feed: 1 new" in ended.out
    first, second = site.json("feeds", "poll", "--now", MONDAY, code=1)
    assert first["problem"]
    assert second["problem"] is None


@pytest.mark.parametrize(
    ("page", "said"),
    [
        ((404, b""), "404 Not Found"),
        ((410, b""), "gone"),
        ((200, b"<html><body>Hello</body></html>"), "web page"),
        ((200, b""), "empty"),
        ((200, b"\x00\x01\x02"), "not a feed"),
        ((200, b'[{"id": "x"}]'), "JSON"),
    ],
)
def test_what_is_no_feed_is_not_added(site, publisher, page, said):
    publisher.pages["/x"] = page

    ended = site.run("feeds", "add", publisher.url("/x"))

    assert ended.code == 1
    assert said in ended.err
    assert len(ended.err.splitlines()) == 1
    assert site.json("feeds", "list") == []


@pytest.mark.parametrize(
    "source", ["nothing.xml", ".", "", "ftp://site.example/x", "http://", "http://127.0.0.1:1/x", "file:///nothing"]
)
def test_what_cannot_be_a_feed_is_one_sentence(site, source):
    ended = site.run("feeds", "add", source)

    assert ended.code == 1
    assert len(ended.err.splitlines()) == 1


def test_a_private_address_is_refused_with_the_setting_that_allows_it(site):
    ended = site.run("feeds", "add", "http://127.0.0.1:9/feed.xml")

    assert ended.code == 1
    assert "allow_private" in ended.err


def test_a_feed_that_was_removed_and_added_again_goes_on_where_it_was(site, feed, publisher):
    site.did("feeds", "add", feed, *AT)
    site.did("feeds", "remove", "1")
    assert site.json("feeds", "list") == []
    publisher.pages["/feed.xml"] = (200, rss(LATER, ("late", ""), NEW, OLD))

    again = site.json("feeds", "add", feed, "--now", MONDAY)

    # Nothing of it is a back catalogue any more, however old it says it is.
    assert again | {"id": 1, "added": True, "new": 2, "known": 0} == again
    assert len(site.json("articles", "list")) == 4


def test_a_second_feed_with_the_same_articles_counts_none_of_them_as_taken_in(site, feed, publisher):
    publisher.pages["/other.xml"] = (200, rss(NEW, OLD))
    site.did("feeds", "add", publisher.url("/other.xml"), *AT)

    assert site.did("feeds", "add", feed, *AT).out == "Added feed 2: 0 articles taken in.\n"


def test_a_feed_that_is_added_twice_stays_one(site, feed):
    site.did("feeds", "add", feed, *AT)

    ended = site.did("feeds", "add", feed, *AT)

    assert "is there already" in ended.out
    assert len(site.json("feeds", "list")) == 1


def test_removing_what_is_not_there_says_so(site):
    for number in ("7", "99999999999999999999999"):
        ended = site.run("feeds", "remove", number)
        assert ended.code in (1, 2)
        assert "Traceback" not in ended.err


def test_due_feeds_alone_are_asked_and_what_waits_is_counted(site, feed, publisher):
    site.did("feeds", "add", feed, *AT)
    publisher.pages["/other.xml"] = (200, rss(NEW))
    site.did("feeds", "add", publisher.url("/other.xml"), "--now", "2026-11-22T12:30Z")
    asked = len(publisher.asked)

    early = site.did("feeds", "poll", "--due", "--now", "2026-11-22T12:45Z")
    assert len(publisher.asked) == asked
    assert early.out.startswith("2 feeds are not due yet, the next in ")

    late = site.did("feeds", "poll", "--due", "--now", "2026-11-23T18:00Z")
    assert len(publisher.asked) == asked + 2
    assert "not due" not in late.out
    again = site.json("feeds", "poll", "--due", "--now", "2026-11-23T18:01Z")
    assert [one["asked"] for one in again] == [False, False]
    assert all(one["next_poll"] > "2026-11-23T18:01" for one in again)
    # A hand is obeyed.
    assert all(one["asked"] for one in site.json("feeds", "poll", "--now", "2026-11-23T18:01Z"))


def test_the_settings_bound_how_soon_and_how_late_a_feed_is_asked(site, feed):
    site.did("feeds", "add", feed, *AT, MAILER_FEEDS__POLL_LATEST="20m")
    (one,) = site.json("feeds", "list")
    # Up to a tenth sooner, by chance; the rest is what a busy machine takes to run a command.
    assert "2026-11-22T12:18" <= one["next_poll"] < "2026-11-22T12:30"
    ended = site.run("feeds", "list", MAILER_FEEDS__POLL_LATEST="5m")
    assert ended.code == 2
    assert "poll_soonest must not be longer than poll_latest" in ended.err


def test_a_feed_that_fails_is_left_alone_longer_and_longer(site, feed, publisher):
    site.did("feeds", "add", feed, *AT)
    publisher.pages["/feed.xml"] = (500, b"")
    waits = []
    for hour in range(13, 18):
        site.run("feeds", "poll", "--now", f"2026-11-22T{hour}:00Z")
        (one,) = site.json("feeds", "list")
        waits.append(one["next_poll"])

    assert [one["failures"] for one in site.json("feeds", "list")] == [5]
    assert waits[0] < "2026-11-22T13:17"
    assert "2026-11-22T21:00" <= waits[-1] < "2026-11-22T21:25"


SITE_PAGE = b"""<!doctype html><html><head>
<link rel="alternate" type="application/rss+xml" title="Comments" href="/comments.xml">
<link rel="alternate" type="application/rss+xml" title="Stories" href="feed.xml">
<link rel="alternate" type="application/atom+xml" title="Events" href="/events.xml"></head></html>"""


def test_a_feed_is_found_from_the_address_of_its_site(site, feed, publisher):
    publisher.pages["/"] = (200, SITE_PAGE)

    ended = site.did("feeds", "add", publisher.url("/"), *AT)

    assert f"{publisher.url('/')} is a web page; its feed is {feed}." in ended.out
    assert f"{publisher.url('/events.xml')}  (Events)" in ended.out
    assert "Added feed 1: 2 articles taken in" in ended.out
    assert [one["url"] for one in site.json("feeds", "list")] == [feed]
    again = site.json("feeds", "add", publisher.url("/"), *AT)
    assert (again["added"], again["page"]) == (False, publisher.url("/"))
    assert [other["title"] for other in again["others"]] == ["Events", "Comments"]


def test_a_page_whose_first_feed_is_dead_gives_its_next(site, feed, publisher):
    publisher.pages["/"] = (200, SITE_PAGE.replace(b'"feed.xml"', b'"/dead.xml"'))
    publisher.pages["/events.xml"] = (200, rss(NEW))

    assert f"its feed is {publisher.url('/events.xml')}." in site.did("feeds", "add", publisher.url("/"), *AT).out


def test_a_page_whose_feeds_are_all_dead_says_what_is_wrong_with_the_first(site, publisher):
    publisher.pages["/"] = (200, SITE_PAGE)

    ended = site.run("feeds", "add", publisher.url("/"), *AT)

    assert ended.code == 1
    assert f"{publisher.url('/feed.xml')} answered 404 Not Found." in ended.err
    assert site.json("feeds", "list") == []


def test_a_feed_is_found_at_a_usual_place_where_the_page_names_none(site, publisher):
    publisher.pages["/blog/"] = (200, b"<html><body>Hello</body></html>")
    publisher.pages["/atom.xml"] = (200, rss(NEW))

    ended = site.did("feeds", "add", publisher.url("/blog/"), *AT)

    assert f"its feed is {publisher.url('/atom.xml')}." in ended.out


def test_where_no_feed_is_found_few_are_asked_and_nothing_is_added(site, publisher):
    publisher.pages["/blog/"] = (200, b"<html><body>Hello</body></html>")

    ended = site.run("feeds", "add", publisher.url("/blog/"), *AT)

    assert ended.code == 1
    assert "names no feed, and there is none at the usual addresses" in ended.err
    assert len(publisher.asked) == 13
    assert site.json("feeds", "list") == []


@pytest.mark.parametrize("target", ["http://169.254.169.254/feed.xml", "http://[::1]/feed.xml", "file:///etc/passwd"])
def test_a_page_can_not_lead_to_a_private_address(site, publisher, monkeypatch, target):
    # This machine's own address stands for a public one; another of its addresses doesn't.
    monkeypatch.setenv("MAILER_FEEDS__ALLOW_PRIVATE", "false")
    monkeypatch.setattr("mailer.feeds.is_public", lambda address: address == "127.0.0.1")
    link = f'<link rel="alternate" type="application/rss+xml" href="{target}">'
    publisher.pages["/"] = (200, f"<html>{link}</html>".encode())

    ended = site.run("feeds", "add", publisher.url("/"))

    assert ended.code == 1
    assert "which is not a public address" in ended.err or "names no feed" in ended.err
    assert site.json("feeds", "list") == []


def opml(*urls: str) -> str:
    outlines = "".join(f'<outline text="x" xmlUrl="{url}"/>' for url in urls)
    return f'<opml version="2.0"><body><outline text="Folder">{outlines}</outline></body></opml>'


def test_a_list_of_feeds_is_imported_and_what_fails_is_named(site, feed, publisher):
    publisher.pages["/other.xml"] = (200, rss(("elsewhere", NEW[1])))
    site.did("feeds", "add", publisher.url("/other.xml"), *AT)
    missing = publisher.url("/missing.xml")
    file = site.write("feeds.opml", opml(feed, missing, publisher.url("/other.xml"), "file:///etc/passwd"))

    ended = site.run("feeds", "import", file, *AT)

    assert ended.code == 1
    assert f"{feed}: Added feed 2: 2 articles taken in, 1 of them old or undated" in ended.out
    assert f"{publisher.url('/other.xml')}: Feed 1 is there already." in ended.out
    assert ended.out.endswith("1 feed added, 1 there already, 2 failed.\n")
    assert ended.err.splitlines() == [
        f"mailer: {missing} answered 404 Not Found.",
        "mailer: file:///etc/passwd is not an http or https address.",
    ]
    assert {one["url"] for one in site.json("feeds", "list")} == {publisher.url("/other.xml"), feed}
    publisher.pages["/missing.xml"] = (200, rss(LATER))
    again = site.json("feeds", "import", file, *AT, code=1)
    assert [one["added"] for one in again] == [False, True, False, False]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("<opml>", "can't be read"),
        ('<!DOCTYPE opml [<!ENTITY a "b">]><opml/>', "DOCTYPE"),
        (opml(), "names no feed"),
    ],
)
def test_a_list_that_is_none_adds_nothing(site, content, said):
    ended = site.run("feeds", "import", site.write("feeds.opml", content))

    assert ended.code == 1
    assert said in ended.err
    assert len(ended.err.splitlines()) == 1


def test_a_list_that_is_exported_can_be_imported_elsewhere(site, feed, publisher):
    publisher.pages["/feed.xml"] = (200, rss(NEW, title="Größe &amp; <Maß>".replace("<", "&lt;")))
    site.did("feeds", "add", feed, *AT)
    site.did("feeds", "add", site.write("own.xml", rss(LATER)), *AT)

    shown = site.did("feeds", "export", *AT)
    site.did("feeds", "export", "--out", "feeds.opml", *AT)

    assert shown.err.startswith("Left out, because no other program can read them: 1 feed")
    assert 'text="Gr&#246;&#223;e &amp; &lt;Ma&#223;&gt;"' in shown.out
    assert (site.folder / "feeds.opml").read_text() == shown.out
    site.did("feeds", "remove", "1")
    assert "1 feed added" in site.did("feeds", "import", "feeds.opml", *AT).out


def test_a_hundred_feeds_are_asked_few_at_a_time_and_fewer_of_one_host(site, publisher, monkeypatch):
    running: dict[str, int] = {"all": 0}
    most: dict[str, int] = {}

    async def slow(url: str, source, **_validators):
        host = url.split("/")[2]
        for name in ("all", host):
            running[name] = running.get(name, 0) + 1
            most[name] = max(most.get(name, 0), running[name])
        await asyncio.sleep(0.005)
        for name in ("all", host):
            running[name] -= 1
        return asking.Fetched("changed", body=rss((url, NEW[1])), final_url=url)

    monkeypatch.setattr(asking, "_fetch", slow)
    urls = [f"https://{host}.example/{n}" for host in "abcdefghij" for n in range(10)]

    ended = site.did("feeds", "import", site.write("feeds.opml", opml(*urls)), *AT)

    assert ended.out.endswith("100 feeds added, 0 there already, 0 failed.\n")
    assert most.pop("all") == asking.AT_ONCE
    assert max(most.values()) == asking.AT_ONE_HOST


def test_feeds_list_fits_a_terminal_of_eighty_columns_and_shows_each_address_whole(site, publisher, monkeypatch):
    publisher.pages["/news/feed.xml"] = (200, rss(NEW, title="A site with a name that is quite long for a column"))
    site.did("feeds", "add", publisher.url("/news/feed.xml"), *AT)

    monkeypatch.setattr("mailer.cli.output._WIDTH", 80)
    shown = site.did("feeds", "list", *AT).out.splitlines()

    assert max(map(len, shown)) <= 80
    assert any(line.endswith(publisher.url("/news/feed.xml")) for line in shown)
