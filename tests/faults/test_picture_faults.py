"""Pictures whose feed doesn't tell their size: what is asked of their servers, and what the digest shows."""

import itertools
import json
import re
import time
from collections.abc import Iterator

import pytest

from mailer.feeds import is_public
from mailer.flows.ingesting import picturing
from tests.cli.site import MONDAY, Site
from tests.faults.badfeeds import BadFeeds, Page, redirect
from tests.faults.certificate import make_certificate
from tests.pictures import exif, jpeg, png, vp8x

SUNDAY, EVENING, MORNING = "2026-11-22T12:00Z", "2026-11-22T18:00Z", "2026-11-23T06:00Z"
FRIDAY, LONG_AGO = "Fri, 20 Nov 2026 10:00:00 GMT", "Fri, 20 Nov 2020 10:00:00 GMT"


def picture(body: bytes, kind: str = "image/png", **details) -> Page:
    return Page(body, content_type=kind, **details)


class Story:
    """One feed, served beside its pictures."""

    def __init__(self, site: Site, server: BadFeeds) -> None:
        self.site, self.server = site, server
        self.publish("/p.png")

    def item(self, address: str, name: str = "first", date: str = FRIDAY) -> str:
        url = address if "://" in address else self.server.url + address
        enclosure = f'<enclosure url="{url}" type="image/png" length="1"/>'
        return (
            f"<item><title>The {name} story</title><guid>{name}</guid><link>https://site.example/{name}</link>"
            f"<pubDate>{date}</pubDate><description>Words.</description>{enclosure}</item>"
        )

    def publish(self, address: str = "", *, items: str = "") -> None:
        inner = items or self.item(address)
        self.server.pages["/feed.xml"] = Page(f'<rss version="2.0"><channel>{inner}</channel></rss>'.encode())

    def add(self, **environ: str) -> None:
        self.site.did("feeds", "add", f"{self.server.url}/feed.xml", "--now", SUNDAY, **environ)

    def poll(self, now: str = EVENING) -> dict:
        self.site.did("feeds", "poll", "--now", now)
        (one,) = self.site.json("feeds", "poll", "--now", now)
        return one

    def asked(self) -> list[str]:
        """The pictures that were asked for."""
        return [asked.path for asked in self.server.asked if asked.path != "/feed.xml"]

    def is_well(self) -> bool:
        (feed,) = self.site.json("feeds", "list", "--now", MONDAY)
        return feed["state"] == "well" and not feed["notes"]

    def shown(self) -> list[tuple[str, ...]]:
        """(address, width, height) of the pictures of articles in the digest."""
        self.site.did("preview", "--cadence", "weekly", "--now", MONDAY, "--out", "look")
        html = (self.site.folder / "look/digest.html").read_text(encoding="utf-8")
        assert "The first story" in html
        found = (re.findall(r'\b(src|width|height)="([^"]*)"', tag) for tag in re.findall(r"<img[^>]*>", html))
        return [(tag["src"].removeprefix(self.server.url), tag["width"], tag["height"]) for tag in map(dict, found)]


@pytest.fixture
def server() -> Iterator[BadFeeds]:
    with BadFeeds() as feeds:
        yield feeds


@pytest.fixture
def story(site, server) -> Story:
    site.configure("[feeds]\nallow_private = true")
    return Story(site, server)


def test_a_picture_whose_size_no_feed_tells_is_shown_with_the_size_it_has(story):
    story.server.pages["/p.png"] = picture(png(1200, 750) + bytes(500_000))
    story.add()

    assert story.shown() == [("/p.png", "536", "335")]
    (asked,) = [asked for asked in story.server.asked if asked.path == "/p.png"]
    assert asked.headers["range"] == "bytes=0-65535"
    assert asked.headers["accept-encoding"] == "identity"
    assert asked.headers["user-agent"].startswith("mailer/")
    assert not asked.headers.keys() & {"cookie", "referer", "authorization"}


MEDIA = 'xmlns:media="http://search.yahoo.com/mrss/"'
ITUNES = 'xmlns:itunes="http://www.itunes.com/dtds/podcast-1.0.dtd"'
TOLD = {
    "Media RSS": f'<item {MEDIA}><media:content url="{{}}" medium="image"/>',
    "a podcast": f'<item {ITUNES}><itunes:image href="{{}}"/>',
    "a picture in the text": "<item><description>&lt;figure&gt;&lt;img src='{}'&gt;&lt;/figure&gt;</description>",
}


@pytest.mark.parametrize("how", TOLD)
def test_however_a_feed_names_its_picture_it_is_shown(story, how):
    story.server.pages["/p.jpg"] = picture(jpeg(1200, 750), "image/jpeg")
    item = TOLD[how].format(f"{story.server.url}/p.jpg")
    story.publish(items=f"{item}<title>The first story</title><guid>1</guid><pubDate>{FRIDAY}</pubDate></item>")
    story.add()
    assert story.shown() == [("/p.jpg", "536", "335")]


def test_a_json_feeds_picture_is_shown(story):
    story.server.pages["/p"] = picture(jpeg(1200, 750), "image/jpeg")
    item = {"id": "1", "title": "The first story", "image": f"{story.server.url}/p", "date_published": SUNDAY}
    feed = {"version": "https://jsonfeed.org/version/1.1", "title": "Harbour", "items": [item]}
    story.server.pages["/feed.xml"] = Page(json.dumps(feed).encode(), content_type="application/feed+json")
    story.add()
    assert story.shown() == [("/p", "536", "335")]


def test_what_the_bytes_are_counts_and_not_what_they_are_called(story):
    story.server.pages["/p"] = picture(jpeg(1200, 800), "image/jpeg")
    story.server.pages["/p.jpg"] = picture(vp8x(1200, 800), "image/jpeg")
    story.publish("/p")
    story.add()
    assert story.shown() == [("/p", "536", "357")]

    story.publish("/p.jpg")
    story.poll()

    assert story.asked() == ["/p", "/p.jpg"]
    assert story.shown() == []


def test_a_photograph_taken_sideways_is_too_tall_for_a_lead(story):
    story.server.pages["/p.png"] = picture(jpeg(1200, 800, exif(6)), "image/jpeg")
    story.add()
    assert story.shown() == []


def test_a_part_of_the_picture_is_enough_and_redirects_are_followed(story):
    story.server.pages["/p.png"] = redirect("/there", 302)
    story.server.pages["/there"] = picture(png(1072, 560), status=206, headers={"Content-Range": "bytes 0-23/9999"})
    story.add()
    assert story.shown() == [("/p.png", "536", "280")]


def endless(sent: list[int]) -> Iterator[bytes]:
    for _ in range(2_000):
        sent.append(50_000)
        yield b"x" * 50_000


FAULTS = {
    "404": Page(status=404, content_type="image/png"),
    "500": picture(png(1200, 750), status=500),
    "a web page": Page(b"<!doctype html><h1>Sign in</h1>", content_type="text/html"),
    "a web page that is called a picture": picture(b"<!doctype html><h1>Sign in</h1>"),
    "a picture that is called a web page": Page(png(1200, 750), content_type="text/html"),
    "nothing": picture(b""),
    "a picture that breaks off": picture(png(1200, 750)[:20], claim=90_000),
    "a packed picture": picture(png(1200, 750), headers={"Content-Encoding": "br"}),
    "a bomb": picture(png(60_000, 60_000)),
    "a redirect to itself": redirect("/p.png", 302),
    "a redirect to a file": redirect("file:///etc/passwd", 302),
    "a slow answer": picture(png(1200, 750), wait=30),
    "a slow drip": picture(png(1200, 750), drip=0.2),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_picture_that_cannot_be_had_is_no_problem_of_its_feed(story, fault):
    story.server.pages["/p.png"] = FAULTS[fault]
    began = time.monotonic()

    story.add(**({"MAILER_FEEDS__TIMEOUT": "1s"} if "slow" in fault else {}))

    assert time.monotonic() - began < 10
    assert "/p.png" in story.asked()
    assert story.is_well()
    assert story.shown() == []


def test_a_picture_without_end_is_read_to_its_beginning_only(story):
    sent: list[int] = []
    story.server.pages["/p.png"] = picture(b"", chunks=itertools.chain([png(1200, 750)], endless(sent)))
    story.add()

    assert story.shown() == [("/p.png", "536", "335")]
    assert sum(sent) < 20_000_000  # what the kernel's buffers took before the connection was closed


@pytest.mark.parametrize("target", ["http://169.254.169.254/latest/", "http://10.0.0.1/", "http://[::ffff:10.0.0.1]/"])
def test_a_picture_is_not_followed_to_a_private_address(site, tmp_path, monkeypatch, target):
    # This machine's own address stands for a public one.
    monkeypatch.setattr("mailer.feeds.is_public", lambda address: address == "127.0.0.1" or is_public(address))
    certificate = make_certificate(tmp_path)
    monkeypatch.setattr("mailer.feeds._trust", lambda: certificate.client)
    with BadFeeds(certificate.server) as server:
        story = Story(site, server)
        server.pages["/good.png"], server.pages["/p.png"] = picture(png(1200, 750)), redirect(target, 302)
        began = time.monotonic()
        story.add()
        assert time.monotonic() - began < 4
        assert (story.asked(), story.is_well(), story.shown()) == (["/p.png"], True, [])
        story.publish("/good.png")
        story.poll()
        assert story.shown() == [("/good.png", "536", "335")]


def test_a_picture_on_this_machine_is_asked_for_only_where_feeds_may_be_private(site, server):
    story = Story(site, server)
    server.pages["/p.png"] = picture(png(1200, 750))
    feed = site.write("feed.xml", server.pages["/feed.xml"].body)
    site.did("feeds", "add", feed, "--now", SUNDAY)
    assert story.asked() == []
    site.did("feeds", "remove", "1")
    site.write("feed.xml", server.pages["/feed.xml"].body.replace(b"http:", b"https:"))

    site.did("feeds", "add", feed, "--now", SUNDAY)

    assert server.asked == []
    assert story.is_well()


def test_a_setting_asks_for_nothing(story):
    story.server.pages["/p.png"] = picture(png(1200, 750))
    story.add(MAILER_FEEDS__PICTURE_SIZES="false")
    assert (story.asked(), story.shown()) == ([], [])


@pytest.mark.parametrize(
    ("body", "shown"), [(png(1200, 750), [("/p.png", "536", "335")]), (b"", [])], ids=["well", "in vain"]
)
def test_a_picture_is_asked_for_once_and_what_was_learned_stays_through_edits(story, body, shown):
    story.server.pages["/p.png"] = picture(body)
    story.add()
    assert story.poll()["changed"] == 0
    story.publish(items=story.item("/p.png").replace("Words.", "Other words."))

    story.site.did("feeds", "poll", "--now", EVENING)

    assert story.asked() == ["/p.png"]
    assert story.shown() == shown
    assert story.poll(MORNING)["changed"] == 0
    assert "Other words." in (story.site.folder / "look/digest.html").read_text(encoding="utf-8")


def test_another_picture_is_asked_for_anew(story):
    story.server.pages["/q.png"] = picture(png(1200, 600))
    story.add()
    assert (story.asked(), story.shown()) == (["/p.png"], [])
    story.publish("/q.png")

    story.poll()

    assert story.asked() == ["/p.png", "/q.png"]
    assert story.shown() == [("/q.png", "536", "268")]


def test_a_feed_that_makes_its_ids_anew_does_not_have_its_pictures_asked_for_anew(story):
    story.server.pages["/p.png"] = picture(png(1200, 750))
    story.add()
    for number in range(3):
        story.publish(items=story.item("/p.png").replace("<guid>first", f"<guid>{number}"))
        story.poll()
    assert story.asked() == ["/p.png"]
    assert story.shown() == [("/p.png", "536", "335")]


def test_nothing_is_asked_of_a_back_catalogue_nor_for_a_feed_that_comes_back(story):
    items = [story.item("/p.png"), story.item("/old.png", "old", LONG_AGO), story.item("/bare.png", "bare", "")]
    story.publish(items="".join(items))
    story.add()
    assert story.asked() == ["/p.png"]
    story.publish(items="".join(items).replace("/old.png", "/other.png"))
    story.poll()
    story.site.did("feeds", "remove", "1")
    story.add()
    assert story.asked() == ["/p.png"]


def test_a_size_that_the_feed_tells_is_believed(story):
    media = '<media:content url="{}/p.png" medium="image" width="1200" height="600"/></item>'
    item = story.item("/p.png").replace("</item>", media.format(story.server.url))
    item = item.replace("<item>", '<item xmlns:media="http://search.yahoo.com/mrss/">')
    story.publish(items=item)
    story.add()
    assert story.asked() == []
    assert story.shown() == [("/p.png", "536", "268")]


def test_of_many_new_articles_the_newest_are_asked_for_two_at_once_of_one_host(story):
    count, active, most = picturing.MOST + 5, [0], [0]

    def counted() -> Iterator[bytes]:
        active[0] += 1
        most[0] = max(most[0], active[0])
        time.sleep(0.02)
        active[0] -= 1
        yield png(1200, 750)

    items = []
    for number in range(count):
        story.server.pages[f"/{number}.png"] = picture(b"", chunks=counted())
        items.append(story.item(f"/{number}.png", str(number), f"Fri, 20 Nov 2026 10:{number:02}:00 GMT"))
    story.publish(items="".join(items))

    story.add()

    assert sorted(story.asked()) == sorted(f"/{number}.png" for number in range(5, count))
    assert most == [picturing.AT_ONE_HOST]


def test_many_slow_pictures_hold_up_a_poll_for_seconds_only(story):
    items = [story.item(f"/{number}.png", "first" if number == 0 else str(number)) for number in range(20)]
    story.server.pages |= {f"/{number}.png": picture(png(1200, 750), wait=30) for number in range(20)}
    story.publish(items="".join(items))
    began = time.monotonic()

    story.add(MAILER_FEEDS__TIMEOUT="20s")

    assert picturing.PATIENCE.total_seconds() <= time.monotonic() - began < 10
    # The others of that host were not tried any more.
    assert len(story.asked()) == picturing.AT_ONE_HOST
    assert story.is_well()
    assert len(story.site.json("articles", "list")) == 20


def test_what_came_before_patience_ended_counts(story, monkeypatch):
    monkeypatch.setattr(picturing, "LONGEST", 1.5)
    story.server.pages |= {"/p.png": picture(png(1200, 750)), "/slow.png": picture(png(1200, 750), wait=30)}
    story.publish(items=story.item("/p.png") + story.item("/slow.png", "slow", "Fri, 20 Nov 2026 09:00:00 GMT"))
    story.add()
    assert ("/p.png", "536", "335") in story.shown()
