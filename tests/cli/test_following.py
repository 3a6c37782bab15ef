"""A digest follows its sources until it is planned; from then on nothing in it moves."""

import re
from pathlib import Path

import pytest

from tests.cli.site import MONDAY, NEXT_MONDAY, Publisher, Relay, Site

FEEDS = Path(__file__).parent.parent / "fixtures" / "feeds"
SATURDAY, SUNDAY = "2026-11-21T12:00Z", "2026-11-22T12:00Z"
TUESDAY = "2026-11-24T12:00Z"
SEND = ("send", "--cadence", "weekly")


def feed(*items: str) -> tuple[int, bytes]:
    return 200, f'<rss version="2.0"><channel><title>T</title>{"".join(items)}</channel></rss>'.encode()


def item(guid: str, title: str, *, topic: str = "", link: str = "", day: int = 20) -> str:
    category = f"<category>{topic}</category>" if topic else ""
    return (
        f"<item><guid isPermaLink='false'>{guid}</guid><title>{title}</title>{category}"
        f"<link>{link or f'https://news.example/{guid}'}</link><description>Some words.</description>"
        f"<pubDate>{day} Nov 2026 10:00:00 GMT</pubDate></item>"
    )


class Story:
    """One feed that changes, and what readers got of it."""

    def __init__(self, site: Site, publisher: Publisher, relay: Relay) -> None:
        self.site, self.publisher, self.relay = site, publisher, relay

    def says(self, *items: str, now: str, path: str = "/feed") -> None:
        """The feed is this from now on, and was polled."""
        self.publisher.pages[path] = feed(*items)
        known = [row["url"] for row in self.site.json("feeds", "list")]
        if self.publisher.url(path) not in known:
            self.site.did("feeds", "add", self.publisher.url(path), "--now", now)
        self.site.did("feeds", "poll", "--now", now)

    def text_for(self, name: str) -> str:
        return self.relay.mail_to(f"{name}@example.com").get_body(("plain",)).get_content()


@pytest.fixture
def story(site, publisher, relay) -> Story:
    site.configure('[topics]\nlungs = "Lungs"\nheart = "Heart"')
    return Story(site, publisher, relay)


def test_an_edit_before_planning_shows(story):
    story.site.join("ann")
    story.says(item("a", "A first draft"), now=SATURDAY)
    story.says(item("a", "As it was meant"), now=SUNDAY)
    story.site.did(*SEND, "--now", MONDAY)
    assert "As it was meant" in story.text_for("ann")
    assert "A first draft" not in story.text_for("ann")


def test_after_planning_every_copy_is_alike_whatever_the_source_says(story):
    story.site.join("ann", "bob")
    story.says(item("a", "As planned"), item("b", "Another"), now=SUNDAY)
    story.site.did(*SEND, "--now", MONDAY, "--limit", "1")
    story.says(item("a", "Rewritten", topic="Heart"), now="2026-11-23T08:30Z")
    story.site.did(*SEND, "--now", "2026-11-23T08:40Z")
    copies = [story.relay.bytes_to(f"{name}@example.com").decode() for name in ("ann", "bob")]
    assert all("As planned" in copy and "Another" in copy and "Rewritten" not in copy for copy in copies)
    assert impersonal(copies[0]) == impersonal(copies[1])


def impersonal(copy: str) -> str:
    """Without what is a reader's own: address, Message-ID and signed links."""
    joined = re.sub("=\r\n", "", copy)
    return re.sub(r"(?m)^(To|Message-ID):.*\r\n|(?<=/)\d+\.\d+\.[\w-]+|(?:ann|bob)@example\.com", "", joined)


def test_an_edit_of_a_mailed_article_does_not_come_again(story):
    story.site.join("ann")
    story.says(item("a", "Mailed"), now=SUNDAY)
    story.site.did(*SEND, "--now", MONDAY)
    story.says(item("a", "Mailed, corrected"), item("b", "News", day=24), now=TUESDAY)
    story.site.did(*SEND, "--now", NEXT_MONDAY)
    assert "News" in story.text_for("ann")
    assert "Mailed" not in story.text_for("ann")
    assert "Mailed, corrected" in story.site.did("articles", "list").out


def test_an_article_that_is_gone_from_its_feed_stays(story):
    story.site.join("ann")
    story.says(item("a", "Taken down"), item("b", "Still there"), now=SATURDAY)
    story.says(item("b", "Still there"), now=SUNDAY)
    story.site.did(*SEND, "--now", MONDAY)
    assert "Taken down" in story.text_for("ann")


def test_an_edit_of_topics_before_planning_changes_who_gets_it(story):
    story.site.join("ann", topics="lungs")
    story.site.join("bob", topics="heart")
    story.says(item("a", "On stairs", topic="Lungs"), item("b", "For all"), now=SATURDAY)
    story.says(item("a", "On stairs", topic="Heart"), item("b", "For all"), now=SUNDAY)
    story.site.did(*SEND, "--now", MONDAY)
    assert "On stairs" in story.text_for("bob")
    assert "On stairs" not in story.text_for("ann")


def test_an_article_of_two_feeds_is_mailed_once_and_to_the_readers_of_both_topics(story):
    story.site.join("ann", topics="lungs")
    story.site.join("bob", topics="heart")
    link = "https://news.example/stairs"
    story.says(item("a", "On stairs", topic="Lungs", link=link), now=SATURDAY)
    story.says(item("x7", "ON STAIRS", topic="Heart", link=f"{link}/?utm_source=planet"), now=SUNDAY, path="/planet")
    story.site.did(*SEND, "--now", MONDAY)
    for name in ("ann", "bob"):
        assert story.text_for(name).count("On stairs") == 1
        assert "ON STAIRS" not in story.text_for(name)
    story.says(item("x8", "ON STAIRS", topic="Heart", link=link), item("n", "News"), now=TUESDAY, path="/planet")
    story.site.did(*SEND, "--now", NEXT_MONDAY)
    assert "stairs" not in story.text_for("bob").lower()


def test_feeds_of_two_dozen_makers_give_one_digest(site, relay):
    site.configure("[cadence.weekly]\nwhen = 'monday 07:00'\nmax_articles = 100")
    site.join("ann")
    for path in sorted(FEEDS.iterdir()):
        site.did("feeds", "add", str(path), "--now", "2026-11-23T06:30Z", MAILER_FEEDS__PICTURE_SIZES="false")
    shown = site.json("preview", "--cadence", "weekly", "--now", MONDAY, "--out", "look")
    assert shown["articles"] == 50
    text, html = ((site.folder / "look" / name).read_text(encoding="utf-8") for name in ("digest.txt", "digest.html"))
    for title in ("Trailer: winter season", "減塩みそ汁の作り方", "„Ich habe das Stillsitzen verlernt“"):
        assert title in text
        assert title in html
    for trace in ("&amp;", "&#", "CDATA", "appeared first", "erschien zuerst", "arXiv:", "Announce Type", "$", "<p>"):
        assert trace not in text
    site.did(*SEND, "--now", MONDAY)
    assert "Trailer: winter season" in relay.mail_to("ann@example.com").get_body(("plain",)).get_content()
