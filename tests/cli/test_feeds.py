"""`mailer feeds add|list|remove|poll`."""

import pytest

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
