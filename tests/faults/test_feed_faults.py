"""Every line under "Feeds" of delivery.md's faults, the whole way: what the operator sees, what the digest holds."""

import gzip
import itertools
import re
from collections.abc import Iterator
from html import escape

import pytest

from mailer.feeds import is_public
from tests.cli.site import Relay, Site
from tests.faults.badfeeds import BadFeeds, Page, gzipped, redirect

SUNDAY, MORNING, MONDAY = "2026-11-22T12:00Z", "2026-11-23T06:00Z", "2026-11-23T08:00Z"
"""A feed is added, polled again, and the weekly digest sent."""
NEXT_MORNING, NEXT_MONDAY = "2026-11-30T06:00Z", "2026-11-30T08:00Z"
FRIDAY = "Fri, 20 Nov 2026 10:00:00 GMT"
AT_DAWN = "Mon, 23 Nov 2026 05:00:00 GMT"


def item(name: str, *, guid: str | None = "", link: str | None = "", title: str | None = None, date: str = FRIDAY):
    """An RSS item. `guid` and `link`: None leaves it out, '' makes it of the name."""
    parts = {
        "title": escape(f"The {name} story" if title is None else title),
        "link": None if link is None else escape(link or f"https://site.example/{name}"),
        "guid": None if guid is None else escape(guid or f"id-{name}"),
        "pubDate": date or None,
        "description": f"A few words on {name}.",
    }
    inner = "".join(f"<{tag}>{text}</{tag}>" for tag, text in parts.items() if text is not None)
    return f"<item>{inner}</item>"


def rss(*items: str, head: str = "") -> bytes:
    return f'<rss version="2.0"><channel><title>Harbour</title>{head}{"".join(items)}</channel></rss>'.encode()


class Story:
    """One feed and one weekly reader."""

    def __init__(self, site: Site, relay: Relay, server: BadFeeds) -> None:
        self.site, self.relay, self.server = site, relay, server
        self.url = f"{server.url}/feed.xml"
        site.join("ann")

    def publish(self, *items: str, head: str = "") -> None:
        self.answer(Page(rss(*items, head=head)))

    def answer(self, page: Page) -> None:
        self.server.pages["/feed.xml"] = page

    def add(self, now: str = SUNDAY):
        return self.site.did("feeds", "add", self.url, "--now", now)

    def poll(self, now: str = MORNING, *, code: int = 0, **environ: str):
        ended = self.site.run("feeds", "poll", "--now", now, **environ)
        assert ended.code == code, ended.all
        assert "Traceback" not in ended.all
        return ended

    def health(self, now: str = MONDAY) -> tuple[dict, str]:
        """What `feeds list` says of the feed: to programs, and to people."""
        (one,) = self.site.json("feeds", "list", "--now", now)
        return one, self.site.did("feeds", "list", "--now", now).out

    def digest(self, now: str = MONDAY) -> str:
        """The text part that the reader gets, '' where nothing is sent. Both parts hold the same headlines."""
        before = len(self.relay.accepted)
        self.site.did("send", "--cadence", "weekly", "--now", now)
        if len(self.relay.accepted) == before:
            return ""
        mail = self.relay.mail_to("ann@example.com")
        text = mail.get_body(("plain",)).get_content()
        html = mail.get_body(("html",)).get_content()
        assert set(re.findall(r"The (\w+) story", text)) == set(re.findall(r"The (\w+) story", html))
        return text

    def stories(self, now: str = MONDAY) -> list[str]:
        """The names of the digest's own articles, in order, each once; older ones may stand under 'Related reading'."""
        own = re.split("related reading", self.digest(now), flags=re.IGNORECASE)[0]
        return list(dict.fromkeys(re.findall(r"The (\w+) story", own)))

    def titles(self) -> list[str]:
        """Of all articles that were taken in, the newest first."""
        return [one["title"] for one in self.site.json("articles", "list")]


@pytest.fixture
def server() -> Iterator[BadFeeds]:
    with BadFeeds() as feeds:
        yield feeds


@pytest.fixture
def story(site, relay, server) -> Story:
    site.configure("[feeds]\nallow_private = true\nmax_bytes = 200000")
    return Story(site, relay, server)


def endless(size: int, sent: list[int]) -> Iterator[bytes]:
    for _ in range(size // 50_000):
        sent.append(50_000)
        yield b"x" * 50_000


GOOD = rss(item("stray"))
ENTITIES = b"""<?xml version="1.0"?><!DOCTYPE rss [<!ENTITY a "ha"><!ENTITY b "&a;&a;"><!ENTITY c SYSTEM "file:///etc/passwd">]>
<rss version="2.0"><channel><title>&b;</title><item><title>The stray story &c;</title></item></channel></rss>"""
FAILURES = {
    "a timeout": (Page(GOOD, wait=30), "did not answer in full within 0.5s"),
    "a slow drip": (Page(GOOD, drip=0.1), "did not answer in full within 0.5s"),
    "a redirect loop": (redirect("/feed.xml", 302), "redirects in a circle"),
    "404": (Page(status=404), "answered 404 Not Found"),
    "410": (Page(status=410), "says that it is gone (410). Remove it with `mailer feeds remove 1`"),
    "500": (Page(status=500), "answered 500 Internal Server Error"),
    "truncated XML": (Page(GOOD[:90]), "breaks off before the end of its first article"),
    "a body that breaks off": (Page(GOOD, claim=len(GOOD) + 9), "the connection broke off"),
    "HTML instead of XML": (
        Page(b"<!doctype html><html><body><h1>The stray story</h1></body></html>"),
        "is a web page",
    ),
    "a gzip bomb": (gzipped(b"<rss>" + b"\x00" * 50_000_000), "has more than 200000 bytes"),
    "XML entities": (Page(ENTITIES), "its DOCTYPE declares things of its own"),
    "nothing": (Page(b""), "is empty"),
    "a redirect to a file": (redirect("file:///etc/passwd"), "redirects to file:/etc/passwd, which is not an http"),
}


def impatient(fault: str) -> dict[str, str]:
    """Only where slowness is the fault: a busy machine is slow by itself."""
    return {"MAILER_FEEDS__TIMEOUT": "0.5s"} if fault in ("a timeout", "a slow drip") else {}


@pytest.mark.parametrize("fault", FAILURES)
def test_a_feed_that_fails_is_said_in_words_and_costs_the_digest_nothing_that_was_told_before(story, fault):
    page, words = FAILURES[fault]
    story.publish(item("first"))
    story.add()
    story.answer(page)

    for at in (MORNING, "2026-11-23T07:30Z"):
        ended = story.poll(at, code=1, **impatient(fault))
        assert len(ended.err.splitlines()) == 1
        assert words in ended.err
    document, shown = story.health()

    assert words in document["problem"]
    assert words in shown
    assert (document["state"], document["failures"]) == ("gone" if fault == "410" else "failing", 2)
    assert "failed 2 times in a row; last success 2026-11-22 12:00" in shown
    assert story.stories() == ["first"]


@pytest.mark.parametrize("fault", FAILURES)
def test_a_feed_that_was_mended_goes_on_where_it_was(story, fault):
    story.publish(item("first"))
    story.add()
    story.answer(FAILURES[fault][0])
    story.poll(code=1, **impatient(fault))
    story.publish(item("second", date=AT_DAWN), item("first"))

    story.poll("2026-11-23T07:30Z")

    document, shown = story.health()
    assert (document["state"], document["failures"], document["problem"], document["gone"]) == ("well", 0, None, False)
    assert "30 min ago" in shown
    assert story.stories() == ["second", "first"]


def test_a_hundred_megabytes_are_not_read_to_their_end(story):
    story.publish(item("first"))
    story.add()
    sent: list[int] = []
    story.answer(Page(chunks=endless(100_000_000, sent)))

    assert "has more than 200000 bytes; raise max_bytes under [feeds] if that is right" in story.poll(code=1).err

    assert sum(sent) < 20_000_000  # what the kernel's buffers took before the connection was closed
    assert story.stories() == ["first"]


@pytest.mark.parametrize("target", ["http://169.254.169.254/latest/", "http://10.0.0.1/", "http://[::ffff:10.0.0.1]/"])
def test_a_redirect_to_a_private_address_is_refused_and_not_followed(site, relay, server, monkeypatch, target):
    # This machine's own address stands for a public one.
    monkeypatch.setattr("mailer.feeds.is_public", lambda address: address == "127.0.0.1" or is_public(address))
    story = Story(site, relay, server)
    story.publish(item("first"))
    story.add()
    story.answer(redirect(target))

    assert "which is not a public address" in story.poll(code=1).err

    document, shown = story.health()
    assert "leads to" in document["problem"]
    assert "which is not a public address" in shown
    assert story.stories() == ["first"]


def test_a_gone_feed_is_not_asked_again_by_itself_but_by_hand(story):
    story.publish(item("first"))
    story.add()
    story.answer(Page(status=410))
    story.poll(code=1)
    asked = len(story.server.asked)

    ended = story.site.did("feeds", "poll", "--due", "--now", "2027-02-01T08:00Z")

    assert len(story.server.asked) == asked
    assert ended.out == "Gone, and asked by hand only: feed 1.\n"
    assert "asked by hand only" in story.health()[1]
    story.publish(item("first"))
    story.poll("2027-02-01T09:00Z")
    assert story.health()[0]["state"] == "well"


def test_a_feed_that_moved_for_good_is_asked_at_its_new_address_and_one_that_moved_for_now_is_not(story):
    story.server.pages["/new.xml"] = Page(rss(item("first")), etag='"1"')
    story.answer(redirect("/new.xml", 302))
    story.add()
    assert story.health()[0]["url"] == story.url
    story.answer(redirect("/new.xml", 301))

    # Even where it has nothing new to say.
    assert f"its address is {story.server.url}/new.xml from now on" in story.poll().err

    document, shown = story.health()
    assert document["url"] == f"{story.server.url}/new.xml"
    assert document["url"] in shown
    story.poll("2026-11-23T07:00Z")
    assert story.server.asked[-2].path == "/new.xml"  # after the redirect; now it is the only one
    assert story.server.asked[-1].path == "/new.xml"
    assert story.stories() == ["first"]


def test_a_feed_that_moved_for_good_to_another_feed_of_ours_is_said(story):
    story.publish(item("first"))
    story.add()
    story.server.pages["/old.xml"] = Page(rss(item("first")))
    story.site.did("feeds", "add", f"{story.server.url}/old.xml", "--now", SUNDAY)
    story.server.pages["/old.xml"] = redirect("/feed.xml")

    assert f"Feed 2: it moved for good to {story.url}, which is feed 1; remove one of the two." in story.poll().err

    assert len(story.site.json("feeds", "list")) == 2
    assert story.stories() == ["first"]


def test_a_feed_that_did_not_change_is_not_sent_again_and_counts_as_a_success(story):
    story.answer(Page(rss(item("first")), etag='"one"', last_modified="Fri, 20 Nov 2026 10:00:00 GMT"))
    story.add()

    assert story.poll().out == "Feed 1, Harbour: 0 new, 0 changed.\n"

    assert story.server.asked[-1].headers["if-none-match"] == '"one"'
    assert story.health()[0]["last_success"].startswith("2026-11-23T06:00")
    assert story.stories() == ["first"]


def test_a_feed_that_breaks_off_gives_its_whole_articles_and_no_half_one(story):
    story.publish(item("first"))
    story.add()
    whole = rss(item("second", date=AT_DAWN), item("half"), item("first"))
    story.answer(Page(whole[: whole.index(b"half.")]))

    assert "It breaks off before its end; the half article there was left out." in story.poll().err

    document, shown = story.health()
    assert document["state"] == "mended"
    assert "It breaks off before its end" in shown
    assert story.stories() == ["second", "first"]


@pytest.mark.parametrize(
    ("declared", "charset", "note"),
    [
        ("utf-8", "windows-1252", "read as Windows-1252"),
        ("iso-8859-1", "utf-8", ""),
        ("us-ascii", "windows-1252", ""),
        ("no-such-charset", "utf-8", ""),
        ("windows-1251", "windows-1251", ""),
    ],
)
def test_a_wrong_charset_does_not_spoil_the_letters(story, declared, charset, note):
    title = "Зима" if charset == "windows-1251" else "Crème brûlée für Größe"
    body = f'<?xml version="1.0" encoding="{declared}"?>' + rss(item("x", title=title)).decode()
    story.answer(Page(body.encode(charset)))

    story.add()

    assert note in story.health()[1]
    assert title in story.digest()


def test_duplicate_guids_of_one_article_are_one_article_and_said(story):
    story.publish(item("first"), item("first", title="The first story, again"))
    story.add()

    assert "has the same id as article 1" in story.health()[1]
    assert story.stories() == ["first"]
    assert len(story.titles()) == 1


def test_duplicate_guids_of_several_articles_cost_no_article(story):
    names = ["harbour", "bread", "winter"]
    story.publish(*(item(name, guid="same") for name in names))
    story.add()
    story.publish(item("tide", guid="same", date=AT_DAWN), *(item(name, guid="same") for name in names))
    assert "Feed 1, Harbour: 1 new, 0 changed." in story.poll().out

    assert "4 articles have the same id ('same')" in story.health()[1]
    assert sorted(story.stories()) == ["bread", "harbour", "tide", "winter"]


def test_guids_that_change_each_time_bring_no_article_twice(story):
    for count, at in enumerate((SUNDAY, MORNING, "2026-11-23T07:00Z")):
        story.publish(*(item(name, guid=f"{name}?visit={count}") for name in ("first", "second")))
        story.add() if at == SUNDAY else story.poll(at)

    assert sorted(story.stories()) == ["first", "second"]
    story.publish(*(item(name, guid=f"{name}?visit=later") for name in ("third", "first", "second")))
    story.poll(NEXT_MORNING)
    assert story.stories(NEXT_MONDAY) == ["third"]
    assert len(story.titles()) == 3


def test_an_article_under_a_new_guid_is_brought_up_to_date(story):
    story.publish(item("first"))
    story.add()
    story.publish(item("first", guid="other", title="The first story, mended"))

    assert "0 new, 1 changed" in story.poll().out

    assert "The first story, mended" in story.digest()


@pytest.mark.parametrize("link", ["", None])
def test_missing_guids_are_no_trouble(story, link):
    story.publish(item("first", guid=None, link=link))
    story.add()
    story.publish(item("second", guid=None, link=link, date=AT_DAWN), item("first", guid=None, link=link))

    assert "1 new, 0 changed" in story.poll().out

    assert story.stories() == ["second", "first"]


def test_guids_that_are_used_again_make_no_article_vanish_and_bring_none_twice(story):
    def numbered(*names: str) -> list[str]:
        dates = {"harbour": FRIDAY, "bread": FRIDAY, "winter": AT_DAWN, "tide": "Mon, 30 Nov 2026 05:00:00 GMT"}
        return [item(name, guid=str(number), date=dates[name]) for number, name in enumerate(names, 1)]

    story.publish(*numbered("bread", "harbour"))
    story.add()
    story.publish(*numbered("winter", "bread", "harbour"))
    assert "1 new, 0 changed" in story.poll().out
    assert story.stories() == ["winter", "bread", "harbour"]

    story.publish(*numbered("tide", "winter", "bread"))
    assert "1 new, 0 changed" in story.poll(NEXT_MORNING).out
    assert story.stories(NEXT_MONDAY) == ["tide"]


def test_one_guid_used_again_for_the_next_article_brings_it(story):
    story.publish(item("harbour", guid="latest"))
    story.add()
    story.publish(item("bread", guid="latest", title="Why winter loaves rise slowly", date=AT_DAWN))
    assert "1 new" in story.poll().out

    assert "Why winter loaves rise slowly" in story.digest()
    assert story.titles() == ["Why winter loaves rise slowly", "The harbour story"]


def test_an_edit_of_title_and_link_under_the_same_guid_stays_an_edit(story):
    story.publish(item("harbour"))
    story.add()
    story.publish(item("harbour", link="https://site.example/quay", title="The harbour story, corrected"))

    assert "0 new, 1 changed" in story.poll().out

    assert "https://site.example/quay" in story.digest()


@pytest.mark.parametrize("link", ["https://site.example/", "https://site.example/blog"])
@pytest.mark.parametrize("guid", ["", None])
def test_the_same_link_for_all_identifies_nothing(story, link, guid):
    story.publish(item("second", link=link, guid=guid), item("first", link=link, guid=guid))
    story.add()
    story.publish(*(item(name, link=link, guid=guid) for name in ("third", "second", "first")))

    assert "1 new, 0 changed" in story.poll().out

    assert sorted(story.stories()) == ["first", "second", "third"]


@pytest.mark.parametrize("link", ["https://site.example/", "https://site.example/latest"])
def test_a_feed_of_one_article_with_the_same_link_for_all_brings_each(story, link):
    story.publish(item("harbour", link=link, title="Ships are late"))
    story.add()
    story.publish(item("bread", link=link, title="Bread is early", date=AT_DAWN))
    story.poll()

    digest = story.digest()

    assert "Ships are late" in digest
    assert "Bread is early" in digest


def test_dates_of_the_future_are_kept_and_hold_nothing_back(story):
    story.publish(item("future", date="Mon, 01 Jan 2035 10:00:00 GMT"), item("first"))
    story.add()
    story.publish(item("second"), item("future", date="Mon, 01 Jan 2035 10:00:00 GMT"), item("first"))
    story.poll()

    assert story.stories() == ["future", "second", "first"]
    assert story.health()[0]["next_poll"] < "2026-11-25"


def test_missing_dates_are_back_catalogue_at_first_and_news_later(story):
    story.publish(item("old", date=""))
    assert "1 of them old or undated: known, but never mailed" in story.add().out
    story.publish(item("second", date=""), item("third", date="some day"), item("old", date=""))

    assert "has a date that can't be read ('some day')" in story.poll().err

    assert sorted(story.stories()) == ["second", "third"]


def test_backdated_articles_are_news_when_they_come(story):
    story.publish(item("first"))
    story.add()
    assert story.stories() == ["first"]  # a cadence's first edition goes by dates, later ones by what came in
    story.publish(item("first"), item("backdated", date="Fri, 20 Mar 2020 10:00:00 GMT"))
    story.poll(NEXT_MORNING)

    assert story.stories(NEXT_MONDAY) == ["backdated"]


def test_ten_thousand_articles_at_once_are_taken_in_and_counted(site, relay, server):
    site.configure("[feeds]\nallow_private = true")
    story = Story(site, relay, server)
    story.publish(item("first"))
    story.add()
    at_dawn = [item(f"n{number}", date=AT_DAWN) for number in range(10_000)]
    story.publish(*at_dawn, item("first"))

    assert "10000 new" in story.poll().out

    assert story.health()[0]["articles"] == 10_001
    digest = story.digest()
    assert len(set(re.findall(r"The (\w+) story", digest))) == 20
    assert "9,981 more" in digest
    assert story.site.json("verify")["ok"]


def test_the_first_fetch_takes_the_back_catalogue_as_known(story):
    story.publish(item("first"), *(item(f"old{n}", date=f"Fri, {n:02d} May 2020 10:00:00 GMT") for n in range(1, 29)))

    assert "29 articles taken in, 28 of them old or undated: known, but never mailed" in story.add().out

    assert story.health()[0]["state"] == "well"
    assert story.stories() == ["first"]


NAMES = ["harbour", "bread", "winter", "tide", "lantern", "orchard", "sparrow"]


def rebuilt(story: Story, *, title: str, link: str, date: str = FRIDAY) -> None:
    """A feed of seven articles, then the same with every id changed, and as said; and one that is really new."""
    story.publish(*(item(name) for name in NAMES))
    story.add()
    assert sorted(story.stories()) == sorted(NAMES)
    changed = [
        item(name, guid=f"new-{name}", title=title.format(name), link=link.format(name), date=date) for name in NAMES
    ]
    story.publish(item("fresh", date="Sun, 29 Nov 2026 10:00:00 GMT"), *changed)


@pytest.mark.parametrize(
    ("title", "link", "date"),
    [
        ("The {} story", "https://site.example/{}", FRIDAY),
        ("The {} story, mended", "https://www.site.example/{}/?utm_source=rss", FRIDAY),
        ("The {} story", "https://new.example/articles/{}", FRIDAY),
        ("The {} story", "https://new.example/articles/{}", "Sun, 29 Nov 2026 09:00:00 GMT"),
    ],
)
def test_a_site_that_was_rebuilt_is_recognised_by_links_or_titles(story, title, link, date):
    rebuilt(story, title=title, link=link, date=date)

    assert "1 new" in story.poll(NEXT_MORNING).out

    assert story.health()[0]["held"] == []
    assert story.stories(NEXT_MONDAY) == ["fresh"]


def storm(story: Story) -> list[int]:
    rebuilt(story, title="All about {}", link="https://new.example/{}")
    ended = story.poll(NEXT_MORNING)
    assert "Feed 1, Harbour: 8 new" in ended.out
    assert "8 articles came at once that can't be told from old ones" in ended.err
    document, shown = story.health(NEXT_MONDAY)
    assert document["state"] == "held"
    assert len(document["held"]) == 8
    for command in ("`mailer feeds accept 1`", "`mailer feeds refuse 1`"):
        assert command in ended.err
        assert command in shown
    return document["held"]


def test_all_guids_changed_by_a_rebuild_are_held_and_asked_and_refused_are_never_mailed(story):
    held = storm(story)

    assert "8 articles of feed 1 count as old" in story.site.did("feeds", "refuse", "1").out

    assert story.health()[0]["state"] == "well"
    assert story.site.json("articles", "show", str(held[0]))["known"]
    assert story.digest(NEXT_MONDAY) == ""
    # And known from now on: the next article is news.
    story.publish(item("later", date="Mon, 30 Nov 2026 10:00:00 GMT"), item("fresh"))
    assert "1 new" in story.poll("2026-12-01T06:00Z").out


def test_all_guids_changed_by_a_rebuild_are_held_and_asked_and_accepted_are_mailed(story):
    storm(story)

    assert "8 articles of feed 1 accepted as news" in story.site.did("feeds", "accept", "1").out

    assert story.health()[0]["state"] == "well"
    digest = story.digest(NEXT_MONDAY)
    assert all(f"All about {name}" in digest for name in NAMES)
    assert "No article of feed 1 is held." in story.site.did("feeds", "accept", "1").out


@pytest.mark.parametrize("word", ["send", "skip"])
def test_an_edition_with_them_is_held_and_feeds_list_says_how_to_judge_it(story, word):
    storm(story)
    ended = story.site.run("send", "--cadence", "weekly", "--now", NEXT_MONDAY)
    assert ended.code == 1
    (edition,) = [one["id"] for one in story.site.json("editions", "list") if one["state"] == "held"]
    assert f"`mailer editions {word} {edition}`" in story.health(NEXT_MONDAY)[1]

    story.site.did("editions", word, str(edition), "--now", NEXT_MONDAY)

    assert story.health(NEXT_MONDAY)[0]["state"] == "well"
    copies = story.relay.copies["ann@example.com"]
    assert copies == (2 if word == "send" else 1)
    story.publish(item("later", date="Mon, 30 Nov 2026 10:00:00 GMT"))
    story.poll("2026-12-01T06:00Z")
    assert story.stories("2026-12-07T08:00Z") == ["later"]
    assert "All about" not in story.digest("2026-12-14T08:00Z")


def test_judging_the_feed_says_what_is_still_to_do_with_a_held_edition(story):
    storm(story)
    story.site.run("send", "--cadence", "weekly", "--now", NEXT_MONDAY)
    (edition,) = [one["id"] for one in story.site.json("editions", "list") if one["state"] == "held"]

    ended = story.site.did("feeds", "refuse", "1")

    assert f"mailer editions skip {edition} --anew" in ended.out
    story.site.did("editions", "skip", str(edition), "--anew", "--now", NEXT_MONDAY)
    assert story.digest(NEXT_MONDAY) == ""
    assert story.relay.copies["ann@example.com"] == 1


def test_a_busy_feed_that_was_not_polled_for_a_week_is_no_storm(story):
    story.publish(*(item(name) for name in NAMES))
    story.add()
    story.digest()
    story.publish(*(item(f"later{n}", date=f"Thu, 26 Nov 2026 {n:02d}:00:00 GMT") for n in range(10)))

    assert "10 new" in story.poll(NEXT_MORNING).out

    assert story.health()[0]["held"] == []
    assert len(story.stories(NEXT_MONDAY)) == 10


@pytest.mark.parametrize(
    ("title", "shown"),
    [
        ("Ships <script>alert(1)</script> sail", "Ships sail"),
        ("Ships <img src=x onerror=alert(1)> sail", "Ships sail"),
        ("Ships {{ 7 * 7 }} and {% for x in y %} sail", "Ships {{ 7 * 7 }} and {% for x in y %} sail"),
        ("Ships {{ site.__class__ }} ${7*7} #{7*7} sail", "Ships {{ site.__class__ }} ${7*7} #{7*7} sail"),
        ("Ships\r\nBcc: eve@example.com\r\n\r\nsail", "Ships Bcc: eve@example.com sail"),
        ("Ships\n\n\tsail", "Ships sail"),
    ],
)
def test_a_title_is_shown_and_never_run(story, title, shown):
    story.publish(item("x", title=title))
    story.add()

    text = story.digest()

    mail = story.relay.mail_to("ann@example.com")
    html = mail.get_body(("html",)).get_content()
    assert shown in " ".join(text.split())
    assert escape(shown, quote=False) in " ".join(html.replace("&#39;", "'").split())
    assert shown in mail["Subject"]
    assert "<script" not in html
    assert "onerror" not in html
    assert mail["Bcc"] is None
    assert story.titles() == [shown]


def test_relative_links_lead_to_the_site(story):
    story.publish(item("first", link="/2026/first"), head="<link>https://site.example/</link>")
    story.add()

    text = story.digest()

    assert "https://site.example/2026/first" in text
    assert story.health()[0]["home"] == "https://site.example/"


def test_a_file_as_link_or_picture_reaches_no_mail(story):
    picture = '<enclosure url="file:///etc/passwd" type="image/jpeg"/></item>'
    story.publish(item("first", link="file:///etc/passwd").replace("</item>", picture))
    story.add()

    text = story.digest()

    assert "file:" not in text
    assert "file:" not in story.relay.mail_to("ann@example.com").get_body(("html",)).get_content()


def test_gzip_in_one_piece_or_several_is_read(story):
    body = rss(item("first"))
    story.answer(Page(gzip.compress(body[:50]) + gzip.compress(body[50:]), headers={"Content-Encoding": "gzip"}))
    story.add()

    assert story.stories() == ["first"]


def test_one_bad_feed_among_many_keeps_nobody_waiting(story):
    for number in range(12):
        story.server.pages[f"/{number}"] = Page(rss(item(f"n{number}")))
        story.site.did("feeds", "add", f"{story.server.url}/{number}", "--now", SUNDAY)
    bad = itertools.cycle(page for fault, (page, _) in FAILURES.items() if not impatient(fault))
    for number in range(0, 12, 2):
        story.server.pages[f"/{number}"] = next(bad)
    for number in range(1, 12, 2):
        story.server.pages[f"/{number}"] = Page(rss(item(f"m{number}", date=AT_DAWN), item(f"n{number}")))

    ended = story.poll(code=1)

    assert len(ended.err.splitlines()) == 6
    assert ended.out.count("1 new, 0 changed.") == 6
    assert len(story.stories()) == 18
